//! NAdam: Adam with Nesterov's momentum.

use chainrule_tensor::{Scalar, vectorised};
use serde::{Deserialize, Serialize};

use crate::adam::{bias_correction, check_betas};
use crate::{BUFFERS, Buffer, Check, FlatOptimizer, OptimError, OptimizerConfig, Pass, Rule};

/// NAdam: Adam whose momentum looks one step ahead, with a momentum that warms up.
///
/// ```text
/// μ_t = β₁(1 − ½·0.96^{tψ}),   Π_t = μ_1 ··· μ_t
/// g ← ∇θ + λθ                  decoupled: θ ← θ − ηλθ, g ← ∇θ
/// m ← β₁m + (1 − β₁)g
/// v ← β₂v + (1 − β₂)g²
/// r ← √(v/(1 − β₂ᵗ)) + ε
/// θ ← θ − η(1 − μ_t)/(1 − Π_t) · g/r − ημ_{t+1}/(1 − Π_{t+1}) · m/r
/// ```
///
/// Source: Dozat, "Incorporating Nesterov Momentum into Adam", 2016; PyTorch's
/// `torch.optim.NAdam`.
pub type NAdam<S> = FlatOptimizer<NAdamConfig, S>;

/// Hyperparameters of [`NAdam`]; the defaults are PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NAdamConfig {
    /// η, 0.002.
    pub learning_rate: f64,
    /// β₁ and β₂ in `[0, 1)`, 0.9 and 0.999.
    pub betas: [f64; 2],
    /// ε > 0, 1e-8.
    pub eps: f64,
    /// λ, 0.
    pub weight_decay: f64,
    /// ψ, 0.004.
    pub momentum_decay: f64,
    /// Decays θ itself, as AdamW does, instead of adding to the gradient.
    pub decoupled_weight_decay: bool,
}

impl Default for NAdamConfig {
    fn default() -> Self {
        Self {
            learning_rate: 2e-3,
            betas: [0.9, 0.999],
            eps: 1e-8,
            weight_decay: 0.0,
            momentum_decay: 4e-3,
            decoupled_weight_decay: false,
        }
    }
}

impl Rule for NAdamConfig {
    const NAME: &'static str = "nadam";

    fn validate<S: Scalar>(&self) -> Result<(), OptimError> {
        let check = Check::<S>::of(Self::NAME);
        check.non_negative("learning_rate", self.learning_rate)?;
        check_betas(check, self.betas)?;
        check.positive("eps", self.eps)?;
        check.non_negative("weight_decay", self.weight_decay)?;
        check.non_negative("momentum_decay", self.momentum_decay)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.learning_rate = rate;
    }

    fn buffers(&self) -> [Option<Buffer>; BUFFERS] {
        [Some(Buffer::zeros("exp_avg")), Some(Buffer::zeros("exp_avg_sq")), None]
    }

    fn step<S: Scalar>(&self, step: u64, mu_product: &mut f64, pass: Pass<'_, S>) {
        let [beta1, beta2] = self.betas;
        let mu = |t: f64| beta1 * (1.0 - 0.5 * libm::pow(0.96, t * self.momentum_decay));
        let (mu_now, mu_next) = (mu(step as f64), mu(step as f64 + 1.0));
        *mu_product *= mu_now;
        // Numerators and denominator times √(1 − β₂ᵗ), which leaves one division. ε must not
        // become 0 by it.
        let root = bias_correction(beta2, step).sqrt();
        let rate = self.learning_rate * root;
        let gradient_rate = S::of(rate * (1.0 - mu_now) / (1.0 - *mu_product));
        let moment_rate = S::of(rate * mu_next / (1.0 - *mu_product * mu_next));
        let eps = S::of(self.eps * root).max(S::min_positive_value());
        let (rest1, beta2, rest2) = (S::of(1.0 - beta1), S::of(beta2), S::of(1.0 - beta2));
        let (coupled, decoupled) = match self.decoupled_weight_decay {
            true => (0.0, self.weight_decay),
            false => (self.weight_decay, 0.0),
        };
        pass.for_each(|part| {
            let decay = part.decay(coupled);
            let keep =
                if part.decays { S::of(1.0 - self.learning_rate * decoupled) } else { S::one() };
            let [exp_avg, exp_avg_sq, _] = part.buffers;
            vectorised(|| {
                let values = part.theta.iter_mut().zip(part.gradient).zip(exp_avg).zip(exp_avg_sq);
                values.for_each(|(((theta, &g), m), v)| {
                    let g = g + decay * *theta;
                    *theta *= keep;
                    *m += rest1 * (g - *m);
                    *v = beta2 * *v + rest2 * g * g;
                    *theta -= (gradient_rate * g + moment_rate * *m) / (v.sqrt() + eps);
                });
            });
        });
    }

    fn to_config(&self) -> Option<OptimizerConfig> {
        Some(OptimizerConfig::NAdam(self.clone()))
    }
}
