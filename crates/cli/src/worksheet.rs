//! `chainrule worksheet`.

use std::process::ExitCode;

use chainrule::explain::{Worksheet, WorksheetOptions};
use chainrule::file::write_atomically;
use chainrule::loss::{OutputFunction, Reduction, parse};
use chainrule::rand::{SeedableRng, rngs::Xoshiro256PlusPlus};

use crate::args::{Worksheet as Args, WorksheetFormat};
use crate::error::{CliError, Result};
use crate::output::Output;
use crate::train::check_output;

pub(crate) fn run(args: &Args, output: &mut Output) -> Result<ExitCode> {
    if let Some(path) = &args.output {
        check_output(path, &[])?;
    }
    let mut options = WorksheetOptions::default();
    options.activation = args.activation;
    options.learning_rate = args.learning_rate;
    options.squared_error = args.loss.as_deref().map(squared_error).transpose()?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(args.seed);
    let sheet = Worksheet::new(&args.sizes.0, &options, &mut rng)?;
    let text = match args.format {
        WorksheetFormat::Latex => sheet.latex(),
        WorksheetFormat::Html => sheet.html(),
    };
    match &args.output {
        Some(path) => write_atomically(path, text.as_bytes())?,
        None => output.raw(&text),
    }
    Ok(ExitCode::SUCCESS)
}

fn squared_error(name: &str) -> Result<bool> {
    let loss = parse::<f64>(name, None, Reduction::Mean)?;
    match (loss.name().as_str(), loss.output_function()) {
        ("squared_error", _) => Ok(true),
        ("cross_entropy", OutputFunction::Softmax) => Ok(false),
        _ => Err(CliError::Usage(format!(
            "--loss {name}: a worksheet is made with cross-entropy or squared-error"
        ))),
    }
}
