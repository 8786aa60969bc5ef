//! `chainrule train`.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use chainrule::data::{Dataset, Scaling, Task};
use chainrule::tensor::{Precision, Threads, instruction_set};
use chainrule::train::{EpochReport, History, StopReason};
use chainrule::{Config, Error, Flow, Model, TrainingInfo};
use serde_json::json;

use crate::args::Train;
use crate::error::{CliError, Result};
use crate::info::bf16_products;
use crate::list::{count, names, plural};
use crate::options;
use crate::output::Output;
use crate::page;
use crate::progress::{Progress, plan};
use crate::results::{self, Trained};
use crate::source::{DIGITS, Source};

pub(crate) fn run(args: &Train, output: &mut Output) -> Result<ExitCode> {
    let config = options::config(args)?;
    let inputs = [args.data.data.as_deref(), args.training.config.as_deref()];
    check_output(&args.output, &inputs)?;
    page::check(args)?;
    let source = Source::load(&args.data, &config)?;
    options::check_memory(&config, &source.train)?;
    let model = Model::new(&config, &source.train)?;
    describe(output, &config, &source, &model)?;

    let interrupt = Interrupt::listen()?;
    let trained = train(args, &config, &source, model, output, &interrupt)?;
    trained.model.save(&args.output)?;
    interrupt.ignore();
    results::show(args, &source, &trained, output)?;
    Ok(ExitCode::SUCCESS)
}

fn train(
    args: &Train,
    config: &Config,
    source: &Source,
    mut model: Model<f32>,
    output: &mut Output,
    interrupt: &Interrupt,
) -> Result<Trained> {
    let start = Instant::now();
    let validation = source.validation.as_ref().map(|data| model.prepare(data)).transpose()?;
    let test = model.prepare(&source.test)?;
    let epochs = config.training.epochs_for(source.train.len());
    let progress =
        Progress::start(output, source.train.task(), epochs, source.validation.is_some());
    let (output, reports) = (RefCell::new(output), RefCell::new(Vec::<EpochReport>::new()));
    let statistics = RefCell::new(None);
    let done = model.train(config, &source.train, |trainer| {
        let trainer = trainer
            .test(&test)
            .cancel_flag(interrupt.flag.clone())
            .on_batch(|report| {
                progress.batch(report);
                Flow::Continue(())
            })
            .on_epoch(|report, _| {
                let output = &mut *output.borrow_mut();
                progress.epoch(output, report);
                output.record("epoch", report);
                if let Some(statistics) = statistics.borrow_mut().take() {
                    progress.statistics(output, &statistics);
                    let record = json!({ "epoch": report.epoch, "statistics": statistics });
                    output.record("statistics", record);
                }
                reports.borrow_mut().push(*report);
                Flow::Continue(())
            });
        let trainer = match args.statistics {
            true => {
                trainer.on_statistics(|_, found| *statistics.borrow_mut() = Some(found.clone()))
            }
            false => trainer,
        };
        match &validation {
            Some(validation) => trainer.validation(validation),
            None => trainer,
        }
    });
    progress.end();
    let (output, epochs) = (output.into_inner(), reports.into_inner());
    let history = match done {
        Ok(history) => history,
        Err(error @ Error::Diverged { .. }) if !epochs.is_empty() => {
            let path = &args.output;
            return Err(save_last_good(config, source, &model, epochs, path, output, error));
        }
        Err(error) => return Err(error.into()),
    };
    let test = model.evaluate(&source.test)?;
    if let Some(training) = model.training_mut() {
        training.test_fraction = source.test_fraction;
        training.test = Some(test);
    }
    Ok(Trained { model, history, test, seconds: start.elapsed().as_secs_f64() })
}

/// After divergence: saves the weights that were put back, and says so in the error.
fn save_last_good(
    config: &Config,
    source: &Source,
    model: &Model<f32>,
    epochs: Vec<EpochReport>,
    path: &Path,
    output: &mut Output,
    error: Error,
) -> CliError {
    let history = History { epochs, stop: StopReason::Cancelled };
    let best_epoch = history.best().map(|report| report.epoch);
    let mut info = model.info().clone();
    info.training = Some(TrainingInfo {
        test_fraction: source.test_fraction,
        best_epoch,
        test: history.best().and_then(|report| report.test),
        ..TrainingInfo::new(config, &source.train, &history)
    });
    let saved = Model::from_parts(model.network().clone(), info).and_then(|model| model.save(path));
    let path = path.display();
    match saved {
        Ok(()) => {
            output.record("saved", json!({ "path": path.to_string(), "epoch": best_epoch }));
            let epoch = best_epoch.map_or(String::new(), |epoch| format!(", of epoch {epoch},"));
            CliError::Diverged(format!("{error}; saved the last good model{epoch} to {path}"))
        }
        Err(failure) => CliError::Diverged(format!("{error}; and saving it failed: {failure}")),
    }
}

/// Checks before the work that the output can be written, and that it is none of the inputs, nor a
/// file of a folder that is one.
pub(crate) fn check_output(path: &Path, inputs: &[Option<&Path>]) -> Result {
    if let Ok(output) = path.canonicalize() {
        for input in inputs.iter().flatten() {
            let Ok(real) = input.canonicalize() else { continue };
            if output == real || (real.is_dir() && output.parent() == Some(&*real)) {
                let (path, input) = (path.display(), input.display());
                return Err(CliError::Usage(format!(
                    "writing {path} would destroy the input {input}; name another output"
                )));
            }
        }
    }
    check_writable(path)
}

/// Finds out before training whether the model can be saved.
fn check_writable(path: &Path) -> Result {
    let name = path.display();
    if path.is_dir() {
        return Err(CliError::Usage(format!("{name} is a folder; name a file to write")));
    }
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if target.exists() && !target.is_file() {
        // A device or a pipe: nothing can be tried without writing.
        return Ok(());
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if path.file_name().is_none() {
        return Err(CliError::Usage(format!("`{name}` names no file to write")));
    }
    if !folder.is_dir() {
        let folder = folder.display();
        return Err(CliError::Usage(format!("cannot write {name}: there is no folder {folder}")));
    }
    // Saving makes a temporary file there as well.
    let probe = folder.join(format!(".chainrule-{}.probe", std::process::id()));
    let tried = OpenOptions::new().write(true).create_new(true).open(&probe);
    match tried.and_then(|_| std::fs::remove_file(&probe)) {
        Ok(()) => Ok(()),
        Err(error) => Err(CliError::Usage(format!("cannot write {name}: {error}"))),
    }
}

/// The first Ctrl-C asks training to end, the second ends the program.
struct Interrupt {
    flag: Arc<AtomicBool>,
    training: Arc<AtomicBool>,
}

impl Interrupt {
    /// The exit code of a program that Ctrl-C has killed.
    const KILLED: i32 = 130;

    fn listen() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        let training = Arc::new(AtomicBool::new(true));
        let (set, wanted) = (flag.clone(), training.clone());
        ctrlc::set_handler(move || {
            if set.swap(true, Ordering::Relaxed) || !wanted.load(Ordering::Relaxed) {
                std::process::exit(Self::KILLED);
            }
        })?;
        Ok(Self { flag, training })
    }

    /// From now on Ctrl-C ends the program at once.
    fn ignore(&self) {
        self.training.store(false, Ordering::Relaxed);
    }
}

/// The head: data, network, training.
fn describe(output: &mut Output, config: &Config, source: &Source, model: &Model<f32>) -> Result {
    let training = &config.training;
    let threads = training.threads.unwrap_or_else(|| Threads::available().count());
    let info = model.info();
    let target = taken(&source.train, source.reason, &info.loss);
    output.titled_progress("data", format_args!("{}\n{target}", sizes(source, training.scaling)));
    let parameters = plural(model.network().parameter_count(), "parameter");
    output.titled_progress("network", format_args!("{}, {parameters}", chain(config, source)));
    let optimizer = &training.optimizer;
    output.titled_progress(
        "training",
        format_args!(
            "{}, learning rate {:?}, weight decay {:?}, schedule {}\n{}, seed {}, {}{}",
            optimizer.name(),
            optimizer.learning_rate(),
            optimizer.weight_decay(),
            training.schedule,
            plan(training.epochs_for(source.train.len()), source.train.len(), training.batch_size),
            training.seed,
            plural(threads, "thread"),
            match training.precision {
                Precision::F32 => String::new(),
                Precision::Bf16 => format!("\n{}", bf16_products()),
            }
        ),
    );
    output.record(
        "data",
        json!({
            "name": source.train.name(),
            "train": source.train.len(),
            "validation": source.validation.as_ref().map(Dataset::len),
            "test": source.test.len(),
            "test_fraction": source.test_fraction,
            "features": source.train.features().cols(),
            "target": source.train.target_name(),
            "task": source.train.task(),
            "reason": source.reason,
            "classes": source.train.class_names(),
        }),
    );
    output.record(
        "network",
        json!({
            "layers": model.network().layers().iter().map(|layer| layer.name()).collect::<Vec<_>>(),
            "parameters": model.network().parameter_count(),
            "loss": info.loss,
            "threads": threads,
            "instruction_set": instruction_set()?,
            "bf16_instructions": Precision::bf16_instructions(),
            "config": config,
        }),
    );
    Ok(())
}

fn sizes(source: &Source, scaling: Scaling) -> String {
    let Source { train, validation, test, test_fraction, .. } = source;
    let name = if train.name() == DIGITS && train.features().cols() == 64 {
        "digits (bundled, handwritten, 8×8 pixels)"
    } else {
        train.name()
    };
    let held_out = match (test_fraction, validation) {
        (Some(fraction), None) => format!(" ({} % held out)", 100.0 * fraction),
        _ => String::new(),
    };
    let validation = validation
        .as_ref()
        .map_or(String::new(), |data| format!(", {} to validate", count(data.len())));
    let scaled = match scaling {
        Scaling::None => "unscaled",
        Scaling::Standardise => "standardised",
        Scaling::MinMax => "scaled to 0–1",
    };
    format!(
        "{name}: {} to train{validation}, {} to test{held_out}\n{}, {scaled}",
        plural(train.len(), "example"),
        count(test.len()),
        plural(train.features().cols(), "feature")
    )
}

/// How the target was taken, and the loss.
fn taken(train: &Dataset<f32>, reason: &str, loss: &str) -> String {
    let target = train.target_name().unwrap_or("target");
    match train.class_names() {
        Some(classes) => format!(
            "target `{target}`: {} classes ({reason}): {}; loss {loss}",
            count(classes.len()),
            names(classes, 10)
        ),
        None => format!("target `{target}`: real values ({reason}); loss {loss}"),
    }
}

/// `64 → 128 relu → 10`.
fn chain(config: &Config, source: &Source) -> String {
    let network = &config.network;
    let mut text = count(source.train.features().cols());
    for &width in &network.hidden {
        text += &format!(" → {} {}", count(width), network.activation);
        if network.dropout > 0.0 {
            text += &format!(" (dropout {})", network.dropout);
        }
    }
    let function = if source.train.task() == Task::Classes { " softmax" } else { "" };
    text + &format!(" → {}{function}", count(source.train.outputs()))
}
