//! Learning rates as functions of the step.

mod text;

use std::f64::consts::PI;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Check, OptimError};

/// The learning rate η_t as a pure function of the base rate η and the step t = 0, 1, 2, ...
///
/// A step is what the caller counts: optimizer steps as a rule. `total` is the number of steps of
/// the whole run; where it is left out, [`with_total_steps`](Self::with_total_steps) fills it in.
///
/// On a command line a schedule is a text: `constant`, `step:EVERY:FACTOR`, `exponential:GAMMA`,
/// `cosine[:TOTAL[:MIN_RATE]]`, `warmup:STEPS`, `warmup:STEPS+SCHEDULE`,
/// `one-cycle[:TOTAL[:MAX_RATE[:PCT_START[:DIV_FACTOR[:FINAL_DIV_FACTOR]]]]]`; `auto` stands for
/// what is left out. `Display` writes the same form.
///
/// ```
/// use chainrule_optim::Schedule;
/// let schedule: Schedule = "warmup:10+cosine".parse()?;
/// let schedule = schedule.with_total_steps(110);
/// schedule.validate(0.5)?;
/// assert_eq!(schedule.rate(0.5, 0), 0.05);
/// assert_eq!(schedule.rate(0.5, 10), 0.5);
/// assert!((schedule.rate(0.5, 60) - 0.25).abs() < 1e-15);
/// assert_eq!(schedule.to_string(), "warmup:10+cosine:100");
/// # Ok::<(), chainrule_optim::OptimError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// η_t = η.
    #[default]
    #[serde(deserialize_with = "no_fields")]
    Constant,
    /// Staircase: η_t = η · factor^⌊t / every⌋ (PyTorch's `StepLR`).
    Step {
        /// The length of a stair, at least 1.
        every: u64,
        /// What a stair multiplies by, in `[0, 1]`.
        factor: f64,
    },
    /// η_t = η · γᵗ (PyTorch's `ExponentialLR`).
    Exponential {
        /// γ in `[0, 1]`.
        gamma: f64,
    },
    /// Half a cosine: η_t = η_min + ½(η − η_min)(1 + cos(πt/T)), and η_min from t = T on
    /// (PyTorch's `CosineAnnealingLR`, which would rise again).
    Cosine {
        /// T, at least 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// η_min, at most η; 0 unless given.
        #[serde(default)]
        min_rate: f64,
    },
    /// Linear warm-up to another schedule, which starts when it ends:
    /// η_t = η'_0 · (t + 1)/steps for t < steps, then η'_{t − steps}.
    Warmup {
        /// The length of the warm-up, at least 1.
        steps: u64,
        /// η', the schedule after it, no second warm-up; constant unless given.
        #[serde(default)]
        then: Box<Schedule>,
    },
    /// One cycle: half a cosine up from max/div_factor to max, then one down to
    /// max/(div_factor · final_div_factor), where it stays (PyTorch's `OneCycleLR` with its default
    /// cosine, rate only). With T steps the top is at t = pct_start · T − 1.
    ///
    /// Source: Smith and Topin, "Super-Convergence", 2018.
    OneCycle {
        /// T, at least 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// The top; the base rate η unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_rate: Option<f64>,
        /// The part of the steps that go up, in `[0, 1]`, 0.3.
        #[serde(default = "pct_start")]
        pct_start: f64,
        /// Top over start, 25.
        #[serde(default = "div_factor")]
        div_factor: f64,
        /// Start over end, 1e4.
        #[serde(default = "final_div_factor")]
        final_div_factor: f64,
    },
}

/// Denies unknown fields to a variant without fields, where serde itself would skip them.
fn no_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    Nothing::deserialize(deserializer).map(|Nothing {}| ())
}

fn pct_start() -> f64 {
    0.3
}

fn div_factor() -> f64 {
    25.0
}

fn final_div_factor() -> f64 {
    1e4
}

impl Schedule {
    /// Half a cosine down to 0 over all steps, however many there will be.
    pub fn cosine() -> Self {
        Self::Cosine { total: None, min_rate: 0.0 }
    }

    /// One cycle with PyTorch's defaults over all steps, topped by the base rate.
    pub fn one_cycle() -> Self {
        Self::OneCycle {
            total: None,
            max_rate: None,
            pct_start: pct_start(),
            div_factor: div_factor(),
            final_div_factor: final_div_factor(),
        }
    }

    /// A linear warm-up of this many steps before this schedule.
    #[must_use]
    pub fn after_warmup(self, steps: u64) -> Self {
        Self::Warmup { steps, then: Box::new(self) }
    }

    /// The schedule's name, as in configurations.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Step { .. } => "step",
            Self::Exponential { .. } => "exponential",
            Self::Cosine { .. } => "cosine",
            Self::Warmup { .. } => "warmup",
            Self::OneCycle { .. } => "one-cycle",
        }
    }

    /// Whether a length is left to [`with_total_steps`](Self::with_total_steps).
    pub fn needs_total_steps(&self) -> bool {
        match self {
            Self::Cosine { total, .. } | Self::OneCycle { total, .. } => total.is_none(),
            Self::Warmup { then, .. } => then.needs_total_steps(),
            Self::Constant | Self::Step { .. } | Self::Exponential { .. } => false,
        }
    }

    /// The schedule for a run of `steps` steps: fills in lengths that were left out, and keeps
    /// those that were given. After a warm-up the rest of the steps remain, at least 1.
    #[must_use]
    pub fn with_total_steps(mut self, steps: u64) -> Self {
        match &mut self {
            Self::Cosine { total, .. } | Self::OneCycle { total, .. } => {
                total.get_or_insert(steps.max(1));
            }
            Self::Warmup { steps: warmup, then } => {
                let rest = steps.saturating_sub(*warmup);
                **then = std::mem::take(&mut **then).with_total_steps(rest);
            }
            Self::Constant | Self::Step { .. } | Self::Exponential { .. } => {}
        }
        self
    }

    /// Checks the schedule for this base rate. A valid schedule gives a finite rate of at least 0
    /// at every step.
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] for the first number out of its range,
    /// [`OptimError::MissingTotal`] if a length was left out and not filled in.
    pub fn validate(&self, base_rate: f64) -> Result<(), OptimError> {
        let check = Check::<f64>::of(self.name());
        check.non_negative("base rate", base_rate)?;
        self.check_own()?;
        match self {
            Self::Cosine { total, min_rate } => {
                total.ok_or(OptimError::MissingTotal { schedule: self.name() })?;
                let below = *min_rate <= base_rate;
                let expected = format!("at most the base rate {base_rate}");
                check.require(below, "min_rate", min_rate, &expected)
            }
            Self::OneCycle { total, .. } => {
                total.map(|_| ()).ok_or(OptimError::MissingTotal { schedule: self.name() })
            }
            Self::Warmup { then, .. } => then.validate(base_rate),
            Self::Constant | Self::Step { .. } | Self::Exponential { .. } => Ok(()),
        }
    }

    /// What can be checked without a base rate and without the number of steps.
    fn check_own(&self) -> Result<(), OptimError> {
        let check = Check::<f64>::of(self.name());
        let at_least_1 = |name, n: u64| check.require(n >= 1, name, n, "at least 1");
        match *self {
            Self::Constant => Ok(()),
            Self::Step { every, factor } => {
                at_least_1("every", every)?;
                check.unit("factor", factor)
            }
            Self::Exponential { gamma } => check.unit("gamma", gamma),
            Self::Cosine { total, min_rate } => {
                at_least_1("total", total.unwrap_or(1))?;
                check.non_negative("min_rate", min_rate)
            }
            Self::Warmup { steps, ref then } => {
                at_least_1("steps", steps)?;
                let other = !matches!(**then, Self::Warmup { .. });
                check.require(other, "then", then.name(), "another schedule than a warm-up")?;
                then.check_own()
            }
            Self::OneCycle { total, max_rate, pct_start, div_factor, final_div_factor } => {
                at_least_1("total", total.unwrap_or(1))?;
                check.non_negative("max_rate", max_rate.unwrap_or(0.0))?;
                check.unit("pct_start", pct_start)?;
                let at_least = |name, value: f64| {
                    let ok = value >= 1.0 && value.is_finite();
                    check.require(ok, name, value, "finite and at least 1")
                };
                at_least("div_factor", div_factor)?;
                at_least("final_div_factor", final_div_factor)
            }
        }
    }

    /// The rate of step `step`, counted from 0.
    ///
    /// # Panics
    /// If the number of steps was left out and not filled in, which
    /// [`validate`](Self::validate) tells before.
    pub fn rate(&self, base_rate: f64, step: u64) -> f64 {
        let total_of = |total: &Option<u64>| {
            total.unwrap_or_else(|| panic!("{}: call with_total_steps before rate", self.name()))
        };
        match self {
            Self::Constant => base_rate,
            Self::Step { every, factor } => base_rate * libm::pow(*factor, (step / every) as f64),
            Self::Exponential { gamma } => base_rate * libm::pow(*gamma, step as f64),
            Self::Cosine { total, min_rate } => {
                cosine_between(base_rate, *min_rate, step as f64 / total_of(total) as f64)
            }
            Self::Warmup { steps, then } if step < *steps => {
                then.rate(base_rate, 0) * ((step + 1) as f64 / *steps as f64)
            }
            Self::Warmup { steps, then } => then.rate(base_rate, step - steps),
            Self::OneCycle { total, max_rate, pct_start, div_factor, final_div_factor } => {
                let top = max_rate.unwrap_or(base_rate);
                let start = top / div_factor;
                let total = total_of(total) as f64;
                let (step, turn) = (step as f64, pct_start * total - 1.0);
                if step <= turn {
                    // With turn = 0 the only step up is the top.
                    return cosine_between(start, top, if turn > 0.0 { step / turn } else { 1.0 });
                }
                let down = (step - turn) / (total - 1.0 - turn);
                cosine_between(top, start / final_div_factor, down)
            }
        }
    }
}

/// Half a cosine from `start` at `part` = 0 to `end` at 1, where it stays. NaN, the 0/0 of a phase
/// without steps, is its end.
fn cosine_between(start: f64, end: f64, part: f64) -> f64 {
    if part < 1.0 { end + (start - end) / 2.0 * (1.0 + libm::cos(PI * part)) } else { end }
}
