// A press on an entry of a legend shows its series alone, the next press all of them. The mark nearest
// to the pointer tells its value; so do, in a legend, the arrow keys, from mark to mark of a series.
(() => {
  // "log 210 40.5 2 20|%": 2% is at 210 and 20% at 40.5; of more than two values, the nearest is meant.
  const reader = (text) => {
    if (!text) return undefined;
    const [scale, unit = ""] = text.split(/\|(.*)/s), [kind, from, to, ...values] = scale.split(" ");
    const log = kind === "log", on = values.map((value) => (log ? Math.log(value) : +value));
    const slope = (on.at(-1) - on[0]) / (to - from);
    const write = (value, digits) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    return (place) => {
      const there = on[0] + (place - from) * slope;
      const off = on.map((value) => Math.abs(value - there));
      if (on.length > 2) return (+values[off.indexOf(Math.min(...off))]).toLocaleString("en");
      const value = log ? Math.exp(there) : there;
      const step = 10 ** Math.ceil(Math.log10(Math.abs(slope) * (log ? value / 2 : 1)));
      const rounded = Math.round(value / step) * step || 0;
      return `${write(rounded, Math.max(0, -Math.round(Math.log10(step))))}${/^\p{L}/u.test(unit) ? "\u00a0" : ""}${unit}`.replace(/^-/, "\u2212");
    };
  };

  // A path says where its marks are, has them at its points, each told from the one before, or is one.
  const places = (path) => {
    const found = [];
    let x = 0, y = 0;
    if (path.dataset.m) return [...path.dataset.m.matchAll(/(\S+) (\S+)/g)].map((pair) => [+pair[1], +pair[2]]);
    if (getComputedStyle(path).markerMid === "none") {
      const box = path.getBBox();
      return [[box.x + box.width / 2, box.y + box.height / 2]];
    }
    for (const [, command, told] of path.getAttribute("d").matchAll(/([a-z])([^a-z]*)/g)) {
      const moves = told.match(/-?\d+/g).map(Number);
      while (moves.length) {
        if (command !== "v") x += moves.shift();
        if (command !== "h") y += moves.shift();
        found.push([x, y]);
      }
    }
    return found;
  };

  for (const svg of document.querySelectorAll("figure svg")) {
    const groups = [...svg.querySelectorAll("[data-s]")];
    if (!groups.length) continue;
    const { width, height } = svg.viewBox.baseVal;
    const box = document.createElement("div"), tip = document.createElement("output");
    box.className = "plot";
    tip.hidden = true;
    svg.replaceWith(box);
    box.append(svg, tip);
    const labels = {};
    let alone;
    const show = (one = alone) => groups.forEach((group) => group.classList.toggle("dim", one !== undefined && group.dataset.s !== one));

    const panels = [...svg.querySelectorAll("[data-box]")].map(({ dataset }) => ({ ...dataset, box: dataset.box.split(" ").map(Number) }));
    const marks = [...svg.querySelectorAll("[data-s] > [data-m]")].flatMap((path) => places(path).map(([x, y]) => ({
      x, y, series: path.parentNode.dataset.s,
      panel: panels.find(({ box }) => x > box[0] - 7 && y > box[1] - 7 && x < box[2] + 7 && y < box[3] + 7),
    }))).filter((mark, i, all) => mark.panel && i === all.findIndex(({ x, y, series }) => x === mark.x && y === mark.y && series === mark.series))
      .sort((a, b) => panels.indexOf(a.panel) - panels.indexOf(b.panel) || a.x - b.x);
    const tell = (mark, title = "") => {
      tip.hidden = !mark;
      if (!mark) return;
      const { series, x, y, panel } = mark;
      const [first, m] = panel.y ? [reader(panel.y)(y), reader(panel.x)?.(x)] : [reader(panel.x)(x)];
      tip.value = `${title}${labels[series] ? `${labels[series]}: ` : ""}about ${first}${m ? ` at m = ${m}` : ""}`;
      tip.style.cssText = `left:${100 * x / width}%;top:${100 * y / height}%;translate:${-100 * x / width}% ${y < height / 6 ? ".7rem" : "calc(-100% - .6rem)"}`;
    };
    svg.addEventListener("pointermove", (event) => {
      const { left, top, width: shown } = svg.getBoundingClientRect(), unit = width / shown;
      const away = ({ x, y }) => Math.hypot(x - (event.clientX - left) * unit, y - (event.clientY - top) * unit);
      const near = marks.filter((mark) => (alone ?? mark.series) === mark.series && away(mark) < 32)
        .sort((a, b) => away(a) - away(b))[0];
      tell(near);
      show(alone ?? near?.series ?? event.target.closest("[data-s]")?.dataset.s);
    });
    svg.addEventListener("pointerleave", () => { tell(); show(); });

    const keys = [...svg.querySelectorAll(".key")].map((key) => {
      const series = key.dataset.s, label = key.nextElementSibling.textContent;
      const own = marks.filter((mark) => mark.series === series);
      const [a, b] = [key, key.nextElementSibling].map((part) => part.getBBox());
      const button = document.createElement("button");
      let at = -1;
      labels[series] = label;
      button.type = "button";
      button.ariaLabel = `Only ${label}`;
      button.ariaPressed = "false";
      button.title = own.length && "Press to show it alone; arrow keys tell its values" || "Press to show it alone";
      button.style.cssText = `left:${100 * a.x / width}%;top:${100 * b.y / height}%;width:${100 * (b.x + b.width - a.x) / width}%;height:${100 * b.height / height}%`;
      button.addEventListener("click", () => {
        alone = alone === series ? undefined : series;
        keys.forEach((other) => { other.ariaPressed = String(other === button && alone === series); });
        tell();
        show();
      });
      button.addEventListener("pointerenter", () => show(alone ?? series));
      button.addEventListener("pointerleave", () => show());
      button.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (event.key === "Escape") tell();
        if (!step || !own.length) return;
        event.preventDefault();
        at = (Math.max(at + step, -1) + own.length) % own.length;
        const { title } = own[at].panel; // for who listens
        tell(own[at], title && `${title}, `);
      });
      button.addEventListener("blur", () => tell());
      return button;
    });
    box.append(...keys);
  }
})();
