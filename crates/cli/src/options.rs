//! From options and a configuration file to one [`Config`].

use std::fs;
use std::path::Path;

use chainrule::Config;
use chainrule::data::Dataset;
use chainrule::optim::{GradientClip, OptimizerConfig};
use chainrule::tensor::Threads;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::args::Train;
use crate::error::{CliError, Result};
use crate::list::count;

/// The configuration of a run: the file's, if there is one, else the defaults; then the options.
pub(crate) fn config(args: &Train) -> Result<Config> {
    let (mut config, has_optimizer) = match &args.training.config {
        Some(path) => read(path)?,
        None => (Config::default(), false),
    };
    let (network, options) = (&args.network, &args.training);
    if let Some(widths) = &network.hidden {
        config.network.hidden.clone_from(&widths.0);
    }
    set(&mut config.network.activation, network.activation);
    set(&mut config.network.dropout, network.dropout);

    let training = &mut config.training;
    if options.loss.is_some() {
        training.loss.clone_from(&options.loss);
    }
    if let Some(name) = &options.optimizer
        && !(has_optimizer && name == training.optimizer.name())
    {
        training.optimizer = OptimizerConfig::from_name(name)?;
    }
    if let Some(rate) = options.learning_rate {
        training.optimizer.set_learning_rate(rate);
    }
    if let Some(momentum) = options.momentum {
        training.optimizer.set_momentum(momentum)?;
    }
    if let Some(decay) = options.weight_decay {
        training.optimizer.set_weight_decay(decay);
    }
    set(&mut training.schedule, options.schedule.clone());
    if options.epochs.is_some() {
        training.epochs = options.epochs;
    }
    set(&mut training.batch_size, options.batch_size);
    if let Some(norm) = options.clip_norm {
        training.clip = Some(GradientClip::Norm(norm));
    }
    set(&mut training.seed, options.seed);
    set(&mut training.scaling, args.data.scaling.map(Into::into));
    set(&mut training.precision, options.precision);
    training.patience = options.patience.or(training.patience);
    training.threads = options.threads.or(training.threads);
    config.validate()?;
    if let Some(threads) = config.training.threads {
        // Refused here rather than after the data is read.
        Threads::new(threads)?;
    }
    Ok(config)
}

fn set<T>(field: &mut T, option: Option<T>) {
    if let Some(value) = option {
        *field = value;
    }
}

/// Whether a configuration names an optimizer itself, rather than leaving it to the default.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Names {
    training: NamesOfTraining,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NamesOfTraining {
    optimizer: Option<IgnoredAny>,
}

/// The configuration in a file, and whether it names an optimizer.
fn read(path: &Path) -> Result<(Config, bool)> {
    let name = path.display();
    let is_toml = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => true,
        Some("json") => false,
        _ => {
            let message =
                format!("{name}: the name of a configuration file ends with .toml or .json");
            return Err(CliError::Usage(message));
        }
    };
    let text = fs::read_to_string(path)
        .map_err(|error| CliError::Usage(format!("cannot read {name}: {error}")))?;
    let parse = if is_toml { Config::from_toml } else { Config::from_json };
    let config = parse(&text).map_err(|error| CliError::Usage(format!("{name}: {error}")))?;
    let names = if is_toml { toml::from_str(&text).ok() } else { serde_json::from_str(&text).ok() };
    Ok((config, names.is_some_and(|names: Names| names.training.optimizer.is_some())))
}

/// Refuses networks that cannot be trained in memory, before parts of them are filled.
pub(crate) fn check_memory(config: &Config, train: &Dataset<f32>) -> Result {
    /// θ, its gradient, the best θ, and up to three states of the optimizer.
    const PER_PARAMETER: usize = 6 * size_of::<f32>();
    /// `a`, `h` and their gradients.
    const PER_UNIT: usize = 4 * size_of::<f32>();
    let widths = config.network.hidden.iter().copied().chain([train.outputs()]);
    let mut below = train.features().cols();
    let (mut parameters, mut units) = (Some(0_usize), Some(0_usize));
    for width in widths {
        let layer = below.checked_add(1).and_then(|n| n.checked_mul(width));
        parameters = parameters.zip(layer).and_then(|(sum, n)| sum.checked_add(n));
        units = units.and_then(|sum| sum.checked_add(width));
        below = width;
    }
    let bytes = parameters.zip(units).and_then(|(parameters, units)| {
        let batch = config.training.batch_size.min(train.len());
        let units = units.checked_mul(batch)?.checked_mul(PER_UNIT)?;
        parameters.checked_mul(PER_PARAMETER)?.checked_add(units)
    });
    let fits = bytes.is_some_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok());
    if fits {
        return Ok(());
    }
    let size = parameters.map_or("these widths".to_owned(), |n| format!("{} parameters", count(n)));
    Err(CliError::Usage(format!(
        "a network of {size} does not fit into memory; choose fewer or narrower hidden layers, or \
         a smaller batch"
    )))
}
