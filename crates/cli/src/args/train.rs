//! Options of `train`.

use std::path::PathBuf;

use chainrule::data::Scaling;
use chainrule::layers::Activation;
use chainrule::metrics::Task;
use chainrule::optim::Schedule;
use chainrule::tensor::Precision;
use clap::{Args, ValueEnum};

use super::activation;
use crate::list::Widths;

#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples: chainrule train
          chainrule train --data iris.csv --target species --hidden 16,16 --epochs 50
          chainrule train --data mnist/ --hidden 512,512 --output mnist.safetensors

A file for --config; what it leaves out has its default:

  [network]
  hidden = [128, 64]
  weight_init = \"he_normal\"
  [training]
  optimizer = { name = \"sgd\", learning_rate = 0.1, momentum = 0.9, nesterov = true }
  plateau = { factor = 0.5, patience = 3 }   # reduces the rate when the loss stops falling

Ctrl-C ends training after the current batch, keeps the best model so far, saves and tests it, and
exits with code 0; a second Ctrl-C kills. If training diverges, the last good model is saved (once
an epoch has ended) and the exit code is 1."
)]
pub(crate) struct Train {
    #[command(flatten)]
    pub(crate) data: TrainingData,
    #[command(flatten)]
    pub(crate) network: NetworkOptions,
    #[command(flatten)]
    pub(crate) training: TrainingOptions,
    /// Where to save the model
    #[arg(long, short, value_name = "FILE", default_value = "chainrule-model.safetensors")]
    pub(crate) output: PathBuf,
    /// After each epoch, statistics of every layer: activations, dead and saturated units,
    /// gradients, ratio of update to weights
    #[arg(long)]
    pub(crate) statistics: bool,
    /// Write a page for the browser that shows and explains the network on some training examples
    /// [default: beside the model, for the bundled digits]
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// No page
    #[arg(long, conflicts_with = "html")]
    pub(crate) no_html: bool,
    /// One JSON object a line on standard output, nothing else
    #[arg(long)]
    pub(crate) json: bool,
    /// Results only, no header and no epochs
    #[arg(long, short, conflicts_with = "json")]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct TrainingData {
    /// A CSV file, or a folder with MNIST's four IDX files [default: the bundled digits]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// The target column of the CSV file, by name [default: the last one]
    #[arg(long, value_name = "NAME", requires = "data")]
    pub(crate) target: Option<String>,
    /// What the target is; by itself, text and few whole numbers are classes
    #[arg(long, value_enum, default_value_t = TaskChoice::Auto)]
    pub(crate) task: TaskChoice,
    /// The share held out for the test, stratified by class [default: 0.25]
    #[arg(long, value_name = "SHARE")]
    pub(crate) test_fraction: Option<f64>,
    /// The share of the training examples that chooses the best epoch in place of the training loss
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) validation_fraction: f64,
    /// How features are scaled, by statistics of the training examples [default: standardise]
    #[arg(long, value_enum)]
    pub(crate) scaling: Option<ScalingChoice>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkOptions {
    /// Widths of the hidden layers, such as 512,512, or none [default: 128]
    #[arg(long, value_name = "WIDTHS")]
    pub(crate) hidden: Option<Widths>,
    /// Activation of the hidden layers: relu, tanh, sigmoid, gelu, ... [default: relu]
    #[arg(long, value_name = "NAME", value_parser = activation)]
    pub(crate) activation: Option<Activation>,
    /// Chance of dropout after each hidden layer [default: 0]
    #[arg(long, value_name = "RATE")]
    pub(crate) dropout: Option<f64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub(crate) struct TrainingOptions {
    /// cross-entropy (classes); squared-error, mse, l1, huber (real values) [default: by the target]
    #[arg(long, value_name = "NAME")]
    pub(crate) loss: Option<String>,
    /// sgd, adagrad, rmsprop, adadelta, adam, adamw, nadam, with PyTorch's defaults, or what the
    /// --config file says of it [default: adamw with rate 0.003, weight decay 0.3]
    #[arg(long, value_name = "NAME")]
    pub(crate) optimizer: Option<String>,
    /// The learning rate [default: the optimizer's]
    #[arg(long, value_name = "RATE")]
    pub(crate) learning_rate: Option<f64>,
    /// The momentum (sgd, rmsprop)
    #[arg(long, value_name = "MU")]
    pub(crate) momentum: Option<f64>,
    /// The weight decay, for weights only [default: the optimizer's]
    #[arg(long, value_name = "LAMBDA")]
    pub(crate) weight_decay: Option<f64>,
    /// The learning rate by optimizer step (one a batch): constant, cosine, one-cycle,
    /// step:EVERY:FACTOR, exponential:GAMMA, warmup:STEPS+cosine, ... [default: one-cycle]
    #[arg(long, value_name = "SCHEDULE")]
    pub(crate) schedule: Option<Schedule>,
    /// Passes over the training examples [default: 12; on small data 2,000 steps, at most 100 epochs]
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<usize>,
    /// Examples in a mini-batch [default: 32]
    #[arg(long, value_name = "N")]
    pub(crate) batch_size: Option<usize>,
    /// Scale gradients down to this norm where they are longer
    #[arg(long, value_name = "NORM")]
    pub(crate) clip_norm: Option<f64>,
    /// Stop after this many epochs without a better loss
    #[arg(long, value_name = "N")]
    pub(crate) patience: Option<usize>,
    /// The seed of split, initial weights, shuffling and dropout [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Threads to use; the numbers do not depend on it [default: as many as there are]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// What products round their inputs to: f32 (nothing), or bf16, for processors that have it
    /// (chainrule info tells) [default: f32]
    #[arg(long, value_name = "NAME")]
    pub(crate) precision: Option<Precision>,
    /// A TOML or JSON file with the sections network and training (see below); options go before it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TaskChoice {
    /// As the target looks
    Auto,
    /// One class of several
    Classes,
    /// Real values
    Values,
}

impl TaskChoice {
    pub(crate) fn task(self) -> Option<Task> {
        match self {
            Self::Auto => None,
            Self::Classes => Some(Task::Classes),
            Self::Values => Some(Task::Values),
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ScalingChoice {
    /// Left as they are
    None,
    /// To mean 0 and variance 1
    #[value(alias = "standardize")]
    Standardise,
    /// To the range 0 to 1
    MinMax,
}

impl From<ScalingChoice> for Scaling {
    fn from(choice: ScalingChoice) -> Self {
        match choice {
            ScalingChoice::None => Self::None,
            ScalingChoice::Standardise => Self::Standardise,
            ScalingChoice::MinMax => Self::MinMax,
        }
    }
}
