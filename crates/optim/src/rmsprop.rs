//! RMSprop.

use chainrule_tensor::{Scalar, vectorised};
use serde::{Deserialize, Serialize};

use crate::{BUFFERS, Buffer, Check, FlatOptimizer, OptimError, OptimizerConfig, Pass, Rule};

/// RMSprop: the gradient over a running root mean square of itself.
///
/// ```text
/// g ← ∇θ + λθ
/// v ← αv + (1 − α)g²
/// r ← √v + ε                 centered: m ← αm + (1 − α)g,  r ← √(v − m²) + ε
/// θ ← θ − ηg/r               momentum: b ← μb + g/r,  θ ← θ − ηb
/// ```
///
/// ε stands outside the root. Where rounding makes `v − m²` negative it counts as 0 (PyTorch gets
/// NaN there).
///
/// Source: Tieleman and Hinton, "Lecture 6.5", Coursera, 2012; Graves, "Generating Sequences",
/// 2013 (centered); PyTorch's `torch.optim.RMSprop`.
pub type RmsProp<S> = FlatOptimizer<RmsPropConfig, S>;

/// Hyperparameters of [`RmsProp`]; the defaults are PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RmsPropConfig {
    /// η, 0.01.
    pub learning_rate: f64,
    /// α in `[0, 1)`, 0.99.
    pub alpha: f64,
    /// ε > 0, 1e-8.
    pub eps: f64,
    /// λ, 0.
    pub weight_decay: f64,
    /// μ in `[0, 1)`, 0.
    pub momentum: f64,
    /// Divides by an estimate of the standard deviation instead.
    pub centered: bool,
}

impl Default for RmsPropConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-2,
            alpha: 0.99,
            eps: 1e-8,
            weight_decay: 0.0,
            momentum: 0.0,
            centered: false,
        }
    }
}

/// The running means. Methods, as closures in their place are not inlined, nor vectorised then.
#[derive(Clone, Copy)]
struct Mean<S> {
    alpha: S,
    rest: S,
    eps: S,
}

impl<S: Scalar> Mean<S> {
    /// Moves v and returns `g / (√v + ε)`.
    #[inline(always)]
    fn scale(self, v: &mut S, g: S) -> S {
        *v = self.alpha * *v + self.rest * g * g;
        g / (v.sqrt() + self.eps)
    }

    /// Moves v and m and returns `g / (√(v − m²) + ε)`.
    #[inline(always)]
    fn scale_centered(self, v: &mut S, m: &mut S, g: S) -> S {
        *v = self.alpha * *v + self.rest * g * g;
        *m += self.rest * (g - *m);
        let variance = *v - *m * *m;
        // Not `max`, which would turn a NaN into 0.
        let variance = if variance < S::zero() { S::zero() } else { variance };
        g / (variance.sqrt() + self.eps)
    }
}

impl Rule for RmsPropConfig {
    const NAME: &'static str = "rmsprop";

    fn validate<S: Scalar>(&self) -> Result<(), OptimError> {
        let check = Check::<S>::of(Self::NAME);
        check.non_negative("learning_rate", self.learning_rate)?;
        check.fraction("alpha", self.alpha)?;
        check.positive("eps", self.eps)?;
        check.non_negative("weight_decay", self.weight_decay)?;
        check.fraction("momentum", self.momentum)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.learning_rate = rate;
    }

    fn buffers(&self) -> [Option<Buffer>; BUFFERS] {
        [
            Some(Buffer::zeros("square_avg")),
            self.centered.then(|| Buffer::zeros("grad_avg")),
            (self.momentum != 0.0).then(|| Buffer::zeros("momentum_buffer")),
        ]
    }

    fn step<S: Scalar>(&self, _: u64, _: &mut f64, pass: Pass<'_, S>) {
        let (rate, momentum) = (S::of(self.learning_rate), S::of(self.momentum));
        let (alpha, rest, eps) = (S::of(self.alpha), S::of(1.0 - self.alpha), S::of(self.eps));
        let mean = Mean { alpha, rest, eps };
        pass.for_each(|part| {
            let decay = part.decay(self.weight_decay);
            let [square_avg, grad_avg, buffer] = part.buffers;
            let values = part.theta.iter_mut().zip(part.gradient).zip(square_avg);
            match (self.centered, self.momentum != 0.0) {
                (false, false) => vectorised(|| {
                    values.for_each(|((theta, &g), v)| {
                        *theta -= rate * mean.scale(v, g + decay * *theta)
                    });
                }),
                (true, false) => vectorised(|| {
                    values.zip(grad_avg).for_each(|(((theta, &g), v), m)| {
                        *theta -= rate * mean.scale_centered(v, m, g + decay * *theta);
                    });
                }),
                (false, true) => vectorised(|| {
                    values.zip(buffer).for_each(|(((theta, &g), v), b)| {
                        *b = momentum * *b + mean.scale(v, g + decay * *theta);
                        *theta -= rate * *b;
                    });
                }),
                (true, true) => vectorised(|| {
                    values.zip(grad_avg).zip(buffer).for_each(|((((theta, &g), v), m), b)| {
                        *b = momentum * *b + mean.scale_centered(v, m, g + decay * *theta);
                        *theta -= rate * *b;
                    });
                }),
            }
        });
    }

    fn to_config(&self) -> Option<OptimizerConfig> {
        Some(OptimizerConfig::RmsProp(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecayOn, Optimizer};

    #[test]
    fn a_constant_gradient_never_roots_a_negative_number() {
        let rule = RmsPropConfig { centered: true, alpha: 0.5, ..RmsPropConfig::default() };
        let mut rmsprop = RmsProp::<f32>::new(rule, 3, DecayOn::All).unwrap();
        let mut theta = [0.0; 3];
        for _ in 0..200 {
            rmsprop.step(&mut theta, &[0.1, 0.3, 7.7]).unwrap();
            assert!(theta.iter().all(|x| x.is_finite()), "{theta:?}");
        }
        rmsprop.step(&mut theta, &[f32::NAN, 0.3, 7.7]).unwrap();
        assert!(theta[0].is_nan() && !theta[1].is_nan());
    }
}
