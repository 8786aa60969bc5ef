// Elements, numbers and formulas as text.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children (nodes or text); what is null is left out. */
function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

/** A number in four significant digits, with a true minus sign. */
function short(x, digits = 4) {
  if (x === 0) return "0";
  if (!Number.isFinite(x)) return String(x);
  const exponent = Math.floor(Math.log10(Math.abs(x)));
  const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  const text =
    exponent >= -4 && exponent < 6
      ? trim(x.toFixed(Math.max(0, digits - 1 - exponent)))
      : x.toExponential(digits - 1).replace(/^(.*)e\+?(.*)$/, (_, m, e) => `${trim(m)}e${e}`);
  return text.replaceAll("-", "−");
}

const percent = (share) =>
  `${share === 0 || share >= 0.0995 ? Math.round(100 * share) : (100 * share).toPrecision(2)} %`;
const count = (n) => (n < 1e15 ? Math.round(n).toLocaleString("en") : short(n, 3));

/** Indices as the lecture writes them: run together where each has one digit. */
const subscript = (indices) => indices.join(indices.every((i) => i < 10) ? "" : ",");
const name = (letter, ...indices) => `${letter}_${subscript(indices)}`;

/** A number that shows all its digits under the pointer, coloured by its sign. */
function num(x, digits) {
  const sign = x > 0 ? "plus" : x < 0 ? "minus" : "zero";
  return el("span", { class: `n ${sign}`, title: String(x) }, short(x, digits));
}

/** A number as a factor: in brackets where its sign would run into the dot before it. */
const factorOf = (x, digits) => (x < 0 ? ["(", num(x, digits), ")"] : num(x, digits));

/**
 * A formula from a few marks: `_{…}`, `^{…}`, `\f{…}{…}` for a fraction; `_112` or `_1,12,3` for a
 * plain subscript. Letters are set in italics.
 */
function tex(text) {
  const out = [];
  let plain = "";
  const flush = () => {
    for (const part of plain.match(/[a-zA-Zηθδŷℓ]+|[^a-zA-Zηθδŷℓ]+/gu) ?? []) {
      const letters = /^[a-zA-Zηθδŷℓ]/u.test(part) && !/^(ln|if|else|softmax|tanh|max|sign|mask)$/.test(part);
      out.push(letters ? el("i", {}, part) : part);
    }
    plain = "";
  };
  let i = 0;
  const group = () => {
    let depth = 1;
    const start = ++i;
    while (depth > 0 && i < text.length) {
      if (text[i] === "{") depth += 1;
      if (text[i] === "}") depth -= 1;
      i += 1;
    }
    return text.slice(start, i - 1);
  };
  while (i < text.length) {
    const mark = text[i];
    if ((mark === "_" || mark === "^") && text[i + 1] === "{") {
      flush();
      i += 1;
      out.push(el(mark === "_" ? "sub" : "sup", {}, tex(group())));
    } else if (mark === "_" && /^_[\dL](,?\d)*/.test(text.slice(i))) {
      flush();
      const sub = /^_([\dL](?:,?\d)*)/.exec(text.slice(i));
      out.push(el("sub", {}, sub[1]));
      i += sub[0].length;
    } else if (text.startsWith("\\f{", i)) {
      flush();
      i += 2;
      const top = tex(group());
      const bottom = tex(group());
      out.push(el("span", { class: "frac" }, el("span", {}, top), el("span", {}, bottom)));
    } else {
      plain += mark;
      i += 1;
    }
  }
  flush();
  return out;
}

/** Words in which names such as `W_2` are set as symbols. */
const words = (text) => text.split(/(\b[a-zA-Z]_\d(?:,?\d)*)/).map((part, i) => (i % 2 ? tex(part) : part));

/** Formulas as strings, read by `tex`, between other parts. */
const inline = (parts) =>
  parts.flat(Infinity).map((part) => (typeof part === "string" ? el("span", {}, tex(part)) : part));

/** A formula on a line of its own. */
const formula = (...parts) => el("div", { class: "formula" }, inline(parts));

/** One of the lecture's groups: its content over a brace with its name. */
function group(kind, label, ...parts) {
  return el(
    "span",
    { class: `group ${kind}` },
    el("span", { class: "held" }, inline(parts)),
    el("span", { class: "brace" }),
    el("span", { class: "label" }, label),
  );
}

/** A matrix, or a vector as one column, in brackets; long ones are cut to the first entries. */
function matrix(rows, options = {}) {
  const most = options.most ?? 8;
  const cut = rows.length > most ? rows.slice(0, most) : rows;
  const columns = Math.min(cut[0].length, most);
  const cells = cut.map((row, r) => [
    ...row.slice(0, columns).map((x, c) => {
      const mark = options.mark?.(r, c) ? "cell marked" : "cell";
      return el("span", { class: mark }, typeof x === "number" ? num(x, options.digits ?? 3) : tex(x));
    }),
    row.length > columns ? el("span", { class: "cell" }, "…") : null,
  ]);
  if (rows.length > most) {
    cells.push(Array.from({ length: columns }, () => el("span", { class: "cell" }, "⋮")));
  }
  const wide = columns + (cut[0].length > columns ? 1 : 0);
  return el("span", { class: "matrix", style: `--columns:${wide}` }, cells);
}

const column = (values, options) => matrix([...values].map((x) => [x]), options);
const row = (values, options) => matrix([[...values]], options);
