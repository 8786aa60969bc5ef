//! The lecture's cross-entropy on probabilities.

use chainrule_tensor::{MatrixView, MatrixViewMut, Scalar};
use serde::{Deserialize, Serialize};

use crate::elementwise::sum_terms;
use crate::{Loss, LossError, Reduction, Targets, check};

/// The lecture's cross-entropy on the probabilities `ŷ` that a softmax layer gives,
///
/// `L = −ln ŷ_ℓ`, `∇_ŷ L = −(1/ŷ_ℓ) e(ℓ)`,
///
/// averaged over the examples. Against probabilities `y` it is `−Σ_j y_j ln ŷ_j` with the gradient
/// `−y_j/ŷ_j`, where `0 ln 0 = 0`.
///
/// It shows the first part of the gradient on its own, and is not meant for training: where
/// `ŷ_ℓ → 0` the gradient grows without bound, and where `ŷ_ℓ` underflows the value is infinite.
/// [`crate::CrossEntropy`] on logits is the same loss without the trap. Source: CS7015, lecture 4,
/// module 4.5.
///
/// ```
/// use chainrule_loss::{Loss, ProbabilityCrossEntropy, Targets};
/// use chainrule_tensor::Matrix;
/// let y = Matrix::from_rows(&[[0.25, 0.5, 0.25]]);
/// let mut gradient = Matrix::zeros(1, 3);
/// let loss = ProbabilityCrossEntropy::new();
/// let value: f64 =
///     loss.value_and_gradient(y.view(), Targets::Classes(&[1]), gradient.view_mut())?;
/// assert_eq!(value, 2.0_f64.ln());
/// assert_eq!(gradient.as_slice(), [0.0, -2.0, 0.0]);
/// # Ok::<(), chainrule_loss::LossError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbabilityCrossEntropy {
    reduction: Reduction,
}

impl ProbabilityCrossEntropy {
    pub(crate) const NAME: &'static str = "probability_cross_entropy";

    /// The mean over examples.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same loss with another reduction.
    pub fn with_reduction(self, reduction: Reduction) -> Self {
        Self { reduction }
    }

    fn evaluate<S: Scalar>(
        &self,
        output: MatrixView<'_, S>,
        targets: Targets<'_, S>,
        gradient: Option<MatrixViewMut<'_, S>>,
    ) -> Result<S, LossError> {
        match targets {
            Targets::Classes(labels) => check::classes(output, labels, None, |_| {})?,
            Targets::Values(values) => check::values(output, values)?,
        }
        if let Some(gradient) = &gradient {
            check::gradient(output, gradient)?;
        }
        if let Some(i) = output.as_slice().iter().position(|&y| y < S::zero()) {
            let (row, column) = (i / output.cols(), i % output.cols());
            return Err(LossError::Probability {
                row,
                column,
                value: output[(row, column)].as_f64(),
            });
        }
        let scale = self.reduction.scale(output.rows());
        let factor = S::of(scale);
        let total = match targets {
            Targets::Classes(labels) => {
                let true_class = |row: usize, class: usize| output[(row, class)];
                if let Some(mut gradient) = gradient {
                    gradient.as_mut_slice().fill(S::zero());
                    for (row, &class) in labels.iter().enumerate() {
                        gradient[(row, class)] = -factor / true_class(row, class);
                    }
                }
                let terms = labels.iter().enumerate();
                terms.fold(0.0, |sum, (row, &class)| sum - true_class(row, class).ln().as_f64())
            }
            Targets::Values(values) => {
                let gradient = gradient.map(MatrixViewMut::into_slice);
                sum_terms(
                    output.as_slice(),
                    values.as_slice(),
                    factor,
                    gradient,
                    |y_hat, y, scale| {
                        let none = y == S::zero();
                        let term = if none { S::zero() } else { -y * y_hat.ln() };
                        (term, if none { S::zero() } else { -y / y_hat * scale })
                    },
                )
            }
        };
        Ok(S::of(total * scale))
    }
}

impl<S: Scalar> Loss<S> for ProbabilityCrossEntropy {
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
        self.evaluate(output, targets, Some(gradient))
    }

    fn value(&self, output: MatrixView<'_, S>, targets: Targets<'_, S>) -> Result<S, LossError> {
        self.evaluate(output, targets, None)
    }
}
