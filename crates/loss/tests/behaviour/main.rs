//! Extreme logits, PyTorch's rules for options that meet, and what is refused.

mod extremes;
mod options;
mod refusals;

use chainrule_loss::{Loss, LossError, Targets};
use chainrule_tensor::{Matrix, MatrixView, Scalar};

const LN_2: f64 = std::f64::consts::LN_2;

fn evaluate<S: Scalar>(
    loss: &dyn Loss<S>,
    output: MatrixView<'_, S>,
    targets: Targets<'_, S>,
) -> Result<(S, Matrix<S>), LossError> {
    let mut gradient = Matrix::from_fn(output.rows(), output.cols(), |_, _| S::nan());
    let value = loss.value_and_gradient(output, targets, gradient.view_mut())?;
    Ok((value, gradient))
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-14 * a.abs().max(1.0)
}
