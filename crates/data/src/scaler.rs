//! Scaling of columns, fitted on training data.

use chainrule_tensor::{Matrix, MatrixView, Scalar, vectorised};
use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::dataset::check_finite;

/// How columns are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Left as they are.
    None,
    /// To mean 0 and variance 1: `(x − mean) / σ`, with `σ² = Σ (x − mean)² / n`.
    #[default]
    Standardise,
    /// To the range 0 to 1: `(x − min) / (max − min)`.
    MinMax,
}

/// Scales columns by `(x − shift) / scale`, with statistics of the data it was fitted to.
///
/// Fit it on the training data only, and use it on everything that the network ever sees. A column
/// that was constant there (scale 0) becomes 0. All arithmetic is in `f64`. Statistics are written
/// by serde as numbers; JSON keeps every bit if `serde_json` is built with `float_roundtrip`.
///
/// ```
/// use chainrule_data::{Scaler, Scaling};
/// use chainrule_tensor::Matrix;
///
/// let mut x = Matrix::from_rows(&[[1.0, 7.0], [3.0, 7.0]]);
/// let scaler = Scaler::fit(Scaling::Standardise, x.view())?;
/// scaler.transform(&mut x)?;
/// assert_eq!(x.as_slice(), [-1.0, 0.0, 1.0, 0.0]);
/// scaler.inverse(&mut x)?;
/// assert_eq!(x.as_slice(), [1.0, 7.0, 3.0, 7.0]);
/// # Ok::<(), chainrule_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Scaler {
    scaling: Scaling,
    shift: Vec<f64>,
    scale: Vec<f64>,
}

/// What is read, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    scaling: Scaling,
    shift: Vec<f64>,
    scale: Vec<f64>,
}

impl TryFrom<Parts> for Scaler {
    type Error = DataError;

    fn try_from(Parts { scaling, shift, scale }: Parts) -> Result<Self, DataError> {
        if shift.len() != scale.len() {
            let (expected, found) = (shift.len(), scale.len());
            return Err(DataError::Count {
                name: "scaler".to_owned(),
                what: "scales (one a shift)",
                expected,
                found,
            });
        }
        Self { scaling, shift, scale }.checked()
    }
}

impl Scaler {
    /// A scaler with the statistics of the columns of `x`, (examples × columns).
    ///
    /// # Errors
    /// A matrix without rows, values that are not finite, and columns whose mean or spread leaves
    /// the range of `f64`.
    pub fn fit<S: Scalar>(scaling: Scaling, x: MatrixView<'_, S>) -> Result<Self, DataError> {
        let (rows, columns) = (x.rows(), x.cols());
        if rows == 0 || columns == 0 {
            return Err(DataError::Empty { name: "the data to scale".to_owned(), rows, columns });
        }
        let (finite, low, high) = bounds(x);
        if !finite {
            check_finite("data to scale", x)?;
        }
        let (shift, scale) = match scaling {
            Scaling::None => (vec![0.0; columns], vec![1.0; columns]),
            Scaling::MinMax => {
                let scale = low.iter().zip(&high).map(|(low, high)| high - low).collect();
                (low, scale)
            }
            Scaling::Standardise => {
                let (mut mean, mut deviation) = moments(x);
                for j in 0..columns {
                    // The rounding of a sum must not make a constant column look like one that
                    // varies.
                    if low[j] == high[j] {
                        (mean[j], deviation[j]) = (low[j], 0.0);
                    }
                }
                (mean, deviation)
            }
        };
        Self { scaling, shift, scale }.checked()
    }

    /// A scaler that leaves `columns` columns as they are.
    pub fn identity(columns: usize) -> Self {
        Self { scaling: Scaling::None, shift: vec![0.0; columns], scale: vec![1.0; columns] }
    }

    fn checked(self) -> Result<Self, DataError> {
        for (column, (&shift, &scale)) in self.shift.iter().zip(&self.scale).enumerate() {
            if !(shift.is_finite() && scale.is_finite() && scale >= 0.0) {
                return Err(DataError::ScalerStatistics { column, shift, scale });
            }
        }
        Ok(self)
    }

    /// How it scales.
    pub fn scaling(&self) -> Scaling {
        self.scaling
    }

    /// Number of columns it was fitted to.
    pub fn columns(&self) -> usize {
        self.shift.len()
    }

    /// What is subtracted from each column: its mean or least value.
    pub fn shift(&self) -> &[f64] {
        &self.shift
    }

    /// What each column is divided by: its standard deviation or range; 0 for a constant column.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// Scales all rows in place: `x_j ← (x_j − shift_j) / scale_j`, and 0 where `scale_j` is 0.
    ///
    /// # Errors
    /// Another number of columns; values that are not finite or become so, which may leave rows
    /// before them scaled.
    pub fn transform<S: Scalar>(&self, x: &mut Matrix<S>) -> Result<(), DataError> {
        self.each_row(x, scaled)
    }

    /// Scales one example in place, as [`transform`](Self::transform).
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn transform_row<S: Scalar>(&self, x: &mut [S]) -> Result<(), DataError> {
        self.row(0, x, scaled)
    }

    /// Undoes [`transform`](Self::transform) in place: `x_j ← x_j · scale_j + shift_j`; a constant
    /// column gets its constant back.
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn inverse<S: Scalar>(&self, x: &mut Matrix<S>) -> Result<(), DataError> {
        self.each_row(x, unscaled)
    }

    /// Undoes [`transform_row`](Self::transform_row) in place.
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn inverse_row<S: Scalar>(&self, x: &mut [S]) -> Result<(), DataError> {
        self.row(0, x, unscaled)
    }

    fn each_row<S: Scalar>(
        &self,
        x: &mut Matrix<S>,
        f: impl Fn(f64, f64, f64) -> f64 + Copy,
    ) -> Result<(), DataError> {
        self.check_columns(x.cols())?;
        (0..x.rows()).try_for_each(|i| self.row(i, x.row_mut(i), f))
    }

    #[inline]
    fn row<S: Scalar>(
        &self,
        i: usize,
        x: &mut [S],
        f: impl Fn(f64, f64, f64) -> f64,
    ) -> Result<(), DataError> {
        self.check_columns(x.len())?;
        // Every value is tried before one is replaced, so that a constant column hides no NaN.
        let finite = vectorised(
            #[inline(always)]
            || {
                let mut finite = true;
                for (x, (&shift, &scale)) in x.iter().zip(self.shift.iter().zip(&self.scale)) {
                    finite &= x.is_finite() & S::of(f(x.as_f64(), shift, scale)).is_finite();
                }
                finite
            },
        );
        if !finite {
            return Err(self.not_finite(i, x, f));
        }
        vectorised(
            #[inline(always)]
            || {
                for (x, (&shift, &scale)) in x.iter_mut().zip(self.shift.iter().zip(&self.scale)) {
                    *x = S::of(f(x.as_f64(), shift, scale));
                }
            },
        );
        Ok(())
    }

    /// The error of the first value of row `i` that is not finite, or is not once mapped.
    #[cold]
    fn not_finite<S: Scalar>(
        &self,
        i: usize,
        x: &[S],
        f: impl Fn(f64, f64, f64) -> f64,
    ) -> DataError {
        let bad = |column: &usize| {
            let x = x[*column];
            let mapped = S::of(f(x.as_f64(), self.shift[*column], self.scale[*column]));
            !(x.is_finite() && mapped.is_finite())
        };
        let column = (0..x.len()).find(bad).expect("a value that is not finite");
        let value = x[column].as_f64();
        let what =
            if value.is_finite() { "data out of the scaler's range" } else { "data to scale" };
        DataError::NotFinite { what: what.to_owned(), row: i, column, value }
    }

    fn check_columns(&self, found: usize) -> Result<(), DataError> {
        let expected = self.columns();
        if found == expected { Ok(()) } else { Err(DataError::ScalerColumns { expected, found }) }
    }
}

/// `(x − shift) / scale`, or 0 of a constant column.
#[inline(always)]
fn scaled(x: f64, shift: f64, scale: f64) -> f64 {
    if scale == 0.0 { 0.0 } else { (x - shift) / scale }
}

/// The inverse of [`scaled`].
#[inline(always)]
fn unscaled(x: f64, shift: f64, scale: f64) -> f64 {
    x * scale + shift
}

/// Whether all values are finite, and the least and the largest of each column if they are.
fn bounds<S: Scalar>(x: MatrixView<'_, S>) -> (bool, Vec<f64>, Vec<f64>) {
    let (mut low, mut high) = (vec![S::infinity(); x.cols()], vec![S::neg_infinity(); x.cols()]);
    let finite = vectorised(
        #[inline(always)]
        || {
            let mut finite = true;
            for row in x.iter_rows() {
                for ((&x, low), high) in row.iter().zip(&mut low).zip(&mut high) {
                    finite &= x.is_finite();
                    *low = low.min(x);
                    *high = high.max(x);
                }
            }
            finite
        },
    );
    let wide = |values: Vec<S>| values.into_iter().map(S::as_f64).collect();
    (finite, wide(low), wide(high))
}

/// Mean and standard deviation of each column, in two passes; the second corrects the rounding of
/// the first (Chan, Golub and LeVeque 1983).
fn moments<S: Scalar>(x: MatrixView<'_, S>) -> (Vec<f64>, Vec<f64>) {
    let n = x.rows() as f64;
    let mut mean = vec![0.0; x.cols()];
    vectorised(
        #[inline(always)]
        || {
            for row in x.iter_rows() {
                for (x, sum) in row.iter().zip(&mut mean) {
                    *sum += x.as_f64();
                }
            }
        },
    );
    mean.iter_mut().for_each(|sum| *sum /= n);
    let (mut first, mut second) = (vec![0.0; x.cols()], vec![0.0; x.cols()]);
    vectorised(
        #[inline(always)]
        || {
            for row in x.iter_rows() {
                let sums = first.iter_mut().zip(&mut second);
                for ((x, mean), (first, second)) in row.iter().zip(&mean).zip(sums) {
                    let d = x.as_f64() - mean;
                    *first += d;
                    *second += d * d;
                }
            }
        },
    );
    let deviation = |(d, d2): (&f64, &f64)| ((d2 - d * d / n) / n).max(0.0).sqrt();
    let deviations = first.iter().zip(&second).map(deviation).collect();
    mean.iter_mut().zip(&first).for_each(|(mean, d)| *mean += d / n);
    (mean, deviations)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn columns(columns: usize) -> impl Strategy<Value = Matrix<f64>> {
        prop::collection::vec(-1e3..1e3, columns * 2..columns * 40).prop_map(move |mut values| {
            values.truncate(values.len() / columns * columns);
            Matrix::from_vec(values.len() / columns, columns, values).unwrap()
        })
    }

    fn column(x: &Matrix<f64>, j: usize) -> Vec<f64> {
        x.view().iter_rows().map(|row| row[j]).collect()
    }

    proptest! {
        #[test]
        fn standardised_columns_have_mean_0_and_variance_1(mut x in columns(3), constant: f32) {
            let constant = f64::from(constant);
            prop_assume!(constant.is_finite());
            (0..x.rows()).for_each(|i| x[(i, 1)] = constant);
            let before = x.clone();
            let scaler = Scaler::fit(Scaling::Standardise, x.view()).unwrap();
            scaler.transform(&mut x).unwrap();
            let n = x.rows() as f64;
            for j in [0, 2] {
                let values = column(&x, j);
                let mean = values.iter().sum::<f64>() / n;
                let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
                prop_assert!(mean.abs() < 1e-9, "{mean}");
                prop_assert!((variance - 1.0).abs() < 1e-9, "{variance}");
            }
            prop_assert!(column(&x, 1).iter().all(|&v| v == 0.0));
            prop_assert_eq!(scaler.scale()[1], 0.0);
            scaler.inverse(&mut x).unwrap();
            for (a, b) in x.as_slice().iter().zip(before.as_slice()) {
                prop_assert!((a - b).abs() <= 1e-12 * b.abs().max(1e3));
            }
            prop_assert_eq!(column(&x, 1), column(&before, 1));
        }

        #[test]
        fn min_max_spans_0_to_1(mut x in columns(2)) {
            let scaler = Scaler::fit(Scaling::MinMax, x.view()).unwrap();
            let mut row = x.row(0).to_vec();
            scaler.transform(&mut x).unwrap();
            scaler.transform_row(&mut row).unwrap();
            prop_assert_eq!(&row[..], x.row(0));
            for j in 0..2 {
                let values = column(&x, j);
                prop_assert_eq!(values.iter().copied().fold(f64::INFINITY, f64::min), 0.0);
                prop_assert_eq!(values.iter().copied().fold(f64::NEG_INFINITY, f64::max), 1.0);
            }
        }

        #[test]
        fn json_keeps_every_bit(x in columns(4)) {
            for scaling in [Scaling::None, Scaling::Standardise, Scaling::MinMax] {
                let scaler = Scaler::fit(scaling, x.view()).unwrap();
                let json = serde_json::to_string(&scaler).unwrap();
                prop_assert_eq!(serde_json::from_str::<Scaler>(&json).unwrap(), scaler);
            }
        }
    }

    #[test]
    fn a_scaler_uses_the_training_data_alone() {
        let train = Matrix::from_rows(&[[0.0_f32, 5.0], [10.0, 5.0]]);
        let scaler = Scaler::fit(Scaling::MinMax, train.view()).unwrap();
        let mut test = Matrix::from_rows(&[[20.0_f32, 6.0]]);
        scaler.transform(&mut test).unwrap();
        assert_eq!(test.as_slice(), [2.0, 0.0]);
    }

    #[test]
    fn no_scaling_changes_no_bit() {
        let x = Matrix::from_rows(&[[0.1_f32, -7.3e-30], [1e30, 3.0]]);
        for scaler in [Scaler::identity(2), Scaler::fit(Scaling::None, x.view()).unwrap()] {
            let mut y = x.clone();
            scaler.transform(&mut y).unwrap();
            assert_eq!(y, x);
        }
    }

    #[test]
    fn a_constant_that_no_sum_holds_is_still_constant() {
        let x = Matrix::from_fn(3, 1, |_, _| 0.1);
        let scaler = Scaler::fit(Scaling::Standardise, x.view()).unwrap();
        assert_eq!((scaler.shift(), scaler.scale()), (&[0.1][..], &[0.0][..]));
    }

    #[test]
    fn data_that_cannot_be_scaled_is_an_error() {
        for scaling in [Scaling::None, Scaling::Standardise, Scaling::MinMax] {
            assert!(Scaler::fit(scaling, Matrix::<f64>::zeros(0, 3).view()).is_err());
            let nan = Matrix::from_rows(&[[1.0], [f64::NAN]]);
            let error = Scaler::fit(scaling, nan.view()).unwrap_err().to_string();
            assert!(error.contains("row 1, column 0"), "{error}");
        }
        let wide = Matrix::from_rows(&[[f64::MAX], [-f64::MAX]]);
        for scaling in [Scaling::Standardise, Scaling::MinMax] {
            let error = Scaler::fit(scaling, wide.view()).unwrap_err();
            assert!(matches!(error, DataError::ScalerStatistics { column: 0, .. }), "{error}");
        }

        let x = Matrix::from_rows(&[[0.0_f32, 1.0], [1e-30, 1.0]]);
        let scaler = Scaler::fit(Scaling::MinMax, x.view()).unwrap();
        let error = scaler.transform(&mut Matrix::<f32>::zeros(1, 3)).unwrap_err();
        assert!(matches!(error, DataError::ScalerColumns { expected: 2, found: 3 }));
        assert!(scaler.transform_row(&mut [0.0_f32]).is_err());
        let mut beyond = [1e20_f32, 1.0];
        assert!(scaler.transform_row(&mut beyond).is_err());
        assert_eq!(beyond, [1e20, 1.0]);
        let error = scaler.transform_row(&mut [0.0, f32::NAN]).unwrap_err().to_string();
        assert!(error.contains("column 1") && error.contains("NaN"), "{error}");
    }

    #[test]
    fn stored_statistics_are_checked() {
        let read = |shift: &str, scale: &str| {
            let json = format!(r#"{{"scaling":"min-max","shift":{shift},"scale":{scale}}}"#);
            serde_json::from_str::<Scaler>(&json)
        };
        assert!(read("[0.0,1.0]", "[1.0,0.0]").is_ok());
        for (shift, scale) in [("[0.0]", "[1.0,1.0]"), ("[0.0]", "[-1.0]"), ("[0.0]", "[null]")] {
            assert!(read(shift, scale).is_err(), "{shift} {scale}");
        }
    }
}
