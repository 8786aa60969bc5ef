//! What a column loses when its numbers are rounded to the element type.

use chainrule_tensor::Scalar;

use crate::{DataError, Place};

/// Rounding may move values by this share of the column's range.
const TOLERANCE: f64 = 1e-3;
/// A range below this share of the values is rounding of whoever wrote the file: a constant.
const NOISE: f64 = 1e-13;

/// The range of a column, and how far rounding has moved its values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Precision {
    low: f64,
    high: f64,
    moved: f64,
}

impl Precision {
    pub(super) fn new() -> Self {
        Self { low: f64::INFINITY, high: f64::NEG_INFINITY, moved: 0.0 }
    }

    /// Adds a value; returns it rounded.
    pub(super) fn round<S: Scalar>(&mut self, value: f64) -> S {
        let rounded = S::of(value);
        self.low = self.low.min(value);
        self.high = self.high.max(value);
        self.moved = self.moved.max((rounded.as_f64() - value).abs());
        rounded
    }

    /// An error if the values differ by so little that the element type does not tell them apart:
    /// the column would be noise, or a constant.
    pub(super) fn check<S: Scalar>(&self, place: impl FnOnce() -> Place) -> Result<(), DataError> {
        let range = self.high - self.low;
        let largest = self.low.abs().max(self.high.abs());
        if range <= NOISE * largest || self.moved <= TOLERANCE * range {
            return Ok(());
        }
        let Place { file, column, name, .. } = place();
        let (low, high, moved) = (self.low, self.high, self.moved);
        Err(DataError::Precision { file, column, name, low, high, moved, element: S::NAME })
    }
}
