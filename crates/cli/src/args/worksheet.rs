//! Options of `worksheet`.

use std::path::PathBuf;

use chainrule::layers::Activation;
use clap::{Args, ValueEnum};

use super::activation;
use crate::list::Widths;

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
