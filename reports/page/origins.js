// A number, or the button below a figure, opens a panel that says where it comes from.
// Numbers in one paragraph or table are one stop for the Tab key; the arrow keys lead on from there.
(async () => {
  const known = await unpacked("origins");
  if (!known) return;
  const dialog = document.createElement("dialog");
  if (!dialog.showModal) return;
  dialog.className = "origin";
  dialog.setAttribute("aria-labelledby", "origin-title");
  document.body.append(dialog);

  const element = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    made.append(...[text].flat());
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const code = (text) => element("code", text);
  const listed = (items) => element("ul", items.map((item) => element("li", item)));
  const digest = (text) => (text ? ["SHA-256 begins with ", element("code", text, { class: "digest" })] : "");
  const line = (i) => code(`src/takeoff/${known.code[i]}`);
  const lines = (indices) => listed(indices.map((i) => [line(i)]));

  // Rows of a list of terms about one file: [term, contents] each.
  const aboutFile = ([file, rule, sha, made, inputs]) => [
    ["File", [code(file), element("br", ""), digest(sha)].flat()],
    ["Rule", rule && code(rule)],
    ["Computed by", made.length && lines(made)],
    ["Made from", inputs.length && listed(inputs.map((i) => [code(known.files[i][0]), " ", ...digest(known.files[i][2])]))],
    ["Made again by", rule && element("pre", code(`snakemake ${known.folder}/${file} \\\n  --forcerun ${rule} ${known.options}`), { tabindex: "0" })],
    ["Code at", known.commit && code(known.commit)],
  ];
  const show = (title, rows) => {
    const close = element("button", "Close", { type: "button", autofocus: "" });
    close.addEventListener("click", () => dialog.close());
    const terms = rows.filter(([, shown]) => shown)
      .flatMap(([term, shown]) => [element("dt", term), element("dd", shown)]);
    dialog.replaceChildren(element("h2", title, { id: "origin-title" }), element("dl", terms), close);
    dialog.showModal();
  };
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  const showNumber = (number) => {
    const [fact, select, [file, by, set]] = facts.get(number);
    const behind = known.tables[set].map((i) => [code(known.files[i][0])]);
    const m = known.files[file][0].startsWith("runs/") ? select.match(/\bm = (\d+)/)?.[1] : undefined;
    const cells = known.tables[set].flatMap((i) => Object.entries(known.files[i][5]))
      .reduce((sum, [at, n]) => sum + (m === undefined || m === at ? n : 0), 0);
    const count = `${cells.toLocaleString("en")} ${cells === 1 ? "run" : "runs"}${m === undefined ? "" : ` at m = ${Number(m).toLocaleString("en")}`}`;
    show(`Where ${number.textContent} comes from`, [
      ["Number", code(fact)],
      ["Interval", intervals.get(number) ?? number.parentElement.querySelector(":scope > b + small")?.textContent],
      ["Read from", select],
      ["Cells behind it", cells && (behind.length > 1
        ? element("details", [element("summary", count), listed(behind)]) : [count, " in ", ...behind[0]])],
      ["Written by", known.code[by] && line(by)],
      ...aboutFile(known.files[file]),
    ]);
  };

  const names = wholeNames(known.ids), origins = walked(known.from, known.origins);
  const told = walked(known.numbers, names.map((name, i) => [name, filled(known.selects[i], name), origins[i]]));
  const numbers = [...document.querySelectorAll("main b")];
  const facts = new Map(), intervals = new Map(), blocks = new Map();
  for (const [i, number] of numbers.entries()) {
    const [, select, [file]] = told[i];
    facts.set(number, told[i]);
    if (number.title) intervals.set(number, number.title.replace("interval ", ""));
    number.title += `${number.title && "; "}${known.files[file][0]}: ${select}`;
    const block = number.closest("p, li, dd, table, figcaption") ?? number.parentElement;
    number.setAttribute("role", "button");
    number.setAttribute("aria-haspopup", "dialog");
    number.tabIndex = blocks.has(block) ? -1 : 0;
    if (!blocks.has(block)) blocks.set(block, []);
    blocks.get(block).push(number);
  }
  const move = (number, steps) => {
    const to = numbers[numbers.indexOf(number) + steps];
    if (!to) return;
    for (const block of blocks.values()) if (block.includes(to)) block.forEach((one) => { one.tabIndex = one === to ? 0 : -1; });
    to.focus();
  };
  const keys = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  document.addEventListener("click", (event) => {
    const number = event.target.closest?.("main b");
    if (number) showNumber(number);
  });
  document.addEventListener("keydown", (event) => {
    const number = event.target.closest?.("main b");
    if (!number || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") showNumber(number);
    else if (event.key in keys) move(number, keys[event.key]);
    else return;
    event.preventDefault();
  });

  for (const figure of document.querySelectorAll("figure[id]")) {
    const name = figure.id.replace(/^fig-/, "").replaceAll("-", "_");
    if (!(name in known.figures)) continue;
    const button = element("button", "Origin of this figure", { type: "button", "aria-haspopup": "dialog", class: "origin-of" });
    button.addEventListener("click", () => show("Where this figure comes from", aboutFile(known.files[known.figures[name]])));
    figure.append(button);
  }
})();
