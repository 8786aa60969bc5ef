//! The binary cross-entropy from logits.

use chainrule_tensor::{MatrixView, MatrixViewMut, Scalar, math};
use serde::{Deserialize, Serialize};

use crate::elementwise::{Elementwise, all_elements};
use crate::{Loss, LossError, OutputFunction, Reduction, Targets};

/// PyTorch's `binary_cross_entropy_with_logits`: each output a yes or no of its own. For the logit
/// `a` and the target `y` (0 or 1, or a probability), with `ŷ = σ(a)`,
///
/// `−y ln ŷ − (1 − y) ln(1 − ŷ) = ln(1 + e^{−|a|}) + y max(−a, 0) + (1 − y) max(a, 0)`,
///
/// averaged over examples and outputs. Its derivative is `ŷ − y`, computed as
/// `(1 − y) σ(a) − y σ(−a)`, so that both tails keep their digits. With [`Reduction::Sum`] nothing
/// is divided. Targets are not checked to lie in [0, 1].
///
/// ```
/// use chainrule_loss::{BinaryCrossEntropy, Loss, Targets};
/// use chainrule_tensor::Matrix;
/// let (logits, target) = (Matrix::from_rows(&[[0.0_f64]]), Matrix::from_rows(&[[1.0]]));
/// let loss = BinaryCrossEntropy::new();
/// let value = loss.value(logits.view(), Targets::Values(target.view()))?;
/// assert!((value - 2.0_f64.ln()).abs() < 1e-15);
/// # Ok::<(), chainrule_loss::LossError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BinaryCrossEntropy {
    reduction: Reduction,
}

#[inline(always)]
fn binary_cross_entropy<S: Scalar>(a: S, y: S, scale: S) -> (S, S) {
    let (zero, one) = (S::zero(), S::one());
    let e = math::exp_neg(a.abs());
    let negative = a < zero;
    // σ(a) and σ(−a) are 1 and e over 1 + e, in the order of the sign; a NaN stays in e.
    let upper = if negative { e } else { one };
    let lower = if negative { one } else { e };
    let cost = if negative { -a * y } else { a * (one - y) };
    let derivative = ((one - y) * upper - y * lower) / (one + e);
    (math::ln_1p(e) + cost, derivative * scale)
}

impl BinaryCrossEntropy {
    pub(crate) const NAME: &'static str = "bce_with_logits";

    /// The mean over examples and outputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same loss with another reduction.
    pub fn with_reduction(self, reduction: Reduction) -> Self {
        Self { reduction }
    }

    fn elementwise(&self) -> Elementwise {
        Elementwise { name: Self::NAME, reduction: self.reduction, count: all_elements }
    }
}

impl<S: Scalar> Loss<S> for BinaryCrossEntropy {
    fn name(&self) -> String {
        Self::NAME.to_owned()
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn value_and_gradient(
        &self,
        output: MatrixView<'_, S>,
        targets: Targets<'_, S>,
        gradient: MatrixViewMut<'_, S>,
    ) -> Result<S, LossError> {
        self.elementwise().evaluate(output, targets, Some(gradient), binary_cross_entropy)
    }

    fn value(&self, output: MatrixView<'_, S>, targets: Targets<'_, S>) -> Result<S, LossError> {
        self.elementwise().evaluate(output, targets, None, binary_cross_entropy)
    }

    fn output_function(&self) -> OutputFunction {
        OutputFunction::Sigmoid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tails_keep_their_digits() {
        for (a, y) in [(30.0, 1.0), (-30.0, 0.0)] {
            let (value, derivative) = binary_cross_entropy::<f32>(a, y, 1.0);
            let exact = (-30.0_f64).exp();
            assert!((f64::from(value) / exact - 1.0).abs() < 1e-6, "{value}");
            assert!((f64::from(derivative.abs()) / exact - 1.0).abs() < 1e-6, "{derivative}");
            assert_eq!(derivative < 0.0, y == 1.0);
        }
    }

    #[test]
    fn nan_stays_nan() {
        let (value, derivative) = binary_cross_entropy(f64::NAN, 0.0, 1.0);
        assert!(value.is_nan() && derivative.is_nan());
    }
}
