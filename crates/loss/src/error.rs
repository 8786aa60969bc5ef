//! What can be wrong with a loss, its output or its targets.

use thiserror::Error;

/// An error of this crate. Rows and classes count from 0.
#[derive(Debug, Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum LossError {
    /// There is nothing to average over.
    #[error(
        "the output is {rows}×{cols}: a loss needs at least one example (row) and one output \
         (column); leave out empty batches"
    )]
    Empty {
        /// Rows of the output.
        rows: usize,
        /// Columns of the output.
        cols: usize,
    },
    /// The targets or the gradient do not have the output's shape.
    #[error(
        "the output is {rows}×{cols} (examples × outputs) but the {what} is \
         {found_rows}×{found_cols}; give both the same shape"
    )]
    Shape {
        /// What differs from the output: `"target"` or `"gradient"`.
        what: &'static str,
        /// Rows of the output.
        rows: usize,
        /// Columns of the output.
        cols: usize,
        /// Rows found.
        found_rows: usize,
        /// Columns found.
        found_cols: usize,
    },
    /// There is not one class label an example.
    #[error("the output has {rows} rows but there are {found} class labels; give one label a row")]
    TargetCount {
        /// Rows of the output.
        rows: usize,
        /// Number of labels.
        found: usize,
    },
    /// The loss compares with values and was given class labels.
    #[error(
        "{loss} compares every output with a value but the targets are class labels; pass \
         Targets::Values (one-hot rows for classes), or use cross_entropy"
    )]
    ClassTargets {
        /// The loss.
        loss: &'static str,
    },
    /// A label names no class.
    #[error(
        "row {row} (from 0) has class label {class} but the network has {classes} outputs, so \
         labels go from 0 to {}; correct the label, or give the last layer more outputs",
        .classes - 1
    )]
    Class {
        /// The row, from 0.
        row: usize,
        /// Its label.
        class: usize,
        /// Number of classes.
        classes: usize,
    },
    /// Every example of the batch has the ignored class.
    #[error(
        "every target of the batch ({rows} rows) is the ignored class {ignore_index}, so there is \
         nothing to learn from; leave the batch out, or use a larger one"
    )]
    AllIgnored {
        /// Rows of the output.
        rows: usize,
        /// The ignored class.
        ignore_index: usize,
    },
    /// The weighted mean would divide by zero.
    #[error(
        "the class weights of the batch's targets ({rows} rows) sum to 0, so their weighted mean \
         is undefined; leave the batch out, or give a class in it a positive weight"
    )]
    ZeroWeight {
        /// Rows of the output.
        rows: usize,
    },
    /// There is not one class weight an output.
    #[error("there are {found} class weights for {classes} classes; give one weight a class")]
    ClassWeightCount {
        /// Number of classes (outputs).
        classes: usize,
        /// Number of weights.
        found: usize,
    },
    /// A class weight is negative, infinite or NaN, or there are none.
    #[error("the weight of class {class} is {weight}; class weights are finite and at least 0")]
    ClassWeight {
        /// The class, from 0.
        class: usize,
        /// Its weight.
        weight: f64,
    },
    /// A class weight is lost in the rounding of the outputs' type.
    #[error(
        "the weight of class {class} is {weight:e}, beyond what {scalar} holds; scale all \
         class weights alike, for a mean depends on their ratios only"
    )]
    ClassWeightRange {
        /// The class, from 0.
        class: usize,
        /// Its weight.
        weight: f64,
        /// The type, `f32` or `f64`.
        scalar: &'static str,
    },
    /// An ignored class is set but the targets are probabilities.
    #[error(
        "ignore_index={ignore_index} works with class labels only but the targets are \
         probabilities; remove the option, or pass Targets::Classes"
    )]
    IgnoreIndexWithValues {
        /// The ignored class.
        ignore_index: usize,
    },
    /// The label smoothing is outside of [0, 1].
    #[error("label_smoothing is {0}; it goes from 0 (none) to 1")]
    LabelSmoothing(f64),
    /// The threshold of the Huber loss is not positive and finite.
    #[error("delta of huber is {0}; it is a positive, finite number")]
    Delta(f64),
    /// A probability is below 0.
    #[error(
        "output {column} of row {row} (from 0) is {value}, but probability_cross_entropy takes \
         probabilities; end the network with softmax, or use cross_entropy on logits"
    )]
    Probability {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The value found.
        value: f64,
    },
    /// No loss has this name.
    #[error("unknown loss `{name}`; the known ones are {}", crate::NAMES.join(", "))]
    UnknownLoss {
        /// The name found.
        name: String,
    },
    /// The text is not a name with options in parentheses.
    #[error("cannot read the loss `{text}`; write `name` or `name(option,option=value)`")]
    Syntax {
        /// The text found.
        text: String,
    },
    /// The loss has no such option.
    #[error("{loss} has no option `{option}`; {known}")]
    UnknownOption {
        /// The loss.
        loss: &'static str,
        /// The option found.
        option: String,
        /// The options there are, as a clause.
        known: String,
    },
    /// An option is given twice.
    #[error("option `{option}` of {loss} is given twice; give it once")]
    RepeatedOption {
        /// The loss.
        loss: &'static str,
        /// The option.
        option: String,
    },
    /// An option has a value that cannot be read, or none, or one where none belongs.
    #[error("option `{option}` of {loss} needs {expected}, found `{found}`")]
    OptionValue {
        /// The loss.
        loss: &'static str,
        /// The option.
        option: &'static str,
        /// What it takes.
        expected: &'static str,
        /// The value found, empty if there is none.
        found: String,
    },
    /// The name asks for class weights but none were given.
    #[error("{loss}(class_weights) needs one weight a class but none were given; pass them")]
    MissingClassWeights {
        /// The loss.
        loss: &'static str,
    },
    /// Class weights were given to a loss that has none.
    #[error(
        "{loss} takes no class weights but {found} were given; remove them, or use cross_entropy"
    )]
    UnusedClassWeights {
        /// The loss.
        loss: &'static str,
        /// Number of weights.
        found: usize,
    },
}
