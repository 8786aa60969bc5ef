// The network as a drawing, layer by layer.

const HEAD = 66;
const BOX = 126;
/** Room for the loss, and around the input. */
const RIGHT = 200;
const LEFT = BOX / 2 + 30;
const PICTURE = 300;
/** A layer of more units is folded to the most responsible ones. */
const WHOLE = 14;
const SHOWN = 9;

/** How much each unit of layer `m` has to do with the gradient: what is folded has the least. */
function responsibility(run, m, selection) {
  if (selection && selection.layer < m && selection.layer > 0) {
    const up = run.upward(selection.layer, selection.neuron)[m];
    if (up) return run.gradA[m].map((g, j) => Math.abs(g * up[j]));
  }
  return m === 0 ? run.h[0].map(Math.abs) : run.gradA[m].map(Math.abs);
}

/** The units of layer `m` to draw, from 1, and what the others are: their number and share. */
function shownUnits(run, m, selection) {
  const units = run.network.units(m);
  const known = m > 0 && units > WHOLE ? run.network.known(m) : null;
  const all = known ?? Array.from({ length: units }, (_, j) => j + 1);
  if (units <= WHOLE) return { units: all, folded: 0, share: 0 };
  const score = responsibility(run, m, selection);
  const must = new Set();
  if (selection) {
    if (selection.layer === m) must.add(selection.neuron);
    if (selection.layer === m && !all.includes(selection.neuron)) all.push(selection.neuron);
    if (selection.input && selection.layer === m + 1) {
      must.add(selection.input);
      if (!all.includes(selection.input)) all.push(selection.input);
    }
  }
  const order = all.sort((i, j) => must.has(j) - must.has(i) || score[j - 1] - score[i - 1] || i - j);
  const chosen = order.slice(0, SHOWN).sort((i, j) => i - j);
  const total = sum(score);
  const kept = sum(chosen.map((j) => score[j - 1]));
  return { units: chosen, folded: units - chosen.length, share: total > 0 ? 1 - kept / total : 0 };
}

/** Where everything stands, in a drawing of about the given aspect: layers 0..L and the loss. */
function geometry(run, selection, aspect) {
  const { network } = run;
  const { depth } = network;
  const { image } = network.data;
  const shown = Array.from({ length: depth + 1 }, (_, m) => shownUnits(run, m, selection));
  const rows = shown.map(({ units, folded }, m) => (m === 0 && image ? 0 : units.length + (folded ? 1 : 0)));
  const most = Math.max(...rows);
  const left = image ? PICTURE + BOX / 2 : LEFT;
  // Weights are written on the lines of a small network.
  const room = most <= 4 && !image ? 130 : 70;
  const least = left + (depth - (image ? 1 : 0)) * (BOX + room) + RIGHT;
  const wanted = HEAD + Math.max(most * (most <= 5 ? 112 : 62), 330);
  const width = Math.max(least, wanted * aspect);
  const height = Math.max(wanted, Math.min(width / aspect, 2 * wanted));
  const free = width - left - RIGHT;
  const spaces = depth - (image ? 1 : 0);
  const gap = Math.min(spaces > 0 ? free / spaces : 0, 360);
  const margin = (free - gap * spaces) / 2;
  const columns = shown.map((column, m) => {
    const pitch = Math.min(150, (height - HEAD - 10) / Math.max(rows[m], 1));
    const box = Math.min(62, pitch - 8);
    const top = HEAD + (height - HEAD - pitch * rows[m]) / 2 + pitch / 2;
    const x = margin + (image ? (m === 0 ? PICTURE / 2 - 20 : left + gap * (m - 1)) : left + gap * m);
    const place = new Map(column.units.map((j, r) => [j, { x, y: top + pitch * r }]));
    return { ...column, x, pitch, height: box, place, foldY: top + pitch * column.units.length };
  });
  const lossY = HEAD + (height - HEAD) / 2;
  if (image) placePixels(columns[0], image, lossY);
  return { columns, width, height, least, lossX: margin + left + gap * spaces + RIGHT - 72, lossY };
}

function placePixels(inputs, [rows, cols], middle) {
  const size = (PICTURE - 60) / Math.max(rows, cols);
  const [x0, y0] = [inputs.x - (size * cols) / 2, middle - (size * rows) / 2];
  Object.assign(inputs, { image: { rows, cols, size, x0, y0 } });
  for (const k of inputs.units) {
    const [r, c] = [Math.floor((k - 1) / cols), (k - 1) % cols];
    inputs.place.set(k, { x: x0 + size * (c + 0.5), y: y0 + size * (r + 0.5) });
  }
}

/**
 * What each connection carries, by what is looked at: the path to the selected weight, the product
 * `W h` on the way forward, the gradient on the way back. A function of (layer, neuron, input).
 */
function carried(run, step, selection) {
  const { network } = run;
  if (selection && selection.layer > 0) {
    const { layer: i, neuron: j } = selection;
    const flow = run.flow(i, j);
    const input = selection.input ? run.h[i - 1][selection.input - 1] : 1;
    return (m, p, q) => {
      if (m > i) return flow(m, p, q) * input;
      if (selection.kind === "weight") return m === i && p === j && q === selection.input ? "self" : null;
      return m === i && p === j ? linkWeight(network, m, p, q) * run.h[m - 1][q - 1] : null;
    };
  }
  if (step.phase === "forward") {
    return (m, p, q) => (step.knows(`a${m}`) ? linkWeight(network, m, p, q) * run.h[m - 1][q - 1] : 0);
  }
  return (m, p, q) =>
    step.knows(`ga${m}`) ? run.gradA[m][p - 1] * (network.layer(m).kind === "dense" ? run.h[m - 1][q - 1] : 1) : 0;
}

/** `W_mpq`, or the identity of a layer without weights. */
function linkWeight(network, m, p, q) {
  return network.layer(m).kind === "dense" ? network.weight(m, p, q) : p === q ? 1 : 0;
}

/** Draws everything; `act` takes what was clicked. */
function draw(run, step, view, act, aspect) {
  const { selection, path } = view;
  const { network } = run;
  const places = geometry(run, selection, aspect);
  const picture = svg("svg", {
    viewBox: `0 0 ${places.width} ${places.height}`,
    // A deep network is scrolled rather than shrunk until it cannot be read.
    style: `min-width:${Math.round(0.62 * places.least)}px`,
    role: "group",
    "aria-label": `the network ${network.data.layers.map((l) => l.outputs).join("-")}, ${run.example.name}`,
  });
  for (let m = 0; m <= network.depth; m += 1) picture.append(header(run, step, places, m));
  if (places.columns[0].image) picture.append(pixels(run, view, places, act));
  picture.append(connections(run, step, view, places, act));
  if (path) picture.append(pathLines(run, selection, path, places));
  for (let m = 0; m <= network.depth; m += 1) {
    const column = places.columns[m];
    if (!column.image) {
      for (const j of column.units) picture.append(neuron(run, step, view, places, m, j, act));
    }
    if (column.folded) picture.append(foldNote(column));
  }
  picture.append(lossBox(run, step, places, act));
  return picture;
}

function header(run, step, places, m) {
  const { network } = run;
  const { x, folded, units, image } = places.columns[m];
  const all = network.units(m);
  const layer = m > 0 ? network.layer(m) : null;
  const output = network.loss.output_function;
  const what =
    m === 0
      ? `${count(all)} ${image ? "pixels" : all === 1 ? "input" : "inputs"}`
      : layer.kind !== "dense"
        ? layer.kind
        : m === network.depth && output !== "identity"
          ? output
          : layer.activation;
  const title = m === 0 ? "x = h_0" : m === network.depth ? "output layer" : `layer ${m}`;
  return svg(
    "g",
    { class: step.layer === m || step.speakers?.includes(m) ? "head now" : "head" },
    svg("rect", { x: x - BOX / 2 - 22, y: 2, width: BOX + 44, height: 48, rx: 10 }),
    svg("text", { x, y: 22, class: "title" }, svgTex(title)),
    svg("text", { x, y: 42 }, m > 0 && folded ? `${what}, ${count(units.length + folded)} units` : what),
  );
}

/** A name with its subscript, in a drawing. */
function svgTex(text) {
  return text.split(/(_[\dL](?:,?\d)*)/).map((part) =>
    part.startsWith("_") ? svg("tspan", { class: "sub", dy: "0.25em" }, part.slice(1)) : part,
  );
}

function connections(run, step, view, places, act) {
  const { network } = run;
  const { selection } = view;
  const value = carried(run, step, selection);
  const layer = svg("g", { class: "edges" });
  const few = places.columns.every(({ units, folded }) => units.length <= 4 && !folded);
  for (let m = 1; m <= network.depth; m += 1) {
    const [below, own] = [places.columns[m - 1], places.columns[m]];
    const dense = network.layer(m).kind === "dense";
    const edges = [];
    for (const p of own.units) {
      for (const q of below.units) {
        if (!dense && p !== q) continue;
        const v = value(m, p, q);
        // A weight that the page does not have.
        edges.push({ p, q, v: Number.isNaN(v) ? 0 : v });
      }
    }
    const most = Math.max(...edges.map(({ v }) => (typeof v === "number" ? Math.abs(v) : 0)));
    edges.sort((u, v) => Math.abs(u.v || 0) - Math.abs(v.v || 0));
    for (const { p, q, v } of edges) {
      const from = below.place.get(q);
      const to = own.place.get(p);
      const self = v === "self" || isSelected(selection, m, p, q);
      // Lines from a picture begin at its edge, so that it stays clear; the chosen one at its pixel.
      const { image } = below;
      const x1 = image ? (self ? from.x : image.x0 + image.size * image.cols) : from.x + BOX / 2;
      const ends = { x1, y1: from.y, x2: to.x - BOX / 2, y2: to.y };
      const share = typeof v === "number" && most > 0 ? Math.abs(v) / most : 0;
      const kind = self ? "self" : v === null || v === 0 ? "zero" : v > 0 ? "plus" : "minus";
      const title = dense ? `${name("W", m, p, q)}${network.knows(m, p) ? ` = ${network.weight(m, p, q)}` : ""}` : "";
      const edge = svg(
        "g",
        dense
          ? { class: `edge ${kind}`, tabindex: "-1", role: "button", "aria-label": title, "data-name": name("W", m, p, q) }
          : { class: `edge ${kind}` },
        svg("line", { ...ends, class: "seen", "stroke-width": self ? 7 : kind === "zero" ? 0.8 : 1 + 6 * share }),
        dense ? svg("line", { ...ends, class: "touch" }, svg("title", {}, title)) : null,
      );
      if (dense) on(edge, () => act({ kind: "weight", layer: m, neuron: p, input: q }));
      layer.append(edge);
    }
    if (few && dense) {
      for (const { p, q } of edges) layer.append(edgeLabel(network, below, own, m, p, q, isSelected(selection, m, p, q)));
    }
  }
  return layer;
}

const isSelected = (selection, m, p, q) =>
  selection?.kind === "weight" && selection.layer === m && selection.neuron === p && selection.input === q;

/** The weight's value beside its line, nearer to the end where lines lie apart. */
function edgeLabel(network, below, own, m, p, q, chosen) {
  const [from, to] = [below.place.get(q), own.place.get(p)];
  const [x1, x2] = [from.x + BOX / 2, to.x - BOX / 2];
  const t = own.units.length === 1 ? (below.units.length > 1 ? 0.3 : 0.5) : 0.7;
  const [x, y] = [x1 + t * (x2 - x1), from.y + t * (to.y - from.y)];
  return svg("text", { x, y: y - 5, class: chosen ? "weight chosen" : "weight" }, short(network.weight(m, p, q), 3));
}

function pathLines(run, selection, path, places) {
  const { network } = run;
  const lines = svg("g", { class: "path" });
  for (let m = selection.layer; m < network.depth; m += 1) {
    const [from, to] = [path.units[m - selection.layer][1] + 1, path.units[m - selection.layer + 1][0] + 1];
    const [a, b] = [places.columns[m].place.get(from), places.columns[m + 1].place.get(to)];
    const [fold, foldUp] = [places.columns[m], places.columns[m + 1]];
    const [p, q] = [a ?? { x: fold.x, y: fold.foldY }, b ?? { x: foldUp.x, y: foldUp.foldY }];
    lines.append(svg("line", { x1: p.x + BOX / 2, y1: p.y, x2: q.x - BOX / 2, y2: q.y }));
  }
  return lines;
}

/** The quantities of a unit that the steps so far have told, two at most. */
function told(run, step, m, j) {
  const { network } = run;
  const rows = [];
  const top = m === network.depth;
  const output = network.loss.output_function;
  const isInput = m === 0;
  const has = { a: !isInput && network.layer(m).kind === "dense", h: !top || output === "identity" };
  if (has.a && step.knows(`a${m}`)) rows.push([`a_{${subscript([m, j])}}`, run.a[m][j - 1]]);
  if (has.h && step.knows(`h${m}`)) {
    if (!(top && has.a && network.isIdentity(m))) {
      rows.push([isInput ? `x_{${j}}` : `h_{${subscript([m, j])}}`, run.h[m][j - 1]]);
    } else {
      rows[0][0] = `ŷ_{${j}}`;
    }
  }
  if (top && output !== "identity" && step.knows("y")) rows.push([`ŷ_{${j}}`, run.prediction[j - 1]]);
  if (step.phase === "backward") {
    if (!isInput && step.knows(`ga${m}`)) rows.push(["∂L/∂a", run.gradA[m][j - 1]]);
    else if (!isInput && step.knows(`gh${m}`)) rows.push(["∂L/∂h", run.gradH[m][j - 1]]);
  }
  return rows.slice(-2);
}

/** A number for a box: as many digits as there is room for. */
function fitting(v) {
  const text = short(v, 3);
  return text.length <= 7 ? text : short(v, text.length <= 8 ? 2 : 1);
}

function neuron(run, step, view, places, m, j, act) {
  const { network } = run;
  const { selection } = view;
  const column = places.columns[m];
  const { x, y } = column.place.get(j);
  const { height } = column;
  const rows = told(run, step, m, j);
  const shown = height < 40 ? rows.slice(-1) : rows;
  const isTarget = m === network.depth && run.example.class === j - 1;
  const chosen = selection?.layer === m && selection.neuron === j && m > 0;
  const classes = ["neuron", isTarget && "target", chosen && "chosen", !rows.length && "waiting", step.layer === m && "now"];
  const label = name(m === 0 ? "x" : "a", ...(m === 0 ? [j] : [m, j]));
  const names = m === 0 ? network.data.features : m === network.depth ? network.data.outputs : [];
  const spoken = shown.map(([what, v]) => `${what.replace(/[{}]/g, "")} = ${short(v)}`).join(", ");
  const node = svg(
    "g",
    {
      class: classes.filter(Boolean).join(" "),
      tabindex: m === 0 ? null : "0",
      role: m === 0 ? "img" : "button",
      "aria-label": `${m === 0 ? `input ${j}` : `neuron ${label}`}${names[j - 1] ? `, ${names[j - 1]}` : ""}: ${spoken || "not known yet"}`,
      "data-name": label,
    },
    svg("rect", { x: x - BOX / 2, y: y - height / 2, width: BOX, height, rx: Math.min(14, height / 2) }),
    shown.map(([what, v], r) =>
      svg(
        "text",
        { x, y: y + (shown.length === 1 ? 6 : r === 0 ? -5 : 18), class: "value" },
        svg("tspan", { class: "what" }, svgTex(what.replace(/_\{(.*)\}/, "_$1")), ""),
        svg("tspan", { class: v > 0 ? "plus" : v < 0 ? "minus" : "zero", dy: what.includes("_") ? "-0.25em" : "0" }, ` ${fitting(v)}`),
      ),
    ),
    rows.length ? null : svg("text", { x, y: y + 6, class: "what" }, svgTex(label)),
    names[j - 1] ? nameTag(names[j - 1], x, y, m, height) : null,
    svg("title", {}, rows.map(([what, v]) => `${what.replace(/[{}]/g, "")} = ${v}`).join("\n")),
  );
  if (m > 0) on(node, () => act({ kind: "neuron", layer: m, neuron: j }));
  const room = column.pitch - height > 22;
  if (m === 0 || !network.layer(m).bias || !room) return node;
  const bias = network.bias(m, j);
  const isChosen = selection?.kind === "bias" && chosen;
  const tag = svg(
    "g",
    { class: isChosen ? "bias chosen" : "bias", role: "button", tabindex: "-1", "data-name": name("b", m, j), "aria-label": `bias ${name("b", m, j)} = ${short(bias)}` },
    svg("rect", { x: x - BOX / 2, y: y + height / 2 + 1, width: BOX, height: 21, rx: 8 }),
    svg("text", { x, y: y + height / 2 + 17 }, svgTex(name("b", m, j)), svg("tspan", { dy: "-0.25em" }, ` ${short(bias, 3)}`)),
  );
  on(tag, () => act({ kind: "bias", layer: m, neuron: j }));
  return svg("g", {}, node, tag);
}

/** The name of a feature left of its input, of a class right of its output. */
function nameTag(text, x, y, m, height) {
  const cut = text.length > 12 ? `${text.slice(0, 11)}…` : text;
  return m === 0
    ? svg("text", { x, y: y + height / 2 + 15, class: "tag" }, cut)
    : svg("text", { x: x + BOX / 2 + 6, y: y + 5, class: "tag right" }, cut);
}

function foldNote({ x, foldY, folded, share, height, image }) {
  if (image) return svg("text", { x, y: image.y0 + image.size * image.rows + 22, class: "tag" }, `lines from the ${SHOWN} largest`);
  return svg(
    "g",
    { class: "fold" },
    svg("rect", { x: x - BOX / 2, y: foldY - height / 2, width: BOX, height, rx: 8 }),
    svg("text", { x, y: foldY - 1 }, `${count(folded)} others`),
    svg("text", { x, y: foldY + 15 }, `${percent(share)} of the blame`),
  );
}

/** The input as the picture that it is; every pixel is an input. */
function pixels(run, view, places, act) {
  const { image, units } = places.columns[0];
  const shade = run.example.raw ?? run.h[0];
  const [low, high] = [Math.min(...shade), Math.max(...shade)];
  const { selection } = view;
  const grid = svg("g", { class: "pixels", role: "img", "aria-label": `the input as a picture of ${image.rows} by ${image.cols} pixels` });
  shade.forEach((value, k) => {
    const [r, c] = [Math.floor(k / image.cols), k % image.cols];
    const light = high > low ? (value - low) / (high - low) : 0;
    const chosen = selection?.kind === "weight" && selection.layer === 1 && selection.input === k + 1;
    const cell = svg(
      "rect",
      {
        x: image.x0 + c * image.size, y: image.y0 + r * image.size, width: image.size, height: image.size,
        class: ["pixel", units.includes(k + 1) && "linked", chosen && "chosen"].filter(Boolean).join(" "),
        style: `--light:${light.toFixed(3)}`,
      },
      svg("title", {}, `x_${k + 1} = ${run.h[0][k]}${run.example.raw ? ` (${value} before scaling)` : ""}`),
    );
    // With a neuron of layer 1 chosen, a pixel is its weight.
    if (selection?.layer === 1) {
      cell.addEventListener("click", () => act({ kind: "weight", layer: 1, neuron: selection.neuron, input: k + 1 }));
      cell.classList.add("live");
    }
    grid.append(cell);
  });
  return grid;
}

function lossBox(run, step, places, act) {
  const { columns, lossX: x, lossY: y } = places;
  const { network } = run;
  const known = step.knows("L");
  const top = columns[network.depth];
  const wires = top.units.map((j) => {
    const from = top.place.get(j);
    return svg("line", { x1: from.x + BOX / 2, y1: from.y, x2: x - 48, y2: y, class: "wire" });
  });
  return svg(
    "g",
    { class: step.layer === "L" ? "loss now" : "loss" },
    wires,
    svg("rect", { x: x - 48, y: y - 30, width: 104, height: 60, rx: 30 }),
    svg("text", { x: x + 4, y: y - 4, class: "what" }, "loss L"),
    svg("text", { x: x + 4, y: y + 18, class: "value" }, known ? short(run.loss) : "?"),
    svg("title", {}, known ? String(run.loss) : "not known yet"),
  );
}

/** Click, Enter and space do the same. */
function on(node, act) {
  node.addEventListener("click", act);
  // The mouse takes no focus, so that space stays the next step.
  node.addEventListener("mousedown", (event) => event.preventDefault());
  node.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      event.stopPropagation();
      act();
    }
  });
}
