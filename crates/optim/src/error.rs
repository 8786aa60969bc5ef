//! What can go wrong before a step is taken.

/// An error of this crate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptimError {
    /// A hyperparameter is outside its range.
    #[error("{rule}: {name} must be {expected}, found {found}")]
    Hyperparameter {
        /// The optimizer, schedule or function it belongs to.
        rule: &'static str,
        /// The hyperparameter's name, as in the configuration.
        name: &'static str,
        /// The range it must lie in.
        expected: String,
        /// The value given.
        found: String,
    },
    /// The optimizer has no such hyperparameter.
    #[error("{optimizer} has no {name}: {help}")]
    Unsupported {
        /// The optimizer's name.
        optimizer: &'static str,
        /// The hyperparameter asked for.
        name: &'static str,
        /// Which optimizers have it.
        help: &'static str,
    },
    /// θ or its gradient is not as long as the optimizer was made for.
    #[error("{optimizer}: the {what} has {found} values, the optimizer was built for {expected}")]
    Length {
        /// The optimizer's name.
        optimizer: &'static str,
        /// `theta` or `gradient`.
        what: &'static str,
        /// The length it was built for.
        expected: usize,
        /// The length given.
        found: usize,
    },
    /// A range of weight decay does not lie inside θ.
    #[error(
        "weight decay: range {number} is {start}..{end}, but θ has {parameters} values; \
         give start ≤ end ≤ {parameters}"
    )]
    DecayRange {
        /// The range's number in the list, from 1.
        number: usize,
        /// Its first index.
        start: usize,
        /// The index after its last.
        end: usize,
        /// The length of θ.
        parameters: usize,
    },
    /// The state does not fit into memory.
    #[error("{optimizer}: no memory for the state of {parameters} parameters")]
    TooLarge {
        /// The optimizer's name.
        optimizer: &'static str,
        /// The length of θ.
        parameters: usize,
    },
    /// A name that is not known.
    #[error("unknown {what} `{found}`; known are {known}")]
    UnknownName {
        /// What was looked for: `optimizer` or `schedule`.
        what: &'static str,
        /// The name given.
        found: String,
        /// The names there are.
        known: &'static str,
    },
    /// A schedule's text cannot be read.
    #[error("schedule `{text}`: {problem}; known forms are {known}")]
    ScheduleText {
        /// The whole text.
        text: String,
        /// What is wrong with it.
        problem: String,
        /// The forms there are.
        known: &'static str,
    },
    /// A schedule that needs the number of steps does not have it.
    #[error(
        "{schedule}: the total number of steps is missing; give it, or call `with_total_steps`"
    )]
    MissingTotal {
        /// The schedule's name.
        schedule: &'static str,
    },
    /// A saved state does not belong together.
    #[error("saved state of {optimizer}: {problem}")]
    State {
        /// The optimizer's name.
        optimizer: &'static str,
        /// What does not fit, with what was expected and found.
        problem: String,
    },
    /// Gradient descent met a value that is not finite.
    #[error(
        "gradient descent, iteration {iteration}: the {what} is {value}; \
         try a smaller learning rate than {learning_rate}"
    )]
    NonFinite {
        /// The iteration, from 1.
        iteration: usize,
        /// `loss`, or the component of θ or the gradient (index from 1).
        what: String,
        /// The value found.
        value: f64,
        /// The learning rate of the run.
        learning_rate: f64,
    },
}
