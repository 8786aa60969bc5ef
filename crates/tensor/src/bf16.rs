//! Rounding to bf16, the upper half of an `f32`.
//!
//! What [`Precision::Bf16`](crate::Precision::Bf16) does to the inputs of a product. The type is
//! that of the crate `half`.

pub use half::bf16;

use crate::simd::vectorised;

/// Of the bits of an `f32` those of the nearest bf16, ties to even, still as an `f32`. A NaN keeps
/// its sign and upper payload and becomes quiet.
#[inline(always)]
pub(crate) fn nearest(bits: u32) -> u32 {
    const QUIET: u32 = 1 << 22;
    let is_nan = bits & 0x7fff_ffff > 0x7f80_0000;
    // Not quite half a unit is added, and a bit more where the lowest bit kept is odd. The carry may
    // reach the exponent, as it should; only that of a NaN could leave the number.
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    (if is_nan { bits | QUIET } else { rounded }) & 0xffff_0000
}

/// Rounds each value to the nearest bf16, ties to even: `y[i] = bf16(x[i])`. Subnormal numbers are
/// rounded like others; what is beyond the largest bf16 by half a unit becomes infinite; a NaN
/// stays one.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use chainrule_tensor::bf16::{bf16, round};
/// let mut y = [bf16::ZERO; 3];
/// round(&[1.0, 1.0 + 1.0 / 256.0, -0.3], &mut y); // the second is half way to 1 + 1/128
/// assert_eq!(y.map(f32::from), [1.0, 1.0, -0.30078125]);
/// ```
pub fn round(x: &[f32], y: &mut [bf16]) {
    assert_eq!(x.len(), y.len(), "values to round, and room for them");
    vectorised(
        #[inline(always)]
        || {
            for (y, x) in y.iter_mut().zip(x) {
                *y = bf16::from_bits((nearest(x.to_bits()) >> 16) as u16);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every upper half with lower halves around each rounding case, against `half`.
    #[test]
    fn rounding_is_that_of_half_for_every_upper_half() {
        let lower = [0, 1, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff];
        let step = if cfg!(miri) { 0x101 } else { 1 };
        for upper in (0..=0xffff_u32).step_by(step) {
            let x = lower.map(|lower| f32::from_bits(upper << 16 | lower));
            let mut y = [bf16::ZERO; 8];
            round(&x, &mut y);
            for (x, y) in x.into_iter().zip(y) {
                let bits = x.to_bits();
                assert_eq!(y.to_bits(), bf16::from_f32(x).to_bits(), "{bits:#010x}");
                assert_eq!(nearest(bits), u32::from(y.to_bits()) << 16, "{bits:#010x}");
            }
        }
    }

    #[test]
    fn ties_go_to_even_and_carries_up_to_infinity() {
        let cases = [
            (0x3f80_8000, 0x3f80),
            (0x3f81_8000, 0x3f82),
            (0x3fff_8000, 0x4000),
            (0x7f7f_7fff, 0x7f7f),
            (0x7f7f_8000, 0x7f80),
            (0xff7f_ffff, 0xff80),
            (0x0000_8000, 0x0000),
            (0x0000_8001, 0x0001),
            (0x007f_8000, 0x0080),
            (0x7f80_0000, 0x7f80),
            (0x7f80_0001, 0x7fc0),
            (0xffa5_1234, 0xffe5),
        ];
        for (bits, expected) in cases {
            assert_eq!(nearest(bits) >> 16, expected, "{bits:#010x}");
        }
    }
}
