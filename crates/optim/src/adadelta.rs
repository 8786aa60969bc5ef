//! Adadelta.

use chainrule_tensor::{Scalar, vectorised};
use serde::{Deserialize, Serialize};

use crate::{BUFFERS, Buffer, Check, FlatOptimizer, OptimError, OptimizerConfig, Pass, Rule};

/// Adadelta: the step has the units of θ, from running means of squared gradients and squared
/// steps.
///
/// ```text
/// g ← ∇θ + λθ
/// v ← ρv + (1 − ρ)g²
/// Δ ← √(u + ε) / √(v + ε) · g
/// u ← ρu + (1 − ρ)Δ²
/// θ ← θ − ηΔ
/// ```
///
/// Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012; PyTorch's
/// `torch.optim.Adadelta`.
pub type Adadelta<S> = FlatOptimizer<AdadeltaConfig, S>;

/// Hyperparameters of [`Adadelta`]; the defaults are PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdadeltaConfig {
    /// η, 1.
    pub learning_rate: f64,
    /// ρ in `[0, 1)`, 0.9.
    pub rho: f64,
    /// ε > 0, 1e-6.
    pub eps: f64,
    /// λ, 0.
    pub weight_decay: f64,
}

impl Default for AdadeltaConfig {
    fn default() -> Self {
        Self { learning_rate: 1.0, rho: 0.9, eps: 1e-6, weight_decay: 0.0 }
    }
}

impl Rule for AdadeltaConfig {
    const NAME: &'static str = "adadelta";

    fn validate<S: Scalar>(&self) -> Result<(), OptimError> {
        let check = Check::<S>::of(Self::NAME);
        check.non_negative("learning_rate", self.learning_rate)?;
        check.fraction("rho", self.rho)?;
        check.positive("eps", self.eps)?;
        check.non_negative("weight_decay", self.weight_decay)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.learning_rate = rate;
    }

    fn buffers(&self) -> [Option<Buffer>; BUFFERS] {
        [Some(Buffer::zeros("square_avg")), Some(Buffer::zeros("acc_delta")), None]
    }

    fn step<S: Scalar>(&self, _: u64, _: &mut f64, pass: Pass<'_, S>) {
        let (rate, eps) = (S::of(self.learning_rate), S::of(self.eps));
        let (rho, rest) = (S::of(self.rho), S::of(1.0 - self.rho));
        pass.for_each(|part| {
            let decay = part.decay(self.weight_decay);
            let [square_avg, acc_delta, _] = part.buffers;
            vectorised(|| {
                let values =
                    part.theta.iter_mut().zip(part.gradient).zip(square_avg).zip(acc_delta);
                values.for_each(|(((theta, &g), v), u)| {
                    let g = g + decay * *theta;
                    *v = rho * *v + rest * g * g;
                    let delta = (*u + eps).sqrt() / (*v + eps).sqrt() * g;
                    *u = rho * *u + rest * delta * delta;
                    *theta -= rate * delta;
                });
            });
        });
    }

    fn to_config(&self) -> Option<OptimizerConfig> {
        Some(OptimizerConfig::Adadelta(self.clone()))
    }
}
