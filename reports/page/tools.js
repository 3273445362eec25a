// Forms that answer what the tables answer for a few cases, by the same rules as they.
(async () => {
  const known = await unpacked("tools");
  if (!known) return;
  const make = (name, children = [], attributes = {}) => {
    const made = document.createElement(name);
    made.append(...[children].flat());
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const grouped = (number) => number.toLocaleString("en", { maximumFractionDigits: 0 });
  // Estimated numbers have two digits, as in the tables.
  const about = (number) => grouped(number < 100 ? Math.round(number) : +number.toPrecision(2));
  const written = (set, error) => {
    const kept = Math.min(Math.max(error, 0), set.share ? 1 : Infinity);
    return set.share ? `${(100 * kept).toFixed(set.decimals)}%` : kept.toFixed(set.decimals);
  };
  const unit = (set) => (set.suffix ? ` ${set.suffix}` : "");
  const share = (value) => `${(100 * value).toFixed(Math.abs(value) >= 0.095 ? 0 : 1)}%`.replace("-", "\u2212");

  // From which m on a path stays at the target; undefined: not within reach.
  const reach = (path, points, target) => {
    const above = (i) => path[i][1] > target;
    let before = -1;
    for (let i = 0; i < points; i++) if (above(i)) before = i;
    if (before === points - 1) {
      while (before + 1 < path.length && above(before + 1)) before++;
      if (before === path.length - 1) return undefined;
    }
    if (before < 0) return path[0][0];
    const [[m, error], [next, lower]] = path.slice(before, before + 2);
    return m * (next / m) ** ((error - target) / (error - lower));
  };
  const read = (path, m) => {
    const i = path.findIndex(([at]) => at >= m), [[m0, e0], [m1, e1]] = path.slice(i - 1, i + 1);
    return e0 + (e1 - e0) * Math.log(m / m0) / Math.log(m1 / m0);
  };
  const paths = ({ path: [m, ...quantiles] }) => quantiles.map((errors) => errors.map((error, i) => [m[i], error]));
  const lastOf = ({ path: [m], points }) => m[points - 1];

  const needed = (set, curve, target) => {
    const last = lastOf(curve), end = about(known.farthest * last), lowest = curve.path[1].at(-1);
    const [from, m, to] = paths(curve).map((path) => reach(path, curve.points, target));
    const ends = curve.ends.map((error) => written(set, error));
    if (set.floor !== null && target < set.floor) return `Never: even the best possible predictions have ${written(set, set.floor)}${unit(set)}.`;
    if (m !== undefined) {
      if (to === curve.path[0][0]) return `Reached with the fewest labels that were measured, ${grouped(to)}.`;
      const range = `(${known.level} interval ${about(from)} to ${to === undefined ? `beyond ${end}` : about(to)})`;
      return `About ${about(m)} labels ${range}: ${m <= last ? "within what was measured" : `extrapolated beyond the ${grouped(last)} that were measured`}.`;
    }
    if (curve.few) return "Too few points were measured to say where this curve ends.";
    if (lowest > target && curve.ends[0] > target) return `Never: this curve is expected to end above that, at ${ends[0]} to ${ends[1]}${unit(set)}.`;
    return `More than ${end} labels, if ever: nothing is stated beyond ${known.farthest} times what was measured.`;
  };

  const gained = (set, curve, more) => {
    const last = lastOf(curve), m = last + more;
    if (m > known.farthest * last) return `Nothing is stated beyond ${known.farthest} times what was measured: ${grouped((known.farthest - 1) * last)} more labels at the most.`;
    const possible = (error) => (set.floor !== null && curve.error > set.floor ? Math.max(error, set.floor) : error);
    const [low, middle, high] = paths(curve).map((path) => possible(read(path, m)));
    const [removed, least, most] = [middle, high, low].map((error) => share(1 - error / curve.error));
    return `With ${grouped(m)} labels, a ${set.name} of ${written(set, middle)}${unit(set)} (${known.level} interval ${written(set, low)} to ${written(set, high)}) `
      + `in place of ${written(set, curve.error)}: ${removed} of it removed (${least} to ${most}). Extrapolated.`;
  };

  const field = (text, input, after = "") => make("label", [make("span", text), make("span", [input, after])]);
  const answer = () => make("output", [], { "aria-live": "polite" });
  const options = (select, names) => {
    select.replaceChildren(...names.map((name, i) => make("option", name, { value: i })));
    return select;
  };
  const put = (name, title, parts) => {
    for (const slot of document.querySelectorAll(`[data-tool="${name}"]`)) {
      const form = make("form", [make("h4", title), ...parts], { "aria-label": title });
      form.addEventListener("submit", (event) => event.preventDefault());
      slot.replaceChildren(form);
    }
  };

  const sets = options(make("select"), known.sets.map((one) => one.title)), learners = make("select");
  const target = make("input", [], { type: "number", min: 0, step: "any", name: "target" });
  const more = make("input", [], { type: "number", min: 1, step: 1, name: "more" });
  const percent = make("span"), labels = answer(), gain = answer();
  const chosen = () => [known.sets[sets.value], known.sets[sets.value].curves[learners.value]];
  const ask = () => {
    const [set, curve] = chosen(), wanted = parseFloat(target.value), added = parseInt(more.value, 10);
    labels.value = wanted >= 0 ? needed(set, curve, set.share ? wanted / 100 : wanted) : "Enter an error to reach.";
    gain.value = added > 0 ? gained(set, curve, added) : "Enter a number of labels.";
  };
  const ofLearner = () => {
    const [set, curve] = chosen(), near = 0.85 * curve.error;
    target.value = set.share ? (100 * near).toPrecision(2) : near.toPrecision(3);
    more.value = lastOf(curve);
    percent.textContent = set.share ? " %" : unit(set);
    ask();
  };
  const ofSet = () => {
    const set = known.sets[sets.value];
    options(learners, set.curves.map((curve) => curve.label)).value = set.best;
    ofLearner();
  };
  sets.addEventListener("change", ofSet);
  learners.addEventListener("change", ofLearner);
  for (const input of [target, more]) input.addEventListener("input", ask);
  put("curves", "Ask the curves", [
    make("p", [...(known.sets.length > 1 ? [field("Data set", sets)] : []), field("Learner", learners)]),
    make("p", [field("How many labels for an error of", target, percent), labels]),
    make("p", [field("What would so many more labels bring?", more), gain]),
  ]);
  ofSet();

  if (!known.budgets) return;
  const { rows, unit: paid, dataset } = known.budgets, judged = known.sets[dataset];
  const slider = make("input", [], { type: "range", min: 0, max: rows.length - 1, step: 1, name: "budget" }), best = answer();
  const large = (number) => {
    const [size, word] = [[1e12, " trillion"], [1e9, " billion"], [1e6, " million"]].find(([least]) => number >= least) ?? [1, ""];
    return `${word ? +(number / size).toPrecision(2) : about(number)}${word} ${paid}`;
  };
  const spend = () => {
    const [budget, n, n0, n1, m, m0, m1, error, low, high, inside] = rows[slider.value];
    slider.setAttribute("aria-valuetext", large(budget));
    best.value = `${large(budget)}: best spent on about ${about(n)} parameters (${about(n0)} to ${about(n1)}) and ${about(m)} labels (${about(m0)} to ${about(m1)}), `
      + `for a ${judged.name} of ${written(judged, error)}${unit(judged)} (${written(judged, low)} to ${written(judged, high)}). ${inside ? "Within the measured grid." : "Beyond the measured grid."}`;
  };
  slider.value = Math.max(0, rows.findLastIndex((row) => row[10]));
  slider.addEventListener("input", spend);
  put("budgets", "Try a budget", [make("p", [field("Budget", slider), best])]);
  spend();
})();
