//! Why a check could not be made.

use thiserror::Error;

/// An input that cannot be checked. A gradient that is wrong is no error, but a
/// [`Report`](crate::Report) that has not passed.
#[derive(Debug, Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum GradcheckError {
    /// θ and its gradient differ in length.
    #[error(
        "θ has {theta} entries, its gradient {gradient}; pass a gradient with one entry for each \
         of θ"
    )]
    Length {
        /// Entries of θ.
        theta: usize,
        /// Entries of the gradient.
        gradient: usize,
    },
    /// θ is empty, or `max_entries` is 0.
    #[error("there are no entries to check; pass a θ with entries and max_entries above 0")]
    NoEntries,
    /// The step is not a positive number.
    #[error("the step is {found}; choose a positive finite number, such as 1e-5")]
    Step {
        /// The step asked for.
        found: f64,
    },
    /// The tolerance is negative or no number.
    #[error("the tolerance is {found}; choose a finite number from 0 up, such as 1e-8")]
    Tolerance {
        /// The tolerance asked for.
        found: f64,
    },
    /// An entry of θ is so large that the step is lost in its rounding.
    #[error(
        "entry {index} of θ is {theta:e}, where a step of {step:e} is lost to rounding; scale \
             θ down or choose a larger step"
    )]
    StepLost {
        /// The entry, from 0.
        index: usize,
        /// Its value.
        theta: f64,
        /// The step asked for.
        step: f64,
    },
    /// An entry of θ is infinite or NaN.
    #[error("entry {index} of θ is {found}; check at a finite point")]
    Theta {
        /// The entry, from 0.
        index: usize,
        /// Its value.
        found: f64,
    },
    /// An entry of the gradient is infinite or NaN.
    #[error("entry {index} of the gradient is {found}, expected a finite number")]
    Gradient {
        /// The entry, from 0.
        index: usize,
        /// Its value.
        found: f64,
    },
    /// The function is infinite or NaN at θ.
    #[error("the function is {found} at θ, expected a finite number; check at another point")]
    Value {
        /// The function's value.
        found: f64,
    },
    /// The function is infinite or NaN at a neighbour of θ.
    #[error(
        "the function is {found} where entry {index} of θ is {theta:e}, expected a finite number; \
         check at another point or choose a smaller step"
    )]
    PerturbedValue {
        /// The entry that was moved, from 0.
        index: usize,
        /// The value it was moved to.
        theta: f64,
        /// The function's value there.
        found: f64,
    },
    /// Two evaluations at θ differ.
    #[error(
        "the function is {first:e} at θ, then {second:e} at the same point; make it \
         deterministic (turn dropout off or fix its seed)"
    )]
    NotDeterministic {
        /// The first value.
        first: f64,
        /// The value at the end of the check.
        second: f64,
    },
}
