//! The data set: features, target, names.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use chainrule_tensor::{Matrix, MatrixView, Scalar};
use rand::Rng;

use crate::one_hot::check_labels;
use crate::target::select_rows;
use crate::{Batch, DataError, Scaler, Split, Target, Task, random_split, stratified_split};

/// Examples to learn from or to test on: features (examples × columns) and a target for each row.
///
/// What stands in it has been checked: counts match, labels name classes, all values are finite.
///
/// ```
/// use chainrule_data::{Dataset, Target};
/// use chainrule_tensor::Matrix;
///
/// let features = Matrix::from_rows(&[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
/// let names = ["x1", "x2"].map(str::to_owned).to_vec();
/// let classes = ["false", "true"].map(str::to_owned).to_vec();
/// let target = Target::Classes { labels: vec![0, 1, 1, 0], names: classes };
/// let xor = Dataset::<f64>::new("xor", features, names, target)?;
/// assert_eq!((xor.len(), xor.features().cols(), xor.outputs()), (4, 2, 2));
/// # Ok::<(), chainrule_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset<S> {
    name: String,
    features: Matrix<S>,
    feature_names: Vec<String>,
    target: Target<S>,
    target_name: Option<String>,
}

impl<S: Scalar> Dataset<S> {
    /// A data set of checked parts; row `i` of the features belongs to row `i` of the target.
    ///
    /// # Errors
    /// No rows or columns, counts that differ, names that repeat, labels without a class, fewer
    /// than two classes, and values that are not finite.
    pub fn new(
        name: impl Into<String>,
        features: Matrix<S>,
        feature_names: Vec<String>,
        target: Target<S>,
    ) -> Result<Self, DataError> {
        let name = name.into();
        let (rows, columns) = (features.rows(), features.cols());
        if rows == 0 || columns == 0 {
            return Err(DataError::Empty { name, rows, columns });
        }
        let count = |what, expected, found| {
            let name = name.clone();
            if expected == found {
                Ok(())
            } else {
                Err(DataError::Count { name, what, expected, found })
            }
        };
        count("feature names (one a column)", columns, feature_names.len())?;
        count("targets (one a row of features)", rows, target.len())?;
        check_names(&name, "feature name", &feature_names)?;
        check_finite("features", features.view())?;
        match &target {
            Target::Classes { labels, names } => {
                check_names(&name, "class name", names)?;
                check_labels(labels, names.len())?;
                if let [class] = names.as_slice() {
                    return Err(DataError::SingleClass { name, class: class.clone() });
                }
            }
            Target::Values { values, names } => {
                count("target names (one a column of values)", values.cols(), names.len())?;
                check_names(&name, "target name", names)?;
                check_finite("target values", values.view())?;
                if names.is_empty() {
                    return Err(DataError::Empty { name, rows, columns: 0 });
                }
            }
        }
        let target_name = match &target {
            Target::Values { names, .. } if names.len() == 1 => Some(names[0].clone()),
            _ => None,
        };
        Ok(Self { name, features, feature_names, target, target_name })
    }

    /// The same data set, whose target column has the given name.
    pub fn with_target_name(mut self, name: impl Into<String>) -> Self {
        self.target_name = Some(name.into());
        self
    }

    #[cfg(feature = "csv")]
    pub(crate) fn rename(&mut self, name: impl Into<String>) {
        self.name = name.into();
    }

    /// The data set's name, such as the file it was read from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The features, (examples × columns).
    pub fn features(&self) -> MatrixView<'_, S> {
        self.features.view()
    }

    /// The target of every example.
    pub fn target(&self) -> &Target<S> {
        &self.target
    }

    /// The names of the feature columns.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The name of the target column, where it has one.
    pub fn target_name(&self) -> Option<&str> {
        self.target_name.as_deref()
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.features.rows()
    }

    /// Whether there are no examples, as after an empty [`select`](Self::select).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the target is classes or values; for a CSV file, which one was taken.
    pub fn task(&self) -> Task {
        self.target.task()
    }

    /// Number of outputs that a network for this data has: classes or values.
    pub fn outputs(&self) -> usize {
        self.target.outputs()
    }

    /// The class of each example, if the target is classes.
    pub fn labels(&self) -> Option<&[usize]> {
        match &self.target {
            Target::Classes { labels, .. } => Some(labels),
            Target::Values { .. } => None,
        }
    }

    /// The names of the classes, if the target is classes.
    pub fn class_names(&self) -> Option<&[String]> {
        match &self.target {
            Target::Classes { names, .. } => Some(names),
            Target::Values { .. } => None,
        }
    }

    /// Number of examples of each class, if the target is classes.
    pub fn class_counts(&self) -> Option<Vec<usize>> {
        let Target::Classes { labels, names } = &self.target else { return None };
        let mut counts = vec![0; names.len()];
        labels.iter().for_each(|&label| counts[label] += 1);
        Some(counts)
    }

    /// The target values, (examples × outputs), if the target is values.
    pub fn values(&self) -> Option<MatrixView<'_, S>> {
        match &self.target {
            Target::Classes { .. } => None,
            Target::Values { values, .. } => Some(values.view()),
        }
    }

    /// All examples as one batch, not copied.
    pub fn as_batch(&self) -> Batch<'_, S> {
        self.batch(0..self.len())
    }

    /// The examples of a range of rows as a batch, not copied.
    ///
    /// # Panics
    /// If the range leaves the data set.
    pub fn batch(&self, rows: Range<usize>) -> Batch<'_, S> {
        Batch {
            features: self.features.view().rows_range(rows.clone()),
            target: self.target.view().rows_range(rows),
        }
    }

    /// The given rows, from 0, in the given order; a row may occur more than once.
    ///
    /// # Panics
    /// If there is no such row, or the copy does not fit into memory.
    pub fn select(&self, rows: &[usize]) -> Self {
        self.try_select(rows).expect("a selection that fits into memory")
    }

    fn try_select(&self, rows: &[usize]) -> Result<Self, DataError> {
        Ok(Self {
            name: self.name.clone(),
            features: select_rows(self.features.view(), rows)?,
            feature_names: self.feature_names.clone(),
            target: self.target.try_select(rows)?,
            target_name: self.target_name.clone(),
        })
    }

    /// Splits into training and test data: stratified by class ([`stratified_split`]), or at
    /// random where the target is values ([`random_split`]). Rows keep their order.
    ///
    /// # Errors
    /// A fraction that is not inside (0, 1), too few rows, too little memory for the copies.
    ///
    /// ```
    /// # #[cfg(feature = "digits")] {
    /// use chainrule_data::digits;
    /// use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
    ///
    /// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    /// let (train, test) = digits::<f32>().split(0.25, &mut rng)?;
    /// assert_eq!((train.len(), test.len()), (1348, 449));
    /// # }
    /// # Ok::<(), chainrule_data::DataError>(())
    /// ```
    pub fn split(&self, test_fraction: f64, rng: &mut dyn Rng) -> Result<(Self, Self), DataError> {
        let Split { train, test } = match &self.target {
            Target::Classes { labels, .. } => stratified_split(labels, test_fraction, rng)?,
            Target::Values { .. } => random_split(self.len(), test_fraction, rng)?,
        };
        Ok((self.try_select(&train)?, self.try_select(&test)?))
    }

    /// Scales the features in place.
    ///
    /// # Errors
    /// As [`Scaler::transform`].
    pub fn scale_features(&mut self, scaler: &Scaler) -> Result<(), DataError> {
        scaler.transform(&mut self.features)
    }

    /// Scales the target values in place; classes stay as they are.
    ///
    /// # Errors
    /// As [`Scaler::transform`].
    pub fn scale_values(&mut self, scaler: &Scaler) -> Result<(), DataError> {
        match &mut self.target {
            Target::Classes { .. } => Ok(()),
            Target::Values { values, .. } => scaler.transform(values),
        }
    }

    /// The features and the target.
    pub fn into_parts(self) -> (Matrix<S>, Target<S>) {
        (self.features, self.target)
    }
}

/// A data set handed over.
impl<S: Scalar> From<Dataset<S>> for Cow<'_, Dataset<S>> {
    fn from(data: Dataset<S>) -> Self {
        Cow::Owned(data)
    }
}

/// A data set lent, copied where it has to change.
impl<'d, S: Scalar> From<&'d Dataset<S>> for Cow<'d, Dataset<S>> {
    fn from(data: &'d Dataset<S>) -> Self {
        Cow::Borrowed(data)
    }
}

pub(crate) fn check_finite<S: Scalar>(
    what: &str,
    matrix: MatrixView<'_, S>,
) -> Result<(), DataError> {
    // A whole row has no early exit to look out for.
    let finite = |row: &[S]| row.iter().fold(true, |finite, x| finite & x.is_finite());
    if matrix.iter_rows().all(finite) {
        return Ok(());
    }
    match matrix.as_slice().iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => Err(DataError::NotFinite {
            what: what.to_owned(),
            row: at / matrix.cols(),
            column: at % matrix.cols(),
            value: matrix.as_slice()[at].as_f64(),
        }),
    }
}

fn check_names(name: &str, what: &'static str, names: &[String]) -> Result<(), DataError> {
    let mut seen = HashSet::new();
    match names.iter().find(|&item| !seen.insert(item)) {
        None => Ok(()),
        Some(item) => {
            Err(DataError::RepeatedName { name: name.to_owned(), what, repeated: item.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
        names.map(str::to_owned).to_vec()
    }

    fn classes(labels: &[usize]) -> Target<f64> {
        Target::Classes { labels: labels.to_vec(), names: names(["no", "yes"]) }
    }

    fn x() -> Matrix<f64> {
        Matrix::from_rows(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    }

    fn error(features: Matrix<f64>, feature_names: Vec<String>, target: Target<f64>) -> String {
        Dataset::new("d", features, feature_names, target).unwrap_err().to_string()
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let ab = || names(["a", "b"]);
        let cases = [
            (error(x(), names(["a"]), classes(&[0, 1, 0])), "2 feature names"),
            (error(x(), ab(), classes(&[0, 1])), "3 targets"),
            (error(x(), ab(), classes(&[0, 1, 2])), "row 2: label 2"),
            (error(x(), names(["a", "a"]), classes(&[0, 1, 0])), "`a` occurs twice"),
            (error(Matrix::zeros(0, 2), ab(), classes(&[])), "0 rows"),
            (error(Matrix::zeros(3, 0), vec![], classes(&[0, 1, 0])), "0 feature columns"),
        ];
        for (message, part) in cases {
            assert!(message.contains(part), "{message}");
        }
        for bad in [f64::NAN, f64::INFINITY] {
            let mut features = x();
            features[(1, 1)] = bad;
            let message = error(features, ab(), classes(&[0, 1, 0]));
            assert!(message.contains("features, row 1, column 1"), "{message}");
            let values = Matrix::from_rows(&[[0.0], [0.0], [bad]]);
            let message = error(x(), ab(), Target::Values { values, names: names(["y"]) });
            assert!(message.contains("target values, row 2, column 0"), "{message}");
        }
        let one = Target::Classes { labels: vec![0; 3], names: names(["only"]) };
        assert!(error(x(), ab(), one).contains("single class `only`"));
        let unnamed = Target::Values { values: Matrix::zeros(3, 2), names: names(["y"]) };
        assert!(error(x(), ab(), unnamed).contains("2 target names"));
        let nothing = Target::Values { values: Matrix::zeros(3, 0), names: vec![] };
        assert!(Dataset::new("d", x(), ab(), nothing).is_err());
    }

    #[test]
    fn selected_rows_keep_their_targets() {
        let d = Dataset::new("d", x(), names(["a", "b"]), classes(&[0, 1, 0])).unwrap();
        let s = d.select(&[1, 1, 0]);
        assert_eq!(s.features().as_slice(), [3.0, 4.0, 3.0, 4.0, 1.0, 2.0]);
        assert_eq!(s.labels(), Some(&[1, 1, 0][..]));
        assert_eq!(s.class_counts(), Some(vec![1, 2]));
        assert!(d.select(&[]).is_empty());
        let values = Matrix::from_rows(&[[7.0], [8.0], [9.0]]);
        let target = Target::Values { values, names: names(["y"]) };
        let d = Dataset::new("d", x(), names(["a", "b"]), target).unwrap();
        assert_eq!(d.target_name(), Some("y"));
        assert_eq!(d.select(&[2, 0]).values().unwrap().as_slice(), [9.0, 7.0]);
        assert_eq!(d.batch(1..2).features.as_slice(), [3.0, 4.0]);
    }
}
