//! Metrics of real values.

use chainrule_tensor::{MatrixView, Scalar};

/// Sums of errors by output, added up batch by batch in `f64`.
///
/// The targets' variance is summed around their running mean (Welford 1962), so that large offsets
/// do not cancel.
#[derive(Debug, Clone, Default)]
pub struct ValueErrors {
    examples: usize,
    outputs: Vec<OutputErrors>,
}

#[derive(Debug, Clone, Copy, Default)]
struct OutputErrors {
    squared: f64,
    absolute: f64,
    /// The mean of the true values so far, and the sum of their squared distances from it.
    mean: f64,
    spread: f64,
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
                self.outputs.resize(truth.len(), OutputErrors::default());
            }
            self.examples += 1;
            let n = self.examples as f64;
            for ((errors, p), y) in self.outputs.iter_mut().zip(predicted).zip(truth) {
                let error = p.as_f64() - y.as_f64();
                errors.squared += error * error;
                errors.absolute += error.abs();
                let distance = y.as_f64() - errors.mean;
                errors.mean += distance / n;
                errors.spread += distance * (y.as_f64() - errors.mean);
            }
        }
    }

    /// `R²`, the mean over the outputs; `None` without examples, NaN if an output's truth does not
    /// vary.
    pub fn r_squared(&self) -> Option<f64> {
        self.mean(|e| if e.spread == 0.0 { f64::NAN } else { 1.0 - e.squared / e.spread })
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
    fn an_outlier_in_the_first_row_does_not_cancel() {
        let y = |i: usize| if i == 0 { 1e9 } else { (i % 2) as f64 };
        let truth = Matrix::from_fn(101, 1, |i, _| y(i));
        let mean = truth.as_slice().iter().sum::<f64>() / 101.0;
        let spread: f64 = truth.as_slice().iter().map(|y| (y - mean).powi(2)).sum();
        let predicted = Matrix::from_fn(101, 1, |i, _| y(i) + 1e8);
        let expected = 1.0 - 101.0 * 1e16 / spread;
        assert!((r_squared(predicted.view(), truth.view()) - expected).abs() < 1e-12);
    }

    #[test]
    fn batches_add_up_to_the_whole() {
        let truth = Matrix::from_fn(30, 2, |i, j| ((i * 7 + j) % 11) as f64);
        let predicted = Matrix::from_fn(30, 2, |i, j| ((i * 5 + j) % 11) as f64);
        let mut errors = ValueErrors::default();
        for rows in [0..7, 7..8, 8..30] {
            errors.add(predicted.view().rows_range(rows.clone()), truth.view().rows_range(rows));
        }
        assert_eq!(errors.r_squared(), Some(r_squared(predicted.view(), truth.view())));
        errors.clear();
        assert_eq!(errors.r_squared(), None);
    }

    #[test]
    fn a_constant_truth_has_no_r_squared() {
        let y = Matrix::from_rows(&[[2.0], [2.0]]);
        let off = Matrix::from_rows(&[[2.0], [2.5]]);
        assert!(r_squared(y.view(), y.view()).is_nan());
        assert!(r_squared(off.view(), y.view()).is_nan());
        let none = Matrix::<f64>::zeros(0, 1);
        assert!(r_squared(none.view(), none.view()).is_nan());
        assert!(mean_squared_error(none.view(), none.view()).is_nan());
    }
}
