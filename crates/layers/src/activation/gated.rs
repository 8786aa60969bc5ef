//! Activations of the form `a · gate(a)` with a gate between 0 and 1.
//!
//! Far out the gate is 0 or 1 exactly; holding its argument there keeps `∞ · 0` away.

use chainrule_tensor::math::{abs, clamp, exp_neg, if_negative, normal_cdf, normal_pdf, sigmoid};
use chainrule_tensor::{Number, Scalar};

use super::{Formulas, if_less, nan_or};

/// Beyond it every gate here is 0 or 1 in either type.
const FAR: f64 = 1e3;

#[inline(always)]
fn near<N: Number>(a: N) -> N {
    clamp(a, -FAR, FAR)
}

/// `a · gate`, with `a` held from below, where the gate is 0.
#[inline(always)]
fn gated<N: Number>(a: N, gate: N) -> N {
    if_less(a, -FAR, N::constant(-FAR), a) * gate
}

/// `a Φ(a)` (Hendrycks and Gimpel 2016).
pub(super) struct Gelu;

impl Formulas for Gelu {
    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        gated(a, normal_cdf(near(a)))
    }

    /// `Φ(a) + a φ(a)`.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        let a = near(a);
        a.muladd(normal_pdf(a), normal_cdf(a))
    }
}

/// `a (1 + tanh u)/2 = a σ(2u)`, `u = √(2/π) (a + 0.044715 a³)`.
pub(super) struct GeluTanh;

/// `√(8/π)`, and `0.044715 √(8/π)`.
const LINEAR: f64 = 1.595_769_121_605_730_7;
const CUBIC: f64 = 0.071_354_816_272_600_25;

/// `2u = √(8/π) (a + 0.044715 a³)`, and the gate `(1 + tanh u)/2 = σ(2u)`.
///
/// `2u` is taken in `f64`, and what its rounding leaves is made good below 0: `f32` alone would
/// cost the lower tail, `e^{2u}` down to `2u = −90`, two of its digits.
#[inline(always)]
fn tanh_gate<N: Number>(a: N) -> (N, N) {
    let u2 = |a: N::Element| {
        let a = a.as_f64();
        a * (LINEAR + CUBIC * (a * a))
    };
    let rounded = a.each(|a| N::Element::of(u2(a)));
    let rest = a.zip(rounded, |a, rounded| N::Element::of(u2(a) - rounded.as_f64()));
    let gate = sigmoid(rounded);
    (rounded, if_negative(rounded, gate.muladd(rest, gate), gate))
}

impl Formulas for GeluTanh {
    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        let (_, gate) = tanh_gate(near(a));
        gated(a, gate)
    }

    /// `σ(2u) + a σ(2u) σ(−2u) · 2u'`.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        let a = near(a);
        let (u2, gate) = tanh_gate(a);
        let u2_derivative = N::constant(3.0 * CUBIC).muladd(a * a, N::constant(LINEAR));
        (a * gate * sigmoid(-u2)).muladd(u2_derivative, gate)
    }
}

/// `a σ(a)`.
pub(super) struct Silu;

impl Formulas for Silu {
    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        gated(a, sigmoid(a))
    }

    /// `σ(a) (1 + a σ(−a))`.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        let a = near(a);
        sigmoid(a) * a.muladd(sigmoid(-a), N::constant(1.0))
    }
}

/// 0 below −3, `a` above 3, `a (a + 3)/6` between (Howard et al. 2019).
pub(super) struct HardSwish;

impl Formulas for HardSwish {
    const LONG: bool = false;

    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        let between = a * (a + N::constant(3.0)) / N::constant(6.0);
        let up_to_3 = if_less(-a, 3.0, between, N::constant(0.0));
        if_less(a, 3.0, up_to_3, a)
    }

    /// 0 up to −3, 1 from 3 on, `(a + 3/2)/3` between.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        let between = (a + N::constant(1.5)) / N::constant(3.0);
        let up_to_3 = if_less(-a, 3.0, between, N::constant(0.0));
        nan_or(a, if_less(a, 3.0, up_to_3, N::constant(1.0)))
    }
}

/// `a tanh(ln(1 + e^a))` (Misra 2019), as a quotient of polynomials in `e^{−|a|}`.
pub(super) struct Mish;

/// `e^{−|a|}` and, with it, the numerator and the denominator of `tanh(ln(1 + e^a))`, both divided by the
/// denominator's largest power: `e² + 2e` over `e² + 2e + 2` below 0, `1 + 2e` over `1 + 2e + 2e²` above.
#[inline(always)]
fn mish_terms<N: Number>(a: N) -> (N, N, N) {
    let (one, two) = (N::constant(1.0), N::constant(2.0));
    let e = exp_neg(abs(a));
    let (below, above) = (e * (e + two), two.muladd(e, one));
    let numerator = if_negative(a, below, above);
    (e, numerator, if_negative(a, below + two, (two * e).muladd(one + e, one)))
}

impl Formulas for Mish {
    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        let (_, numerator, denominator) = mish_terms(a);
        gated(a, numerator / denominator)
    }

    /// `tanh s + a (1 − tanh² s) σ(a)` with `s = ln(1 + e^a)`.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        let a = near(a);
        let (one, four) = (N::constant(1.0), N::constant(4.0));
        let (e, numerator, denominator) = mish_terms(a);
        let power = if_negative(a, e, e * e);
        let slope = four * power * (one + e) / (denominator * denominator);
        a.muladd(slope, numerator / denominator)
    }
}
