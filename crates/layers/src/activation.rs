//! Activations `h = g(a)` and their derivatives `g'(a)`, elementwise.

mod gated;
mod names;
mod rectifiers;
mod saturating;

use chainrule_tensor::kernels::{Formula, map, zip_map};
use chainrule_tensor::num_traits::{Float, Zero};
use chainrule_tensor::{Number, Scalar, Threads};
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

/// An activation's formulas.
trait Formulas: Sync {
    /// As [`Formula::LONG`].
    const LONG: bool = true;

    /// `g(a)`.
    fn value<N: Number>(&self, a: N) -> N;

    /// `g'(a)`.
    fn derivative<N: Number>(&self, a: N) -> N;
}

/// What is done with the formulas of an activation.
trait Visit {
    fn visit(self, g: impl Formulas);
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

    fn with(self, v: impl Visit) {
        match self {
            Self::Identity => v.visit(Identity),
            Self::Sigmoid => v.visit(Sigmoid),
            Self::Tanh => v.visit(Tanh),
            Self::Relu => v.visit(Relu),
            // Slope times −∞ would be NaN.
            Self::LeakyRelu { slope: 0.0 } => v.visit(Relu),
            Self::LeakyRelu { slope } => v.visit(LeakyRelu { slope }),
            Self::Elu { alpha } => v.visit(Elu { alpha, scale: 1.0 }),
            Self::Selu => v.visit(Elu::SELU),
            Self::Gelu => v.visit(Gelu),
            Self::GeluTanh => v.visit(GeluTanh),
            Self::Silu => v.visit(Silu),
            Self::Softplus => v.visit(Softplus),
            Self::Softsign => v.visit(Softsign),
            Self::HardSigmoid => v.visit(HardSigmoid),
            Self::HardSwish => v.visit(HardSwish),
            Self::Mish => v.visit(Mish),
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
        struct Value<G>(G);
        impl<S: Scalar, G: Formulas> Formula<S, 1> for Value<G> {
            const LONG: bool = G::LONG;

            #[inline(always)]
            fn at<N: Number<Element = S>>(&self, [a]: [N; 1]) -> N {
                self.0.value(a)
            }
        }
        impl<S: Scalar> Visit for Apply<'_, S> {
            fn visit(self, g: impl Formulas) {
                map(self.0, self.1, Value(g), self.2);
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
        struct Product<G>(G);
        impl<S: Scalar, G: Formulas> Formula<S, 2> for Product<G> {
            const LONG: bool = G::LONG;

            #[inline(always)]
            fn at<N: Number<Element = S>>(&self, [a, grad_h]: [N; 2]) -> N {
                grad_h * self.0.derivative(a)
            }
        }
        impl<S: Scalar> Visit for Backward<'_, S> {
            fn visit(self, g: impl Formulas) {
                zip_map(self.0, self.1, self.2, Product(g), self.3);
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

    /// Checks the parameters, which must be numbers of `f32`, too: beyond its range a product with 0 would be
    /// NaN, and so would −∞ times a slope that is 0 there.
    ///
    /// # Errors
    /// [`LayerError::Value`] for a slope or α that is not finite in `f32`, or a slope that is 0 only there.
    pub fn validate(self) -> Result<(), LayerError> {
        let finite = |x: f64| (x as f32).is_finite();
        match self {
            Self::LeakyRelu { slope: found }
                if !finite(found) || (found != 0.0 && found as f32 == 0.0) =>
            {
                let expected = "0, or finite and not 0 in f32";
                Err(LayerError::Value { name: "leaky_relu's slope", found, expected })
            }
            Self::Elu { alpha: found } if !finite(found) => {
                let expected = "finite in f32";
                Err(LayerError::Value { name: "elu's alpha", found, expected })
            }
            _ => Ok(()),
        }
    }
}

/// `value`, or NaN where `a` is.
#[inline(always)]
fn nan_or<N: Number>(a: N, value: N) -> N {
    a.select(Float::is_nan, a, value)
}

/// `yes` where `x > 0`, else `no`, where `x` is NaN, too.
#[inline(always)]
fn if_positive<N: Number>(x: N, yes: N, no: N) -> N {
    x.select(|x| x > Zero::zero(), yes, no)
}

/// `yes` where `x < limit`, else `no`, where `x` is NaN, too.
#[inline(always)]
fn if_less<N: Number>(x: N, limit: f64, yes: N, no: N) -> N {
    let limit = N::Element::of(limit);
    x.select(|x| x < limit, yes, no)
}
