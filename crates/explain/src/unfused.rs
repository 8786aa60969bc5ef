//! The output layer in two factors, `∂L/∂ŷ · ∂ŷ/∂a_L`.

use chainrule_autograd_manual::Backward;
use chainrule_layers::{Activation, LayerConfig};
use chainrule_loss::{Loss, OutputFunction, Targets};
use chainrule_tensor::{Matrix, MatrixView, MatrixViewMut, Scalar};
use serde::Serialize;

use crate::local::{activation, widen};
use crate::{Derivative, ExplainError, Group};

/// A logit so far above the others that the softmax is 1 in `f32` and `f64`, without rounding.
const SATURATED: f64 = 1e3;

/// The talk to the output layer of one example in two factors, `∇_{a_L} L = (∂ŷ/∂a_L)ᵀ ∂L/∂ŷ`.
///
/// For showing, not for training: with the cross-entropy `∂L/∂ŷ = −(1/ŷ_ℓ) e(ℓ)`, which grows
/// without bound as `ŷ_ℓ → 0`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Unfused {
    /// The output function that the loss applies to `h_L` itself.
    pub output_function: OutputFunction,
    /// `ŷ = O(h_L)`.
    pub prediction: Vec<f64>,
    /// `∂L/∂ŷ`.
    pub grad_prediction: Group,
    /// `∂ŷ/∂a_L` as a product, from `ŷ` downward: the loss's output function and the activation of
    /// the last layer (the identity left out where the other stands).
    pub derivatives: Vec<Derivative>,
}

impl Unfused {
    /// `∇_{a_L} L = (∂ŷ/∂a_L)ᵀ ∂L/∂ŷ`.
    pub fn grad_a(&self) -> Vec<f64> {
        let mut grad = self.grad_prediction.values.clone();
        self.derivatives.iter().for_each(|derivative| derivative.apply(&mut grad));
        grad
    }
}

/// What is needed of the loss to take `O` out of its gradient.
#[derive(Debug, Clone)]
pub(crate) enum Head<S> {
    /// `ŷ = h_L`.
    Identity,
    /// `ŷ = σ(h_L)`.
    Sigmoid,
    /// `ŷ = softmax(h_L)`, with `q` of `L = −Σ_j q_j ln ŷ_j`, (examples × outputs).
    Softmax(Matrix<S>),
}

impl<S: Scalar> Head<S> {
    pub(crate) fn new(
        backward: &Backward<'_, '_, S>,
        loss: &dyn Loss<S>,
        targets: Targets<'_, S>,
    ) -> Result<Self, ExplainError> {
        let found = loss.value(backward.forward().output(), targets)?;
        let expected = backward.loss();
        if found != expected && !(found.is_nan() && expected.is_nan()) {
            let (expected, found) = (expected.as_f64(), found.as_f64());
            return Err(ExplainError::OtherLoss { name: loss.name(), expected, found });
        }
        Ok(match loss.output_function() {
            OutputFunction::Identity => Self::Identity,
            OutputFunction::Sigmoid => Self::Sigmoid,
            OutputFunction::Softmax => {
                let output = backward.forward().output();
                Self::Softmax(soft_targets(loss, output.rows(), output.cols(), targets)?)
            }
        })
    }

    fn output_function(&self) -> OutputFunction {
        match self {
            Self::Identity => OutputFunction::Identity,
            Self::Sigmoid => OutputFunction::Sigmoid,
            Self::Softmax(_) => OutputFunction::Softmax,
        }
    }

    /// The output layer of the example `row` in two factors.
    pub(crate) fn at(
        &self,
        backward: &Backward<'_, '_, S>,
        row: usize,
    ) -> Result<Unfused, ExplainError> {
        let refused = |reason| ExplainError::Unfused { row, reason };
        let depth = backward.network().depth();
        let scale = backward.example_scale().as_f64();
        let h = widen(backward.forward().output().row(row));
        let grad_h: Vec<f64> =
            backward.grad_h(depth).row(row).iter().map(|g| g.as_f64() * scale).collect();
        let mut prediction = vec![0.0; h.len()];
        let out = MatrixViewMut::from_row(&mut prediction);
        self.output_function().apply(MatrixView::from_row(&h), out);

        let mut derivatives = Vec::new();
        let mut grad_prediction = grad_h.clone();
        match self {
            Self::Identity => {}
            Self::Sigmoid => {
                // σ(a) σ(−a), right in the tails where ŷ (1 − ŷ) is not.
                let slope: Vec<f64> =
                    h.iter().map(|&h| Activation::Sigmoid.derivative(h)).collect();
                grad_prediction.iter_mut().zip(&slope).for_each(|(g, slope)| *g /= slope);
                derivatives.push(Derivative::Diagonal(slope));
            }
            Self::Softmax(_) if h.len() == 1 => {
                let reason = "the softmax of one unit is 1 whatever the network does";
                return Err(refused(reason.to_owned()));
            }
            Self::Softmax(q) => {
                for ((g, q), y) in grad_prediction.iter_mut().zip(q.row(row)).zip(&prediction) {
                    *g = if *q == S::zero() { 0.0 } else { -q.as_f64() * scale / y };
                }
                derivatives.push(Derivative::Softmax(prediction.clone()));
            }
        }
        let applied = self.output_function() != OutputFunction::Identity;
        if let Some(j) = grad_prediction.iter().position(|g| applied && !g.is_finite()) {
            let (g, y) = (grad_prediction[j], prediction[j]);
            return Err(refused(format!("∂L/∂ŷ is {g} at output {}, where ŷ is {y}", j + 1)));
        }
        if let Self::Softmax(_) = self {
            check_softmax::<S>(&grad_prediction, &derivatives[0], &grad_h).map_err(refused)?;
        }
        let last = activation(backward, depth, row)?;
        if !(applied && is_identity(backward, depth)) {
            derivatives.push(last);
        }
        let grad_prediction = Group { name: "∂L/∂ŷ".to_owned(), values: grad_prediction };
        let output_function = self.output_function();
        Ok(Unfused { output_function, prediction, grad_prediction, derivatives })
    }
}

fn is_identity<S: Scalar>(backward: &Backward<'_, '_, S>, m: usize) -> bool {
    let config = backward.network().layers()[m - 1].config();
    matches!(config, Some(LayerConfig::Dense(d)) if d.activation() == Activation::Identity)
}

/// `q` of a loss `L = −Σ_j q_j ln ŷ_j`, read off its own gradient `ŷ_j Σ_k q_k − q_j`: at logits
/// where `ŷ = e(c)` it is `−q_j` for all `j ≠ c`, and two such `c` give all.
pub(crate) fn soft_targets<S: Scalar>(
    loss: &dyn Loss<S>,
    rows: usize,
    cols: usize,
    targets: Targets<'_, S>,
) -> Result<Matrix<S>, ExplainError> {
    let probe = |class: usize| {
        let logit = |_, j| S::of(if j == class { SATURATED } else { -SATURATED });
        let logits = Matrix::from_fn(rows, cols, logit);
        let mut gradient = Matrix::zeros(rows, cols);
        loss.value_and_gradient(logits.view(), targets, gradient.view_mut())?;
        Ok::<_, ExplainError>(gradient)
    };
    let mut q = probe(0)?;
    if cols > 1 {
        let other = probe(1)?;
        for (q, other) in q.view_mut().iter_rows_mut().zip(other.view().iter_rows()) {
            q[0] = other[0];
        }
    }
    q.as_mut_slice().iter_mut().for_each(|q| *q = -*q);
    Ok(q)
}

/// A loss of the user's own may apply a softmax without being a cross-entropy.
fn check_softmax<S: Scalar>(
    grad_prediction: &[f64],
    softmax: &Derivative,
    grad_h: &[f64],
) -> Result<(), String> {
    let mut product = grad_prediction.to_vec();
    softmax.apply(&mut product);
    let size = product.iter().chain(grad_h).fold(0.0, |most: f64, g| most.max(g.abs()));
    let tolerance = S::epsilon().as_f64().sqrt() * size.max(f64::MIN_POSITIVE);
    let agrees = |(product, g): (&f64, &f64)| {
        (product - g).abs() <= tolerance || !(product.is_finite() && g.is_finite())
    };
    match product.iter().zip(grad_h).all(agrees) {
        true => Ok(()),
        false => Err("the loss applies a softmax but is no cross-entropy".to_owned()),
    }
}
