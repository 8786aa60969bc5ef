//! Activations with one shape below 0 and the identity above.

use chainrule_tensor::math::{exp_m1_neg, exp_neg, if_negative};
use chainrule_tensor::{Number, math};

use super::{Formulas, if_positive, nan_or};

/// `a`.
pub(super) struct Identity;

impl Formulas for Identity {
    const LONG: bool = false;

    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        a
    }

    /// 1.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        nan_or(a, N::constant(1.0))
    }
}

/// `max(a, 0)`.
pub(super) struct Relu;

impl Formulas for Relu {
    const LONG: bool = false;

    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        if_negative(a, N::constant(0.0), a)
    }

    /// 1 for `a > 0`, else 0 (the lecture and PyTorch: 0 at 0).
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        nan_or(a, if_positive(a, N::constant(1.0), N::constant(0.0)))
    }
}

/// `a` above 0, `slope · a` below.
pub(super) struct LeakyRelu {
    pub(super) slope: f64,
}

impl Formulas for LeakyRelu {
    const LONG: bool = false;

    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        if_positive(a, a, N::constant(self.slope) * a)
    }

    /// 1 for `a > 0`, else the slope.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        nan_or(a, if_positive(a, N::constant(1.0), N::constant(self.slope)))
    }
}

/// `a` above 0, `α (e^a − 1)` below, all times `scale`.
pub(super) struct Elu {
    pub(super) alpha: f64,
    pub(super) scale: f64,
}

impl Elu {
    /// SELU's α and scale (Klambauer et al. 2017, appendix).
    pub(super) const SELU: Self =
        Self { alpha: 1.673_263_242_354_377_2, scale: 1.050_700_987_355_480_5 };
}

impl Formulas for Elu {
    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        let below = N::constant(self.alpha) * exp_m1_neg(-a);
        N::constant(self.scale) * if_positive(a, a, below)
    }

    /// 1 above 0, `α e^a` below and at 0, all times `scale`.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        let below = N::constant(self.alpha) * exp_neg(-a);
        N::constant(self.scale) * if_positive(a, N::constant(1.0), below)
    }
}

/// `ln(1 + e^a)`.
pub(super) struct Softplus;

impl Formulas for Softplus {
    #[inline(always)]
    fn value<N: Number>(&self, a: N) -> N {
        math::softplus(a)
    }

    /// `σ(a)`.
    #[inline(always)]
    fn derivative<N: Number>(&self, a: N) -> N {
        math::sigmoid(a)
    }
}
