//! A network with everything needed to use it on raw data.

mod info;
mod predict;

pub use info::{ModelInfo, TargetInfo, TrainingInfo};
pub use predict::{Answer, Prediction};

use std::borrow::Cow;

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_data::{Dataset, Scaler, Scaling, Target, Task};
use chainrule_layers::{Activation, Dense, Dropout, LayerConfig, Softmax};
use chainrule_loss::{Loss, OutputFunction, Reduction, parse};
use chainrule_tensor::Scalar;

use crate::error::{Error, Result};
use crate::metrics::Scores;
use crate::{Config, History, Stream, Trainer, rng, train};

/// A network together with scaling, names, loss and record of training: it takes raw features
/// and answers with classes or values.
///
/// ```no_run
/// use chainrule::{data, prelude::*, rng, Stream};
///
/// let config = Config::default();
/// let digits = data::digits::<f32>();
/// let (train, test) = digits.split(0.25, &mut rng(0, Stream::Split))?;
/// let mut model = Model::new(&config, &train)?;
/// model.train(&config, &train, |trainer| trainer)?;
/// println!("{}", model.evaluate(&test)?.metric);
/// model.save("digits.safetensors")?;
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Model<S: Scalar> {
    network: Network<S>,
    info: ModelInfo,
}

impl<S: Scalar> Model<S> {
    /// An untrained model for `data`: the scalers are fitted to it, the network gets its widths
    /// from it and the configuration, and initial parameters from the seed.
    ///
    /// # Errors
    /// [`Error`] if the configuration is wrong, its loss does not suit the data's target, or the
    /// target is the same real value everywhere.
    pub fn new(config: &Config, data: &Dataset<S>) -> Result<Self> {
        config.validate()?;
        let target = match data.target() {
            Target::Classes { names, .. } => TargetInfo::Classes {
                name: data.target_name().map(str::to_owned),
                classes: names.clone(),
            },
            Target::Values { values, names } => {
                let scaler = Scaler::fit(Scaling::Standardise, values.view())?;
                if scaler.scale().iter().all(|&scale| scale == 0.0) {
                    return Err(Error::Mismatch(format!(
                        "the target {} is {} in every training example, so there is nothing to \
                         learn; use examples with different values",
                        list(names),
                        values[(0, 0)]
                    )));
                }
                TargetInfo::Values { names: names.clone(), scaler }
            }
        };
        let loss = config.training.loss.clone().unwrap_or_else(|| default_loss(data.task()));
        let info = ModelInfo {
            layers: layers(config, &loss, data.features().cols(), data.outputs())?,
            loss,
            class_weights: config.training.class_weights.clone(),
            features: data.feature_names().to_vec(),
            scaler: Scaler::fit(config.training.scaling, data.features())?,
            target,
            training: None,
        };
        let mut network = Network::from_config(&info.layers)?;
        network.initialise(&mut rng(config.training.seed, Stream::Init));
        Self::from_parts(network, info)
    }

    /// A model of a network and its description.
    ///
    /// The output function is applied once: a network that ends with a softmax layer needs a loss
    /// on probabilities, and a loss on logits a network without that layer.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if they do not fit each other, or a feature or class occurs twice.
    pub fn from_parts(network: Network<S>, info: ModelInfo) -> Result<Self> {
        let outputs = match &info.target {
            TargetInfo::Classes { classes, .. } => classes.len(),
            TargetInfo::Values { names, .. } => names.len(),
        };
        let check = |what: &str, expected, found| {
            if expected == found {
                return Ok(());
            }
            let message = format!("there must be {expected} {what} and there are {found}");
            Err(Error::Mismatch(message))
        };
        check(
            "feature names, one for each of the network's inputs,",
            network.inputs(),
            info.features.len(),
        )?;
        check(
            "feature columns in the scaler, one for each of the network's inputs,",
            network.inputs(),
            info.scaler.columns(),
        )?;
        check(
            "classes or target names, one for each of the network's outputs,",
            network.outputs(),
            outputs,
        )?;
        if let TargetInfo::Values { scaler, .. } = &info.target {
            check(
                "target columns in the scaler, one for each of the network's outputs,",
                outputs,
                scaler.columns(),
            )?;
        }
        if let Some(weights) = &info.class_weights {
            check("class weights, one for each of the network's outputs,", outputs, weights.len())?;
        }
        info.check()?;
        // Layers made outside the crate have no description to compare.
        if network.config().is_ok_and(|layers| layers != info.layers) {
            let message = "the layers described are not those of the network";
            return Err(Error::Mismatch(message.to_owned()));
        }
        let model = Self { network, info };
        let wants = model.loss()?.output_function();
        let ends_with_softmax = matches!(model.info.layers.last(), Some(LayerConfig::Softmax(_)));
        let on_probabilities = base(&model.info.loss) == ON_PROBABILITIES;
        if ends_with_softmax && model.info.target.task() == Task::Classes && !on_probabilities {
            return Err(Error::Mismatch(format!(
                "the network ends with softmax and the loss {} does not take probabilities; \
                 leave the layer out, or take {ON_PROBABILITIES}",
                model.info.loss
            )));
        }
        let suits = match (&model.info.target, wants) {
            (TargetInfo::Classes { .. }, OutputFunction::Softmax) => true,
            (TargetInfo::Classes { .. }, _) => on_probabilities && ends_with_softmax,
            (TargetInfo::Values { .. }, function) => {
                function == OutputFunction::Identity && !on_probabilities
            }
        };
        if suits {
            return Ok(model);
        }
        if wants == OutputFunction::Sigmoid {
            return Err(Error::Mismatch(format!(
                "the loss {} wants a value of 0 or 1 for each output, and neither classes nor \
                 scaled real values are that; take cross_entropy for classes, or train a Network \
                 with BinaryCrossEntropy directly",
                model.info.loss
            )));
        }
        if on_probabilities && model.info.target.task() == Task::Classes {
            return Err(Error::Mismatch(format!(
                "the loss {ON_PROBABILITIES} needs a network that ends with softmax"
            )));
        }
        Err(Error::Mismatch(match model.info.target.task() {
            Task::Classes => format!(
                "the loss {} is for real values, but the target is classes; take cross_entropy, \
                 or read the target as values",
                model.info.loss
            ),
            Task::Values => format!(
                "the loss {} is for classes, but the target is real values; take mse, \
                 squared_error, l1 or huber, or read the target as classes",
                model.info.loss
            ),
        }))
    }

    /// The network.
    pub fn network(&self) -> &Network<S> {
        &self.network
    }

    /// The network, to change its θ.
    pub fn network_mut(&mut self) -> &mut Network<S> {
        &mut self.network
    }

    /// Everything but θ.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The record of training, to complete it.
    pub fn training_mut(&mut self) -> Option<&mut TrainingInfo> {
        self.info.training.as_mut()
    }

    /// The loss, made from its name.
    ///
    /// # Errors
    /// [`Error::Loss`] if no loss has that name.
    pub fn loss(&self) -> Result<Box<dyn Loss<S>>> {
        let weights = self.info.class_weights.as_deref();
        Ok(parse(&self.info.loss, weights, Reduction::Mean)?)
    }

    /// `data` as the network takes it: features, and real-valued targets, scaled. Data that is lent
    /// (`&data`) is copied, data that is handed over changes in place.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if features or classes are not those of the model.
    pub fn prepare<'d>(&self, data: impl Into<Cow<'d, Dataset<S>>>) -> Result<Dataset<S>> {
        let data = data.into();
        if data.feature_names() != self.info.features {
            return Err(Error::Mismatch(format!(
                "the model was trained on the features {}, the data has {}",
                list(&self.info.features),
                list(data.feature_names())
            )));
        }
        match (&self.info.target, data.target()) {
            (TargetInfo::Classes { classes, .. }, Target::Classes { names, .. }) => {
                if names != classes {
                    return Err(Error::Mismatch(format!(
                        "the model knows the classes {}, the data has {}",
                        list(classes),
                        list(names)
                    )));
                }
            }
            (TargetInfo::Values { .. }, Target::Values { .. }) => {}
            (target, _) => {
                let kind = |task| if task == Task::Classes { "classes" } else { "real values" };
                return Err(Error::Mismatch(format!(
                    "the model predicts {}, the data's target is {}",
                    kind(target.task()),
                    kind(data.task())
                )));
            }
        }
        let mut data = data.into_owned();
        data.scale_features(&self.info.scaler)?;
        if let TargetInfo::Values { scaler, .. } = &self.info.target {
            data.scale_values(scaler)?;
        }
        Ok(data)
    }

    /// Trains on `data`, raw; hand it over if it fills much of the memory, since what is lent
    /// (`&data`) is copied to be scaled. `setup` completes the trainer with callbacks, validation
    /// and test data, which must be [prepared](Model::prepare).
    ///
    /// # Errors
    /// As [`Trainer::fit`]; after [`Error::Diverged`] the model holds its last good weights.
    pub fn train<'a, 'd>(
        &mut self,
        config: &'a Config,
        data: impl Into<Cow<'d, Dataset<S>>>,
        setup: impl FnOnce(Trainer<'a, S>) -> Trainer<'a, S>,
    ) -> Result<History> {
        let prepared = self.prepare(data)?;
        let loss = self.loss()?;
        let trainer = setup(Trainer::new(&config.training)?);
        let history = trainer.fit(&mut self.network, &*loss, &prepared)?;
        self.info.training = Some(TrainingInfo::new(config, &prepared, &history));
        Ok(history)
    }

    /// Loss and metric on `data`, raw. The loss of real values is that of training, on scaled
    /// values; R² is the same on either scale.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the data is not of the model's kind.
    pub fn evaluate(&self, data: &Dataset<S>) -> Result<Scores> {
        let prepared = self.prepare(data)?;
        let mut workspace = Workspace::new(&self.network, prepared.len().min(256))?;
        train::evaluate(&self.network, &*self.loss()?, &prepared, &mut workspace)
    }
}

fn default_loss(task: Task) -> String {
    match task {
        Task::Classes => "cross_entropy".to_owned(),
        Task::Values => "mse".to_owned(),
    }
}

/// The one loss for classes that leaves the softmax to the network.
const ON_PROBABILITIES: &str = "probability_cross_entropy";

/// A loss's name without options, spelt as [`chainrule_loss::NAMES`] has it.
fn base(loss: &str) -> String {
    loss.split('(').next().unwrap_or_default().trim().replace('-', "_")
}

/// Dense hidden layers with their dropout, and a dense output layer without activation: the loss
/// applies `O` in training, prediction applies it afterwards. Only under the loss on probabilities
/// the network ends with softmax itself.
fn layers(config: &Config, loss: &str, inputs: usize, outputs: usize) -> Result<Vec<LayerConfig>> {
    let network = &config.network;
    let dense = |inputs, outputs, activation| {
        let layer = Dense::new(inputs, outputs, activation)?;
        Ok::<_, Error>(LayerConfig::Dense(layer.with_init(network.weight_init, network.bias_init)))
    };
    let (mut layers, mut width) = (Vec::new(), inputs);
    for &units in &network.hidden {
        layers.push(dense(width, units, network.activation)?);
        if network.dropout > 0.0 {
            layers.push(LayerConfig::Dropout(Dropout::new(units, network.dropout)?));
        }
        width = units;
    }
    layers.push(dense(width, outputs, Activation::Identity)?);
    if base(loss) == ON_PROBABILITIES {
        layers.push(LayerConfig::Softmax(Softmax::new(outputs)?));
    }
    Ok(layers)
}

/// Names for a message, shortened if they are many.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
