//! Metrics of real values.

use chainrule_tensor::{MatrixView, Scalar};

/// Sums of errors by output, added up batch by batch in `f64`.
///
/// The targets' variance is summed around the first target seen, so that large offsets do not
/// cancel.
#[derive(Debug, Clone, Default)]
pub struct ValueErrors {
    examples: usize,
    outputs: Vec<OutputErrors>,
}

#[derive(Debug, Clone, Copy, Default)]
struct OutputErrors {
    origin: f64,
    squared: f64,
    absolute: f64,
    sum: f64,
    sum_squared: f64,
}

impl ValueErrors {
    /// Forgets everything added.
    pub fn clear(&mut self) {
        self.examples = 0;
        self.outputs.clear();
    }

    /// Adds predictions and true values, both (examples × outputs).
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn add<S: Scalar>(&mut self, predicted: MatrixView<'_, S>, truth: MatrixView<'_, S>) {
        let shape = (truth.rows(), truth.cols());
        assert_eq!((predicted.rows(), predicted.cols()), shape, "shapes differ");
        for (predicted, truth) in predicted.iter_rows().zip(truth.iter_rows()) {
            if self.examples == 0 {
                let fresh = |y: &S| OutputErrors { origin: y.as_f64(), ..Default::default() };
                self.outputs.extend(truth.iter().map(fresh));
            }
            for ((errors, p), y) in self.outputs.iter_mut().zip(predicted).zip(truth) {
                let error = p.as_f64() - y.as_f64();
                let offset = y.as_f64() - errors.origin;
                errors.squared += error * error;
                errors.absolute += error.abs();
                errors.sum += offset;
                errors.sum_squared += offset * offset;
            }
            self.examples += 1;
        }
    }

    /// `R²`, the mean over the outputs; `None` without examples, NaN if an output's truth does not
    /// vary.
    pub fn r_squared(&self) -> Option<f64> {
        let n = self.examples as f64;
        self.mean(|e| 1.0 - e.squared / (e.sum_squared - e.sum * e.sum / n))
    }

    /// Mean squared error over examples and outputs; `None` without examples.
    pub fn mean_squared(&self) -> Option<f64> {
        self.mean(|e| e.squared / self.examples as f64)
    }

    /// Mean absolute error over examples and outputs; `None` without examples.
    pub fn mean_absolute(&self) -> Option<f64> {
        self.mean(|e| e.absolute / self.examples as f64)
    }

    fn mean(&self, f: impl Fn(&OutputErrors) -> f64) -> Option<f64> {
        let outputs = self.outputs.len();
        (outputs > 0).then(|| self.outputs.iter().map(f).sum::<f64>() / outputs as f64)
    }
}

fn of<S: Scalar>(predicted: MatrixView<'_, S>, truth: MatrixView<'_, S>) -> ValueErrors {
    let mut errors = ValueErrors::default();
    errors.add(predicted, truth);
    errors
}

/// `R² = 1 − Σ(y − ŷ)² / Σ(y − mean y)²`, the mean over the outputs; NaN if there is nothing to
/// explain. Both matrices are (examples × outputs).
///
/// # Panics
/// If the shapes differ.
///
/// ```
/// use chainrule::{metrics::r_squared, tensor::Matrix};
/// let truth = Matrix::from_rows(&[[1.0], [2.0], [3.0]]);
/// let mean = Matrix::from_rows(&[[2.0], [2.0], [2.0]]);
/// assert_eq!(r_squared(truth.view(), truth.view()), 1.0);
/// assert_eq!(r_squared(mean.view(), truth.view()), 0.0);
/// ```
pub fn r_squared<S: Scalar>(predicted: MatrixView<'_, S>, truth: MatrixView<'_, S>) -> f64 {
    of(predicted, truth).r_squared().unwrap_or(f64::NAN)
}

/// Mean squared error over examples and outputs; NaN for none.
///
/// # Panics
/// If the shapes differ.
pub fn mean_squared_error<S: Scalar>(
    predicted: MatrixView<'_, S>,
    truth: MatrixView<'_, S>,
) -> f64 {
    of(predicted, truth).mean_squared().unwrap_or(f64::NAN)
}

/// Mean absolute error over examples and outputs; NaN for none.
///
/// # Panics
/// If the shapes differ.
pub fn mean_absolute_error<S: Scalar>(
    predicted: MatrixView<'_, S>,
    truth: MatrixView<'_, S>,
) -> f64 {
    of(predicted, truth).mean_absolute().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use chainrule_tensor::Matrix;

    use super::*;

    #[test]
    fn errors_by_hand() {
        let predicted = Matrix::from_rows(&[[1.0, 10.0], [4.0, 10.0]]);
        let truth = Matrix::from_rows(&[[2.0, 8.0], [4.0, 12.0]]);
        assert_eq!(mean_squared_error(predicted.view(), truth.view()), (1.0 + 8.0) / 4.0);
        assert_eq!(mean_absolute_error(predicted.view(), truth.view()), 5.0 / 4.0);
        assert_eq!(r_squared(predicted.view(), truth.view()), (0.5 + 0.0) / 2.0);
    }

    #[test]
    fn a_large_offset_does_not_cancel() {
        let truth = Matrix::from_fn(100, 1, |i, _| 1e9 + i as f64);
        let predicted = Matrix::from_fn(100, 1, |i, _| 1e9 + i as f64 + 1.0);
        let variance = (100.0 * 100.0 - 1.0) / 12.0;
        let r2 = r_squared(predicted.view(), truth.view());
        assert!((r2 - (1.0 - 1.0 / variance)).abs() < 1e-12);
    }

    #[test]
    fn a_constant_truth_has_no_r_squared() {
        let y = Matrix::from_rows(&[[2.0], [2.0]]);
        assert!(r_squared(y.view(), y.view()).is_nan());
    }
}
