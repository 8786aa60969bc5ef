// Forward, backward, the talk to the hidden layers and the strongest paths of one example.

/** The network of the page; layers, neurons and inputs count from 1, as in the lecture. */
class Network {
  constructor(data) {
    Object.assign(this, { data, depth: data.layers.length, loss: data.loss });
    this.layers = data.layers.map((layer) => ({
      ...layer,
      g: layer.activation ? activationOf(layer.activation) : null,
    }));
  }

  layer(m) {
    return this.layers[m - 1];
  }

  units(m) {
    return m === 0 ? this.layers[0].inputs : this.layer(m).outputs;
  }

  /** `W_ijk`; NaN if the page does not have it. */
  weight(i, j, k) {
    const layer = this.layer(i);
    if (layer.weights) return layer.weights[(j - 1) * layer.inputs + k - 1];
    return layer.rows[j]?.[k - 1] ?? NaN;
  }

  /** The neurons of layer `m` whose weights and paths the page has. */
  known(m) {
    const layer = this.layer(m);
    if (this.data.complete || layer.kind !== "dense") return Array.from({ length: layer.outputs }, (_, j) => j + 1);
    return Object.keys(layer.rows).map(Number);
  }

  knows(m, j) {
    const layer = this.layer(m);
    return this.data.complete || layer.kind !== "dense" || j in layer.rows;
  }

  bias(i, j) {
    return this.layer(i).bias?.[j - 1] ?? 0;
  }

  isIdentity(m) {
    return this.layer(m).kind === "dense" && this.layer(m).activation === "identity";
  }

  /** Whether there is one path from each parameter: one unit in every layer above the input. */
  get isThin() {
    return this.layers.every((layer) => layer.outputs === 1);
  }
}

/** An example through the network: by the page's own arithmetic, or from what was exported. */
const makeRun = (network, example) => new (network.data.complete ? Run : Exported)(network, example);

/** One example through the network: `a`, `h`, `ŷ`, `L` and the gradients, all by layer. */
class Run {
  constructor(network, example) {
    Object.assign(this, { network, example, a: [null], h: [example.x], up: new Map() });
    this.forward();
    this.backward();
  }

  forward() {
    const { network, a, h } = this;
    for (let m = 1; m <= network.depth; m += 1) {
      const layer = network.layer(m);
      const below = h[m - 1];
      if (layer.kind === "dense") {
        a[m] = Array.from({ length: layer.outputs }, (_, j) => {
          let s = 0;
          for (let k = 0; k < below.length; k += 1) s += layer.weights[j * below.length + k] * below[k];
          return s + (layer.bias ? layer.bias[j] : 0);
        });
        h[m] = a[m].map(layer.g.value);
      } else if (layer.kind === "softmax") {
        a[m] = [...below];
        h[m] = softmax(below);
      } else {
        a[m] = [...below];
        h[m] = below.map((x, j) => x * this.example.masks[m][j]);
      }
    }
    const top = h[network.depth];
    this.prediction = OUTPUTS[network.loss.output_function](top);
    const { value, gradient } = LOSSES[network.loss.kind](top, this.example.target, network.loss, this.example);
    Object.assign(this, { loss: value, gradOutput: gradient });
  }

  /** The derivative `∂h_m/∂a_m`: `{ d }` on the diagonal, or `{ y }` of a softmax. */
  derivative(m) {
    const layer = this.network.layer(m);
    if (layer.kind === "softmax") return { y: this.h[m] };
    return { d: layer.kind === "dense" ? this.a[m].map(layer.g.slope) : this.example.masks[m] };
  }

  /** `(∂h_m/∂a_m) v`, which is its transpose's product too. */
  apply(m, v) {
    const { d, y } = this.derivative(m);
    if (d) return v.map((x, j) => x * d[j]);
    const mean = dot(v, y);
    return v.map((x, j) => y[j] * (x - mean));
  }

  /** Parts 1 and 2 of the gradient: `∇_{h_m} L` and `∇_{a_m} L`. */
  backward() {
    const { network } = this;
    this.gradH = [];
    this.gradA = [];
    for (let m = network.depth; m >= 0; m -= 1) {
      this.gradH[m] = m === network.depth ? this.gradOutput : this.throughWeights(m + 1, this.gradA[m + 1]);
      if (m > 0) this.gradA[m] = this.apply(m, this.gradH[m]);
    }
  }

  /** `W_mᵀ v`. */
  throughWeights(m, v) {
    const layer = this.network.layer(m);
    if (layer.kind !== "dense") return [...v];
    const out = new Array(layer.inputs).fill(0);
    for (let j = 0; j < v.length; j += 1) {
      for (let k = 0; k < out.length; k += 1) out[k] += layer.weights[j * out.length + k] * v[j];
    }
    return out;
  }

  /** Part 3: `∂L/∂W_ijk = ∇_{a_ij} L · h_{i−1,k}`, or `∂L/∂b_ij` for an input 0. */
  gradient({ layer, neuron, input }) {
    return this.gradA[layer][neuron - 1] * (input ? this.h[layer - 1][input - 1] : 1);
  }

  /** The talk to the hidden layers: `∂a_m/∂a_ij` for `m = i..L`. */
  upward(i, j) {
    const key = `${i},${j}`;
    if (!this.up.has(key)) {
      const v = [];
      v[i] = new Array(this.network.units(i)).fill(0);
      v[i][j - 1] = 1;
      for (let m = i; m < this.network.depth; m += 1) {
        v[m + 1] = this.forwardWeights(m + 1, this.apply(m, v[m]));
      }
      this.up.set(key, v);
    }
    return this.up.get(key);
  }

  /** `W_m v`. */
  forwardWeights(m, v) {
    const layer = this.network.layer(m);
    if (layer.kind !== "dense") return [...v];
    return Array.from({ length: layer.outputs }, (_, j) => {
      let s = 0;
      for (let k = 0; k < v.length; k += 1) s += layer.weights[j * v.length + k] * v[k];
      return s;
    });
  }

  /**
   * The `most` strongest paths from the loss to `a_ij`, by the best `most` partial paths into each
   * unit, layer by layer; with the number of all paths and the sum of their magnitudes. A path to a
   * weight into neuron `j` is one to `a_ij`, times `h_{i−1,k}`.
   */
  paths(i, j, most) {
    const { network } = this;
    // At each unit of the layer: its best partial paths, the sum of magnitudes, the number.
    let at = Array.from({ length: network.units(i) }, (_, p) =>
      p === j - 1 ? { best: [{ value: 1, units: [] }], magnitude: 1, number: 1 } : null,
    );
    const merge = (parts) => {
      const live = parts.filter(([state]) => state);
      if (live.length === 0) return null;
      const best = [];
      for (const [state, factor, unit] of live) {
        for (const { value, units } of state.best) {
          best.push({ value: value * factor, units: unit === undefined ? units : [...units, unit] });
        }
      }
      best.sort((u, v) => Math.abs(v.value) - Math.abs(u.value));
      return {
        best: best.slice(0, most),
        magnitude: sum(live.map(([state, factor]) => state.magnitude * Math.abs(factor))),
        number: sum(live.map(([state]) => state.number)),
      };
    };
    for (let m = i; m < network.depth; m += 1) {
      const { d, y } = this.derivative(m);
      // Every unit remembers the places [a, h] that the path takes in layer m.
      const through = at.map((_, q) =>
        d
          ? merge([[at[q], d[q], [q, q]]])
          : merge(at.map((state, r) => [state, y[q] * ((q === r ? 1 : 0) - y[r]), [r, q]])),
      );
      const layer = network.layer(m + 1);
      at =
        layer.kind !== "dense"
          ? through
          : Array.from({ length: layer.outputs }, (_, p) =>
              merge(through.map((state, q) => [state, layer.weights[p * through.length + q]])),
            );
    }
    const top = network.depth;
    const all = merge(at.map((state, o) => [state, this.gradA[top][o], [o, o]]));
    return all ?? { best: [], magnitude: 0, number: 0 };
  }

  /** The named factors of a path of `paths(i, j)`, from the loss down to `a_ij`. */
  factors(i, units) {
    const { network } = this;
    const top = network.depth;
    const unit = (m) => units[m - i];
    const o = unit(top)[0];
    const a = name("a", top, o + 1);
    const y = this.gradOutput.length === 1 ? "ŷ" : `ŷ_{${o + 1}}`;
    // Where each output depends on its own pre-activation alone, the first factor is two.
    const { d } = this.derivative(top);
    const list =
      network.loss.output_function === "identity" && d
        ? [
            { name: `\\f{∂L}{∂${y}}`, value: this.gradOutput[o] },
            { name: `\\f{∂${y}}{∂${a}}`, value: d[o] },
          ]
        : [{ name: `\\f{∂L}{∂${a}}`, value: this.gradA[top][o] }];
    for (let m = top - 1; m >= i; m -= 1) {
      const [r, q] = unit(m);
      const p = unit(m + 1)[0];
      const [a, h] = [name("a", m + 1, p + 1), name("h", m, q + 1)];
      const dense = network.layer(m + 1).kind === "dense";
      list.push({
        name: `\\f{∂${a}}{∂${h}}`,
        value: dense ? network.weight(m + 1, p + 1, q + 1) : 1,
        is: dense ? name("W", m + 1, p + 1, q + 1) : null,
      });
      const { d, y } = this.derivative(m);
      list.push({
        name: `\\f{∂${h}}{∂${name("a", m, r + 1)}}`,
        value: d ? d[q] : y[q] * ((q === r ? 1 : 0) - y[r]),
      });
    }
    return list;
  }

  /** What each connection contributes to the paths to `a_ij`: a function of (layer, unit, unit below). */
  flow(i, j) {
    const up = this.upward(i, j);
    const through = [];
    for (let m = i; m < this.network.depth; m += 1) through[m] = this.apply(m, up[m]);
    return (m, p, q) => this.gradA[m][p - 1] * linkWeight(this.network, m, p, q) * through[m - 1][q - 1];
  }

  /** How far the numbers here are from the program's, relative to the largest. */
  difference() {
    const { example, gradA, network } = this;
    let [most, worst] = [Math.abs(example.loss), Math.abs(this.loss - example.loss)];
    for (let m = 1; m <= network.depth; m += 1) {
      example.grad_a[m - 1].forEach((g, j) => {
        most = Math.max(most, Math.abs(g));
        worst = Math.max(worst, Math.abs(g - gradA[m][j]));
      });
    }
    return most === 0 ? worst : worst / most;
  }
}

/** An example of a network too large for the page: everything as it was exported. */
class Exported extends Run {
  forward() {
    const { example, network } = this;
    this.a = [null, ...example.a];
    this.h = [example.x, ...example.h];
    this.prediction = OUTPUTS[network.loss.output_function](this.h[network.depth]);
    Object.assign(this, { loss: example.loss, gradOutput: example.grad_output });
  }

  backward() {
    const { example } = this;
    this.gradA = [null, ...example.grad_a];
    this.gradH = [null, ...example.grad_h];
    this.neurons = new Map(example.neurons.map((neuron) => [`${neuron.layer},${neuron.neuron}`, neuron]));
  }

  /** Of the layers between only the last is known; nothing of a neuron that was not exported. */
  upward(i, j) {
    const v = [];
    const exported = this.neurons.get(`${i},${j}`);
    if (exported) v[this.network.depth] = exported.upward;
    return v;
  }

  paths(i, j) {
    const exported = this.neurons.get(`${i},${j}`);
    return exported ? { ...exported } : { best: [], magnitude: 0, number: 0 };
  }

  /** By the strongest paths alone. */
  flow(i, j) {
    const carried = new Map();
    for (const { value, units } of this.paths(i, j).best) {
      for (let m = i + 1; m <= this.network.depth; m += 1) {
        const key = `${m},${units[m - i][0] + 1},${units[m - i - 1][1] + 1}`;
        carried.set(key, (carried.get(key) ?? 0) + value);
      }
    }
    return (m, p, q) => carried.get(`${m},${p},${q}`) ?? 0;
  }

  difference() {
    return 0;
  }
}
