//! What the page is told: the network, the loss and the examples, as one JSON object.

use std::collections::BTreeMap;

use chainrule_autograd_manual::Backward;
use chainrule_layers::LayerConfig;
use chainrule_loss::{Loss, OutputFunction, Reduction, Targets, parse};
use chainrule_tensor::{Matrix, Scalar};
use serde::Serialize;

use super::export::{self, NeuronData};
use crate::ExplainError;
use crate::local::{activation, widen};
use crate::unfused::soft_targets;

/// A network of more parameters is exported in part.
pub(crate) const MOST_PARAMETERS: usize = 100_000;
/// Examples times units that a page may hold, some twenty bytes each in up to six vectors.
const MOST_VALUES: usize = 500_000;

/// Everything that the page's script reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Data {
    pub(crate) title: String,
    pub(crate) version: &'static str,
    /// Whether all numbers of the network are here, so that the page computes all by itself.
    complete: bool,
    pub(crate) layers: Vec<LayerData>,
    pub(crate) loss: LossData,
    pub(crate) outputs: Vec<String>,
    pub(crate) features: Vec<String>,
    pub(crate) image: Option<(usize, usize)>,
    pub(crate) examples: Vec<ExampleData>,
    /// The name of the weight or bias to begin with.
    pub(crate) select: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LayerData {
    kind: &'static str,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<String>,
    /// `W_i` row by row, where the page is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<Vec<f64>>,
    /// Else its rows into the neurons that are exported, from 1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rows: BTreeMap<usize, Vec<f64>>,
    /// `‖W_i‖`.
    norm: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bias: Option<Vec<f64>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LossData {
    name: String,
    /// Which formula of the page it is; `given` if the page knows none.
    kind: &'static str,
    output_function: OutputFunction,
    reduction: Reduction,
    /// What the sum over outputs is multiplied with.
    factor: f64,
    /// Huber's δ.
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<f64>,
    /// Over the batch.
    value: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ExampleData {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<usize>,
    pub(crate) x: Vec<f64>,
    /// The features before scaling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) raw: Option<Vec<f64>>,
    /// One number an output: `q` of `−Σ q_j ln ŷ_j`, or the values wanted.
    target: Vec<f64>,
    loss: f64,
    /// `∇_{h_L} L`.
    grad_output: Vec<f64>,
    /// `∇_{a_i} L` of each layer, for the page to check itself by.
    grad_a: Vec<Vec<f64>>,
    /// Dropout masks as they were drawn, by layer from 1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    masks: BTreeMap<usize, Vec<f64>>,
    #[serde(flatten)]
    exported: Option<Exported>,
}

/// What the page would compute itself, were it complete.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Exported {
    a: Vec<Vec<f64>>,
    h: Vec<Vec<f64>>,
    grad_h: Vec<Vec<f64>>,
    neurons: Vec<NeuronData>,
}

impl Data {
    pub(crate) fn new<S: Scalar>(
        backward: &Backward<'_, '_, S>,
        loss: &dyn Loss<S>,
        targets: Targets<'_, S>,
    ) -> Result<Self, ExplainError> {
        let network = backward.network();
        let rows = backward.forward().examples();
        let units = network.layers().iter().map(|layer| layer.outputs()).sum::<usize>();
        let most = MOST_VALUES / (units + network.inputs());
        if rows > most.max(1) {
            return Err(ExplainError::TooManyExamples { found: rows, most: most.max(1) });
        }
        let complete = network.parameter_count() <= MOST_PARAMETERS;
        let chosen = if complete { Vec::new() } else { export::responsible(backward) };
        let layers = (1..=network.depth()).map(|m| LayerData::new(backward, m, &chosen));
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        let wanted = wanted(backward, loss, targets)?;
        let example = |row| {
            let mut example = ExampleData::new(backward, loss, targets, &wanted, row)?;
            if !complete {
                example.exported = Some(Exported::new(backward, &chosen, row)?);
            }
            Ok::<_, ExplainError>(example)
        };
        let data = Self {
            title: layers_in_words(&layers),
            version: env!("CARGO_PKG_VERSION"),
            complete,
            layers,
            loss: LossData::new(backward, loss, targets)?,
            outputs: Vec::new(),
            features: Vec::new(),
            image: None,
            examples: (0..rows).map(example).collect::<Result<_, _>>()?,
            select: None,
        };
        data.check_finite()?;
        Ok(data)
    }

    /// JSON has no NaN, and a page full of them would explain nothing.
    fn check_finite(&self) -> Result<(), ExplainError> {
        let refuse = |place: String| Err(ExplainError::NotShown { place });
        let bad = |values: &[f64]| values.iter().any(|value| !value.is_finite());
        for (i, layer) in self.layers.iter().enumerate() {
            for (letter, values) in [("W", &layer.weights), ("b", &layer.bias)] {
                if values.as_ref().is_some_and(|values| bad(values)) {
                    return refuse(format!("{letter}_{}", i + 1));
                }
            }
            if !layer.norm.is_finite() {
                return refuse(format!("W_{}", i + 1));
            }
        }
        for (row, example) in self.examples.iter().enumerate() {
            if bad(&example.x) {
                return refuse(format!("x of example {row}"));
            }
            let gradients = example.grad_a.iter().chain([&example.grad_output]);
            if !example.loss.is_finite()
                || bad(&example.target)
                || gradients.into_iter().any(|g| bad(g))
            {
                return refuse(format!("the loss or a gradient of example {row}"));
            }
        }
        if self.loss.value.is_finite() { Ok(()) } else { refuse("the loss".to_owned()) }
    }
}

/// `2-3-2 network`.
fn layers_in_words(layers: &[LayerData]) -> String {
    let dense = layers.iter().filter(|layer| layer.kind == "dense");
    let first = layers.first().map_or(0, |layer| layer.inputs);
    let widths: Vec<String> =
        [first].into_iter().chain(dense.map(|l| l.outputs)).map(|w| w.to_string()).collect();
    format!("{} network", widths.join("-"))
}

impl LayerData {
    /// Layer `m`; of the weights only the rows into the `chosen` neurons, if there are any.
    fn new<S: Scalar>(
        backward: &Backward<'_, '_, S>,
        m: usize,
        chosen: &[Vec<usize>],
    ) -> Result<Self, ExplainError> {
        let network = backward.network();
        let layer = &network.layers()[m - 1];
        let (kind, activation) = match layer.config() {
            Some(LayerConfig::Dense(dense)) => ("dense", Some(dense.activation().to_string())),
            Some(LayerConfig::Dropout(_)) => ("dropout", None),
            Some(LayerConfig::Softmax(_)) => ("softmax", None),
            _ => return Err(ExplainError::Layer { layer: m, name: layer.name() }),
        };
        let all = network.weights(m).map(|w| widen(w.as_slice()));
        let square = |all: &Vec<f64>| all.iter().map(|w| w * w).sum::<f64>();
        let norm = all.as_ref().map_or(0.0, square).sqrt();
        let (weights, rows) = match chosen.get(m - 1) {
            None => (all, BTreeMap::new()),
            Some(neurons) => (None, export::rows(backward, m, neurons)),
        };
        Ok(Self {
            kind,
            inputs: layer.inputs(),
            outputs: layer.outputs(),
            activation,
            weights,
            rows,
            norm,
            bias: network.biases(m).map(widen),
        })
    }
}

impl Exported {
    fn new<S: Scalar>(
        backward: &Backward<'_, '_, S>,
        chosen: &[Vec<usize>],
        row: usize,
    ) -> Result<Self, ExplainError> {
        let (forward, scale) = (backward.forward(), backward.example_scale().as_f64());
        let layers = || 1..=backward.network().depth();
        let scaled = |row: &[S]| row.iter().map(|g| g.as_f64() * scale).collect::<Vec<_>>();
        Ok(Self {
            a: layers().map(|m| widen(forward.a(m).row(row))).collect(),
            h: layers().map(|m| widen(forward.h(m).row(row))).collect(),
            grad_h: layers().map(|m| scaled(backward.grad_h(m).row(row))).collect(),
            neurons: export::neurons(backward, chosen, row)?,
        })
    }
}

/// What the outputs are compared with, as the page's formulas take it.
fn wanted<S: Scalar>(
    backward: &Backward<'_, '_, S>,
    loss: &dyn Loss<S>,
    targets: Targets<'_, S>,
) -> Result<Matrix<f64>, ExplainError> {
    let output = backward.forward().output();
    let (rows, cols) = (output.rows(), output.cols());
    if loss.output_function() == OutputFunction::Softmax {
        let scale = backward.example_scale().as_f64();
        let q = soft_targets(loss, rows, cols, targets)?;
        return Ok(Matrix::from_fn(rows, cols, |i, j| q[(i, j)].as_f64() * scale));
    }
    Ok(match targets {
        Targets::Classes(classes) => {
            Matrix::from_fn(rows, cols, |i, j| if classes[i] == j { 1.0 } else { 0.0 })
        }
        Targets::Values(values) => Matrix::from_fn(rows, cols, |i, j| values.row(i)[j].as_f64()),
    })
}

impl LossData {
    fn new<S: Scalar>(
        backward: &Backward<'_, '_, S>,
        loss: &dyn Loss<S>,
        targets: Targets<'_, S>,
    ) -> Result<Self, ExplainError> {
        let (name, reduction) = (loss.name(), loss.reduction());
        let outputs = backward.network().outputs() as f64;
        let mean = if reduction == Reduction::Mean { 1.0 / outputs } else { 1.0 };
        let base = name.split('(').next().unwrap_or_default();
        let (kind, factor) = match base {
            _ if !is_the_crates_own(backward, loss, targets) => ("given", 1.0),
            "cross_entropy" => ("cross_entropy", 1.0),
            "probability_cross_entropy" => match targets {
                Targets::Classes(_) => ("probability_cross_entropy", 1.0),
                Targets::Values(_) => ("given", 1.0),
            },
            "bce_with_logits" => ("bce_with_logits", mean),
            "squared_error" => ("squared_error", 1.0),
            "mse" => ("squared_error", mean),
            "l1" => ("l1", mean),
            "huber" => ("huber", mean),
            _ => ("given", 1.0),
        };
        let delta = name.strip_prefix("huber(").and_then(|rest| rest.strip_suffix(')'));
        let delta = delta.and_then(|delta| delta.parse().ok());
        let output_function = loss.output_function();
        let value = backward.loss().as_f64();
        Ok(Self { name, kind, output_function, reduction, factor, delta, value })
    }
}

/// Whether the loss is the one that its name says, by its gradient: one of the user's own may have
/// the same name.
fn is_the_crates_own<S: Scalar>(
    backward: &Backward<'_, '_, S>,
    loss: &dyn Loss<S>,
    targets: Targets<'_, S>,
) -> bool {
    let Ok(own) = parse::<S>(&loss.name(), loss.class_weights(), loss.reduction()) else {
        return false;
    };
    let output = backward.forward().output();
    let mut gradient = Matrix::zeros(output.rows(), output.cols());
    let value = own.value_and_gradient(output, targets, gradient.view_mut());
    let same = gradient.as_slice() == backward.grad_h(backward.network().depth()).as_slice();
    value.is_ok_and(|value| value == backward.loss()) && same
}

impl ExampleData {
    fn new<S: Scalar>(
        backward: &Backward<'_, '_, S>,
        loss: &dyn Loss<S>,
        targets: Targets<'_, S>,
        wanted: &Matrix<f64>,
        row: usize,
    ) -> Result<Self, ExplainError> {
        let (network, forward) = (backward.network(), backward.forward());
        let depth = network.depth();
        let scale = backward.example_scale().as_f64();
        let scaled = |row: &[S]| row.iter().map(|g| g.as_f64() * scale).collect::<Vec<_>>();
        let mut masks = BTreeMap::new();
        for m in 1..=depth {
            if let Some(LayerConfig::Dropout(_)) = network.layers()[m - 1].config() {
                masks.insert(m, widen(forward.a(m).row(row)));
            }
            // Refuses what has no local derivative before the page is written.
            activation(backward, m, row)?;
        }
        let own = targets.rows_range(row..row + 1);
        let value = loss.value(forward.output().rows_range(row..row + 1), own);
        let share = match loss.reduction() {
            Reduction::Mean => loss.weight(own) * targets.len() as f64 / loss.weight(targets),
            Reduction::Sum => 1.0,
        };
        // An example that the loss ignores has no mean of its own.
        let loss = if share == 0.0 { 0.0 } else { value?.as_f64() * share };
        Ok(Self {
            name: format!("example {row}"),
            class: match own {
                Targets::Classes(classes) => classes.first().copied(),
                Targets::Values(_) => None,
            },
            x: widen(forward.h(0).row(row)),
            raw: None,
            target: wanted.row(row).to_vec(),
            loss,
            grad_output: scaled(backward.grad_h(depth).row(row)),
            grad_a: (1..=depth).map(|m| scaled(backward.grad_a(m).row(row))).collect(),
            masks,
            exported: None,
        })
    }
}
