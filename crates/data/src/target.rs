//! What is to be learnt: classes or real values.

use chainrule_tensor::{Matrix, MatrixView, Scalar};
use serde::{Deserialize, Serialize};

use crate::error::reserve;
use crate::{BatchTarget, DataError};

/// The kind of problem: classes (cross-entropy) or real values (squared error).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Each example has one class of several.
    Classes,
    /// Each example has one or more real values.
    Values,
}

/// The target of every example, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Target<S> {
    /// One class for each example.
    Classes {
        /// The class of each example, an index into `names`.
        labels: Vec<usize>,
        /// The names of the classes; there may be classes without an example.
        names: Vec<String>,
    },
    /// Real values for each example.
    Values {
        /// The values, (examples × outputs).
        values: Matrix<S>,
        /// The names of the outputs.
        names: Vec<String>,
    },
}

impl<S: Scalar> Target<S> {
    /// Number of examples.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes { labels, .. } => labels.len(),
            Self::Values { values, .. } => values.rows(),
        }
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Classes or values.
    pub fn task(&self) -> Task {
        match self {
            Self::Classes { .. } => Task::Classes,
            Self::Values { .. } => Task::Values,
        }
    }

    /// Number of outputs that a network for this target has: classes or values.
    pub fn outputs(&self) -> usize {
        self.names().len()
    }

    /// The names of the outputs: of the classes, or of the values.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Classes { names, .. } | Self::Values { names, .. } => names,
        }
    }

    /// All targets, borrowed.
    pub fn view(&self) -> BatchTarget<'_, S> {
        match self {
            Self::Classes { labels, .. } => BatchTarget::Classes(labels),
            Self::Values { values, .. } => BatchTarget::Values(values.view()),
        }
    }

    pub(crate) fn try_select(&self, rows: &[usize]) -> Result<Self, DataError> {
        Ok(match self {
            Self::Classes { labels, names } => {
                let mut selected = Vec::new();
                reserve(&mut selected, rows.len(), "labels")?;
                selected.extend(rows.iter().map(|&i| labels[i]));
                Self::Classes { labels: selected, names: names.clone() }
            }
            Self::Values { values, names } => {
                Self::Values { values: select_rows(values.view(), rows)?, names: names.clone() }
            }
        })
    }
}

pub(crate) fn select_rows<S: Scalar>(
    from: MatrixView<'_, S>,
    rows: &[usize],
) -> Result<Matrix<S>, DataError> {
    let mut selected = Matrix::try_zeros(rows.len(), from.cols())?;
    for (to, &i) in rows.iter().enumerate() {
        selected.row_mut(to).copy_from_slice(from.row(i));
    }
    Ok(selected)
}

/// The class that `text` names: the class of exactly this name, or, where class names are numbers,
/// the one of the same value (`"1.0"` finds the class `"1"`).
///
/// ```
/// use chainrule_data::find_class;
/// let names = ["0".to_owned(), "1".to_owned()];
/// assert_eq!(find_class(&names, "1.0"), Some(1));
/// assert_eq!(find_class(&names, "cat"), None);
/// ```
pub fn find_class(names: &[String], text: &str) -> Option<usize> {
    names.iter().position(|name| name == text).or_else(|| {
        let value: f64 = text.parse().ok()?;
        names.iter().position(|name| name.parse() == Ok(value))
    })
}
