//! Adagrad.

use chainrule_tensor::{Scalar, vectorised};
use serde::{Deserialize, Serialize};

use crate::{BUFFERS, Buffer, Check, FlatOptimizer, OptimError, OptimizerConfig, Pass, Rule};

/// Adagrad: each parameter's rate shrinks with the sum of its squared gradients.
///
/// ```text
/// g ← ∇θ + λθ
/// s ← s + g²
/// θ ← θ − η_t g / (√s + ε),    η_t = η / (1 + (t − 1)·learning_rate_decay)
/// ```
///
/// Source: Duchi, Hazan, Singer, "Adaptive Subgradient Methods", 2011; PyTorch's
/// `torch.optim.Adagrad`.
pub type Adagrad<S> = FlatOptimizer<AdagradConfig, S>;

/// Hyperparameters of [`Adagrad`]; the defaults are PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdagradConfig {
    /// η, 0.01.
    pub learning_rate: f64,
    /// How fast η itself falls, 0 (PyTorch's `lr_decay`).
    pub learning_rate_decay: f64,
    /// λ, 0.
    pub weight_decay: f64,
    /// s before the first step, 0.
    pub initial_accumulator_value: f64,
    /// ε > 0, 1e-10.
    pub eps: f64,
}

impl Default for AdagradConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-2,
            learning_rate_decay: 0.0,
            weight_decay: 0.0,
            initial_accumulator_value: 0.0,
            eps: 1e-10,
        }
    }
}

impl Rule for AdagradConfig {
    const NAME: &'static str = "adagrad";

    fn validate<S: Scalar>(&self) -> Result<(), OptimError> {
        let check = Check::<S>::of(Self::NAME);
        check.non_negative("learning_rate", self.learning_rate)?;
        check.non_negative("learning_rate_decay", self.learning_rate_decay)?;
        check.non_negative("weight_decay", self.weight_decay)?;
        check.non_negative("initial_accumulator_value", self.initial_accumulator_value)?;
        check.positive("eps", self.eps)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.learning_rate = rate;
    }

    fn buffers(&self) -> [Option<Buffer>; BUFFERS] {
        let sum = Buffer { name: "sum", initial: self.initial_accumulator_value };
        [Some(sum), None, None]
    }

    fn step<S: Scalar>(&self, step: u64, _: &mut f64, pass: Pass<'_, S>) {
        let slower = 1.0 + (step - 1) as f64 * self.learning_rate_decay;
        let (rate, eps) = (S::of(self.learning_rate / slower), S::of(self.eps));
        pass.for_each(|part| {
            let decay = part.decay(self.weight_decay);
            let [sum, ..] = part.buffers;
            vectorised(|| {
                let values = part.theta.iter_mut().zip(part.gradient).zip(sum);
                values.for_each(|((theta, &g), s)| {
                    let g = g + decay * *theta;
                    *s += g * g;
                    *theta -= rate * g / (s.sqrt() + eps);
                });
            });
        });
    }

    fn to_config(&self) -> Option<OptimizerConfig> {
        Some(OptimizerConfig::Adagrad(self.clone()))
    }
}
