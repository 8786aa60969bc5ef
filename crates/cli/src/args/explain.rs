//! Options of `explain`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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
