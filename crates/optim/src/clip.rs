//! Gradient clipping.
//!
//! Gradients that are not finite are never made to look finite: by norm, the gradient is left as
//! it is and the norm returned is infinite or NaN; by value, infinities and NaN stay where they
//! are. (PyTorch scales the first to NaN and cuts an infinity down to the limit.) So a check of the
//! norm after clipping finds divergence, and the gradient still shows where it began.

use chainrule_tensor::{Scalar, vectorised};
use serde::{Deserialize, Serialize};

use crate::{Check, OptimError};

/// Partial sums kept side by side.
const LANES: usize = 16;

/// How to clip, as configuration.
///
/// ```
/// use chainrule_optim::GradientClip;
/// let clip: GradientClip = serde_json::from_str(r#"{"norm": 1.0}"#).unwrap();
/// let mut gradient = [3.0_f32, 4.0];
/// assert_eq!(clip.apply(&mut gradient), Some(5.0));
/// assert!((gradient[0] - 0.6).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GradientClip {
    /// [`clip_by_norm`] with this largest norm.
    Norm(f64),
    /// [`clip_by_value`] with this largest absolute value.
    Value(f64),
}

impl GradientClip {
    /// Checks the limit.
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] unless it is finite and above 0.
    pub fn validate(self) -> Result<(), OptimError> {
        let check = Check::<f64>::of("gradient clipping");
        match self {
            Self::Norm(limit) => check.positive("norm", limit),
            Self::Value(limit) => check.positive("value", limit),
        }
    }

    /// Clips the gradient; the norm it had before, where clipping is by norm.
    ///
    /// # Panics
    /// If the limit is negative or NaN, which [`validate`](Self::validate) tells before.
    pub fn apply<S: Scalar>(self, gradient: &mut [S]) -> Option<f64> {
        match self {
            Self::Norm(limit) => Some(clip_by_norm(gradient, limit)),
            Self::Value(limit) => {
                clip_by_value(gradient, limit);
                None
            }
        }
    }
}

/// Scales the gradient by `max_norm / (‖∇‖ + 1e-6)` where that is below 1, and returns the norm
/// ‖∇‖ it had before. If the norm is infinite or NaN the gradient stays as it is.
///
/// Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks",
/// 2013; PyTorch's `clip_grad_norm_`.
///
/// # Panics
/// If `max_norm` is negative or NaN.
///
/// ```
/// let mut gradient = [30.0_f64, 40.0];
/// assert_eq!(chainrule_optim::clip_by_norm(&mut gradient, 5.0), 50.0);
/// assert!((gradient[1] - 4.0).abs() < 1e-6);
/// ```
pub fn clip_by_norm<S: Scalar>(gradient: &mut [S], max_norm: f64) -> f64 {
    assert!(max_norm >= 0.0, "clip_by_norm: max_norm must be at least 0, found {max_norm}");
    let norm = norm(gradient);
    let scale = max_norm / (norm + 1e-6);
    if norm.is_finite() && scale < 1.0 {
        // In f64, where the scale of a huge f32 gradient is no subnormal.
        vectorised(|| gradient.iter_mut().for_each(|g| *g = S::of(g.as_f64() * scale)));
    }
    norm
}

/// Limits every component to `[−max, max]`; infinities and NaN stay as they are.
///
/// Source: PyTorch's `clip_grad_value_`, but for the infinities.
///
/// # Panics
/// If `max` is negative or NaN.
///
/// ```
/// let mut gradient = [-3.0, 0.5, f32::INFINITY];
/// chainrule_optim::clip_by_value(&mut gradient, 1.0);
/// assert_eq!(gradient, [-1.0, 0.5, f32::INFINITY]);
/// ```
pub fn clip_by_value<S: Scalar>(gradient: &mut [S], max: f64) {
    assert!(max >= 0.0, "clip_by_value: max must be at least 0, found {max}");
    let (high, low, infinity) = (S::of(max), S::of(-max), S::infinity());
    vectorised(|| {
        gradient.iter_mut().for_each(|g| {
            let x = *g;
            let clipped = if x > high { high } else { x };
            let clipped = if x < low { low } else { clipped };
            *g = if x.abs() == infinity { x } else { clipped };
        });
    });
}

/// The Euclidean norm `‖x‖ = √(Σ x_i²)`, summed in `f64` in an order that depends on the length
/// only. It neither overflows nor underflows where the norm itself does not. Infinite if a value
/// is infinite (and none is NaN), NaN if a value is NaN.
///
/// ```
/// assert_eq!(chainrule_optim::norm(&[3e30_f32, 4e30]) as f32, 5e30);
/// assert_eq!(chainrule_optim::norm(&[3e300_f64, 4e300]), 5e300);
/// ```
pub fn norm<S: Scalar>(x: &[S]) -> f64 {
    let squares = lanes(x, |x| x.as_f64() * x.as_f64());
    // Squares of f32 are safe in f64, those of f64 may leave its range.
    if squares.is_nan() || (1e-280..f64::INFINITY).contains(&squares) {
        return squares.sqrt();
    }
    let largest = x.iter().fold(0.0_f64, |max, x| max.max(x.as_f64().abs()));
    if largest == 0.0 || largest.is_infinite() {
        return largest;
    }
    // A power of two, so that scaling is exact.
    let power = libm::ilogb(largest);
    let scaled = |x: S| libm::ldexp(x.as_f64(), -power);
    libm::ldexp(lanes(x, |x| scaled(x) * scaled(x)).sqrt(), power)
}

/// `Σ f(x)`, in interleaved partial sums.
#[inline]
fn lanes<S: Scalar>(x: &[S], f: impl Fn(S) -> f64) -> f64 {
    vectorised(|| {
        let mut lanes = [0.0; LANES];
        let chunks = x.chunks_exact(LANES);
        let tail = chunks.remainder().iter().fold(0.0, |sum, &x| sum + f(x));
        for chunk in chunks {
            lanes.iter_mut().zip(chunk).for_each(|(lane, &x)| *lane += f(x));
        }
        lanes.iter().fold(0.0, |sum, &lane| sum + lane) + tail
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_norm_survives_the_ends_of_the_range() {
        assert_eq!(norm::<f32>(&[]), 0.0);
        assert_eq!(norm(&[0.0_f32, -0.0]), 0.0);
        assert_eq!(norm(&[f32::MAX; 4]), 2.0 * f64::from(f32::MAX));
        assert_eq!(norm(&[f64::MAX / 4.0; 4]), f64::MAX / 2.0);
        let tiny = f64::from_bits(1);
        assert_eq!(norm(&[3.0 * tiny, 4.0 * tiny]), 5.0 * tiny);
        assert_eq!(norm(&[3e-200, -4e-200]), 5e-200);
        assert_eq!(norm(&[f64::MAX; 4]), f64::INFINITY);
        assert_eq!(norm(&[1.0, f64::NEG_INFINITY]), f64::INFINITY);
        assert!(norm(&[f32::INFINITY, f32::NAN]).is_nan());
    }

    #[test]
    fn a_gradient_that_is_not_finite_is_left_for_all_to_see() {
        let mut gradient = [1.0_f32, f32::INFINITY, -7.0];
        assert_eq!(clip_by_norm(&mut gradient, 1.0), f64::INFINITY);
        assert_eq!(gradient, [1.0, f32::INFINITY, -7.0]);
        let mut gradient = [1.0_f32, f32::NAN, -7.0, f32::NEG_INFINITY];
        assert!(clip_by_norm(&mut gradient, 1.0).is_nan());
        assert_eq!(gradient[2], -7.0);
        clip_by_value(&mut gradient, 2.0);
        assert!(gradient[1].is_nan());
        assert_eq!([gradient[0], gradient[2], gradient[3]], [1.0, -2.0, f32::NEG_INFINITY]);
    }

    #[test]
    fn a_huge_f32_gradient_is_scaled_without_losing_digits() {
        let mut gradient = [3e38_f32, -1.5e38];
        clip_by_norm(&mut gradient, 1e-3);
        assert!((f64::from(gradient[0]) / f64::from(gradient[1]) + 2.0).abs() < 1e-6);
        assert!((norm(&gradient) - 1e-3).abs() < 1e-9);
    }

    #[test]
    fn limits_are_checked() {
        for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(GradientClip::Norm(limit).validate().is_err(), "{limit}");
            assert!(GradientClip::Value(limit).validate().is_err(), "{limit}");
        }
        assert!(GradientClip::Value(0.5).validate().is_ok());
        assert!(serde_json::from_str::<GradientClip>(r#"{"nrom": 1.0}"#).is_err());
    }

    proptest! {
        #[test]
        fn clipping_by_norm_keeps_the_direction(
            gradient in prop::collection::vec(-100.0_f64..100.0, 1..70), max in 0.1_f64..50.0
        ) {
            let before = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            let mut clipped = gradient.clone();
            let returned = clip_by_norm(&mut clipped, max);
            prop_assert!((returned - before).abs() <= 1e-13 * before);
            prop_assert!(norm(&clipped) <= max);
            let scale = (max / (before + 1e-6)).min(1.0);
            for (clipped, g) in clipped.iter().zip(&gradient) {
                prop_assert!((clipped - scale * g).abs() <= 1e-13 * g.abs());
            }
        }

        #[test]
        fn clipping_by_value_is_clamp(
            gradient in prop::collection::vec(-100.0_f32..100.0, 0..70), max in 0.0_f32..50.0
        ) {
            let expected: Vec<f32> = gradient.iter().map(|g| g.clamp(-max, max)).collect();
            let mut clipped = gradient;
            clip_by_value(&mut clipped, f64::from(max));
            prop_assert_eq!(clipped, expected);
        }
    }
}
