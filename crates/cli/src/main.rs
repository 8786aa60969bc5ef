//! `chainrule`: train, run and explain feedforward neural networks from the command line.

#![forbid(unsafe_code)]

mod args;
mod check;
mod error;
mod evaluate;
mod explain;
mod info;
mod list;
mod options;
mod output;
mod page;
mod predict;
mod progress;
mod results;
mod source;
mod train;
mod worksheet;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use chainrule::tensor::instruction_set;
use clap::Parser;

use args::{Cli, Command};
use error::{CliError, Result, USAGE, usage_line};
use output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.exit_code() == 0 || error.kind() == HELP => {
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
        Err(error) => {
            complain(&usage_line(&error.render().to_string()));
            return ExitCode::from(USAGE);
        }
    };
    let mut output = Output::new(cli.command.json(), cli.command.quiet());
    let done = run(cli.command, &mut output).and_then(|code| {
        output.finish().map_err(CliError::Output)?;
        Ok(code)
    });
    done.unwrap_or_else(|error| {
        complain(&error.line());
        ExitCode::from(error.exit_code())
    })
}

/// The kind of clap's answer to a command line without a command: all of the help.
const HELP: clap::error::ErrorKind =
    clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;

fn run(command: Command, output: &mut Output) -> Result<ExitCode> {
    // A variable that is mistyped must not go unnoticed.
    instruction_set()?;
    match command {
        Command::Train(args) => train::run(&args, output),
        Command::Predict(args) => predict::run(&args, output),
        Command::Evaluate(args) => evaluate::run(&args, output),
        Command::Check(args) => check::run(&args, output),
        Command::Explain(args) => explain::run(&args, output),
        Command::Info(args) => info::run(&args, output),
        Command::Worksheet(args) => worksheet::run(&args, output),
    }
}

impl Command {
    fn json(&self) -> bool {
        match self {
            Self::Train(args) => args.json,
            Self::Predict(args) => args.model.json,
            Self::Evaluate(args) => args.model.json,
            Self::Check(args) => args.json,
            Self::Info(args) => args.json,
            // Its JSON is one of its formats, written whole.
            Self::Explain(_) | Self::Worksheet(_) => false,
        }
    }

    fn quiet(&self) -> bool {
        matches!(self, Self::Train(args) if args.quiet)
    }
}

/// One line on standard error.
fn complain(message: &str) {
    use std::io::Write;
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    // There is no one left to tell if this fails.
    let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {message}");
}
