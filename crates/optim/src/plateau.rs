//! A learning rate that falls when progress stops.

use serde::{Deserialize, Serialize};

use crate::{Check, OptimError};

/// Which way the metric should go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlateauMode {
    /// Down, as a loss.
    #[default]
    Min,
    /// Up, as an accuracy.
    Max,
}

/// What the threshold is measured against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdMode {
    /// A part of the best metric: better is below `best · (1 − threshold)`, or above
    /// `best · (1 + threshold)`.
    #[default]
    Rel,
    /// The metric's own units: better is below `best − threshold`, or above `best + threshold`.
    Abs,
}

/// Hyperparameters of [`ReduceOnPlateau`]; the defaults are PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlateauConfig {
    /// Which way the metric should go.
    pub mode: PlateauMode,
    /// What the rate is multiplied by, in `[0, 1)`, 0.1.
    pub factor: f64,
    /// How many observations without progress are borne, 10.
    pub patience: u64,
    /// What counts as progress, at least 0, 1e-4.
    pub threshold: f64,
    /// What the threshold is measured against.
    pub threshold_mode: ThresholdMode,
    /// Observations after a reduction in which nothing is counted, 0.
    pub cooldown: u64,
    /// The rate never falls below it, 0.
    pub min_rate: f64,
    /// A reduction by no more than this is left out, 1e-8.
    pub eps: f64,
}

impl Default for PlateauConfig {
    fn default() -> Self {
        Self {
            mode: PlateauMode::Min,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            threshold_mode: ThresholdMode::Rel,
            cooldown: 0,
            min_rate: 0.0,
            eps: 1e-8,
        }
    }
}

impl PlateauConfig {
    /// Checks every hyperparameter.
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] for the first that is out of its range.
    pub fn validate(&self) -> Result<(), OptimError> {
        let check = Check::<f64>::of("reduce-on-plateau");
        check.fraction("factor", self.factor)?;
        check.non_negative("threshold", self.threshold)?;
        check.non_negative("min_rate", self.min_rate)?;
        check.non_negative("eps", self.eps)
    }
}

/// Reduces the learning rate when a metric has not improved for longer than its patience
/// (PyTorch's `ReduceLROnPlateau`). A metric that is NaN is no progress.
///
/// ```
/// use chainrule_optim::{PlateauConfig, ReduceOnPlateau};
/// let config = PlateauConfig { factor: 0.5, patience: 1, ..PlateauConfig::default() };
/// let mut plateau = ReduceOnPlateau::new(config)?;
/// let mut rate = 0.1;
/// for loss in [1.0, 0.9, 0.9, 0.9] {
///     rate = plateau.observe(loss, rate);
/// }
/// assert_eq!(rate, 0.05);
/// # Ok::<(), chainrule_optim::OptimError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct ReduceOnPlateau {
    config: PlateauConfig,
    best: Option<f64>,
    bad_observations: u64,
    cooldown_left: u64,
}

/// The fields as they are saved; not yet checked.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    config: PlateauConfig,
    best: Option<f64>,
    bad_observations: u64,
    cooldown_left: u64,
}

impl From<ReduceOnPlateau> for Saved {
    fn from(plateau: ReduceOnPlateau) -> Self {
        let ReduceOnPlateau { config, best, bad_observations, cooldown_left } = plateau;
        Self { config, best, bad_observations, cooldown_left }
    }
}

impl TryFrom<Saved> for ReduceOnPlateau {
    type Error = OptimError;

    fn try_from(saved: Saved) -> Result<Self, OptimError> {
        let Saved { config, best, bad_observations, cooldown_left } = saved;
        // No metric is better than NaN.
        let best = best.filter(|best| !best.is_nan());
        Ok(Self { best, bad_observations, cooldown_left, ..Self::new(config)? })
    }
}

impl ReduceOnPlateau {
    /// A state that has observed nothing.
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] if a hyperparameter is out of its range.
    pub fn new(config: PlateauConfig) -> Result<Self, OptimError> {
        config.validate()?;
        Ok(Self { config, best: None, bad_observations: 0, cooldown_left: 0 })
    }

    /// The hyperparameters.
    pub fn config(&self) -> &PlateauConfig {
        &self.config
    }

    /// The best metric so far.
    pub fn best(&self) -> Option<f64> {
        self.best
    }

    /// Observes the metric, once an epoch as a rule, and returns the rate to go on with:
    /// `max(rate · factor, min_rate)` when patience ran out, else `rate`.
    pub fn observe(&mut self, metric: f64, rate: f64) -> f64 {
        let config = &self.config;
        if self.is_better(metric) {
            // JSON holds no infinity; beyond the largest number there is no progress either.
            self.best = Some(metric.clamp(f64::MIN, f64::MAX));
            self.bad_observations = 0;
        } else {
            self.bad_observations = self.bad_observations.saturating_add(1);
        }
        if self.cooldown_left > 0 {
            self.cooldown_left -= 1;
            self.bad_observations = 0;
        }
        if self.bad_observations <= config.patience {
            return rate;
        }
        self.cooldown_left = config.cooldown;
        self.bad_observations = 0;
        let reduced = (rate * config.factor).max(config.min_rate);
        if rate - reduced > config.eps { reduced } else { rate }
    }

    fn is_better(&self, metric: f64) -> bool {
        let PlateauConfig { mode, threshold, threshold_mode, .. } = self.config;
        match (mode, threshold_mode, self.best) {
            (PlateauMode::Min, _, None) => metric < f64::INFINITY,
            (PlateauMode::Max, _, None) => metric > f64::NEG_INFINITY,
            (PlateauMode::Min, ThresholdMode::Rel, Some(best)) => metric < best * (1.0 - threshold),
            (PlateauMode::Min, ThresholdMode::Abs, Some(best)) => metric < best - threshold,
            (PlateauMode::Max, ThresholdMode::Rel, Some(best)) => metric > best * (1.0 + threshold),
            (PlateauMode::Max, ThresholdMode::Abs, Some(best)) => metric > best + threshold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(config: PlateauConfig, metrics: &[f64]) -> Vec<f64> {
        let mut plateau = ReduceOnPlateau::new(config).unwrap();
        let mut rate = 1.0;
        metrics
            .iter()
            .map(|&metric| {
                rate = plateau.observe(metric, rate);
                rate
            })
            .collect()
    }

    #[test]
    fn patience_cooldown_and_floor() {
        let config = PlateauConfig {
            factor: 0.5,
            patience: 1,
            cooldown: 2,
            min_rate: 0.2,
            ..PlateauConfig::default()
        };
        // Bad observations are the second, third (reduces), then two cool, then two more reduce.
        let expected =
            [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2];
        assert_eq!(rates(config, &[3.0; 15]), expected);
    }

    #[test]
    fn thresholds_of_both_modes_and_both_measures() {
        let config = |mode, threshold_mode, threshold| PlateauConfig {
            mode,
            threshold_mode,
            threshold,
            factor: 0.5,
            patience: 0,
            ..PlateauConfig::default()
        };
        // From 10: a tenth is 1, so 9.5 is no progress but 8.9 is.
        let rel = config(PlateauMode::Min, ThresholdMode::Rel, 0.1);
        assert_eq!(rates(rel, &[10.0, 9.5, 8.9]), [1.0, 0.5, 0.5]);
        let abs = config(PlateauMode::Min, ThresholdMode::Abs, 0.6);
        assert_eq!(rates(abs, &[10.0, 9.5, 9.3]), [1.0, 0.5, 0.5]);
        let rel = config(PlateauMode::Max, ThresholdMode::Rel, 0.1);
        assert_eq!(rates(rel, &[10.0, 10.5, 11.1]), [1.0, 0.5, 0.5]);
        let abs = config(PlateauMode::Max, ThresholdMode::Abs, 0.6);
        assert_eq!(rates(abs, &[10.0, 10.5, 10.7, 10.0]), [1.0, 0.5, 0.5, 0.25]);
    }

    #[test]
    fn nan_is_no_progress_and_tiny_reductions_are_left_out() {
        let config = PlateauConfig { factor: 0.5, patience: 0, eps: 0.2, ..Default::default() };
        assert_eq!(rates(config, &[1.0, f64::NAN, f64::NAN, f64::NAN]), [1.0, 0.5, 0.25, 0.25]);
    }

    /// As in PyTorch; and the state can still be saved.
    #[test]
    fn nothing_is_better_than_infinity() {
        for (mode, best) in
            [(PlateauMode::Min, f64::NEG_INFINITY), (PlateauMode::Max, f64::INFINITY)]
        {
            for threshold_mode in [ThresholdMode::Rel, ThresholdMode::Abs] {
                let config = PlateauConfig {
                    mode,
                    threshold_mode,
                    factor: 0.5,
                    patience: 0,
                    ..PlateauConfig::default()
                };
                let metrics = [3.0, best, 4.0, -4.0, 1e300, -1e300];
                let expected = [1.0, 1.0, 0.5, 0.25, 0.125, 0.0625];
                assert_eq!(rates(config.clone(), &metrics), expected, "{mode:?}");
                let mut plateau = ReduceOnPlateau::new(config).unwrap();
                plateau.observe(best, 1.0);
                let text = serde_json::to_string(&plateau).unwrap();
                assert_eq!(serde_json::from_str::<ReduceOnPlateau>(&text).unwrap(), plateau);
            }
        }
    }

    #[test]
    fn a_saved_state_goes_on_where_it_was() {
        let config = PlateauConfig { patience: 2, cooldown: 1, ..PlateauConfig::default() };
        let mut plateau = ReduceOnPlateau::new(config).unwrap();
        let metric = |i: u32| 1.0 / f64::from(1 + i.min(3));
        let mut rate = 0.1;
        for i in 0..9 {
            let text = serde_json::to_string(&plateau).unwrap();
            let mut copy: ReduceOnPlateau = serde_json::from_str(&text).unwrap();
            assert_eq!(copy, plateau);
            let next = plateau.observe(metric(i), rate);
            assert_eq!(copy.observe(metric(i), rate), next);
            rate = next;
        }
        assert!(rate < 0.1);
        let text = serde_json::to_string(&plateau).unwrap();
        let bad = text.replace("\"factor\":0.1", "\"factor\":1.5");
        assert_ne!(bad, text);
        let error = serde_json::from_str::<ReduceOnPlateau>(&bad).unwrap_err().to_string();
        assert!(error.contains("factor must be at least 0 and below 1, found 1.5"), "{error}");
    }
}
