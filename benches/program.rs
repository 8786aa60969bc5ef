//! How the programs end.

use std::error::Error;
use std::process::ExitCode;

/// The exit code of a program that did `result`; an error goes to standard error, in words.
pub fn end(name: &str, result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
