//! Optimizers as configuration: one enum to write in a file or on a command line.

use std::str::FromStr;

use chainrule_tensor::Scalar;
use serde::{Deserialize, Serialize};

use crate::{
    Adadelta, AdadeltaConfig, Adagrad, AdagradConfig, Adam, AdamConfig, AdamW, AdamWConfig,
    DecayOn, NAdam, NAdamConfig, OptimError, Optimizer, RmsProp, RmsPropConfig, Rule, Sgd,
    SgdConfig,
};

/// An optimizer by its name, with its hyperparameters; those that are not given are PyTorch's.
///
/// ```
/// use chainrule_optim::{DecayOn, OptimizerConfig};
/// let config: OptimizerConfig =
///     serde_json::from_str(r#"{"name": "sgd", "learning_rate": 0.1, "momentum": 0.9}"#).unwrap();
/// let optimizer = config.build::<f32>(10, DecayOn::All)?;
/// assert_eq!((optimizer.name(), optimizer.learning_rate()), ("sgd", 0.1));
/// # Ok::<(), chainrule_optim::OptimError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name")]
#[non_exhaustive]
pub enum OptimizerConfig {
    /// Gradient descent, with momentum if asked for.
    #[serde(rename = "sgd")]
    Sgd(SgdConfig),
    /// Adagrad.
    #[serde(rename = "adagrad")]
    Adagrad(AdagradConfig),
    /// RMSprop.
    #[serde(rename = "rmsprop")]
    RmsProp(RmsPropConfig),
    /// Adadelta.
    #[serde(rename = "adadelta")]
    Adadelta(AdadeltaConfig),
    /// Adam, with AMSGrad if asked for.
    #[serde(rename = "adam")]
    Adam(AdamConfig),
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW(AdamWConfig),
    /// Adam with Nesterov's momentum.
    #[serde(rename = "nadam")]
    NAdam(NAdamConfig),
}

/// Calls one expression for whichever rule the configuration holds.
macro_rules! with_rule {
    ($config:expr, $rule:ident => $body:expr) => {
        match $config {
            OptimizerConfig::Sgd($rule) => $body,
            OptimizerConfig::Adagrad($rule) => $body,
            OptimizerConfig::RmsProp($rule) => $body,
            OptimizerConfig::Adadelta($rule) => $body,
            OptimizerConfig::Adam($rule) => $body,
            OptimizerConfig::AdamW($rule) => $body,
            OptimizerConfig::NAdam($rule) => $body,
        }
    };
}

fn name_of<R: Rule>(_: &R) -> &'static str {
    R::NAME
}

impl OptimizerConfig {
    /// The names there are, in the order of the enum.
    pub const NAMES: [&'static str; 7] =
        ["sgd", "adagrad", "rmsprop", "adadelta", "adam", "adamw", "nadam"];

    /// The optimizer of this name with PyTorch's defaults.
    ///
    /// # Errors
    /// [`OptimError::UnknownName`], which lists the names there are.
    pub fn from_name(name: &str) -> Result<Self, OptimError> {
        Ok(match name {
            "sgd" => Self::Sgd(SgdConfig::default()),
            "adagrad" => Self::Adagrad(AdagradConfig::default()),
            "rmsprop" => Self::RmsProp(RmsPropConfig::default()),
            "adadelta" => Self::Adadelta(AdadeltaConfig::default()),
            "adam" => Self::Adam(AdamConfig::default()),
            "adamw" => Self::AdamW(AdamWConfig::default()),
            "nadam" => Self::NAdam(NAdamConfig::default()),
            _ => {
                return Err(OptimError::UnknownName {
                    what: "optimizer",
                    found: name.to_owned(),
                    known: "sgd, adagrad, rmsprop, adadelta, adam, adamw, nadam",
                });
            }
        })
    }

    /// The rule's name.
    pub fn name(&self) -> &'static str {
        with_rule!(self, rule => name_of(rule))
    }

    /// Checks every hyperparameter.
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] for the first that is out of its range.
    pub fn validate(&self) -> Result<(), OptimError> {
        with_rule!(self, rule => rule.validate::<f64>())
    }

    /// The optimizer for a θ of `parameters` values, with weight decay where `decay_on` says.
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] if a hyperparameter is out of its range in `S`,
    /// [`OptimError::DecayRange`] if a range is outside θ, [`OptimError::TooLarge`] if the state
    /// does not fit into memory.
    pub fn build<S: Scalar>(
        &self,
        parameters: usize,
        decay_on: DecayOn,
    ) -> Result<Box<dyn Optimizer<S>>, OptimError> {
        Ok(match self.clone() {
            Self::Sgd(rule) => Box::new(Sgd::new(rule, parameters, decay_on)?),
            Self::Adagrad(rule) => Box::new(Adagrad::new(rule, parameters, decay_on)?),
            Self::RmsProp(rule) => Box::new(RmsProp::new(rule, parameters, decay_on)?),
            Self::Adadelta(rule) => Box::new(Adadelta::new(rule, parameters, decay_on)?),
            Self::Adam(rule) => Box::new(Adam::new(rule, parameters, decay_on)?),
            Self::AdamW(rule) => Box::new(AdamW::new(rule, parameters, decay_on)?),
            Self::NAdam(rule) => Box::new(NAdam::new(rule, parameters, decay_on)?),
        })
    }

    /// The learning rate η.
    pub fn learning_rate(&self) -> f64 {
        with_rule!(self, rule => rule.learning_rate())
    }

    /// Sets the learning rate; [`validate`](Self::validate) and [`build`](Self::build) check it.
    pub fn set_learning_rate(&mut self, rate: f64) {
        with_rule!(self, rule => rule.set_learning_rate(rate));
    }

    /// The weight decay λ.
    pub fn weight_decay(&self) -> f64 {
        with_rule!(self, rule => rule.weight_decay)
    }

    /// Sets the weight decay; [`validate`](Self::validate) and [`build`](Self::build) check it.
    pub fn set_weight_decay(&mut self, decay: f64) {
        with_rule!(self, rule => rule.weight_decay = decay);
    }

    /// The momentum μ of `sgd` and `rmsprop`; the others have none by that name.
    pub fn momentum(&self) -> Option<f64> {
        match self {
            Self::Sgd(rule) => Some(rule.momentum),
            Self::RmsProp(rule) => Some(rule.momentum),
            _ => None,
        }
    }

    /// Sets the momentum; [`validate`](Self::validate) and [`build`](Self::build) check it.
    ///
    /// # Errors
    /// [`OptimError::Unsupported`] if the optimizer has none.
    pub fn set_momentum(&mut self, momentum: f64) -> Result<(), OptimError> {
        match self {
            Self::Sgd(rule) => rule.momentum = momentum,
            Self::RmsProp(rule) => rule.momentum = momentum,
            _ => return Err(self.unsupported("momentum", "sgd and rmsprop have it")),
        }
        Ok(())
    }

    /// Turns Nesterov's look-ahead on or off.
    ///
    /// # Errors
    /// [`OptimError::Unsupported`] if the optimizer is not `sgd`.
    pub fn set_nesterov(&mut self, nesterov: bool) -> Result<(), OptimError> {
        match self {
            Self::Sgd(rule) => rule.nesterov = nesterov,
            _ => return Err(self.unsupported("nesterov", "sgd has it; nadam is Adam's form")),
        }
        Ok(())
    }

    /// Turns AMSGrad on or off.
    ///
    /// # Errors
    /// [`OptimError::Unsupported`] if the optimizer is neither `adam` nor `adamw`.
    pub fn set_amsgrad(&mut self, amsgrad: bool) -> Result<(), OptimError> {
        match self {
            Self::Adam(rule) => rule.amsgrad = amsgrad,
            Self::AdamW(rule) => rule.amsgrad = amsgrad,
            _ => return Err(self.unsupported("amsgrad", "adam and adamw have it")),
        }
        Ok(())
    }

    fn unsupported(&self, name: &'static str, help: &'static str) -> OptimError {
        OptimError::Unsupported { optimizer: self.name(), name, help }
    }
}

/// [`OptimizerConfig::from_name`].
impl FromStr for OptimizerConfig {
    type Err = OptimError;

    fn from_str(name: &str) -> Result<Self, OptimError> {
        Self::from_name(name)
    }
}
