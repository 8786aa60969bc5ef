// The steps: the forward pass, then the conversation about responsibility, one question at a time.

/** Up to so many rows and columns a matrix is written out. */
const WRITTEN = 6;

/** The subscript of a unit as `tex` reads it. */
const unit = (letter, m, j) => `${letter}_{${subscript(m === 0 && letter === "x" ? [j] : [m, j])}}`;
const h = (m) => (m === 0 ? "x" : `h_{${m}}`);
const inputOf = (m, k) => (m === 0 ? `x_{${k}}` : unit("h", m, k));

/** A vector as a column; of a long one the largest entries with their names. */
function vector(values, entry) {
  if (values.length <= WRITTEN + 2) return column(values);
  const order = [...values.keys()].sort((i, j) => Math.abs(values[j]) - Math.abs(values[i]));
  const shown = order.slice(0, 5);
  return el(
    "span",
    { class: "largest" },
    shown.map((i) => el("span", { class: "entry" }, tex(entry(i + 1)), " = ", num(values[i], 3))),
    el("span", { class: "entry more" }, `… ${count(values.length)} in all`),
  );
}

/** `Σ terms` with the largest written out and the others as one number. */
function terms(list, rest = 0, most = 5) {
  const order = [...list].sort((u, v) => Math.abs(v.value) - Math.abs(u.value));
  const shown = list.length <= most + 1 ? list : order.slice(0, most);
  const others = sum(list.map((t) => t.value)) - sum(shown.map((t) => t.value));
  const parts = [];
  shown.forEach((term, i) => {
    parts.push(i ? " + " : "", i ? factorOf(term.left, 3) : num(term.left, 3), " · ", factorOf(term.right, 3));
  });
  if (shown.length < list.length) parts.push(" + ", el("span", { class: "more", title: `${list.length - shown.length} others` }, `${count(list.length - shown.length)} others `), num(others, 3));
  if (rest !== 0) parts.push(" + ", factorOf(rest, 3));
  return parts;
}

/** `a_m = W_m h_{m−1} + b_m` with the numbers, of a wide layer for one neuron. */
function affine(run, m) {
  const { network } = run;
  const layer = network.layer(m);
  const below = run.h[m - 1];
  const text = `a_{${m}} = W_{${m}} ${m === 1 ? "x" : h(m - 1)}${layer.bias ? ` + b_{${m}}` : ""}`;
  if (layer.outputs <= WRITTEN && layer.inputs <= WRITTEN) {
    const rows = Array.from({ length: layer.outputs }, (_, j) => below.map((_, k) => network.weight(m, j + 1, k + 1)));
    return [
      formula(text),
      formula(matrix(rows), column(below), layer.bias ? [" + ", column(layer.bias)] : "", " = ", column(run.a[m])),
    ];
  }
  const j = strongest(run.gradA[m], network.known(m));
  const list = below.map((x, k) => ({ left: network.weight(m, j, k + 1), right: x, value: network.weight(m, j, k + 1) * x }));
  return [
    formula(text),
    note(`${count(layer.outputs)} neurons of ${count(layer.inputs)} inputs each; the one with the largest gradient:`),
    formula(`${unit("a", m, j)} = Σ_{k} W_{${subscript([m, j])}k} ${m === 1 ? "x_{k}" : `h_{${m - 1},k}`}${layer.bias ? ` + ${unit("b", m, j)}` : ""} = `),
    formula(terms(list, network.bias(m, j)), " = ", num(run.a[m][j - 1])),
  ];
}

/** Of these units, from 1, the one with the largest magnitude. */
const strongest = (values, units) =>
  units.reduce((best, j) => (Math.abs(values[j - 1]) > Math.abs(values[best - 1]) ? j : best), units[0]);
const note = (...text) => el("p", { class: "note" }, text);

/** `h_m = g(a_m)`. */
function activated(run, m) {
  const layer = run.network.layer(m);
  if (layer.kind === "dropout") {
    const kept = run.example.masks[m].filter((x) => x !== 0).length;
    return [
      formula(`h_{${m}} = ${h(m - 1)} ⊙ mask`),
      note(`${count(kept)} of ${count(layer.outputs)} units are kept, as the mask was drawn; in evaluation all are.`),
      formula(`h_{${m}} = `, vector(run.h[m], (j) => unit("h", m, j))),
    ];
  }
  if (layer.kind === "softmax") {
    return [formula(`ŷ = softmax(${h(m - 1)})`), formula("ŷ = ", vector(run.h[m], (j) => `ŷ_{${j}}`))];
  }
  const text = layer.g.text;
  return [
    formula(`h_{${m}} = g(a_{${m}})`, text ? `,  g(a) = ${text}` : `,  g = ${layer.activation}`),
    formula(`h_{${m}} = g( `, vector(run.a[m], (j) => unit("a", m, j)), " ) = ", vector(run.h[m], (j) => unit("h", m, j))),
  ];
}

/** What the loss is, with its numbers. */
function lossFormula(run) {
  const { network, example } = run;
  const c = example.class;
  const name = network.loss.name;
  const plain = name === "cross_entropy" || name === "probability_cross_entropy";
  const y = network.loss.kind === "probability_cross_entropy" ? run.h[network.depth] : run.prediction;
  if (plain && c !== undefined) {
    return [
      note(`The true class is ${className(network, c)}: ℓ = ${c + 1}.`),
      formula(`L = −ln ŷ_{ℓ} = −ln ŷ_{${c + 1}} = −ln `, num(y[c]), " = ", num(run.loss)),
    ];
  }
  if (network.loss.kind === "squared_error") {
    const factor = network.loss.factor;
    const list = y.map((p, j) => [j ? " + " : "", "(", num(p, 3), " − ", num(example.target[j], 3), ")", tex("^{2}")]);
    const before = factor === 1 ? "" : `\\f{1}{${Math.round(1 / factor)}} `;
    return [
      formula(`L = ${before}Σ_{j} (ŷ_{j} − y_{j})^{2}`),
      y.length <= WRITTEN ? formula("= ", before, before ? "(" : "", list, before ? ")" : "", " = ", num(run.loss)) : formula("= ", num(run.loss)),
    ];
  }
  return [note(`The loss is ${name}, against the target `), formula("y = ", vector(example.target, (j) => `y_{${j}}`)), formula("L = ", num(run.loss))];
}

const className = (network, c) => (network.data.outputs[c] !== undefined ? `“${network.data.outputs[c]}”` : `${c + 1}`);

/** `∂L/∂ŷ` where it has a short formula. */
function gradPrediction(run) {
  const { network, example } = run;
  if (network.loss.kind === "cross_entropy") {
    return run.prediction.map((p, j) => (example.target[j] === 0 ? 0 : -example.target[j] / p));
  }
  if (network.loss.output_function === "identity") return run.gradOutput;
  return null;
}

/** The talk to the output layer: `∂L/∂ŷ`, then `∇_{a_L} L`. */
function outputTalk(run) {
  const { network, example } = run;
  const L = network.depth;
  const fused = network.loss.kind === "cross_entropy";
  const plain = fused && network.loss.name === "cross_entropy" && example.class !== undefined;
  const parts = [];
  const first = gradPrediction(run);
  const c = example.class;
  if (first) {
    const text = plain || network.loss.kind === "probability_cross_entropy" ? " = −\\f{1}{ŷ_{ℓ}} e(ℓ) = " : network.loss.kind === "squared_error" ? " = 2 (ŷ − y)" + (network.loss.factor === 1 ? "" : `/${Math.round(1 / network.loss.factor)}`) + " = " : " = ";
    parts.push(formula(group("g-out", "how L changes with ŷ", `∇_{ŷ} L${text}`, vector(first, (j) => `∂L/∂ŷ_{${j}}`))));
  }
  if (plain) {
    const e = run.prediction.map((_, j) => (j === c ? 1 : 0));
    const numbers = e.length <= WRITTEN + 2 ? ["−( ", column(e), " − ", column(run.prediction), " ) = "] : [];
    parts.push(formula(group("g-out", "through the softmax, to its pre-activation", `∇_{a_{${L}}} L = −(e(ℓ) − ŷ) = `, numbers, vector(run.gradA[L], (j) => unit("∂L/∂a", L, j)))));
  } else if (!first || network.loss.output_function !== "identity" || !network.isIdentity(L)) {
    parts.push(formula(group("g-out", "to its pre-activation", `∇_{a_{${L}}} L = `, vector(run.gradA[L], (j) => unit("∂L/∂a", L, j)))));
  }
  return parts;
}

/** `∇_{W_m} L` and `∇_{b_m} L`. */
function weightsTalk(run, m, act) {
  const { network } = run;
  const layer = network.layer(m);
  const delta = run.gradA[m];
  const below = run.h[m - 1];
  const small = layer.outputs <= WRITTEN && layer.inputs <= WRITTEN;
  const parts = [formula(`∇_{W_{${m}}} L = ∇_{a_{${m}}} L · ${m === 1 ? "x" : h(m - 1)}^{T}`)];
  if (small) {
    const rows = delta.map((d) => below.map((x) => d * x));
    parts.push(formula(column(delta), " · ", row(below), " = ", matrix(rows)));
    if (layer.bias) parts.push(formula(`∇_{b_{${m}}} L = ∇_{a_{${m}}} L = `, column(delta)));
  } else {
    parts.push(note("The weights that answer for most:"), topWeights(run, m, 5, act));
    if (layer.bias) parts.push(formula(`∇_{b_{${m}}} L = ∇_{a_{${m}}} L = `, vector(delta, (j) => unit("∂L/∂b", m, j))));
  }
  const norm = Math.hypot(...delta) * Math.hypot(...below);
  parts.push(note("together ‖∇W‖ = ", num(norm), layer.bias ? ", ‖∇b‖ = " : "", layer.bias ? num(Math.hypot(...delta)) : ""));
  return parts;
}

/** The weights of layer `m` with the largest gradients, as buttons. */
function topWeights(run, m, most, act) {
  const rank = (values) => [...values.keys()].sort((i, j) => Math.abs(values[j]) - Math.abs(values[i])).slice(0, most);
  const pairs = rank(run.gradA[m]).flatMap((j) => rank(run.h[m - 1]).map((k) => [j, k, run.gradA[m][j] * run.h[m - 1][k]]));
  pairs.sort((u, v) => Math.abs(v[2]) - Math.abs(u[2]));
  return el(
    "ul",
    { class: "tops" },
    pairs.slice(0, most).map(([j, k, g]) => {
      const button = el("button", { type: "button" }, tex(`∂L/∂W_{${subscript([m, j + 1, k + 1])}}`), " = ", num(g));
      button.addEventListener("click", () => act({ kind: "weight", layer: m, neuron: j + 1, input: k + 1 }));
      return el("li", {}, button);
    }),
  );
}

/** `∇_{h_m} L = W_{m+1}ᵀ ∇_{a_{m+1}} L`. */
function hiddenTalk(run, m) {
  const { network } = run;
  const above = network.layer(m + 1);
  const grad = vector(run.gradH[m], (j) => (m === 0 ? `∂L/∂x_{${j}}` : unit("∂L/∂h", m, j)));
  if (above.kind !== "dense") return [formula(`∇_{h_{${m}}} L = ∇_{a_{${m + 1}}} L = `, grad)];
  const text = `∇_{h_{${m}}} L = W_{${m + 1}}^{T} ∇_{a_{${m + 1}}} L`;
  if (above.outputs <= WRITTEN && above.inputs <= WRITTEN) {
    const rows = Array.from({ length: above.inputs }, (_, q) => Array.from({ length: above.outputs }, (_, p) => network.weight(m + 1, p + 1, q + 1)));
    return [formula(text), formula(matrix(rows), column(run.gradA[m + 1]), " = ", grad)];
  }
  const q = strongest(run.gradH[m], run.gradH[m].map((_, j) => j + 1));
  return [
    formula(`${text} = `, grad),
    note("the largest:"),
    formula(`\\f{∂L}{∂${unit("h", m, q)}} = Σ_{p} W_{${m + 1},p,${q}} \\f{∂L}{∂a_{${m + 1},p}} = `),
    formula(blameTerms(run, m, q), " = ", num(run.gradH[m][q - 1])),
  ];
}

/** `Σ_p W_{m+1,p,q} ∂L/∂a_{m+1,p}`; what the page has no weights for is one number. */
function blameTerms(run, m, q) {
  const { network } = run;
  const list = network.known(m + 1).map((p) => {
    const [w, g] = [network.weight(m + 1, p, q), run.gradA[m + 1][p - 1]];
    return { left: w, right: g, value: w * g };
  });
  return terms(list, network.data.complete ? 0 : run.gradH[m][q - 1] - sum(list.map((t) => t.value)));
}

/** `∇_{a_m} L = ∇_{h_m} L ⊙ g'(a_m)`. */
function preTalk(run, m) {
  const layer = run.network.layer(m);
  const grad = vector(run.gradA[m], (j) => unit("∂L/∂a", m, j));
  if (layer.kind === "softmax") return [formula(`∇_{a_{${m}}} L = ŷ ⊙ (∇_{ŷ} L − ŷ^{T}∇_{ŷ} L) = `, grad)];
  const { d } = run.derivative(m);
  if (layer.kind === "dropout") return [formula(`∇_{${h(m - 1)}} L = ∇_{h_{${m}}} L ⊙ mask = `, grad)];
  const off = d.filter((x) => x === 0).length;
  const slope = layer.g.slopeText;
  const parts = [formula(`∇_{a_{${m}}} L = ∇_{h_{${m}}} L ⊙ g′(a_{${m}})`, slope ? `,  g′ = ${slope}` : "")];
  if (layer.outputs <= WRITTEN + 2) parts.push(formula(column(run.gradH[m]), " ⊙ ", column(d), " = ", column(run.gradA[m])));
  else parts.push(formula(`∇_{a_{${m}}} L = `, grad));
  if (off) parts.push(note(`${count(off)} of ${count(layer.outputs)} neurons are off here (g′ = 0): nothing passes through them.`));
  return parts;
}

/** All steps of the network, in order; each knows what has been told up to it. */
function makeSteps(network) {
  const L = network.depth;
  const list = [];
  const add = (step) => list.push(step);
  add({
    phase: "forward", layer: 0, tells: ["h0"], title: "the input",
    says: (run) => [formula("h_0 = x = ", vector(run.h[0], (j) => `x_{${j}}`))],
  });
  for (let m = 1; m <= L; m += 1) {
    const layer = network.layer(m);
    const plain = m === L && network.isIdentity(m);
    if (layer.kind === "dense") {
      add({
        phase: "forward", layer: m, tells: plain ? [`a${m}`, `h${m}`] : [`a${m}`],
        title: m === L ? "the output layer’s pre-activation" : `the pre-activation of layer ${m}`,
        says: (run) => affine(run, m),
      });
    }
    if (!plain) {
      add({
        phase: "forward", layer: m, tells: [`a${m}`, `h${m}`],
        title: layer.kind === "dense" ? `the activation of layer ${m}` : `layer ${m}, ${layer.kind}`,
        says: (run) => activated(run, m),
      });
    }
  }
  const output = network.loss.output_function;
  if (output !== "identity") {
    add({
      phase: "forward", layer: L, tells: ["y"], title: "the prediction",
      says: (run) => [
        formula(output === "softmax" ? `ŷ_{j} = \\f{e^{a_{${L}j}}}{Σ_{k} e^{a_{${L}k}}}` : `ŷ_{j} = σ(a_{${L}j})`),
        formula("ŷ = ", vector(run.prediction, (j) => `ŷ_{${j}}`)),
      ],
    });
  }
  add({ phase: "forward", layer: "L", tells: ["L"], title: "the loss", says: lossFormula });

  const talk = (asker, question, replier, reply) => (run) => ({ asker, question: question(run), replier, reply });
  const who = (m) => (m === L ? "the output layer" : `layer ${m}`);
  add({
    phase: "backward", layer: L, speakers: ["L", L], tells: [`gh${L}`, `ga${L}`], title: "the loss asks the output layer",
    talk: talk("the loss", (run) => ["I am ", num(run.loss), ". Who is responsible for this?"], "the output layer", "The prediction ŷ is mine. This is how you change with it, and with my pre-activation."),
    says: outputTalk,
  });
  for (let m = L; m >= 1; m -= 1) {
    const layer = network.layer(m);
    const own = who(m);
    const above = m === L ? "the loss" : who(m + 1);
    if (m < L) {
      add({
        phase: "backward", layer: m, tells: [`gh${m}`], title: `${above} asks h_${m}`,
        talk: talk(above, () => [tex(`h_{${m}}`), ", you fed me. How much of this is yours?"], `the activation h of layer ${m}`, "Each of my neurons collects the blame of all it feeds, by the weights on the way."),
        says: (run) => hiddenTalk(run, m),
      });
      add({
        phase: "backward", layer: m, tells: [`ga${m}`], title: `h_${m} passes it to its pre-activation a_${m}`,
        talk: talk(`h of layer ${m}`, () => ["I only compute what ", tex(`a_{${m}}`), " gives me. And you?"], `the pre-activation a of layer ${m}`, layer.kind === "dropout" ? "Where the mask is 0 nothing passes." : "What reaches me is scaled by the slope of the activation."),
        says: (run) => preTalk(run, m),
      });
    }
    if (layer.kind !== "dense") continue;
    add({
      phase: "backward", layer: m, tells: [], title: `${own} answers`,
      talk: talk(above, () => ["So it was you, ", own, "?"], own, words(`I am only as good as W_${m}${layer.bias ? `, b_${m}` : ""} and ${m === 1 ? "the input. The input is given: it takes no blame" : `h_${m - 1}`}.`)),
      says: () => [formula(`a_{${m}} = W_{${m}} ${m === 1 ? "x" : h(m - 1)}${layer.bias ? ` + b_{${m}}` : ""}`)],
    });
    add({
      phase: "backward", layer: m, tells: [`gw${m}`], title: `W_${m}${layer.bias ? ` and b_${m} take` : " takes"} responsibility`,
      talk: talk(own, () => [tex(`W_{${m}}`), layer.bias ? [", ", tex(`b_{${m}}`)] : "", ", what do you say?"], `the parameters of ${own}`, "We take responsibility: each weight by the gradient of its neuron times what came in, each bias by the gradient alone."),
      says: (run, act) => weightsTalk(run, m, act),
    });
  }
  add({
    phase: "backward", layer: null, tells: ["end"], title: "in the end all weights and biases carry the responsibility",
    talk: talk("gradient descent", () => ["What shall each of you change?"], "all weights and biases", "Each takes a step against its own gradient."),
    says: (run) => summary(run),
  });
  const known = new Set();
  return list.map((step, index) => {
    step.tells.forEach((what) => known.add(what));
    const seen = new Set(known);
    return { ...step, index, knows: (what) => seen.has(what) };
  });
}

/** The norms of all parts of ∇θ. */
function summary(run) {
  const { network } = run;
  const rows = [];
  for (let m = network.depth; m >= 1; m -= 1) {
    const layer = network.layer(m);
    if (layer.kind !== "dense") continue;
    const delta = Math.hypot(...run.gradA[m]);
    const dead = run.derivative(m).d.filter((x) => x === 0).length;
    rows.push([m, delta * Math.hypot(...run.h[m - 1]), layer.bias ? delta : null, layer.norm, dead]);
  }
  const most = Math.max(...rows.map((r) => r[1]));
  return [
    formula("θ_{t+1} = θ_{t} − η ∇θ_{t}"),
    el(
      "table",
      { class: "list" },
      el("thead", {}, el("tr", {}, ["layer", "‖∇W‖", "", "‖∇b‖", "‖W‖", "off"].map((t) => el("th", { scope: "col" }, t)))),
      el(
        "tbody",
        {},
        rows.map(([m, w, b, size, dead]) =>
          el("tr", {}, el("th", { scope: "row" }, String(m)), el("td", {}, num(w)), el("td", { class: "bars" }, bar(most > 0 ? w / most : 0, 1)), el("td", {}, b === null ? "–" : num(b)), el("td", {}, num(size)), el("td", {}, dead ? count(dead) : "0")),
        ),
      ),
    ),
    note("off: neurons whose slope g′ is 0 for this example."),
  ];
}

/** A bar of a share of 1, coloured by a sign. */
const bar = (share, sign) => el("span", { class: `bar ${share === 0 ? "none" : sign < 0 ? "minus" : "plus"}`, style: `--share:${(100 * Math.min(1, Math.abs(share))).toFixed(1)}%`, "aria-hidden": "true" });
