// What an element of the page holds, compressed; undefined where there is no such element.
const unpacked = async (id) => {
  const packed = document.getElementById(id)?.textContent;
  if (!packed || !globalThis.DecompressionStream) return undefined;
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
};

// What `takeoff.paper.packing` does to lists, undone: things that come again are told by how far back
// they are, names by what is new in them, texts by the parts of a name.
const walked = (steps, things) => {
  let next = 0;
  return steps.map((step) => things[step ? next - step : next++]);
};
const wholeNames = (names) => {
  let before = [];
  return names.map((name) => (before = name.split(".").map((part, i) => part || before[i])).join("."));
};
const filled = (text, name) => (text[0] === "=" ? text.slice(1)
  : text.replace(/\{\{(\d+)\}\}/g, (_, part) => name.split(".")[part]));

// The page works without this: it folds the contents on small screens and marks the section in view.
(() => {
  const contents = document.querySelector(".contents details");
  const wide = matchMedia("(min-width: 75rem)");
  const fold = () => { contents.open = wide.matches; };
  wide.addEventListener("change", fold);
  fold();

  const links = new Map([...document.querySelectorAll(".contents a")].map((a) => [a.hash.slice(1), a]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "0px 0px -75% 0px" });
  for (const id of links.keys()) {
    const heading = document.getElementById(id);
    if (heading) seen.observe(heading);
  }
})();
