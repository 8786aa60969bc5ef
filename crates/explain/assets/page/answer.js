// The answer of one weight, bias or neuron.

const PATHS = 10;

/** The name of what is selected, as it is asked for. */
function nameOf({ kind, layer, neuron, input }) {
  if (kind === "weight") return name("W", layer, neuron, input);
  return name(kind === "bias" ? "b" : "a", layer, neuron);
}

/** Reads `W_112`, `W_1,12,3`, `b_21` or `a_21`; a string that says what is wrong if it is none. */
function readName(text, network) {
  const match = /^\s*([WbahL])_?\{?([\d, ]+)\}?\s*$/.exec(text);
  const wrong = `“${text.trim()}” is no name of a weight (W_112: layer 1, neuron 1, input 2), bias (b_21) or neuron (a_21)`;
  if (!match) return wrong;
  const letter = match[1] === "h" ? "a" : match[1];
  const indices = match[2].includes(",") ? match[2].split(",").map(Number) : [...match[2].replace(/ /g, "")].map(Number);
  const kind = { W: "weight", b: "bias", a: "neuron" }[letter];
  if (!kind || indices.length !== (kind === "weight" ? 3 : 2) || indices.some((i) => !Number.isInteger(i) || i < 1)) return wrong;
  const [layer, neuron, input] = indices;
  if (layer > network.depth) return `there is no layer ${layer}: the network has ${network.depth}`;
  const { kind: type, outputs, inputs, bias } = network.layer(layer);
  if (neuron > outputs) return `there is no neuron ${neuron} in layer ${layer}: it has ${outputs}`;
  if (kind !== "neuron" && type !== "dense") return `layer ${layer} (${type}) has no weights and no bias`;
  if (kind === "weight" && input > inputs) return `there is no input ${input} of layer ${layer}: it has ${inputs}`;
  if (kind === "bias" && !bias) return `layer ${layer} has no bias`;
  return { kind, layer, neuron, ...(kind === "weight" ? { input } : {}) };
}

/** Everything about the selected quantity; `view` keeps the path looked at. */
function answer(run, runs, view, act) {
  const { selection } = view;
  if (!selection) {
    return [note("Click a weight, a bias or a neuron in the drawing, or ask for one by its name: W_112 is the weight of layer 1, neuron 1, input 2.")];
  }
  return selection.kind === "neuron" ? neuronAnswer(run, selection, act) : parameterAnswer(run, runs, view, act);
}

function parameterAnswer(run, runs, view, act) {
  const { selection } = view;
  const { network } = run;
  const { layer: i, neuron: j, input: k } = selection;
  const L = network.depth;
  const output = run.gradA[L];
  const hidden = run.upward(i, j)[L];
  const factor = k ? run.h[i - 1][k - 1] : 1;
  const W = `${k ? "W" : "b"}_{${subscript(k ? [i, j, k] : [i, j])}}`;
  const size = k ? network.weight(i, j, k) : network.bias(i, j);
  if (!hidden) return [...shortAnswer(run, selection, W, factor), ...(runs.length > 1 ? [el("h3", {}, "over the examples"), overExamples(runs, run, selection, act)] : [])];
  const products = output.map((g, o) => g * hidden[o] * factor);
  const value = sum(products);
  const paths = run.paths(i, j, PATHS);
  const magnitude = paths.magnitude * Math.abs(factor);
  const parts = [
    el("p", { class: "result" }, tex(`\\f{∂L}{∂${W}}`), " = ", el("data", { id: "derivative", value: String(value) }, num(value, 6)), el("span", { class: "of" }, ` for ${run.example.name}`)),
    note(tex(W), " = ", num(size), ". ", meaning(value, W)),
    el("h3", {}, "the three talks"),
    formula(`\\f{∂L}{∂${W}} = `, group("g-out", "talk to the output layer", `(∇_{a_{${L}}} L)^{T}`), " · ", group("g-hid", i === L ? "it is the output layer" : "talk to the hidden layers", `\\f{∂a_{${L}}}{∂${unit("a", i, j)}}`), " · ", group("g-par", k ? "talk to the weights" : "talk to the bias", k ? inputOf(i - 1, k) : "1")),
    threeNumbers(output, hidden, factor, value, products, network, unit("a", i, j), k ? tex(inputOf(i - 1, k)) : "1"),
  ];
  if (value === 0) parts.push(note(whyZero(factor, hidden, k)));
  if (paths.number === 1) {
    parts.push(...pathFormula(run, selection, paths.best[0], factor));
  } else if (magnitude === 0) {
    parts.push(note(`All ${count(paths.number)} paths from the loss to it carry 0.`));
  } else {
    const covered = sum(paths.best.map((p) => Math.abs(p.value)));
    const share = percent(paths.magnitude > 0 ? covered / paths.magnitude : 0);
    const all = paths.best.length === paths.number ? "" : ` The ${paths.best.length} shown carry ${share} of Σ|paths|.`;
    parts.push(
      el("h3", {}, `the strongest of ${count(paths.number)} paths`),
      pathTable(run, paths, factor, view, act),
      note(cancellation(Math.abs(value) / magnitude, value, magnitude), all),
    );
    if (view.path) parts.push(...pathFormula(run, selection, view.path, factor));
  }
  if (runs.length > 1) parts.push(el("h3", {}, "over the examples"), overExamples(runs, run, selection, act));
  return parts;
}

/** Of a neuron that was not exported: backpropagation's product alone. */
function shortAnswer(run, { layer: i, neuron: j, input: k }, W, factor) {
  const delta = run.gradA[i][j - 1];
  const a = unit("a", i, j);
  return [
    el("p", { class: "result" }, tex(`\\f{∂L}{∂${W}}`), " = ", el("data", { id: "derivative", value: String(delta * factor) }, num(delta * factor, 6)), el("span", { class: "of" }, ` for ${run.example.name}`)),
    note(meaning(delta * factor, W)),
    formula(`\\f{∂L}{∂${W}} = `, group("g-hid", "all talks above", `\\f{∂L}{∂${a}}`), " · ", group("g-par", k ? "talk to the weights" : "talk to the bias", k ? inputOf(i - 1, k) : "1"), " = ", num(delta), " · ", factorOf(factor)),
    note(words(`The network is too large to ship whole; the weights, talks and paths of the ${run.network.known(i).length} neurons of layer ${i} that carry most of the gradient are here: ${run.network.known(i).map((n) => name("a", i, n)).join(", ")}. For another one name it to chainrule explain.`)),
  ];
}

const meaning = (value, W) =>
  value === 0
    ? ["A small change of ", tex(W), " does not change the loss of this example."]
    : [value > 0 ? "Raising " : "Lowering ", tex(W), " raises the loss; gradient descent ", value > 0 ? "lowers it." : "raises it."];

function whyZero(factor, hidden, k) {
  if (factor === 0) return `It is 0 since the input ${k} is 0 here.`;
  if (hidden.every((v) => v === 0)) return "It is 0 since nothing passes from its neuron to the output: it, or all above it, is off (g′ = 0).";
  return "It is 0 since the outputs ask for no change, or their wishes cancel.";
}

/** The groups with their numbers, of many outputs as a table by contribution. */
function threeNumbers(output, hidden, factor, value, products, network, a, factorName) {
  if (output.length <= WRITTEN) {
    return formula(" = ", group("g-out", "", row(output)), " · ", group("g-hid", "", column(hidden)), " · ", group("g-par", "", factorOf(factor)), " = ", num(value, 6));
  }
  const order = [...products.keys()].sort((a, b) => Math.abs(products[b]) - Math.abs(products[a]));
  const shown = order.slice(0, WRITTEN);
  const most = Math.abs(products[order[0]]);
  const rest = value - sum(shown.map((o) => products[o]));
  const L = network.depth;
  const line = (head, ...cells) => el("tr", {}, el("th", { scope: "row" }, head), cells.map((c, n) => el("td", n === 4 ? { class: "bars" } : {}, c)));
  return el(
    "table",
    { class: "list" },
    el("thead", {}, el("tr", {}, [["output"], tex(`∇_{a_{${L}}} L`), tex(`∂a_{${L}}/∂${a}`), [factorName], ["product"], [""]].map((t) => el("th", { scope: "col" }, t)))),
    el(
      "tbody",
      {},
      shown.map((o) => line(network.data.outputs[o] ?? String(o + 1), num(output[o], 3), num(hidden[o], 3), num(factor, 3), num(products[o], 3), bar(most > 0 ? products[o] / most : 0, products[o]))),
      shown.length < output.length ? line(`${output.length - shown.length} others`, "", "", "", num(rest, 3), bar(most > 0 ? rest / most : 0, rest)) : null,
      line("sum", "", "", "", num(value, 6), ""),
    ),
  );
}

function pathTable(run, paths, factor, view, act) {
  const { selection } = view;
  const total = paths.magnitude;
  const most = Math.abs(paths.best[0]?.value ?? 0);
  const L = run.network.depth;
  return el(
    "table",
    { class: "list paths" },
    el("thead", {}, el("tr", {}, ["path from the loss", "value", "share", ""].map((t) => el("th", { scope: "col" }, t)))),
    el(
      "tbody",
      {},
      paths.best.map((path) => {
        const stops = [...path.units].reverse().map(([r], s) => name("a", L - s, r + 1));
        const chosen = view.path && view.path.units.join() === path.units.join();
        const button = el("button", { type: "button", "aria-pressed": String(Boolean(chosen)) }, tex(`L ← ${stops.join(" ← ")} ← ${nameOf(selection)}`));
        button.addEventListener("click", () => act({ ...selection, path: chosen ? null : path }));
        return el("tr", chosen ? { class: "chosen" } : {}, el("td", {}, button), el("td", {}, num(path.value * factor, 3)), el("td", {}, percent(total > 0 ? Math.abs(path.value) / total : 0)), el("td", { class: "bars" }, bar(most > 0 ? path.value / most : 0, path.value * factor)));
      }),
    ),
  );
}

function cancellation(index, value, magnitude) {
  const word = index > 0.9 ? "The paths agree" : index > 0.5 ? "Most paths agree" : index > 0.1 ? "The paths argue" : "The paths cancel almost wholly";
  return [`${word}: |Σ paths| / Σ|paths| = `, num(Math.abs(value), 3), " / ", num(magnitude, 3), " = ", el("strong", {}, short(index, 3)), "."];
}

/** Every factor of one path by name, expanded and compressed. */
function pathFormula(run, { layer: i, neuron: j, input: k }, path, factor) {
  const L = run.network.depth;
  const list = run.factors(i, path.units);
  const W = k ? name("W", i, j, k) : name("b", i, j);
  const last = { name: `\\f{∂${name("a", i, j)}}{∂${W}}`, value: factor };
  const first = list.length - 2 * (L - i);
  const part = (kind, label, factors) => {
    const names = factors.flatMap((f, n) => [n ? " · " : "", f.name]);
    const numbers = factors.flatMap((f, n) => [n ? " · " : "", factorOf(f.value, 3)]);
    return el("span", { class: "both" }, group(kind, label, names), el("span", { class: "filled" }, numbers));
  };
  const groups = [part("g-out", "output layer", list.slice(0, first))];
  for (let n = first, m = L - 1; n < list.length; n += 2, m -= 1) groups.push(part("g-hid", `hidden layer ${m}`, list.slice(n, n + 2)));
  groups.push(part("g-par", k ? "weight" : "bias", [last]));
  const cut = i < L ? list.length - 1 : list.length;
  const above = list.slice(0, cut).reduce((p, f) => p * f.value, 1);
  const middle = i < L ? name("h", i, path.units[0][1] + 1) : name("a", i, j);
  const below = (i < L ? list[cut].value : 1) * factor;
  const value = path.value * factor;
  return [
    el("h3", {}, "the path, factor by factor"),
    formula(groups.flatMap((g, n) => [n ? " · " : "", g]), " = ", num(value)),
    el("p", { class: "note" }, "compressed:"),
    formula(`\\f{∂L}{∂${middle}} · \\f{∂${middle}}{∂${W}} = `, num(above), " · ", factorOf(below), " = ", num(value)),
  ];
}

/** The same weight in every example of the page, and what they give together. */
function overExamples(runs, run, selection, act) {
  const values = runs.map((r) => r.gradient(selection));
  const most = Math.max(...values.map(Math.abs));
  const { reduction } = run.network.loss;
  const total = reduction === "mean" ? sum(values) / values.length : sum(values);
  return el(
    "div",
    {},
    el(
      "table",
      { class: "list" },
      el(
        "tbody",
        {},
        runs.map((r, e) => {
          const button = el("button", { type: "button" }, r.example.name);
          button.addEventListener("click", () => act({ ...selection, example: e }));
          return el("tr", r === run ? { class: "chosen" } : {}, el("td", {}, button), el("td", {}, num(values[e], 3)), el("td", { class: "bars" }, bar(most > 0 ? values[e] / most : 0, values[e])));
        }),
      ),
    ),
    note(`The ${reduction} of the ${values.length} derivatives: `, el("data", { id: "batch-derivative", value: String(total) }, num(total, 6)), "."),
  );
}

function neuronAnswer(run, { layer: m, neuron: j }, act) {
  const { network } = run;
  const layer = network.layer(m);
  const below = run.h[m - 1];
  const top = m === network.depth;
  const a = unit("a", m, j);
  const parts = [el("p", { class: "result" }, tex(`\\f{∂L}{∂${a}}`), " = ", el("data", { id: "derivative", value: String(run.gradA[m][j - 1]) }, num(run.gradA[m][j - 1], 6)), el("span", { class: "of" }, ` for ${run.example.name}`))];
  if (layer.kind === "dense" && network.knows(m, j)) {
    const list = below.map((x, k) => ({ left: network.weight(m, j, k + 1), right: x, value: network.weight(m, j, k + 1) * x }));
    parts.push(el("h3", {}, "what it computes"), formula(`${a} = Σ_{k} W_{${subscript([m, j])}k} ${m === 1 ? "x_{k}" : `h_{${m - 1}k}`}${layer.bias ? ` + ${unit("b", m, j)}` : ""}`), formula(" = ", terms(list, network.bias(m, j)), " = ", num(run.a[m][j - 1])));
    if (!network.isIdentity(m)) {
      const slope = run.derivative(m).d[j - 1];
      parts.push(formula(`${unit("h", m, j)} = g(${a}) = `, num(run.h[m][j - 1]), `,  g′(${a}) = `, num(slope)));
      if (slope === 0) parts.push(note("Its slope is 0 here: it passes no blame on, and its weights do not move for this example."));
      else if (Math.abs(slope) < 0.01) parts.push(note("It is saturated: its slope is nearly 0, so little of the blame gets through."));
    }
  }
  parts.push(el("h3", {}, "how it is blamed"));
  if (top) parts.push(note("It is in the output layer: the loss asks it directly."));
  else if (network.layer(m + 1).kind === "dense") {
    parts.push(formula(`\\f{∂L}{∂${unit("h", m, j)}} = Σ_{p} W_{${m + 1},p,${j}} \\f{∂L}{∂a_{${m + 1},p}}`), formula(" = ", blameTerms(run, m, j), " = ", num(run.gradH[m][j - 1])));
  }
  const { d } = run.derivative(m);
  if (!top && d) parts.push(formula(`\\f{∂L}{∂${a}} = \\f{∂L}{∂${unit("h", m, j)}} · g′(${a}) = `, num(run.gradH[m][j - 1]), " · ", factorOf(d[j - 1]), " = ", num(run.gradA[m][j - 1])));
  if (layer.kind === "dense") parts.push(el("h3", {}, "its weights that answer for most"), ownWeights(run, m, j, act));
  return parts;
}

function ownWeights(run, m, j, act) {
  const below = run.h[m - 1];
  const grads = below.map((x) => x * run.gradA[m][j - 1]);
  const order = [...grads.keys()].sort((p, q) => Math.abs(grads[q]) - Math.abs(grads[p])).slice(0, 6);
  const ask = (selection, value) => {
    const button = el("button", { type: "button" }, tex(`∂L/∂${nameOf(selection)}`), " = ", num(value));
    button.addEventListener("click", () => act(selection));
    return el("li", {}, button);
  };
  return el(
    "ul",
    { class: "tops" },
    order.map((k) => ask({ kind: "weight", layer: m, neuron: j, input: k + 1 }, grads[k])),
    run.network.layer(m).bias ? ask({ kind: "bias", layer: m, neuron: j }, run.gradA[m][j - 1]) : null,
  );
}
