//! The NaN detective: the first quantity that is not finite, and the operands that made it.

mod backward;

pub use backward::first_non_finite;

use std::fmt;

use chainrule_autograd_manual::{Forward, Network, Param, Quantity};
use chainrule_layers::LayerConfig;
use chainrule_tensor::Scalar;
use serde::Serialize;

use crate::Factor;
use crate::text::{number, unit};

/// Of a long sum, the largest terms are shown.
const TERMS: usize = 3;

/// The first quantity on the way forward, or then backward, that is infinite or NaN.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NonFiniteFinding {
    /// Its name: `x_3`, `a_21`, `h_21`, `L`, `∂L/∂h_21`, `∂L/∂W_211`.
    pub name: String,
    /// Its layer, from 1; 0 for the input.
    pub layer: usize,
    /// The neuron, from 1; `None` for the loss.
    pub neuron: Option<usize>,
    /// The example in the batch, from 0; `None` for what belongs to the whole batch.
    pub row: Option<usize>,
    /// The value.
    #[serde(serialize_with = "crate::text::as_text")]
    pub value: f64,
    /// How it is made: `Σ_k W_21k h_1k + b_21`.
    pub formula: String,
    /// What it was made of; of a long sum, what is not finite itself or the largest terms.
    pub operands: Vec<Factor>,
    /// What went wrong, in words.
    pub reason: String,
}

impl NonFiniteFinding {
    /// What went wrong, how the quantity is made and of what, without its name and place.
    pub fn why(&self) -> String {
        let Self { name, formula, operands, reason, .. } = self;
        let with: Vec<String> =
            operands.iter().map(|o| format!("{} = {}", o.name, number(o.value))).collect();
        let formula = match formula.is_empty() {
            true => String::new(),
            false => format!("; {name} = {formula}"),
        };
        let with = match with.is_empty() {
            true => String::new(),
            false => format!(" with {}", with.join(", ")),
        };
        format!("{reason}{formula}{with}")
    }
}

impl fmt::Display for NonFiniteFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.name, self.value)?;
        if let Some(row) = self.row {
            write!(f, " for example {row} (counted from 0)")?;
        }
        write!(f, ": {}", self.why())
    }
}

/// The first value of the forward pass that is infinite or NaN, with what made it, built on
/// [`Forward::first_non_finite`]; `None` if all are finite. `network` is that of the pass.
///
/// ```
/// use chainrule_autograd_manual::{Network, Workspace};
/// use chainrule_explain::first_non_finite_forward;
/// use chainrule_layers::{Activation, Dense};
/// use chainrule_tensor::Matrix;
/// let mut network = Network::<f32>::new(vec![Box::new(Dense::new(2, 1, Activation::Relu)?)])?;
/// network.theta_mut().copy_from_slice(&[1e30, 1.0, 0.0]);
/// let mut workspace = Workspace::new(&network, 1)?;
/// let x = Matrix::from_rows(&[[1e10, 2.0]]);
/// let forward = network.forward(x.view(), &mut workspace)?;
/// let finding = first_non_finite_forward(&network, &forward).unwrap();
/// assert_eq!((finding.name.as_str(), finding.value), ("a_11", f64::INFINITY));
/// assert_eq!(finding.operands[0].name, "W_111");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn first_non_finite_forward<S: Scalar>(
    network: &Network<S>,
    forward: &Forward<'_, '_, S>,
) -> Option<NonFiniteFinding> {
    let place = forward.first_non_finite()?;
    let (m, j, row) = (place.layer, place.unit, place.row);
    let mut finding = NonFiniteFinding {
        name: String::new(),
        layer: m,
        neuron: Some(j),
        row: Some(row),
        value: place.value,
        formula: String::new(),
        operands: Vec::new(),
        reason: String::new(),
    };
    match place.quantity {
        Quantity::Input => {
            finding.name = format!("x_{j}");
            finding.reason = "the data holds it".to_owned();
        }
        Quantity::PreActivation => {
            finding.name = unit('a', m, j);
            pre_activation(network, forward, &mut finding, (m, j, row));
        }
        Quantity::Activation => {
            finding.name = unit('h', m, j);
            let a = forward.a(m).row(row);
            match network.layers()[m - 1].config() {
                Some(LayerConfig::Softmax(_)) => {
                    finding.formula = "softmax".to_owned();
                    finding.operands = largest(a.iter().map(|a| a.as_f64()), |k| unit('a', m, k));
                }
                _ => {
                    finding.formula = format!("g({})", unit('a', m, j));
                    let value = a[j - 1].as_f64();
                    finding.operands = vec![Factor { name: unit('a', m, j), value }];
                }
            }
            finding.reason = "the activation overflows".to_owned();
        }
    }
    Some(finding)
}

fn pre_activation<S: Scalar>(
    network: &Network<S>,
    forward: &Forward<'_, '_, S>,
    finding: &mut NonFiniteFinding,
    (m, j, row): (usize, usize, usize),
) {
    let h = forward.h(m - 1).row(row);
    let (Some(LayerConfig::Dense(_)), Some(w)) =
        (network.layers()[m - 1].config(), network.weights(m))
    else {
        finding.reason = format!("the layer {} made it", network.layers()[m - 1].name());
        return;
    };
    let w = w.row(j - 1);
    let bias = network.biases(m).map(|b| b[j - 1]);
    let plus = if bias.is_some() { " + bias" } else { "" };
    finding.formula = format!("Σ_k W_{m},{j},k h_{},k{plus}", m - 1);
    let weight = |k: usize| Param::Weight { layer: m, neuron: j, input: k + 1 }.to_string();
    if let Some(k) = w.iter().position(|w| !w.is_finite()) {
        finding.operands = vec![Factor { name: weight(k), value: w[k].as_f64() }];
        finding.reason = "a weight is not finite".to_owned();
        return;
    }
    if let Some(b) = bias.filter(|b| !b.is_finite()) {
        let name = Param::Bias { layer: m, neuron: j }.to_string();
        finding.operands = vec![Factor { name, value: b.as_f64() }];
        finding.reason = "the bias is not finite".to_owned();
        return;
    }
    let terms = w.iter().zip(h).map(|(w, h)| w.as_f64() * h.as_f64());
    let top = places_of_largest(terms);
    finding.operands = top
        .into_iter()
        .flat_map(|k| {
            let below = unit('h', m - 1, k + 1);
            [(weight(k), w[k]), (below, h[k])].map(|(name, x)| Factor { name, value: x.as_f64() })
        })
        .collect();
    finding.reason = "the sum overflows".to_owned();
}

/// The places, from 0, of the largest magnitudes, NaN first.
fn places_of_largest(values: impl Iterator<Item = f64>) -> Vec<usize> {
    let values: Vec<f64> = values.map(f64::abs).collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    order.truncate(TERMS);
    order
}

/// The largest magnitudes by name, of the unit from 1.
fn largest(values: impl Iterator<Item = f64>, name: impl Fn(usize) -> String) -> Vec<Factor> {
    let values: Vec<f64> = values.collect();
    let places = places_of_largest(values.iter().copied());
    places.into_iter().map(|n| Factor { name: name(n + 1), value: values[n] }).collect()
}
