//! What a page of a network too large to ship whole is told: the neurons that carry most of the
//! gradient, each with its talk to the output layer and its strongest paths.

use std::collections::{BTreeMap, BTreeSet};

use chainrule_autograd_manual::{Backward, Param};
use chainrule_tensor::Scalar;
use serde::Serialize;

use crate::graph::Quantity;
use crate::local::{push_upward, widen};
use crate::{ExplainError, Explainer, Path};

/// Neurons of each layer.
const NEURONS: usize = 24;
/// Paths of each neuron and example.
const PATHS: usize = 10;

/// One neuron in one example.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct NeuronData {
    layer: usize,
    neuron: usize,
    /// `∂a_L/∂a_{ij}`.
    upward: Vec<f64>,
    best: Vec<PathData>,
    /// `Σ |paths|` to `a_{ij}`.
    magnitude: f64,
    /// The number of paths.
    number: f64,
}

/// A path to `a_{ij}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct PathData {
    value: f64,
    /// The places of `a_m` and `h_m` that it passes, from 0, from layer `i` up to `L`.
    units: Vec<[usize; 2]>,
}

/// The neurons of each layer (the first entry is layer 1) that carry most by `|∇_{a_i} L|`: the
/// first of each example, then the second of each, until there are enough; from 1, in order.
pub(crate) fn responsible<S: Scalar>(backward: &Backward<'_, '_, S>) -> Vec<Vec<usize>> {
    let depth = backward.network().depth();
    let of_layer = |m: usize| {
        let grad = backward.grad_a(m);
        let ranked = |row: &[S]| {
            let row = widen(row);
            let mut order: Vec<usize> = (0..row.len()).collect();
            order.sort_by(|&i, &j| row[j].abs().total_cmp(&row[i].abs()));
            order.truncate(NEURONS);
            order
        };
        let orders: Vec<Vec<usize>> = grad.iter_rows().map(ranked).collect();
        let mut chosen = BTreeSet::new();
        let by_rank = (0..NEURONS).flat_map(|rank| orders.iter().filter_map(move |o| o.get(rank)));
        for &neuron in by_rank {
            if chosen.len() == NEURONS {
                break;
            }
            chosen.insert(neuron + 1);
        }
        chosen.into_iter().collect()
    };
    (1..=depth).map(of_layer).collect()
}

/// The rows of `W_m` into the given neurons.
pub(crate) fn rows<S: Scalar>(
    backward: &Backward<'_, '_, S>,
    m: usize,
    neurons: &[usize],
) -> BTreeMap<usize, Vec<f64>> {
    let Some(weights) = backward.network().weights(m) else { return BTreeMap::new() };
    neurons.iter().map(|&j| (j, widen(weights.row(j - 1)))).collect()
}

/// The given neurons of each layer for the example `row`.
pub(crate) fn neurons<S: Scalar>(
    backward: &Backward<'_, '_, S>,
    chosen: &[Vec<usize>],
    row: usize,
) -> Result<Vec<NeuronData>, ExplainError> {
    let explainer = Explainer::new(backward);
    let mut all = Vec::new();
    for (layer, neurons) in (1..).zip(chosen) {
        // A layer without weights is only passed.
        if backward.network().weights(layer).is_none() {
            continue;
        }
        // The paths to a bias are those to its neuron; those to a weight are them times its input.
        let has_bias = backward.network().biases(layer).is_some();
        let inputs = widen(backward.forward().h(layer - 1).row(row));
        let strongest =
            (0..inputs.len()).max_by(|&k, &l| inputs[k].abs().total_cmp(&inputs[l].abs()));
        for &neuron in neurons {
            let (param, input) = match strongest {
                Some(k) if !has_bias && inputs[k] != 0.0 => {
                    (Param::Weight { layer, neuron, input: k + 1 }, inputs[k])
                }
                _ if has_bias => (Param::Bias { layer, neuron }, 1.0),
                _ => continue,
            };
            let paths = explainer.paths(param, row, PATHS)?;
            all.push(NeuronData {
                layer,
                neuron,
                upward: push_upward(backward, layer, neuron, row)?,
                best: paths.strongest.iter().map(|p| PathData::new(p, layer, input)).collect(),
                magnitude: paths.magnitude / input.abs(),
                number: paths.count.approximate(),
            });
        }
    }
    Ok(all)
}

impl PathData {
    /// Of a path to a parameter of `layer`, what is above the factor `input`.
    fn new(path: &Path, layer: usize, input: f64) -> Self {
        let mut units = Vec::<[usize; 2]>::new();
        // From `a_{ij}` up: each `a_m` is followed by the `h_m` above it, the last by none.
        for node in path.nodes.iter().rev() {
            let place = node.unit - 1;
            match node.quantity {
                Quantity::PreActivation => units.push([place, place]),
                _ => {
                    if let Some(unit) = units.get_mut(node.layer - layer) {
                        unit[1] = place;
                    }
                }
            }
        }
        Self { value: path.value / input, units }
    }
}
