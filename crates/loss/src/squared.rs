//! The squared error, summed or averaged over outputs.

use chainrule_tensor::{MatrixView, MatrixViewMut, Scalar};
use serde::{Deserialize, Serialize};

use crate::elementwise::{Elementwise, all_elements, examples};
use crate::{Loss, LossError, Reduction, Targets};

/// The lecture's squared error: summed over the outputs, averaged over the `n` examples,
///
/// `L = 1/n Σ_i Σ_j (ŷ_ij − y_ij)²`, `∂L/∂ŷ_ij = 2/n (ŷ_ij − y_ij)`,
///
/// without a factor ½. With [`Reduction::Sum`] the `1/n` is left out. It is `outputs` times
/// [`MeanSquaredError`], which PyTorch uses. Source: CS7015, lecture 4, module 4.3.
///
/// ```
/// use chainrule_loss::{Loss, SquaredError, Targets};
/// use chainrule_tensor::Matrix;
/// let output = Matrix::from_rows(&[[1.0, 2.0], [3.0, 4.0]]);
/// let target = Matrix::from_rows(&[[0.0, 2.0], [3.0, 1.0]]);
/// let value = SquaredError::new().value(output.view(), Targets::Values(target.view()))?;
/// assert_eq!(value, (1.0 + 9.0) / 2.0);
/// # Ok::<(), chainrule_loss::LossError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SquaredError {
    reduction: Reduction,
}

/// PyTorch's `mse_loss`: the squared error averaged over the `n` examples and the `k` outputs,
///
/// `L = 1/(n k) Σ_i Σ_j (ŷ_ij − y_ij)²`, `∂L/∂ŷ_ij = 2/(n k) (ŷ_ij − y_ij)`.
///
/// With [`Reduction::Sum`] nothing is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeanSquaredError {
    reduction: Reduction,
}

#[inline(always)]
fn squared<S: Scalar>(z: S, y: S, scale: S) -> (S, S) {
    let d = z - y;
    (d * d, d * (scale + scale))
}

impl SquaredError {
    pub(crate) const NAME: &'static str = "squared_error";

    /// The mean over examples.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same loss with another reduction.
    pub fn with_reduction(self, reduction: Reduction) -> Self {
        Self { reduction }
    }

    fn elementwise(&self) -> Elementwise {
        Elementwise { name: Self::NAME, reduction: self.reduction, count: examples }
    }
}

impl<S: Scalar> Loss<S> for SquaredError {
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
        self.elementwise().evaluate(output, targets, Some(gradient), squared)
    }

    fn value(&self, output: MatrixView<'_, S>, targets: Targets<'_, S>) -> Result<S, LossError> {
        self.elementwise().evaluate(output, targets, None, squared)
    }
}

impl MeanSquaredError {
    pub(crate) const NAME: &'static str = "mse";

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

impl<S: Scalar> Loss<S> for MeanSquaredError {
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
        self.elementwise().evaluate(output, targets, Some(gradient), squared)
    }

    fn value(&self, output: MatrixView<'_, S>, targets: Targets<'_, S>) -> Result<S, LossError> {
        self.elementwise().evaluate(output, targets, None, squared)
    }
}
