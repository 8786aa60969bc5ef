//! Everything of a model but its θ.

use std::collections::HashSet;

use chainrule_data::{Dataset, Scaler, Task};
use chainrule_layers::LayerConfig;
use chainrule_tensor::Scalar;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metrics::Scores;
use crate::{Config, History};

/// What a model predicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum TargetInfo {
    /// One of several classes.
    Classes {
        /// The target column's name, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The classes, in the order of the outputs.
        classes: Vec<String>,
    },
    /// Real values.
    Values {
        /// The target columns, in the order of the outputs.
        names: Vec<String>,
        /// How the network's outputs are scaled; its inverse gives the values.
        scaler: Scaler,
    },
}

impl TargetInfo {
    /// Classes or values.
    pub fn task(&self) -> Task {
        match self {
            Self::Classes { .. } => Task::Classes,
            Self::Values { .. } => Task::Values,
        }
    }

    /// The name of the target column, if there is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Classes { name, .. } => name.as_deref(),
            Self::Values { names, .. } => match &names[..] {
                [name] => Some(name),
                _ => None,
            },
        }
    }
}

/// How a model was trained. Equal runs have equal records, and so equal files: what nothing depends
/// on, the number of threads, is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingInfo {
    /// The data set's name.
    pub data: String,
    /// Training examples.
    pub examples: usize,
    /// The share of the data held out for the test, where it was split off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// Network and training as configured, with the seed.
    pub config: Config,
    /// Epochs that ran.
    pub epochs: usize,
    /// The best epoch, whose weights were kept, from 1; `None` if those of the last step were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_epoch: Option<usize>,
    /// Scores on the test examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Scores>,
}

impl TrainingInfo {
    /// The record of a run, without what only its caller knows: the share held out and the scores
    /// on the test examples.
    pub fn new<S: Scalar>(config: &Config, data: &Dataset<S>, history: &History) -> Self {
        let mut config = config.clone();
        config.training.threads = None;
        let best = history.best().filter(|_| config.training.keep_best);
        Self {
            data: data.name().to_owned(),
            examples: data.len(),
            test_fraction: None,
            epochs: history.epochs.len(),
            best_epoch: best.map(|epoch| epoch.epoch),
            test: None,
            config,
        }
    }

    fn check(&self) -> Result<()> {
        self.config.validate()?;
        match self.test_fraction {
            Some(share) if !(share > 0.0 && share < 1.0) => Err(Error::Mismatch(format!(
                "the record of training holds out {share} of the data; it must be between 0 and 1"
            ))),
            _ => Ok(()),
        }
    }
}

/// All of a model but its θ: what the model file's metadata holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The layers.
    pub layers: Vec<LayerConfig>,
    /// The loss by name.
    pub loss: String,
    /// Weights of the classes in the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<Vec<f64>>,
    /// The feature columns, in the order of the inputs.
    pub features: Vec<String>,
    /// How features are scaled before they enter.
    pub scaler: Scaler,
    /// What is predicted.
    pub target: TargetInfo,
    /// How the model was trained; `None` before training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingInfo>,
}

impl ModelInfo {
    /// What can be checked without the network.
    pub(super) fn check(&self) -> Result<()> {
        unique("feature", &self.features)?;
        match &self.target {
            TargetInfo::Classes { classes, .. } => unique("class", classes)?,
            TargetInfo::Values { names, .. } => unique("target", names)?,
        }
        self.training.as_ref().map_or(Ok(()), TrainingInfo::check)
    }
}

/// An error if a name occurs twice: data could not be matched with the model.
fn unique(what: &str, names: &[String]) -> Result<()> {
    let mut seen = HashSet::new();
    match names.iter().find(|&name| !seen.insert(name)) {
        None => Ok(()),
        Some(name) => Err(Error::Mismatch(format!("the {what} `{name}` occurs twice"))),
    }
}
