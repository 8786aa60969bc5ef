//! The two element types, `f32` and `f64`, behind one trait.

use std::fmt::{Debug, Display, LowerExp};
use std::iter::Sum;

use num_traits::{Float, NumAssign};

use crate::math::Constants;
use crate::product::{Lanes, Product};

/// An element of a matrix: `f32` or `f64`.
///
/// Training runs in `f32`, checks of derivatives in `f64`. The trait is sealed: everything in the
/// workspace is proved for these two types. Arithmetic comes from [`num_traits::Float`]; the fast
/// transcendental functions stand in [`crate::math`].
pub trait Scalar:
    Float
    + NumAssign
    + Sum
    + Default
    + Debug
    + Display
    + LowerExp
    + Send
    + Sync
    + Constants
    + Lanes
    + Product
    + 'static
{
    /// The type's name, `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// The nearest value of this type to `x`.
    ///
    /// ```
    /// use chainrule_tensor::Scalar;
    /// assert_eq!(f32::of(0.1), 0.1_f32);
    /// ```
    fn of(x: f64) -> Self;

    /// This value as `f64`, exactly.
    fn as_f64(self) -> f64;
}

impl Scalar for f32 {
    const NAME: &'static str = "f32";

    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }

    #[inline(always)]
    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Scalar for f64 {
    const NAME: &'static str = "f64";

    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn as_f64(self) -> f64 {
        self
    }
}
