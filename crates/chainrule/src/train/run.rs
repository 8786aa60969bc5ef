//! What a training run holds, and the weights of its best epoch.

use chainrule_autograd_manual::{Network, NetworkError, Workspace};
use chainrule_data::{Batches, Dataset};
use chainrule_loss::Loss;
use chainrule_optim::{DecayOn, Optimizer, ReduceOnPlateau, Schedule};
use chainrule_tensor::{Scalar, Threads};

use super::watch;
use super::{EpochReport, has_no_weight, nothing_counts, targets};
use crate::TrainingConfig;
use crate::error::{Error, Result};
use crate::metrics::ScoreSum;

/// What a run needs beside network and data; made once.
pub(super) struct Run<S: Scalar> {
    pub(super) workspace: Workspace<S>,
    pub(super) gradient: Vec<S>,
    pub(super) optimizer: Box<dyn Optimizer<S>>,
    pub(super) schedule: Schedule,
    pub(super) base_rate: f64,
    pub(super) plateau: Option<ReduceOnPlateau>,
    /// What the plateau has left of the base rate.
    pub(super) reduced_rate: f64,
    pub(super) sum: ScoreSum,
    /// The batch of the last step, from 1.
    pub(super) batch: usize,
    /// The error of the last batch without weight, which was skipped.
    pub(super) skipped: Option<NetworkError>,
}

/// The weights of the best epoch so far.
pub(super) struct Best<S> {
    pub(super) theta: Vec<S>,
    /// 0 before the first epoch has ended.
    pub(super) epoch: usize,
    pub(super) loss: f64,
}

impl<S: Scalar> Run<S> {
    pub(super) fn new(
        config: &TrainingConfig,
        network: &Network<S>,
        batches: &Batches<'_, S>,
        epochs: usize,
    ) -> Result<Self> {
        let threads = match config.threads {
            Some(count) => Threads::new(count)?,
            None => Threads::available(),
        };
        let decay_on = if config.decay_biases {
            DecayOn::All
        } else {
            DecayOn::Ranges(network.layout().weight_ranges())
        };
        let steps = (batches.len() as u64).saturating_mul(epochs as u64);
        let schedule = config.schedule.clone().with_total_steps(steps);
        schedule.validate(config.optimizer.learning_rate())?;
        let mut optimizer = config.optimizer.build(network.parameter_count(), decay_on)?;
        optimizer.set_threads(&threads);
        let mut workspace = Workspace::with_threads(network, batches.batch_size(), threads)?;
        workspace.set_precision(config.precision)?;
        Ok(Self {
            workspace,
            gradient: vec![S::zero(); network.parameter_count()],
            optimizer,
            schedule,
            base_rate: config.optimizer.learning_rate(),
            plateau: config.plateau.clone().map(ReduceOnPlateau::new).transpose()?,
            reduced_rate: config.optimizer.learning_rate(),
            sum: ScoreSum::new(),
            batch: 0,
            skipped: None,
        })
    }

    /// The rate of the next step: the schedule's, reduced as the plateau has reduced the base.
    pub(super) fn rate(&self) -> f64 {
        let rate = self.schedule.rate(self.base_rate, self.optimizer.steps());
        if self.reduced_rate == self.base_rate {
            return rate;
        }
        rate * (self.reduced_rate / self.base_rate)
    }

    /// A step can break the weights after a loss that was finite. The next loss shows it, but the
    /// last step has none after it.
    pub(super) fn check_weights(
        &mut self,
        epoch: usize,
        network: &Network<S>,
        loss: &dyn Loss<S>,
        train: &Dataset<S>,
    ) -> Result<()> {
        if network.theta().iter().all(|weight| weight.is_finite()) {
            return Ok(());
        }
        let examples = train.batch(0..train.len().min(self.workspace.batch()));
        let forward = network.forward(examples.features, &mut self.workspace)?;
        let value = match forward.loss(loss, targets(examples.target)) {
            Err(error) if has_no_weight(&error) => f64::NAN,
            value => value?.as_f64(),
        };
        let (batch, place, kept) = (self.batch, forward.first_non_finite(), String::new());
        let detail = watch::detail_forward(network, &forward);
        Err(Error::Diverged { epoch, batch, loss: value, place, detail, kept })
    }

    pub(super) fn report(&mut self, epoch: usize) -> Result<EpochReport> {
        let Some(train) = self.sum.scores() else {
            return Err(nothing_counts(self.skipped.take(), "train on"));
        };
        let learning_rate = self.optimizer.learning_rate();
        let (validation, test, seconds, best) = (None, None, 0.0, false);
        Ok(EpochReport { epoch, train, validation, test, learning_rate, seconds, best })
    }
}

impl<S: Scalar> Best<S> {
    /// Keeps the network's weights if the monitored loss is the lowest so far.
    pub(super) fn offer(&mut self, report: &EpochReport, network: &Network<S>) -> bool {
        let better = report.monitored() < self.loss;
        if better {
            self.theta.copy_from_slice(network.theta());
            (self.epoch, self.loss) = (report.epoch, report.monitored());
        }
        better
    }

    /// Tells in a divergence error which weights were put back.
    pub(super) fn name(&self, error: Error) -> Error {
        match error {
            Error::Diverged { epoch, batch, loss, place, detail, .. } => {
                let kept = match self.epoch {
                    0 => "initial weights".to_owned(),
                    best => format!("weights of epoch {best}"),
                };
                Error::Diverged { epoch, batch, loss, place, detail, kept }
            }
            other => other,
        }
    }
}
