//! The training loop.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use chainrule_autograd_manual::{Network, NonFinite};
use chainrule_data::{Batches, Dataset};
use chainrule_loss::Loss;
use chainrule_tensor::{Precision, Scalar};
use rand::Rng;

use super::run::{Best, Run};
use super::watch::{self, Watch};
use super::{
    BatchReport, EpochReport, Flow, History, StopReason, evaluate_with_place, has_no_weight, step,
    targets,
};
use crate::error::{Error, Result};
use crate::metrics::Scores;
use crate::{Stream, TrainingConfig, rng};

type EpochCallback<'a, S> = Box<dyn FnMut(&EpochReport, &Network<S>) -> Flow + 'a>;
type BatchCallback<'a> = Box<dyn FnMut(&BatchReport) -> Flow + 'a>;

/// Trains networks as a [`TrainingConfig`] says.
///
/// The data is taken as it is: a [`Model`](crate::Model) scales it before. Runs of one seed on
/// the same data give the same bits, on any number of threads.
///
/// ```
/// use chainrule::{data::Target, prelude::*, TrainingConfig};
///
/// let x = Matrix::from_rows(&[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
/// let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
/// let xor = Target::Classes { labels: vec![0, 1, 1, 0], names: names("equal different") };
/// let data = Dataset::new("xor", x, names("p q"), xor)?;
///
/// let mut network = NetworkBuilder::<f32>::new(2)
///     .dense(8, Activation::Tanh)
///     .dense(2, Activation::Identity)
///     .build()?;
/// let config = TrainingConfig { epochs: Some(200), batch_size: 4, ..TrainingConfig::default() };
/// let history = Trainer::new(&config)?.fit(&mut network, &CrossEntropy::new(), &data)?;
/// assert_eq!(history.best().unwrap().train.metric.value(), 1.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub struct Trainer<'a, S: Scalar> {
    config: &'a TrainingConfig,
    validation: Option<&'a Dataset<S>>,
    test: Option<&'a Dataset<S>>,
    on_epoch: Option<EpochCallback<'a, S>>,
    on_batch: Option<BatchCallback<'a>>,
    cancel: Option<Arc<AtomicBool>>,
    watch: Watch<'a, S>,
}

impl<S: Scalar> fmt::Debug for Trainer<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<'a, S: Scalar> Trainer<'a, S> {
    /// A trainer for this configuration.
    ///
    /// # Errors
    /// [`Error`] for a number out of its range.
    pub fn new(config: &'a TrainingConfig) -> Result<Self> {
        config.validate()?;
        let (validation, test, on_epoch, on_batch, cancel) = (None, None, None, None, None);
        let watch = Watch::default();
        Ok(Self { config, validation, test, on_epoch, on_batch, cancel, watch })
    }

    /// Examples whose loss decides which epoch is the best and when to stop early.
    #[must_use]
    pub fn validation(mut self, data: &'a Dataset<S>) -> Self {
        self.validation = Some(data);
        self
    }

    /// Examples that are scored after every epoch, for information only.
    #[must_use]
    pub fn test(mut self, data: &'a Dataset<S>) -> Self {
        self.test = Some(data);
        self
    }

    /// Called after every epoch.
    #[must_use]
    pub fn on_epoch(mut self, f: impl FnMut(&EpochReport, &Network<S>) -> Flow + 'a) -> Self {
        self.on_epoch = Some(Box::new(f));
        self
    }

    /// Called after every batch but those without weight, see [`Trainer::fit`].
    #[must_use]
    pub fn on_batch(mut self, f: impl FnMut(&BatchReport) -> Flow + 'a) -> Self {
        self.on_batch = Some(Box::new(f));
        self
    }

    /// Called once an epoch, before [`Trainer::on_epoch`], with statistics of every layer: of the
    /// epoch's last batch of full size for sure, the last but one (or the only one), as training saw
    /// it (dropout as drawn, before clipping), and of the step that followed. Costs less than that
    /// batch.
    #[cfg(feature = "explain")]
    #[must_use]
    pub fn on_statistics(
        mut self,
        f: impl FnMut(usize, &chainrule_explain::NetworkStatistics) + 'a,
    ) -> Self {
        self.watch = Watch::new(f);
        self
    }

    /// Stops after the current batch once the flag is set, from a signal handler for instance.
    #[must_use]
    pub fn cancel_flag(mut self, flag: Arc<AtomicBool>) -> Self {
        self.cancel = Some(flag);
        self
    }

    /// Trains `network` on `train` with mini-batches shuffled anew each epoch.
    ///
    /// At the end, also after early stopping or cancellation, the network holds the weights of
    /// the best epoch (of the last step, if the configuration says so or no epoch has ended). The
    /// best epoch is that of the lowest validation loss; without validation data, of the lowest
    /// running training loss, which is gathered while the weights move and so lags behind them.
    ///
    /// A batch whose labels are all ignored by the loss, or of weight 0 in it, is skipped: no step,
    /// no share in the scores.
    ///
    /// # Errors
    /// [`Error::Diverged`] when the loss of a batch or of the validation examples, or a weight, is
    /// infinite or NaN: the network then holds the weights of the best epoch, or its initial ones;
    /// other [`Error`]s if network, loss, data and configuration do not fit, or the loss ignores
    /// all examples.
    pub fn fit(
        mut self,
        network: &mut Network<S>,
        loss: &dyn Loss<S>,
        train: &Dataset<S>,
    ) -> Result<History> {
        let config = self.config;
        self.check(network, train)?;
        let mut batches = Batches::new(train, config.batch_size)?;
        let epochs = config.epochs_for(train.len());
        let mut run = Run::new(config, network, &batches, epochs)?;
        batches.set_threads(run.workspace.threads());
        let mut best = Best { theta: network.theta().to_vec(), epoch: 0, loss: f64::INFINITY };
        let mut shuffle = rng(config.seed, Stream::Shuffle);
        let mut dropout = rng(config.seed, Stream::Dropout);
        let mut history = History { epochs: Vec::new(), stop: StopReason::Finished };

        for epoch in 1..=epochs {
            let start = Instant::now();
            batches.shuffle(&mut shuffle);
            let flow = self.run_epoch(epoch, &mut run, network, loss, &mut batches, &mut dropout);
            let report = flow.and_then(|flow| {
                run.check_weights(epoch, network, loss, train)?;
                match flow {
                    Flow::Break(()) => Ok(None),
                    Flow::Continue(()) => self.report(epoch, &mut run, network, loss).map(Some),
                }
            });
            let report = report.map_err(|error| {
                network.theta_mut().copy_from_slice(&best.theta);
                best.name(error)
            })?;
            let Some(mut report) = report else {
                history.stop = StopReason::Cancelled;
                break;
            };
            report.seconds = start.elapsed().as_secs_f64();
            report.best = best.offer(&report, network);
            if let Some(plateau) = &mut run.plateau {
                run.reduced_rate = plateau.observe(report.monitored(), run.reduced_rate);
            }
            history.epochs.push(report);
            if self.on_epoch.as_mut().is_some_and(|f| f(&report, network).is_break()) {
                history.stop = StopReason::Cancelled;
                break;
            }
            if config.patience.is_some_and(|patience| epoch - best.epoch >= patience) {
                history.stop = StopReason::EarlyStopping;
                break;
            }
        }
        if config.keep_best && best.epoch > 0 {
            network.theta_mut().copy_from_slice(&best.theta);
        }
        Ok(history)
    }

    /// What would else show only after the first epoch.
    fn check(&self, network: &Network<S>, train: &Dataset<S>) -> Result<()> {
        let sets =
            [("training", Some(train)), ("validation", self.validation), ("test", self.test)];
        for (what, data) in sets {
            let Some(data) = data else { continue };
            let (features, inputs) = (data.features().cols(), network.inputs());
            let reason = if data.is_empty() {
                "are none".to_owned()
            } else if features != inputs {
                format!("have {features} features, the network has {inputs} inputs")
            } else if (data.task(), data.outputs()) != (train.task(), train.outputs()) {
                "have another kind of target, or another number of outputs, than the training \
                 examples"
                    .to_owned()
            } else {
                continue;
            };
            return Err(Error::Mismatch(format!("the {what} examples {reason}")));
        }
        Ok(())
    }

    fn run_epoch(
        &mut self,
        epoch: usize,
        run: &mut Run<S>,
        network: &mut Network<S>,
        loss: &dyn Loss<S>,
        batches: &mut Batches<'_, S>,
        dropout: &mut dyn Rng,
    ) -> Result<Flow> {
        run.sum.clear();
        run.skipped = None;
        let count = batches.len();
        // The last batch may be smaller than the others.
        let watched = (count - 1).max(1);
        for batch in 1..=count {
            let Some(examples) = batches.next() else { break };
            run.batch = batch;
            run.optimizer.set_learning_rate(run.rate());
            let targets = targets(examples.target);
            let forward = network.forward_train(examples.features, &mut run.workspace, dropout)?;
            let units = match forward.output_units(loss, targets) {
                Err(error) if has_no_weight(&error) => {
                    run.skipped = Some(error);
                    if self.cancelled() {
                        return Ok(Flow::Break(()));
                    }
                    continue;
                }
                units => units?,
            };
            let backward = units.hidden_units();
            let value = backward.loss();
            if !value.is_finite() {
                let place = backward.forward().first_non_finite();
                let (detail, kept) = (watch::detail(&backward), String::new());
                let loss = value.as_f64();
                return Err(Error::Diverged { epoch, batch, loss, place, detail, kept });
            }
            run.sum.add(loss, Some(value), backward.forward().output(), targets);
            let watching = batch == watched && self.watch.is_asked();
            if watching || self.config.clip.is_some() {
                backward.weights_and_biases(&mut run.gradient)?;
                if watching {
                    self.watch.look(&backward, &run.gradient);
                }
                if let Some(clip) = self.config.clip {
                    clip.apply(&mut run.gradient);
                }
                run.optimizer.step(network.theta_mut(), &run.gradient)?;
            } else {
                let factors = backward.into_factors();
                step(network, factors, &mut *run.optimizer, &mut run.gradient)?;
            }
            if watching {
                self.watch.step(epoch, network);
            }

            let report = BatchReport { epoch, batch, batches: count, loss: value.as_f64() };
            if self.cancelled() || self.on_batch.as_mut().is_some_and(|f| f(&report).is_break()) {
                return Ok(Flow::Break(()));
            }
        }
        Ok(Flow::Continue(()))
    }

    fn cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Scores after the epoch.
    fn report(
        &self,
        epoch: usize,
        run: &mut Run<S>,
        network: &Network<S>,
        loss: &dyn Loss<S>,
    ) -> Result<EpochReport> {
        let mut report = run.report(epoch)?;
        let validation = self.scores(self.validation, network, loss, run)?;
        report.validation = validation.map(|(scores, _)| scores);
        let monitored = report.monitored();
        if !monitored.is_finite() {
            let place = validation.and_then(|(_, place)| place);
            let (batch, detail, kept) = (run.batch, String::new(), String::new());
            return Err(Error::Diverged { epoch, batch, loss: monitored, place, detail, kept });
        }
        report.test = self.scores(self.test, network, loss, run)?.map(|(scores, _)| scores);
        Ok(report)
    }

    fn scores(
        &self,
        data: Option<&Dataset<S>>,
        network: &Network<S>,
        loss: &dyn Loss<S>,
        run: &mut Run<S>,
    ) -> Result<Option<(Scores, Option<NonFinite>)>> {
        let Some(data) = data else { return Ok(None) };
        run.workspace.set_precision(Precision::F32)?;
        let scores = evaluate_with_place(network, loss, data, &mut run.workspace)?;
        run.workspace.set_precision(self.config.precision)?;
        Ok(Some(scores))
    }
}
