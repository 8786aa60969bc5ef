//! Metrics of classes.

use std::fmt;

use chainrule_tensor::{MatrixView, Scalar};

/// The index of the largest value, the first of equals; `None` if there is none or a NaN.
pub fn argmax<S: Scalar>(values: &[S]) -> Option<usize> {
    let mut best: Option<(usize, S)> = None;
    for (i, &value) in values.iter().enumerate() {
        if value.is_nan() {
            return None;
        }
        if best.is_none_or(|(_, largest)| value > largest) {
            best = Some((i, value));
        }
    }
    best.map(|(i, _)| i)
}

/// The share of rows of `output`, (examples × classes), whose largest value is at the label; NaN
/// without examples.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use chainrule::{metrics::accuracy, tensor::Matrix};
/// let output = Matrix::from_rows(&[[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]);
/// assert_eq!(accuracy(output.view(), &[1, 0, 0]), 2.0 / 3.0);
/// ```
pub fn accuracy<S: Scalar>(output: MatrixView<'_, S>, labels: &[usize]) -> f64 {
    assert_eq!(output.rows(), labels.len(), "one label an example");
    let rows = output.iter_rows().zip(labels);
    let correct = rows.filter(|(row, label)| argmax(row) == Some(**label)).count();
    correct as f64 / labels.len() as f64
}

/// How often each true class was taken for each class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    names: Vec<String>,
    /// True class by row, predicted class by column.
    counts: Vec<usize>,
}

impl ConfusionMatrix {
    /// An empty matrix over these classes.
    pub fn new(names: &[String]) -> Self {
        Self { names: names.to_vec(), counts: vec![0; names.len() * names.len()] }
    }

    /// Counts one example.
    ///
    /// # Panics
    /// If a class is not one of the matrix.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        let n = self.names.len();
        assert!(truth < n && predicted < n, "classes {truth}, {predicted} of {n}");
        self.counts[truth * n + predicted] += 1;
    }

    /// How often `truth` was taken for `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> usize {
        self.counts[truth * self.names.len() + predicted]
    }

    /// The names of the classes.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The share of examples on the diagonal; NaN without examples.
    pub fn accuracy(&self) -> f64 {
        let diagonal: usize = (0..self.names.len()).map(|i| self.count(i, i)).sum();
        diagonal as f64 / self.counts.iter().sum::<usize>() as f64
    }

    /// Of the examples of class `class`, the share that was found; NaN if there are none.
    pub fn recall(&self, class: usize) -> f64 {
        let row: usize = (0..self.names.len()).map(|j| self.count(class, j)).sum();
        self.count(class, class) as f64 / row as f64
    }

    /// Of the examples taken for class `class`, the share that is; NaN if there are none.
    pub fn precision(&self, class: usize) -> f64 {
        let column: usize = (0..self.names.len()).map(|i| self.count(i, class)).sum();
        self.count(class, class) as f64 / column as f64
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let largest = self.counts.iter().max().map_or(0, |count| count.to_string().len());
        let width = longest.max(largest) + 1;
        write!(f, "{:>width$} |", "")?;
        self.names.iter().try_for_each(|name| write!(f, "{name:>width$}"))?;
        for (i, name) in self.names.iter().enumerate() {
            write!(f, "\n{name:>width$} |")?;
            (0..self.names.len()).try_for_each(|j| write!(f, "{:>width$}", self.count(i, j)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argmax_takes_the_first_of_equals_and_no_nan() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(argmax(&[f64::NEG_INFINITY; 2]), Some(0));
        assert_eq!(argmax(&[1.0, f64::NAN]), None);
        assert_eq!(argmax::<f32>(&[]), None);
    }

    #[test]
    fn rates_come_from_rows_and_columns() {
        let mut matrix = ConfusionMatrix::new(&["a".to_owned(), "b".to_owned()]);
        for (truth, predicted) in [(0, 0), (0, 0), (0, 1), (1, 1)] {
            matrix.add(truth, predicted);
        }
        assert_eq!(matrix.accuracy(), 0.75);
        assert_eq!(matrix.recall(0), 2.0 / 3.0);
        assert_eq!(matrix.precision(1), 0.5);
        assert_eq!(matrix.to_string(), "   | a b\n a | 2 1\n b | 0 1");
    }
}
