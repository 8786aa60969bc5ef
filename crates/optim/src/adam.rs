//! Adam, and AdamW with its decoupled weight decay.

use chainrule_tensor::{Scalar, vectorised};
use serde::{Deserialize, Serialize};

use crate::{BUFFERS, Buffer, Check, FlatOptimizer, OptimError, OptimizerConfig, Pass, Rule};

/// Adam: running means of the gradient and its square, each corrected for starting at 0.
///
/// ```text
/// g ← ∇θ + λθ
/// m ← β₁m + (1 − β₁)g
/// v ← β₂v + (1 − β₂)g²
/// θ ← θ − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)
/// ```
///
/// ε stands outside the root and is not corrected. AMSGrad puts the largest v so far in v's place
/// under the root.
///
/// Source: Kingma and Ba, "Adam", 2015; Reddi, Kale, Kumar, "On the Convergence of Adam and
/// Beyond", 2018 (AMSGrad); PyTorch's `torch.optim.Adam`.
pub type Adam<S> = FlatOptimizer<AdamConfig, S>;

/// Adam with decoupled weight decay: `θ ← θ − ηλθ` first, then Adam's step with λ = 0 in it.
///
/// Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019; PyTorch's
/// `torch.optim.AdamW` (the learning rate multiplies the decay).
pub type AdamW<S> = FlatOptimizer<AdamWConfig, S>;

/// Hyperparameters of [`Adam`]; the defaults are PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// η, 0.001.
    pub learning_rate: f64,
    /// β₁ and β₂ in `[0, 1)`, 0.9 and 0.999.
    pub betas: [f64; 2],
    /// ε > 0, 1e-8.
    pub eps: f64,
    /// λ of the L2 penalty that is added to the gradient, 0.
    pub weight_decay: f64,
    /// Divides by the largest v so far.
    pub amsgrad: bool,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            betas: [0.9, 0.999],
            eps: 1e-8,
            weight_decay: 0.0,
            amsgrad: false,
        }
    }
}

/// Hyperparameters of [`AdamW`]; the defaults are PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWConfig {
    /// η, 0.001.
    pub learning_rate: f64,
    /// β₁ and β₂ in `[0, 1)`, 0.9 and 0.999.
    pub betas: [f64; 2],
    /// ε > 0, 1e-8.
    pub eps: f64,
    /// λ of the decay of θ itself, 0.01.
    pub weight_decay: f64,
    /// Divides by the largest v so far.
    pub amsgrad: bool,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            betas: [0.9, 0.999],
            eps: 1e-8,
            weight_decay: 1e-2,
            amsgrad: false,
        }
    }
}

/// `1 − βᵗ`.
pub(crate) fn bias_correction(beta: f64, step: u64) -> f64 {
    1.0 - libm::pow(beta, step as f64)
}

pub(crate) fn check_betas<S: Scalar>(check: Check<S>, betas: [f64; 2]) -> Result<(), OptimError> {
    check.fraction("betas[0]", betas[0])?;
    check.fraction("betas[1]", betas[1])
}

/// What the decay and the two means need, as it is the same for all parameters of a part.
#[derive(Clone, Copy)]
struct Factors<S> {
    decay: S,
    keep: S,
    rest1: S,
    beta2: S,
    rest2: S,
}

impl<S: Scalar> Factors<S> {
    /// Decays θ and moves both means. A closure in its place is not inlined, nor vectorised then.
    #[inline(always)]
    fn apply(self, theta: &mut S, g: S, m: &mut S, v: &mut S) {
        let g = g + self.decay * *theta;
        *theta *= self.keep;
        *m += self.rest1 * (g - *m);
        *v = self.beta2 * *v + self.rest2 * g * g;
    }
}

/// `coupled` is the λ in the gradient, `decoupled` the one of θ itself.
fn adam_step<S: Scalar>(
    rule: &AdamConfig,
    (coupled, decoupled): (f64, f64),
    step: u64,
    pass: Pass<'_, S>,
) {
    let [beta1, beta2] = rule.betas;
    // Numerator and denominator times √(1 − β₂ᵗ), which leaves one division (Kingma and
    // Ba, section 2). ε must not become 0 by it.
    let root = bias_correction(beta2, step).sqrt();
    let rate = S::of(rule.learning_rate / bias_correction(beta1, step) * root);
    let eps = S::of(rule.eps * root).max(S::min_positive_value());
    let (rest1, beta2, rest2) = (S::of(1.0 - beta1), S::of(beta2), S::of(1.0 - beta2));
    pass.for_each(|part| {
        let decay = part.decay(coupled);
        let keep = if part.decays { S::of(1.0 - rule.learning_rate * decoupled) } else { S::one() };
        let [exp_avg, exp_avg_sq, max_exp_avg_sq] = part.buffers;
        let values = part.theta.iter_mut().zip(part.gradient).zip(exp_avg).zip(exp_avg_sq);
        let factors = Factors { decay, keep, rest1, beta2, rest2 };
        if rule.amsgrad {
            vectorised(|| {
                values.zip(max_exp_avg_sq).for_each(|((((theta, &g), m), v), max)| {
                    factors.apply(theta, g, m, v);
                    // A NaN must get through.
                    *max = if *v < *max { *max } else { *v };
                    *theta -= rate * *m / (max.sqrt() + eps);
                });
            });
        } else {
            vectorised(|| {
                values.for_each(|(((theta, &g), m), v)| {
                    factors.apply(theta, g, m, v);
                    *theta -= rate * *m / (v.sqrt() + eps);
                });
            });
        }
    });
}

impl Rule for AdamConfig {
    const NAME: &'static str = "adam";

    fn validate<S: Scalar>(&self) -> Result<(), OptimError> {
        let check = Check::<S>::of(Self::NAME);
        check.non_negative("learning_rate", self.learning_rate)?;
        check_betas(check, self.betas)?;
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
        [
            Some(Buffer::zeros("exp_avg")),
            Some(Buffer::zeros("exp_avg_sq")),
            self.amsgrad.then(|| Buffer::zeros("max_exp_avg_sq")),
        ]
    }

    fn step<S: Scalar>(&self, step: u64, _: &mut f64, pass: Pass<'_, S>) {
        adam_step(self, (self.weight_decay, 0.0), step, pass);
    }

    fn to_config(&self) -> Option<OptimizerConfig> {
        Some(OptimizerConfig::Adam(self.clone()))
    }
}

impl AdamWConfig {
    fn as_adam(&self) -> AdamConfig {
        let Self { learning_rate, betas, eps, weight_decay, amsgrad } = *self;
        AdamConfig { learning_rate, betas, eps, weight_decay, amsgrad }
    }
}

impl Rule for AdamWConfig {
    const NAME: &'static str = "adamw";

    fn validate<S: Scalar>(&self) -> Result<(), OptimError> {
        let check = Check::<S>::of(Self::NAME);
        check.non_negative("learning_rate", self.learning_rate)?;
        check_betas(check, self.betas)?;
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
        self.as_adam().buffers()
    }

    fn step<S: Scalar>(&self, step: u64, _: &mut f64, pass: Pass<'_, S>) {
        adam_step(&self.as_adam(), (0.0, self.weight_decay), step, pass);
    }

    fn to_config(&self) -> Option<OptimizerConfig> {
        Some(OptimizerConfig::AdamW(self.clone()))
    }
}
