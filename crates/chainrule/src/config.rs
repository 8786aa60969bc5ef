//! Everything that a training run is told, as data.

mod named;

use std::collections::HashMap;

use chainrule_data::Scaling;
use chainrule_layers::{Activation, Init};
use chainrule_optim::{
    AdamWConfig, GradientClip, OptimizerConfig, PlateauConfig, PlateauMode, Schedule,
};
use chainrule_tensor::Precision;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A whole run: network and training. Read from JSON, and from TOML with the feature `toml`;
/// whatever is left out has its default, an unknown name is an error.
///
/// ```
/// # #[cfg(feature = "toml")] {
/// let config = chainrule::Config::from_toml(r#"
///     [network]
///     hidden = [128, 64]
///     activation = "gelu"
///
///     [training]
///     epochs = 20
///     optimizer = { name = "sgd", learning_rate = 0.1, momentum = 0.9 }
///     schedule = { name = "cosine" }
/// "#)?;
/// assert_eq!(config.network.hidden, [128, 64]);
/// # }
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The network between inputs and outputs, which follow from the data.
    pub network: NetworkConfig,
    /// How it is trained.
    pub training: TrainingConfig,
}

/// The network between inputs and outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Widths of the hidden layers, from the input on; empty for none.
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    pub activation: Activation,
    /// Chance of dropout after each hidden layer.
    pub dropout: f64,
    /// Initial weights.
    pub weight_init: Init,
    /// Initial biases.
    pub bias_init: Init,
}

impl Default for NetworkConfig {
    /// One hidden layer of 128 ReLU neurons.
    fn default() -> Self {
        Self {
            hidden: vec![128],
            activation: Activation::Relu,
            dropout: 0.0,
            weight_init: Init::default(),
            bias_init: Init::default(),
        }
    }
}

/// How a network is trained.
///
/// On the same data, the seed alone makes a run repeatable: to have a run again, run it again.
/// There is no checkpoint in mid-run; for one of one's own, the optimizers of `chainrule-optim`
/// save and restore their state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// The loss by name, as [`chainrule_loss::parse`] reads it; `None` follows the target:
    /// cross-entropy for classes, mean squared error for values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
    /// Weights of the classes in the loss, in the order of the classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<Vec<f64>>,
    /// The optimizer and its hyperparameters; by name alone (`optimizer = "sgd"`), with PyTorch's
    /// defaults.
    #[serde(deserialize_with = "named::named")]
    pub optimizer: OptimizerConfig,
    /// Whether weight decay reaches the biases too.
    pub decay_biases: bool,
    /// The learning rate by step; also as text, such as `schedule = "warmup:100+cosine"`.
    #[serde(deserialize_with = "named::named")]
    pub schedule: Schedule,
    /// Reduces the rate when the monitored loss (validation's if there is any, else training's)
    /// stops falling: observed after each epoch, its factor multiplies the schedule's rate. Its
    /// `min_rate` and `eps` are measured against the optimizer's learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plateau: Option<PlateauConfig>,
    /// Gradient clipping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<GradientClip>,
    /// Passes over the training examples; `None` follows their number, see
    /// [`TrainingConfig::epochs_for`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Examples in a mini-batch.
    pub batch_size: usize,
    /// How features are scaled; fitted on the training examples.
    pub scaling: Scaling,
    /// Stop after this many epochs in a row without a better loss, at least 1; `None` runs all
    /// epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// Put the weights of the best epoch back at the end.
    pub keep_best: bool,
    /// The seed of everything random.
    pub seed: u64,
    /// Threads to use; `None` takes what the machine has. The numbers do not depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// What training's products round their inputs to: `"f32"` (nothing) or `"bf16"`, see
    /// [`Precision`]. Validation and test are computed in `f32`, as a saved model is.
    #[serde(with = "named::text")]
    pub precision: Precision,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            loss: None,
            class_weights: None,
            optimizer: OptimizerConfig::AdamW(AdamWConfig {
                learning_rate: 0.003,
                weight_decay: 0.3,
                ..AdamWConfig::default()
            }),
            decay_biases: false,
            schedule: Schedule::one_cycle(),
            plateau: None,
            clip: None,
            epochs: None,
            batch_size: 32,
            scaling: Scaling::default(),
            patience: None,
            keep_best: true,
            seed: 1,
            threads: None,
            precision: Precision::F32,
        }
    }
}

/// The form of a configuration: sections of named values.
type Sections = HashMap<String, HashMap<String, IgnoredAny>>;

impl Config {
    /// Reads JSON.
    ///
    /// # Errors
    /// [`Error::Config`] with line and column.
    pub fn from_json(text: &str) -> Result<Self> {
        let failed = |error: serde_json::Error| Error::Config(error.to_string());
        // Some editors begin a file with a byte order mark, which TOML allows.
        let text = text.trim_start_matches('\u{feff}');
        let config: Self = serde_json::from_str(text).map_err(failed)?;
        // Serde would take arrays for structs.
        serde_json::from_str::<Sections>(text).map_err(failed)?;
        config.validate()?;
        Ok(config)
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// [`Error::Config`] with line and column.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self> {
        let failed = |error: toml::de::Error| {
            // The error's own text is a drawing of several lines.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let (line, start) = before
                .rsplit_once('\n')
                .map_or((1, before), |(lines, last)| (lines.matches('\n').count() + 2, last));
            let message = error.message().replace('\n', ", ");
            let column = start.chars().count() + 1;
            Error::Config(format!("{message} at line {line} column {column}"))
        };
        let config: Self = toml::from_str(text).map_err(failed)?;
        toml::from_str::<Sections>(text).map_err(failed)?;
        config.validate()?;
        Ok(config)
    }

    /// Writes TOML that [`Config::from_toml`] reads back.
    ///
    /// # Errors
    /// [`Error::Config`] if a number is too large for TOML.
    #[cfg(feature = "toml")]
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::Config(error.to_string()))
    }

    /// Checks what can be checked without data.
    ///
    /// # Errors
    /// [`Error`] for the first number out of its range.
    pub fn validate(&self) -> Result<()> {
        if let Some(i) = self.network.hidden.iter().position(|&units| units == 0) {
            let message = format!("hidden layer {} has 0 units; give it at least 1", i + 1);
            return Err(Error::Config(message));
        }
        if !(0.0..1.0).contains(&self.network.dropout) {
            let found = self.network.dropout;
            let message = format!("dropout is {found}; it must be at least 0 and below 1");
            return Err(Error::Config(message));
        }
        self.network.activation.validate()?;
        self.network.weight_init.validate()?;
        self.network.bias_init.validate()?;
        self.training.validate()
    }
}

impl TrainingConfig {
    /// The number of epochs for this many training examples: as configured, else 12, or on small
    /// data as many as make 2,000 steps, but no more than 100.
    ///
    /// ```
    /// let config = chainrule::TrainingConfig::default();
    /// assert_eq!(config.epochs_for(60_000), 12);
    /// assert_eq!(config.epochs_for(1_348), 47); // of 43 batches of 32
    /// ```
    pub fn epochs_for(&self, examples: usize) -> usize {
        const STEPS: usize = 2_000;
        let batches = examples.div_ceil(self.batch_size.max(1)).max(1);
        self.epochs.unwrap_or_else(|| STEPS.div_ceil(batches).clamp(12, 100))
    }

    /// Checks what can be checked without data.
    ///
    /// # Errors
    /// [`Error`] for the first number out of its range.
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [("epochs", self.epochs), ("batch_size", Some(self.batch_size))] {
            if value == Some(0) {
                return Err(Error::Config(format!("{name} is 0; it must be at least 1")));
            }
        }
        if self.patience == Some(0) {
            let message = "patience is 0; it must be at least 1, or left out to run all epochs";
            return Err(Error::Config(message.to_owned()));
        }
        if self.threads == Some(0) {
            return Err(Error::Config("threads is 0; it must be at least 1".to_owned()));
        }
        self.optimizer.validate()?;
        // How many steps there will be is known with the data; any long run will do here.
        let schedule = self.schedule.clone().with_total_steps(u64::from(u32::MAX));
        schedule.validate(self.optimizer.learning_rate())?;
        if let Some(plateau) = &self.plateau {
            plateau.validate()?;
            if plateau.mode == PlateauMode::Max {
                let message = "plateau: mode is max; it must be min, since a loss is observed";
                return Err(Error::Config(message.to_owned()));
            }
        }
        if let Some(clip) = self.clip {
            clip.validate()?;
        }
        Ok(())
    }
}
