//! Shapes and labels, checked before anything is computed.

use chainrule_tensor::{MatrixView, MatrixViewMut, Scalar};

use crate::{LossError, Targets};

/// At least one example and one output.
pub(crate) fn output<S: Scalar>(output: MatrixView<'_, S>) -> Result<(), LossError> {
    let (rows, cols) = (output.rows(), output.cols());
    if rows == 0 || cols == 0 { Err(LossError::Empty { rows, cols }) } else { Ok(()) }
}

fn shape<S: Scalar>(
    what: &'static str,
    output: MatrixView<'_, S>,
    (found_rows, found_cols): (usize, usize),
) -> Result<(), LossError> {
    let (rows, cols) = (output.rows(), output.cols());
    if (rows, cols) == (found_rows, found_cols) {
        Ok(())
    } else {
        Err(LossError::Shape { what, rows, cols, found_rows, found_cols })
    }
}

/// The gradient has the output's shape.
pub(crate) fn gradient<S: Scalar>(
    output: MatrixView<'_, S>,
    gradient: &MatrixViewMut<'_, S>,
) -> Result<(), LossError> {
    shape("gradient", output, (gradient.rows(), gradient.cols()))
}

/// One value an output.
pub(crate) fn values<S: Scalar>(
    output: MatrixView<'_, S>,
    values: MatrixView<'_, S>,
) -> Result<(), LossError> {
    self::output(output)?;
    shape("target", output, (values.rows(), values.cols()))
}

/// The targets of a loss that compares with values alone.
pub(crate) fn only_values<'a, S: Scalar>(
    loss: &'static str,
    output: MatrixView<'_, S>,
    targets: Targets<'a, S>,
) -> Result<MatrixView<'a, S>, LossError> {
    match targets {
        Targets::Classes(_) => Err(LossError::ClassTargets { loss }),
        Targets::Values(values) => self::values(output, values).map(|()| values),
    }
}

/// One label an example, each of a class there is or of the ignored one; tells `kept` the classes
/// of the others.
pub(crate) fn classes<S: Scalar>(
    output: MatrixView<'_, S>,
    labels: &[usize],
    ignore_index: Option<usize>,
    mut kept: impl FnMut(usize),
) -> Result<(), LossError> {
    self::output(output)?;
    let (rows, classes) = (output.rows(), output.cols());
    if labels.len() != rows {
        return Err(LossError::TargetCount { rows, found: labels.len() });
    }
    for (row, &class) in labels.iter().enumerate() {
        if Some(class) == ignore_index {
            continue;
        }
        if class >= classes {
            return Err(LossError::Class { row, class, classes });
        }
        kept(class);
    }
    Ok(())
}
