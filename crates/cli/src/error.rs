//! What ends the program early, and with which exit code.

use std::io;

use chainrule::Error as Facade;
use chainrule::autograd::NetworkError;
use chainrule::data::DataError;
use chainrule::explain::ExplainError;
use chainrule::loss::LossError;
use chainrule::optim::OptimError;
use chainrule::tensor::TensorError;
use thiserror::Error;

/// The exit code of a failure: something could not be done.
pub(crate) const FAILURE: u8 = 1;
/// The exit code of bad usage or input.
pub(crate) const USAGE: u8 = 2;

/// An error to print on one line.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// The user asked for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// From the library.
    #[error(transparent)]
    Facade(#[from] Facade),
    /// From the explanation of a gradient.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// Training diverged, and what became of the model.
    #[error("{0}")]
    Diverged(String),
    /// Standard output could not be written.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// Ctrl-C cannot be caught.
    #[error("cannot listen to Ctrl-C: {0}")]
    Signal(#[from] ctrlc::Error),
}

pub(crate) type Result<T = (), E = CliError> = std::result::Result<T, E>;

impl CliError {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Facade(Facade::Diverged { .. } | Facade::Io { action: "write", .. })
            | Self::Diverged(_)
            | Self::Output(_)
            | Self::Signal(_) => FAILURE,
            _ => USAGE,
        }
    }

    /// The message on one line.
    pub(crate) fn line(&self) -> String {
        one_line(&self.to_string())
    }
}

macro_rules! through_the_facade {
    ($($error:ty),*) => {
        $(impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::Facade(error.into())
            }
        })*
    };
}

through_the_facade!(DataError, LossError, NetworkError, OptimError, TensorError);

/// Joins the lines of a message, without the excerpt that parsers draw (`2 | text`, `  | ^`).
fn one_line(message: &str) -> String {
    let drawn = |line: &&str| {
        let rest = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
        rest.trim_start().starts_with('|')
    };
    let lines: Vec<&str> = message
        .lines()
        .filter(|line| !drawn(line) && !line.trim().is_empty())
        .map(str::trim)
        .collect();
    lines.join(": ")
}

/// An error of the command line on one line, without `error: `, usage and advice.
pub(crate) fn usage_line(rendered: &str) -> String {
    let mut line = String::new();
    for part in rendered.lines().map(str::trim).filter(|part| !part.is_empty()) {
        if part.starts_with("Usage:") || part.starts_with("For more information") {
            continue;
        }
        let separator = match line.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) => "; ",
        };
        line = line + separator + part;
    }
    line.strip_prefix("error: ").map_or(line.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_become_one_line() {
        let toml = "configuration: TOML parse error at line 2, column 1\n  |\n2 | epoch = 3\n  | ^^^^^\nunknown field `epoch`";
        let line = "configuration: TOML parse error at line 2, column 1: unknown field `epoch`";
        assert_eq!(one_line(toml), line);
        let clap = "error: the following were not provided:\n  <MODEL>\n\nUsage: chainrule info <MODEL>\n\nFor more information, try '--help'.\n";
        assert_eq!(usage_line(clap), "the following were not provided: <MODEL>");
    }

    #[test]
    fn failures_and_bad_input_differ() {
        let io = |action| Facade::Io {
            action,
            path: "m".into(),
            source: io::ErrorKind::NotFound.into(),
        };
        assert_eq!(CliError::from(io("write")).exit_code(), FAILURE);
        assert_eq!(CliError::from(io("read")).exit_code(), USAGE);
        assert_eq!(CliError::usage("no").exit_code(), USAGE);
    }
}
