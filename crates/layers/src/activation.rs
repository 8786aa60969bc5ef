//! Activations `h = g(a)` and their derivatives `g'(a)`, elementwise.

mod gated;
mod names;
mod rectifiers;
mod saturating;

use chainrule_tensor::kernels::{map, zip_map};
use chainrule_tensor::{Scalar, Threads, math};
use serde::{Deserialize, Serialize};

use crate::LayerError;
use gated::*;
use rectifiers::*;
use saturating::*;

/// The activation `g` of a layer, applied to every pre-activation.
///
/// Values and derivatives hold their relative accuracy into the tails and at ±∞; a NaN stays one.
/// At kinks the derivative is PyTorch's choice (`relu'(0) = 0`). Names read as PyTorch's
/// functions do, with the parameter in brackets, by itself or named as in
/// `leaky_relu(negative_slope=0.1)`:
///
/// ```
/// use chainrule_layers::Activation;
/// let g: Activation = "leaky_relu(0.1)".parse()?;
/// assert_eq!(g.value(-2.0_f64), -0.2);
/// assert_eq!(g.derivative(-2.0_f64), 0.1);
/// assert_eq!(g.to_string(), "leaky_relu(0.1)");
/// # Ok::<(), chainrule_layers::LayerError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Activation {
    /// `a`.
    #[default]
    Identity,
    /// `σ(a) = 1 / (1 + e^{−a})`, the lecture's logistic function.
    Sigmoid,
    /// `tanh a`.
    Tanh,
    /// `max(a, 0)`.
    Relu,
    /// `a` above 0, `slope · a` below.
    LeakyRelu {
        /// Slope below 0; PyTorch's default is 0.01.
        slope: f64,
    },
    /// `a` above 0, `α (e^a − 1)` below (Clevert et al. 2015).
    Elu {
        /// The limit at −∞ is `−α`.
        alpha: f64,
    },
    /// ELU with the scale and α that keep mean 0 and variance 1 (Klambauer et al. 2017).
    Selu,
    /// `a Φ(a)` with the normal distribution Φ (Hendrycks and Gimpel 2016).
    Gelu,
    /// GELU's approximation `a (1 + tanh(√(2/π)(a + 0.044715 a³))) / 2`.
    GeluTanh,
    /// `a σ(a)`, also called swish.
    Silu,
    /// `ln(1 + e^a)`.
    Softplus,
    /// `a / (1 + |a|)`.
    Softsign,
    /// `a/6 + 1/2`, held between 0 and 1.
    HardSigmoid,
    /// `a` times the hard sigmoid.
    HardSwish,
    /// `a tanh(ln(1 + e^a))` (Misra 2019).
    Mish,
}

/// What is done with the pair of formulas of an activation.
trait Visit<S: Scalar> {
    type Output;
    fn visit(self, g: impl Fn(S) -> S + Sync, derivative: impl Fn(S) -> S + Sync) -> Self::Output;
}

impl Activation {
    /// Every activation once, with PyTorch's default parameters.
    pub const ALL: [Self; 15] = [
        Self::Identity,
        Self::Sigmoid,
        Self::Tanh,
        Self::Relu,
        Self::LeakyRelu { slope: 0.01 },
        Self::Elu { alpha: 1.0 },
        Self::Selu,
        Self::Gelu,
        Self::GeluTanh,
        Self::Silu,
        Self::Softplus,
        Self::Softsign,
        Self::HardSigmoid,
        Self::HardSwish,
        Self::Mish,
    ];

    fn with<S: Scalar, V: Visit<S>>(self, v: V) -> V::Output {
        match self {
            Self::Identity => v.visit(|a| a, |a| nan_or(a, S::one())),
            Self::Sigmoid => v.visit(math::sigmoid, sigmoid_derivative),
            Self::Tanh => v.visit(math::tanh, tanh_derivative),
            Self::Relu => v.visit(relu, relu_derivative),
            // Slope times −∞ would be NaN.
            Self::LeakyRelu { slope: 0.0 } => v.visit(relu, relu_derivative),
            Self::LeakyRelu { slope } => {
                let slope = S::of(slope);
                v.visit(|a| leaky_relu(a, slope), |a| leaky_relu_derivative(a, slope))
            }
            Self::Elu { alpha } => {
                let (alpha, one) = (S::of(alpha), S::one());
                v.visit(|a| elu(a, alpha, one), |a| elu_derivative(a, alpha, one))
            }
            Self::Selu => {
                let (alpha, scale) = (S::of(SELU_ALPHA), S::of(SELU_SCALE));
                v.visit(|a| elu(a, alpha, scale), |a| elu_derivative(a, alpha, scale))
            }
            Self::Gelu => v.visit(gelu, gelu_derivative),
            Self::GeluTanh => v.visit(gelu_tanh, gelu_tanh_derivative),
            Self::Silu => v.visit(silu, silu_derivative),
            Self::Softplus => v.visit(math::softplus, math::sigmoid),
            Self::Softsign => v.visit(softsign, softsign_derivative),
            Self::HardSigmoid => v.visit(hard_sigmoid, hard_sigmoid_derivative),
            Self::HardSwish => v.visit(hard_swish, hard_swish_derivative),
            Self::Mish => v.visit(mish, mish_derivative),
        }
    }

    /// `g(a)` of one number.
    pub fn value<S: Scalar>(self, a: S) -> S {
        let mut h = [S::zero()];
        self.apply(&[a], &mut h, &Threads::one());
        h[0]
    }

    /// `g'(a)` of one number.
    pub fn derivative<S: Scalar>(self, a: S) -> S {
        let mut grad_a = [S::zero()];
        self.backward(&[a], &[S::one()], &mut grad_a, &Threads::one());
        grad_a[0]
    }

    /// `h = g(a)`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn apply<S: Scalar>(self, a: &[S], h: &mut [S], threads: &Threads) {
        struct Apply<'a, S>(&'a [S], &'a mut [S], &'a Threads);
        impl<S: Scalar> Visit<S> for Apply<'_, S> {
            type Output = ();
            fn visit(self, g: impl Fn(S) -> S + Sync, _: impl Fn(S) -> S + Sync) {
                map(self.0, self.1, g, self.2);
            }
        }
        self.with(Apply(a, h, threads));
    }

    /// `∇_a L = ∇_h L ⊙ g'(a)`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn backward<S: Scalar>(self, a: &[S], grad_h: &[S], grad_a: &mut [S], threads: &Threads) {
        struct Backward<'a, S>(&'a [S], &'a [S], &'a mut [S], &'a Threads);
        impl<S: Scalar> Visit<S> for Backward<'_, S> {
            type Output = ();
            fn visit(self, _: impl Fn(S) -> S + Sync, derivative: impl Fn(S) -> S + Sync) {
                let product = |a, grad_h| grad_h * derivative(a);
                zip_map(self.0, self.1, self.2, product, self.3);
            }
        }
        self.with(Backward(a, grad_h, grad_a, threads));
    }

    /// The points between the pieces that `g` is made of, where its derivative jumps or (ELU with
    /// α = 1, softsign) has a corner, so that a central difference across them is no measure of
    /// `g'`; none for a smooth activation.
    pub fn kinks(self) -> &'static [f64] {
        match self {
            Self::Relu | Self::LeakyRelu { .. } => &[0.0],
            Self::Elu { .. } | Self::Selu | Self::Softsign => &[0.0],
            Self::HardSigmoid | Self::HardSwish => &[-3.0, 3.0],
            _ => &[],
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`LayerError::Value`] for a slope or α that is not finite.
    pub fn validate(self) -> Result<(), LayerError> {
        match self {
            Self::LeakyRelu { slope: found } if !found.is_finite() => {
                Err(LayerError::Value { name: "leaky_relu's slope", found, expected: "finite" })
            }
            Self::Elu { alpha: found } if !found.is_finite() => {
                Err(LayerError::Value { name: "elu's alpha", found, expected: "finite" })
            }
            _ => Ok(()),
        }
    }
}

/// `value`, or NaN where `a` is.
#[inline(always)]
fn nan_or<S: Scalar>(a: S, value: S) -> S {
    if a.is_nan() { a } else { value }
}
