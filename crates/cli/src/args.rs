//! The command line: commands, options, help.

use std::path::PathBuf;

use chainrule::data::Scaling;
use chainrule::layers::Activation;
use chainrule::metrics::Task;
use chainrule::optim::Schedule;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::list::Widths;

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
    /// Describe a model: layers, shapes, parameters, how it was trained
    Info(Info),
}

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
    /// A TOML or JSON file with the sections network and training (see below); options go before it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

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
Examples: chainrule explain chainrule-model.safetensors --row 17 --weight W_112
          chainrule explain iris.safetensors --data iris.csv --class setosa --bias b_21
          chainrule explain chainrule-model.safetensors --format svg --output why.svg
          chainrule explain chainrule-model.safetensors --batch 8 --format html --output why.html

W_112 is from input 2 to neuron 1 of layer 1; where a number has more digits, write W_1,12,3. Rows
count from 0 in the examples that `evaluate` takes. What is said of a batch is the mean of its
examples.")]
pub(crate) struct Explain {
    /// The model file
    pub(crate) model: PathBuf,
    /// A CSV file or IDX folder [default: the bundled digits if the model was trained on them]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// All bundled digits, not only those held out in training
    #[arg(long, conflicts_with = "data")]
    pub(crate) all: bool,
    /// The example, or with --batch the first one [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) row: Option<usize>,
    /// So many examples together
    #[arg(long, value_name = "N")]
    pub(crate) batch: Option<usize>,
    /// Only examples of this class, all of them unless --row or --batch is given
    #[arg(long, value_name = "NAME")]
    pub(crate) class: Option<String>,
    /// The weight [default: that of layer 1 with the largest derivative]
    #[arg(long, value_name = "W_ijk", conflicts_with = "bias")]
    pub(crate) weight: Option<String>,
    /// A bias in place of a weight
    #[arg(long, value_name = "b_ij")]
    pub(crate) bias: Option<String>,
    /// How many of the strongest paths
    #[arg(long, value_name = "K", default_value_t = 10)]
    pub(crate) top: usize,
    /// The output layer as ∂L/∂ŷ · ∂ŷ/∂a_L in place of ∇_{a_L} L
    #[arg(long)]
    pub(crate) unfused: bool,
    /// What to write
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub(crate) format: ExplainFormat,
    /// Write to a file, all or nothing, in place of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    /// The answer as the lecture speaks
    Text,
    /// All numbers, one object on a line
    Json,
    /// A drawing for Graphviz
    Dot,
    /// A drawing for browsers and slides
    Svg,
    /// A page for the browser to step through the examples and to ask any weight
    Html,
    /// Formulas, a document for pdfLaTeX
    Latex,
}

#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples: chainrule worksheet --sizes 2-2-2 --seed 5 --format latex --output sheet.tex
          chainrule worksheet --sizes 3-2-1 --activation relu --format html --output sheet.html

The key stands on a page of its own at the end; the HTML hides it behind a button."
)]
pub(crate) struct Worksheet {
    /// Widths from inputs to outputs, up to six layers of up to six units
    #[arg(long, value_name = "WIDTHS", default_value = "2-2-2")]
    pub(crate) sizes: Widths,
    /// Which network; each seed gives another
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Activation of the hidden layers: sigmoid, tanh, relu or identity
    #[arg(long, value_name = "NAME", default_value = "sigmoid", value_parser = activation)]
    pub(crate) activation: Activation,
    /// cross-entropy or squared-error [default: squared-error for one output]
    #[arg(long, value_name = "NAME")]
    pub(crate) loss: Option<String>,
    /// The learning rate of the update
    #[arg(long, value_name = "RATE", default_value_t = 0.5)]
    pub(crate) learning_rate: f64,
    /// What to write
    #[arg(long, value_enum, default_value_t = WorksheetFormat::Latex)]
    pub(crate) format: WorksheetFormat,
    /// Write to a file, all or nothing, in place of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WorksheetFormat {
    /// A document for pdfLaTeX
    Latex,
    /// A page to fill in the browser, or to print
    Html,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: chainrule info chainrule-model.safetensors")]
pub(crate) struct Info {
    /// The model file
    pub(crate) model: PathBuf,
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

/// An activation; hyphens may stand for underscores.
fn activation(text: &str) -> Result<Activation, chainrule::layers::LayerError> {
    let (name, parameter) = text.split_at(text.find('(').unwrap_or(text.len()));
    (name.replace('-', "_") + parameter).parse()
}
