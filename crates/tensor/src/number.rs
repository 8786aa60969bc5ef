//! What formulas are written for: one number, or several side by side.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::Scalar;

/// An operand of a formula: a number, or several that the formula is worked out for at a time.
///
/// A formula that is generic over it, as those of [`crate::math`] are, serves a single `f32` or `f64`
/// and, in a [`crate::kernels::Formula`], the vectors of a slice. Operators act on each number by itself.
///
/// ```
/// use chainrule_tensor::{Number, math};
/// /// `e^{−x²}`.
/// fn bell<N: Number>(x: N) -> N {
///     math::exp_neg(x * x)
/// }
/// assert_eq!(bell(0.0_f32), 1.0);
/// ```
pub trait Number:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The type of one number.
    type Element: Scalar;

    /// `x`, as often as there are numbers.
    fn all(x: Self::Element) -> Self;

    /// The nearest value of the element type to `x`, as often as there are numbers.
    #[inline(always)]
    fn constant(x: f64) -> Self {
        Self::all(Self::Element::of(x))
    }

    /// `self · y + z`: rounded once where a [`Formula`](crate::kernels::Formula) is worked out by a
    /// processor with such an operation, twice elsewhere, of a plain number always.
    fn muladd(self, y: Self, z: Self) -> Self;

    /// `f` of each number.
    fn each(self, f: impl Fn(Self::Element) -> Self::Element) -> Self;

    /// `f` of each pair of numbers.
    fn zip(self, other: Self, f: impl Fn(Self::Element, Self::Element) -> Self::Element) -> Self;

    /// For each number, `yes` if it passes the test, else `no`.
    fn select(self, test: impl Fn(Self::Element) -> bool, yes: Self, no: Self) -> Self;
}

impl<S: Scalar> Number for S {
    type Element = S;

    #[inline(always)]
    fn all(x: S) -> S {
        x
    }

    #[inline(always)]
    fn muladd(self, y: S, z: S) -> S {
        self * y + z
    }

    #[inline(always)]
    fn each(self, f: impl Fn(S) -> S) -> S {
        f(self)
    }

    #[inline(always)]
    fn zip(self, other: S, f: impl Fn(S, S) -> S) -> S {
        f(self, other)
    }

    #[inline(always)]
    fn select(self, test: impl Fn(S) -> bool, yes: S, no: S) -> S {
        if test(self) { yes } else { no }
    }
}

/// `K` numbers side by side, for processors with fused operations; elsewhere those are calls.
///
/// A vector's operations wait for each other. In a loop whose every step takes `K` numbers, those of
/// `K` vectors alternate.
#[derive(Clone, Copy)]
pub(crate) struct Fused<S, const K: usize>(pub(crate) [S; K]);

macro_rules! operator {
    ($operator:ident, $of:ident) => {
        impl<S: Scalar, const K: usize> $operator for Fused<S, K> {
            type Output = Self;

            #[inline(always)]
            fn $of(self, other: Self) -> Self {
                self.zip(other, $operator::$of)
            }
        }
    };
}

operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl<S: Scalar, const K: usize> Neg for Fused<S, K> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        self.each(Neg::neg)
    }
}

impl<S: Scalar, const K: usize> Number for Fused<S, K> {
    type Element = S;

    #[inline(always)]
    fn all(x: S) -> Self {
        Self([x; K])
    }

    #[inline(always)]
    fn muladd(mut self, y: Self, z: Self) -> Self {
        for k in 0..K {
            self.0[k] = self.0[k].mul_add(y.0[k], z.0[k]);
        }
        self
    }

    #[inline(always)]
    fn each(mut self, f: impl Fn(S) -> S) -> Self {
        for k in 0..K {
            self.0[k] = f(self.0[k]);
        }
        self
    }

    #[inline(always)]
    fn zip(mut self, other: Self, f: impl Fn(S, S) -> S) -> Self {
        for k in 0..K {
            self.0[k] = f(self.0[k], other.0[k]);
        }
        self
    }

    #[inline(always)]
    fn select(mut self, test: impl Fn(S) -> bool, yes: Self, no: Self) -> Self {
        for k in 0..K {
            self.0[k] = if test(self.0[k]) { yes.0[k] } else { no.0[k] };
        }
        self
    }
}
