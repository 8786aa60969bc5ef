//! Options of the commands that take a model: `predict`, `evaluate`, `check`, `info`.

use std::path::PathBuf;

use chainrule::layers::Activation;
use clap::Args;

use super::activation;
use crate::list::Widths;

#[derive(Debug, Args)]
#[command(after_help = "\
Example: chainrule predict iris.safetensors --data new-flowers.csv > answers.csv

With a header, columns are matched by name, in any order; an unknown or missing column is an error.
The answer is CSV: class and the probability of each class, or the values.")]
pub(crate) struct Predict {
    #[command(flatten)]
    pub(crate) model: ModelAndData,
    /// Write to a file, all or nothing, in place of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples: chainrule evaluate chainrule-model.safetensors
          chainrule evaluate iris.safetensors --data more-flowers.csv

A model of the bundled digits is measured on the very examples that were held out in training.")]
pub(crate) struct Evaluate {
    #[command(flatten)]
    pub(crate) model: ModelAndData,
    /// All bundled digits, not only those held out in training
    #[arg(long, conflicts_with = "data")]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples: chainrule check chainrule-model.safetensors
          chainrule check --sizes 4,3,2 --activation tanh

The gradient by backpropagation is compared with central differences in f64. The exit code is 0 if
the check passes and 1 if it fails."
)]
pub(crate) struct Check {
    /// The model file
    #[arg(required_unless_present = "sizes", conflicts_with = "sizes")]
    pub(crate) model: Option<PathBuf>,
    /// A CSV file or IDX folder [default: the bundled digits if the model was trained on them]
    #[arg(long, value_name = "PATH", conflicts_with = "sizes")]
    pub(crate) data: Option<PathBuf>,
    /// Check a fresh network of these widths, from inputs to outputs, on random examples
    #[arg(long, value_name = "WIDTHS")]
    pub(crate) sizes: Option<Widths>,
    /// Activation of the fresh network's hidden layers [default: relu]
    #[arg(long, value_name = "NAME", value_parser = activation, conflicts_with = "model")]
    pub(crate) activation: Option<Activation>,
    /// Loss of the fresh network [default: cross_entropy]
    #[arg(long, value_name = "NAME", conflicts_with = "model")]
    pub(crate) loss: Option<String>,
    /// How many examples to check with
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) examples: usize,
    /// How many parameters to check, drawn at random if there are more
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub(crate) entries: usize,
    /// The seed of that draw, and of the fresh network and its examples
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples: chainrule info chainrule-model.safetensors
          chainrule info")]
pub(crate) struct Info {
    /// The model file; without, the machine alone is described
    pub(crate) model: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ModelAndData {
    /// The model file
    pub(crate) model: PathBuf,
    /// A CSV file or IDX folder [default: the bundled digits if the model was trained on them]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}
