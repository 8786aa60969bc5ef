//! Where examples come from: the bundled digits, a CSV file, a folder of IDX files.

use std::path::Path;

use chainrule::data::{
    self, CsvOptions, Dataset, Target, Task, read_csv, read_features, read_idx_directory,
};
use chainrule::loss::{OutputFunction, Reduction, parse};
use chainrule::tensor::{Matrix, Scalar};
use chainrule::{Config, Model, Stream, TargetInfo, rng};

use crate::args::{TaskChoice, TrainingData};
use crate::error::{CliError, Result};
use crate::list::{count, plural};

/// The name of the bundled data set.
pub(crate) const DIGITS: &str = "digits";

/// The share held out where nothing else is said.
const TEST_FRACTION: f64 = 0.25;

/// What `train` learns from.
pub(crate) struct Source {
    pub(crate) train: Dataset<f32>,
    pub(crate) validation: Option<Dataset<f32>>,
    pub(crate) test: Dataset<f32>,
    /// The share that was split off for the test; `None` if a test set came with the data.
    pub(crate) test_fraction: Option<f64>,
    /// Why the target was taken as it was.
    pub(crate) reason: &'static str,
}

impl Source {
    /// Reads and splits the data.
    pub(crate) fn load(args: &TrainingData, config: &Config) -> Result<Self> {
        let mut rng = rng(config.training.seed, Stream::Split);
        let share = args.validation_fraction;
        if !(0.0..1.0).contains(&share) {
            let message =
                format!("--validation-fraction is {share}; it must be at least 0 and below 1");
            return Err(CliError::Usage(message));
        }
        let (task, because) = wanted_task(args, config)?;
        let (whole, test) = match &args.data {
            Some(path) if path.is_dir() => {
                refuse_for_folder(args)?;
                let (train, test) = read_idx_directory(path)?;
                (train, Some(test))
            }
            Some(path) => {
                let target = args.target.clone();
                (read_csv(path, &CsvOptions { target, task, ..CsvOptions::default() })?, None)
            }
            None => (data::digits(), None),
        };
        if args.task == TaskChoice::Values && whole.task() == Task::Classes {
            let message = format!("--task values: the target of {} is classes", whole.name());
            return Err(CliError::Usage(message));
        }
        let reason = because.unwrap_or_else(|| looks_like(whole.target()));
        let (train, test, test_fraction) = match test {
            Some(test) => (whole, test, None),
            None => {
                let fraction = args.test_fraction.unwrap_or(TEST_FRACTION);
                let (train, test) = whole.split(fraction, &mut rng)?;
                (train, test, Some(fraction))
            }
        };
        let (train, validation) = if share > 0.0 {
            let (train, validation) = train.split(share, &mut rng)?;
            (train, Some(validation))
        } else {
            (train, None)
        };
        Ok(Self { train, validation, test, test_fraction, reason })
    }
}

/// What an IDX folder decides itself.
fn refuse_for_folder(args: &TrainingData) -> Result {
    if args.test_fraction.is_some() {
        return Err(CliError::usage(
            "--test-fraction is for data without a test set; a folder of IDX files has its own, \
             the t10k files",
        ));
    }
    if let Some(target) = &args.target {
        let message = format!(
            "--target {target} is for CSV files; in a folder of IDX files the label files are the \
             target"
        );
        return Err(CliError::Usage(message));
    }
    Ok(())
}

/// Classes or values, where an option says so, and which one did.
fn wanted_task(
    args: &TrainingData,
    config: &Config,
) -> Result<(Option<Task>, Option<&'static str>)> {
    let by_loss = match &config.training.loss {
        None => None,
        Some(name) => {
            let weights = config.training.class_weights.as_deref();
            let loss = parse::<f32>(name, weights, Reduction::Mean)?;
            match loss.output_function() {
                // The network gets a softmax layer for it.
                _ if loss.name() == "probability_cross_entropy" => Some(Task::Classes),
                OutputFunction::Softmax => Some(Task::Classes),
                OutputFunction::Identity => Some(Task::Values),
                _ => {
                    let message = format!(
                        "the loss {name} wants a value of 0 or 1 for each output, and a target \
                         column gives classes or real values; take cross-entropy for classes, or \
                         the library's Network with BinaryCrossEntropy"
                    );
                    return Err(CliError::Usage(message));
                }
            }
        }
    };
    Ok(match (args.task.task(), by_loss) {
        (Some(task), _) => (Some(task), Some("as --task says")),
        (None, Some(task)) => (Some(task), Some("as the loss says")),
        (None, None) => (None, None),
    })
}

/// The rule by which the reader took the target.
fn looks_like(target: &Target<f32>) -> &'static str {
    match target {
        Target::Values { .. } => "numbers",
        Target::Classes { names, .. } => {
            let numbers = names.iter().all(|name| name.parse::<f64>().is_ok());
            if numbers { "few distinct whole numbers" } else { "text" }
        }
    }
}

/// Examples with their targets for a model, and what they are, in words.
pub(crate) fn labelled<S: Scalar>(
    model: &Model<S>,
    path: Option<&Path>,
    all: bool,
) -> Result<(Dataset<S>, String)> {
    let Some(path) = path else { return bundled(model, all) };
    if path.is_dir() {
        let (_, test) = read_idx_directory::<S>(path)?;
        let words = format!("{}, {}", test.name(), plural(test.len(), "example"));
        return Ok((test, words));
    }
    let info = model.info();
    let read = read_features::<S>(path, &info.features, info.target.name())?;
    let target = match &info.target {
        TargetInfo::Classes { classes, .. } => {
            Target::Classes { labels: read.labels(classes)?, names: classes.clone() }
        }
        TargetInfo::Values { names, .. } => {
            Target::Values { values: read.values()?, names: names.clone() }
        }
    };
    let name = path.display().to_string();
    let data = Dataset::new(&name, read.into_features(), info.features.clone(), target)?;
    let mut words = format!("{name}, {}", plural(data.len(), "example"));
    let file = path.file_name().map(|file| file.to_string_lossy());
    if info.training.as_ref().is_some_and(|training| file == Some((&training.data).into())) {
        words += " (a file of this name was trained on)";
    }
    Ok((data, words))
}

/// Features alone for a model, in its order.
pub(crate) fn features(model: &Model<f32>, path: Option<&Path>) -> Result<Matrix<f32>> {
    let data = match path {
        None => bundled(model, true)?.0,
        Some(path) if path.is_dir() => read_idx_directory::<f32>(path)?.1,
        Some(path) => {
            let info = model.info();
            let read = read_features::<f32>(path, &info.features, info.target.name())?;
            return Ok(read.into_features());
        }
    };
    if data.feature_names() != model.info().features {
        let message = format!(
            "{} has {}, the model takes {}, or they have other names",
            data.name(),
            plural(data.features().cols(), "feature"),
            count(model.info().features.len())
        );
        return Err(CliError::Usage(message));
    }
    Ok(data.into_parts().0)
}

/// The bundled digits for a model that was trained on them: the examples held out then, or all.
fn bundled<S: Scalar>(model: &Model<S>, all: bool) -> Result<(Dataset<S>, String)> {
    let Some(training) = &model.info().training else {
        return Err(CliError::usage(
            "the model does not say what it was trained on; name examples with --data FILE",
        ));
    };
    let digits = data::digits::<S>();
    if training.data != DIGITS || model.info().features != digits.feature_names() {
        let message = format!(
            "the model was trained on {}, which is not bundled; name examples with --data PATH",
            training.data
        );
        return Err(CliError::Usage(message));
    }
    let total = digits.len();
    let (true, Some(fraction)) = (!all, training.test_fraction) else {
        return Ok((digits, format!("{DIGITS}, all {} examples", count(total))));
    };
    let seed = training.config.training.seed;
    let (_, test) = digits.split(fraction, &mut rng(seed, Stream::Split))?;
    let words = format!(
        "{DIGITS}, the {} examples of {} that training held out (seed {seed})",
        count(test.len()),
        count(total)
    );
    Ok((test, words))
}

/// The same examples in `f64`.
pub(crate) fn widen(data: &Dataset<f32>) -> Result<Dataset<f64>> {
    let target = match data.target() {
        Target::Classes { labels, names } => {
            Target::Classes { labels: labels.clone(), names: names.clone() }
        }
        Target::Values { values, names } => {
            Target::Values { values: values.cast(), names: names.clone() }
        }
    };
    let features = data.features().to_matrix().cast();
    Ok(Dataset::new(data.name(), features, data.feature_names().to_vec(), target)?)
}
