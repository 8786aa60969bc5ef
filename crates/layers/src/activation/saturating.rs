//! Activations that level off on both sides.

use chainrule_tensor::math::{abs, clamp, exp_neg};
use chainrule_tensor::{Number, math};

use super::{Formulas, if_less, nan_or};

/// `σ(a)`.
pub(super) struct Sigmoid;

impl Formulas for Sigmoid {
    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        math::sigmoid(a)
    }

    /// `σ'(a) = σ(a) σ(−a) = e / (1 + e)²` with `e = e^{−|a|}`: no cancellation in either tail.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        let e = exp_neg(abs(a));
        let d = N::constant(1.0) + e;
        e / (d * d)
    }
}

/// `tanh a`.
pub(super) struct Tanh;

impl Formulas for Tanh {
    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        math::tanh(a)
    }

    /// `tanh'(a) = 1 / cosh² a = 4 e / (1 + e)²` with `e = e^{−2|a|}`, where `1 − h²` would cancel.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        N::constant(4.0) * Sigmoid.derivative(a + a)
    }
}

/// `a / (1 + |a|)`.
pub(super) struct Softsign;

impl Formulas for Softsign {
    const LONG: bool = false;

    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        // Beyond 1e20 the quotient is ±1 in either type, at infinity too.
        let a = clamp(a, -1e20, 1e20);
        a / (N::constant(1.0) + abs(a))
    }

    /// `1 / (1 + |a|)²`, as a square of the quotient: the square of the denominator overflows while
    /// the derivative is still a number.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        let one = N::constant(1.0);
        let r = one / (one + abs(a));
        r * r
    }
}

/// `(a + 3)/6`, held between 0 and 1. Next to −3 the sum is exact, where `a/6 + 1/2` would cancel.
pub(super) struct HardSigmoid;

impl Formulas for HardSigmoid {
    const LONG: bool = false;

    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        clamp((a + N::constant(3.0)) / N::constant(6.0), 0.0, 1.0)
    }

    /// 1/6 for `−3 < a < 3`, else 0.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        let slope = if_less(abs(a), 3.0, N::constant(1.0 / 6.0), N::constant(0.0));
        nan_or(a, slope)
    }
}
