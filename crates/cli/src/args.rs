//! The command line: commands, options, help.

mod explain;
mod model;
mod train;
mod worksheet;

use chainrule::layers::Activation;
use clap::{Parser, Subcommand};

pub(crate) use explain::{Explain, ExplainFormat};
pub(crate) use model::{Check, Evaluate, Info, Predict};
pub(crate) use train::{TaskChoice, Train, TrainingData};
pub(crate) use worksheet::{Worksheet, WorksheetFormat};

/// Train, run and explain feedforward neural networks.
#[derive(Debug, Parser)]
#[command(
    name = "chainrule",
    version,
    arg_required_else_help = true,
    after_help = "\
Example: chainrule train
         trains on the bundled handwritten digits and says what to try next.

Exit codes: 0 success, 1 failure (write failed, diverged, check failed), 2 bad usage or input."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a network and save the model
    Train(Box<Train>),
    /// Predict classes with probabilities, or values, for the rows of a CSV file
    Predict(Predict),
    /// Measure a model: loss, accuracy and confusion matrix, or R², RMSE and MAE
    Evaluate(Evaluate),
    /// Compare the gradient by backpropagation with finite differences
    Check(Check),
    /// Tell why a weight's or bias's gradient is what it is: the conversation, the strongest paths,
    /// who is responsible
    Explain(Explain),
    /// Make an exercise: one step of gradient descent by hand on a small random network, with its
    /// answer key
    Worksheet(Worksheet),
    /// Describe a model (layers, shapes, parameters, how it was trained) and the machine
    Info(Info),
}

/// An activation; hyphens may stand for underscores.
fn activation(text: &str) -> Result<Activation, chainrule::layers::LayerError> {
    let (name, parameter) = text.split_at(text.find('(').unwrap_or(text.len()));
    (name.replace('-', "_") + parameter).parse()
}
