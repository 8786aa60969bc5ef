//! What a network's output is compared with.

use std::ops::Range;

use chainrule_tensor::{MatrixView, Scalar};

/// What a network's output is compared with, one target an example.
///
/// ```
/// use chainrule_loss::Targets;
/// let targets = Targets::<f32>::Classes(&[2, 0, 1]);
/// assert_eq!(targets.len(), 3);
/// assert_eq!(targets.rows_range(1..3).len(), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Targets<'a, S> {
    /// The true class ℓ of each example, from 0.
    Classes(&'a [usize]),
    /// One value an output, (examples × outputs): real values, or probabilities of the classes.
    Values(MatrixView<'a, S>),
}

impl<'a, S: Scalar> Targets<'a, S> {
    /// Number of examples.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) => values.rows(),
        }
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The targets of the given range of examples.
    ///
    /// # Panics
    /// If the range leaves the targets.
    pub fn rows_range(&self, range: Range<usize>) -> Targets<'a, S> {
        match self {
            Self::Classes(classes) => Targets::Classes(&classes[range]),
            Self::Values(values) => Targets::Values(values.rows_range(range)),
        }
    }
}
