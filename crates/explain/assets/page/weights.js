// All weights and biases of a layer, by value or by gradient; every cell can be asked.

/** Up to so many cells a matrix is a table of numbers, beyond it a picture of coloured cells. */
const CELLS = 80;

function weightsPanel(run, view, act) {
  const { network } = run;
  const { selection } = view;
  const dense = network.layers.map((layer, i) => [layer, i + 1]).filter(([layer]) => layer.kind === "dense");
  const m = view.matrixLayer ?? (selection && network.layer(selection.layer).kind === "dense" ? selection.layer : dense[0][1]);
  const choose = (label, pressed, change) => {
    const button = el("button", { type: "button", "aria-pressed": String(pressed) }, label);
    button.addEventListener("click", change);
    return button;
  };
  const by = network.data.complete ? (view.matrixOf ?? "gradient") : "gradient";
  const tools = el(
    "div",
    { class: "choices" },
    el("span", { role: "group", "aria-label": "layer" }, dense.map(([, i]) => choose(`layer ${i}`, i === m, () => act({ matrixLayer: i })))),
    !network.data.complete ? null : el("span", { role: "group", "aria-label": "what the cells show" }, choose("∂L/∂W", by === "gradient", () => act({ matrixOf: "gradient" })), choose("W", by === "value", () => act({ matrixOf: "value" }))),
  );
  const layer = network.layer(m);
  const value = (j, k) => {
    if (by === "gradient") return run.gradient({ layer: m, neuron: j, input: k });
    return k ? network.weight(m, j, k) : network.bias(m, j);
  };
  const small = layer.outputs * (layer.inputs + 1) <= CELLS;
  return [
    tools,
    note(words(by === "gradient" ? `The gradient of W_${m} and b_${m} for ${run.example.name}: row j are the weights into neuron j.` : `W_${m} and b_${m}: row j are the weights into neuron j.`)),
    small ? numberTable(network, m, value, selection, act) : heatMap(network, m, value, selection, act),
  ];
}

/** A grid of buttons; the arrow keys walk in it, one stop for the tabulator. */
function numberTable(network, m, value, selection, act) {
  const layer = network.layer(m);
  const columns = [...Array.from({ length: layer.inputs }, (_, k) => k + 1), ...(layer.bias ? [0] : [])];
  let most = 0;
  for (let j = 1; j <= layer.outputs; j += 1) for (const k of columns) most = Math.max(most, Math.abs(value(j, k)));
  const isChosen = (j, k) => selection?.layer === m && selection.neuron === j && (selection.input ?? 0) === k && selection.kind !== "neuron";
  const grid = el("table", { class: "grid", role: "grid", "aria-label": `W and b of layer ${m}` });
  grid.append(el("thead", {}, el("tr", {}, el("td", {}), columns.map((k) => el("th", { scope: "col" }, k ? tex(inputOf(m - 1, k)) : tex(`b_${m}`))))));
  const body = el("tbody");
  for (let j = 1; j <= layer.outputs; j += 1) {
    const cells = columns.map((k, c) => {
      const chosen = isChosen(j, k);
      const asked = k ? { kind: "weight", layer: m, neuron: j, input: k } : { kind: "bias", layer: m, neuron: j };
      const stop = chosen || (!grid.stop && j === 1 && c === 0);
      const v = value(j, k);
      const button = el("button", { type: "button", tabindex: stop ? "0" : "-1", "aria-label": `${nameOf(asked)}: ${short(v)}`, "data-name": nameOf(asked) }, num(v, 3));
      button.addEventListener("click", () => act(asked));
      const shade = most > 0 ? Math.round((60 * Math.abs(v)) / most) : 0;
      return el("td", { role: "gridcell", class: `${v < 0 ? "minus" : "plus"}${chosen ? " chosen" : ""}`, style: `--shade:${shade}%` }, button);
    });
    body.append(el("tr", {}, el("th", { scope: "row" }, tex(unit("a", m, j))), cells));
  }
  grid.append(body);
  grid.addEventListener("keydown", (event) => walk(event, grid, columns.length));
  return el("div", { class: "scroll" }, grid);
}

function walk(event, grid, columns) {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  const all = [...grid.querySelectorAll("button")];
  const at = all.indexOf(document.activeElement);
  all[at + step]?.focus();
}

/** One coloured cell a weight, on a canvas; what is under the pointer is named. */
function heatMap(network, m, value, selection, act) {
  const layer = network.layer(m);
  const columns = layer.inputs + (layer.bias ? 1 : 0);
  const size = Math.max(2, Math.min(14, Math.floor(640 / Math.max(columns, layer.outputs / 1.4))));
  const canvas = el("canvas", { width: columns * size, height: layer.outputs * size, role: "img", "aria-label": `the weights of layer ${m} as coloured cells; ask for one by its name` });
  const context = canvas.getContext("2d");
  let most = 0;
  const cells = [];
  for (let j = 1; j <= layer.outputs; j += 1) {
    for (let c = 1; c <= columns; c += 1) {
      const v = value(j, c > layer.inputs ? 0 : c);
      cells.push(v);
      most = Math.max(most, Math.abs(v));
    }
  }
  const style = getComputedStyle(document.documentElement);
  const [plus, minus] = ["--plus", "--minus"].map((token) => style.getPropertyValue(token));
  cells.forEach((v, n) => {
    context.globalAlpha = most > 0 ? Math.sqrt(Math.abs(v) / most) : 0;
    context.fillStyle = v < 0 ? minus : plus;
    context.fillRect((n % columns) * size, Math.floor(n / columns) * size, size - (size > 4 ? 1 : 0), size - (size > 4 ? 1 : 0));
  });
  context.globalAlpha = 1;
  if (selection?.layer === m && selection.kind !== "neuron") {
    context.strokeStyle = style.getPropertyValue("--accent");
    context.lineWidth = 3;
    const c = (selection.input ?? columns) - 1;
    context.strokeRect(c * size - 2, (selection.neuron - 1) * size - 2, size + 4, size + 4);
  }
  const cell = (event) => {
    const box = canvas.getBoundingClientRect();
    const c = Math.floor(((event.clientX - box.left) / box.width) * columns) + 1;
    const j = Math.floor(((event.clientY - box.top) / box.height) * layer.outputs) + 1;
    const at = { layer: m, neuron: Math.min(Math.max(j, 1), layer.outputs) };
    return c > layer.inputs ? { ...at, kind: "bias" } : { ...at, kind: "weight", input: Math.max(c, 1) };
  };
  const under = el("p", { class: "note" }, "Click a cell; columns are inputs, rows neurons, the last column is the bias.");
  canvas.addEventListener("mousemove", (event) => {
    const at = cell(event);
    under.replaceChildren(...tex(nameOf(at)), " ", num(value(at.neuron, at.input ?? 0)));
  });
  canvas.addEventListener("click", (event) => act(cell(event)));
  return el("div", {}, el("div", { class: "scroll" }, canvas), under);
}
