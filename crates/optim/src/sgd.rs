//! Gradient descent with momentum.

use chainrule_tensor::{Scalar, vectorised};
use serde::{Deserialize, Serialize};

use crate::{BUFFERS, Buffer, Check, FlatOptimizer, OptimError, OptimizerConfig, Pass, Rule};

/// Gradient descent, `θ ← θ − η∇θ`, with momentum, dampening, Nesterov's look-ahead and weight
/// decay by PyTorch's rules. It is full-batch, mini-batch or stochastic by the gradient it is fed.
///
/// With momentum μ, dampening d and weight decay λ a step is
///
/// ```text
/// g ← ∇θ + λθ
/// v ← μv + (1 − d)g          v ← g in the first step
/// θ ← θ − ηv                 Nesterov: θ ← θ − η(g + μv)
/// ```
///
/// The learning rate multiplies the velocity (in some texts it is inside), and the first step is
/// not dampened. Without momentum, dampening has no effect.
///
/// Source: PyTorch's `torch.optim.SGD`; Sutskever et al., "On the importance of initialization and
/// momentum in deep learning", 2013.
pub type Sgd<S> = FlatOptimizer<SgdConfig, S>;

/// Hyperparameters of [`Sgd`]; the defaults are PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// η, 0.001.
    pub learning_rate: f64,
    /// μ in `[0, 1)`; 0 is plain gradient descent.
    pub momentum: f64,
    /// d in `[0, 1]`, 0.
    pub dampening: f64,
    /// λ, 0.
    pub weight_decay: f64,
    /// Looks ahead along the velocity; needs momentum and no dampening.
    pub nesterov: bool,
}

impl Default for SgdConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            momentum: 0.0,
            dampening: 0.0,
            weight_decay: 0.0,
            nesterov: false,
        }
    }
}

impl Rule for SgdConfig {
    const NAME: &'static str = "sgd";

    fn validate<S: Scalar>(&self) -> Result<(), OptimError> {
        let check = Check::<S>::of(Self::NAME);
        check.non_negative("learning_rate", self.learning_rate)?;
        check.fraction("momentum", self.momentum)?;
        check.unit("dampening", self.dampening)?;
        check.non_negative("weight_decay", self.weight_decay)?;
        let ahead = !self.nesterov || self.momentum > 0.0;
        check.require(ahead, "momentum", self.momentum, "above 0 with nesterov")?;
        let plain = !self.nesterov || self.dampening == 0.0;
        check.require(plain, "dampening", self.dampening, "0 with nesterov")
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.learning_rate = rate;
    }

    fn buffers(&self) -> [Option<Buffer>; BUFFERS] {
        [(self.momentum != 0.0).then(|| Buffer::zeros("momentum_buffer")), None, None]
    }

    fn is_plain(&self) -> bool {
        self.momentum == 0.0 && self.weight_decay == 0.0
    }

    fn step<S: Scalar>(&self, step: u64, _: &mut f64, pass: Pass<'_, S>) {
        let (rate, momentum) = (S::of(self.learning_rate), S::of(self.momentum));
        let fresh = if step == 1 { S::one() } else { S::of(1.0 - self.dampening) };
        pass.for_each(|part| {
            let decay = part.decay(self.weight_decay);
            let [velocity, ..] = part.buffers;
            let pairs = part.theta.iter_mut().zip(part.gradient);
            if self.is_plain() {
                vectorised(|| pairs.for_each(|(theta, &g)| *theta -= rate * g));
            } else if self.momentum == 0.0 {
                vectorised(|| pairs.for_each(|(theta, &g)| *theta -= rate * (g + decay * *theta)));
            } else if self.nesterov {
                vectorised(|| {
                    pairs.zip(velocity).for_each(|((theta, &g), v)| {
                        let g = g + decay * *theta;
                        *v = momentum * *v + fresh * g;
                        *theta -= rate * (g + momentum * *v);
                    });
                });
            } else {
                vectorised(|| {
                    pairs.zip(velocity).for_each(|((theta, &g), v)| {
                        *v = momentum * *v + fresh * (g + decay * *theta);
                        *theta -= rate * *v;
                    });
                });
            }
        });
    }

    fn to_config(&self) -> Option<OptimizerConfig> {
        Some(OptimizerConfig::Sgd(self.clone()))
    }
}
