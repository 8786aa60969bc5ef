// Activations, output functions and losses: each value with its derivative, as in the Rust crates.

const SQRT_TAU = Math.sqrt(2 * Math.PI);
const expNegative = (a) => Math.exp(-Math.abs(a));
const sigmoid = (a) => (a < 0 ? expNegative(a) : 1) / (1 + expNegative(a));
const sigmoidSlope = (a) => {
  const e = expNegative(a);
  return e / (1 + e) / (1 + e);
};
const softplus = (a) => Math.max(a, 0) + Math.log1p(expNegative(a));
const clamp = (a, low, high) => Math.min(Math.max(a, low), high);
const density = (a) => Math.exp(-0.5 * a * a) / SQRT_TAU;

/**
 * Φ(a) of the normal distribution: the series of Φ − 1/2 near 0, beyond it the continued fraction
 * of the tail (Abramowitz and Stegun 26.2.11 and 26.2.14).
 */
function normal(a) {
  const x = Math.abs(a);
  if (x < 4) {
    let [sum, term] = [x, x];
    for (let n = 1; Math.abs(term) > 1e-18 * sum; n += 1) {
      term *= (x * x) / (2 * n + 1);
      sum += term;
    }
    const half = density(x) * sum;
    if (a >= 0) return 0.5 + half;
    if (x < 1) return 0.5 - half;
  }
  let fraction = 0;
  for (let n = 300; n >= 1; n -= 1) fraction = n / (x + fraction);
  const tail = density(x) / (x + fraction);
  return a < 0 ? tail : 1 - tail;
}

const gated = (gate, slope) => ({
  value: (a) => Math.max(a, -1e3) * gate(clamp(a, -1e3, 1e3)),
  slope: (a) => slope(clamp(a, -1e3, 1e3)),
});
const geluGate = (a) => a * (1.5957691216057307 + 0.07135481627260025 * a * a);
const elu = (alpha, scale) => ({
  value: (a) => scale * (a > 0 ? a : alpha * Math.expm1(a)),
  slope: (a) => scale * (a > 0 ? 1 : alpha * Math.exp(a)),
});

/** `g(a)` and `g'(a)`; the formulas are for reading. */
const ACTIVATIONS = {
  identity: () => ({ value: (a) => a, slope: () => 1, text: "a", slopeText: "1" }),
  sigmoid: () => ({
    value: sigmoid,
    slope: sigmoidSlope,
    text: "1/(1 + e^{−a})",
    slopeText: "h (1 − h)",
  }),
  tanh: () => ({
    value: Math.tanh,
    slope: (a) => 4 * sigmoidSlope(2 * a),
    text: "tanh a",
    slopeText: "1 − h^{2}",
  }),
  relu: () => ({
    value: (a) => (a < 0 ? 0 : a),
    slope: (a) => (a > 0 ? 1 : 0),
    text: "max(a, 0)",
    slopeText: "1 if a > 0, else 0",
  }),
  leaky_relu: (slope) => ({
    value: (a) => (a > 0 ? a : slope * a),
    slope: (a) => (a > 0 ? 1 : slope),
    text: `a if a > 0, else ${slope} a`,
    slopeText: `1 if a > 0, else ${slope}`,
  }),
  elu: (alpha) => elu(alpha, 1),
  selu: () => elu(1.6732632423543772, 1.0507009873554805),
  gelu: () => gated(normal, (a) => normal(a) + a * density(a)),
  gelu_tanh: () =>
    gated(
      (a) => sigmoid(geluGate(a)),
      (a) => {
        const u = geluGate(a);
        const rise = 1.5957691216057307 + 3 * 0.07135481627260025 * a * a;
        return sigmoid(u) + a * sigmoidSlope(u) * rise;
      },
    ),
  silu: () => gated(sigmoid, (a) => sigmoid(a) * (1 + a * sigmoid(-a))),
  softplus: () => ({ value: softplus, slope: sigmoid, text: "ln(1 + e^{a})", slopeText: "σ(a)" }),
  softsign: () => ({
    value: (a) => a / (1 + Math.abs(a)),
    slope: (a) => 1 / (1 + Math.abs(a)) ** 2,
    text: "a/(1 + |a|)",
    slopeText: "1/(1 + |a|)^{2}",
  }),
  hard_sigmoid: () => ({
    value: (a) => clamp((a + 3) / 6, 0, 1),
    slope: (a) => (Math.abs(a) < 3 ? 1 / 6 : 0),
  }),
  hard_swish: () => ({
    value: (a) => (a <= -3 ? 0 : a >= 3 ? a : (a * (a + 3)) / 6),
    slope: (a) => (a <= -3 ? 0 : a >= 3 ? 1 : (a + 1.5) / 3),
  }),
  mish: () =>
    gated(
      (a) => Math.tanh(softplus(a)),
      (a) => {
        const e = expNegative(a);
        const d = a < 0 ? e * (e + 2) + 2 : 1 + 2 * e * (1 + e);
        const gate = (a < 0 ? e * (e + 2) : 1 + 2 * e) / d;
        return gate + (a * 4 * (a < 0 ? e : e * e) * (1 + e)) / (d * d);
      },
    ),
};

/** The activation of a name such as `leaky_relu(0.01)`. */
function activationOf(text) {
  const [, base, parameter] = /^(\w+)(?:\((.*)\))?$/.exec(text);
  return ACTIVATIONS[base](Number(parameter));
}

function softmax(a) {
  const most = Math.max(...a);
  const e = a.map((x) => Math.exp(x - most));
  const sum = e.reduce((s, x) => s + x, 0);
  return e.map((x) => x / sum);
}

const OUTPUTS = { identity: (a) => [...a], softmax, sigmoid: (a) => a.map(sigmoid) };

const sum = (values) => values.reduce((s, x) => s + x, 0);
const dot = (u, v) => u.reduce((s, x, i) => s + x * v[i], 0);

/**
 * The loss of one example from `h = h_L`, and its gradient `∇_{h_L} L`. `target` holds what the
 * outputs are compared with, `given` what the program computed, for a loss without a formula here.
 */
const LOSSES = {
  cross_entropy: (h, target) => {
    const most = Math.max(...h);
    const logSum = Math.log(sum(h.map((a) => Math.exp(a - most))));
    const all = sum(target);
    const y = softmax(h);
    return {
      value: sum(target.map((q, j) => (q === 0 ? 0 : q * (most - h[j] + logSum)))),
      gradient: y.map((p, j) => p * all - target[j]),
    };
  },
  probability_cross_entropy: (h, target) => ({
    value: -sum(target.map((q, j) => (q === 0 ? 0 : q * Math.log(h[j])))),
    gradient: target.map((q, j) => (q === 0 ? 0 : -q / h[j])),
  }),
  bce_with_logits: (h, target, { factor }) => ({
    value: factor * sum(h.map((a, j) => softplus(a) - target[j] * a)),
    gradient: h.map((a, j) => factor * ((1 - target[j]) * sigmoid(a) - target[j] * sigmoid(-a))),
  }),
  squared_error: (h, target, { factor }) => ({
    value: factor * sum(h.map((y, j) => (y - target[j]) ** 2)),
    gradient: h.map((y, j) => 2 * factor * (y - target[j])),
  }),
  l1: (h, target, { factor }) => ({
    value: factor * sum(h.map((y, j) => Math.abs(y - target[j]))),
    gradient: h.map((y, j) => factor * Math.sign(y - target[j])),
  }),
  huber: (h, target, { factor, delta }) => {
    const cut = h.map((y, j) => clamp(y - target[j], -delta, delta));
    return {
      value: factor * sum(h.map((y, j) => cut[j] * (y - target[j] - cut[j] / 2))),
      gradient: cut.map((c) => factor * c),
    };
  },
  given: (h, target, loss, given) => ({ value: given.loss, gradient: given.grad_output }),
};
