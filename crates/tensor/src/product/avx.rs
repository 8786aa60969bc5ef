//! What [`Lanes`] does with AVX's own instructions, where `pulp` has none for it.

use std::any::TypeId;
use std::arch::x86_64::*;

use pulp::Simd;
use pulp::x86::{V3, V4};

#[cfg(doc)]
use super::lanes::Lanes;

/// Whether an instruction set has AVX, and vectors of 32 bytes or more.
#[inline(always)]
pub(super) fn is_in<S: Simd>() -> bool {
    [TypeId::of::<V3>(), TypeId::of::<V4>()].contains(&TypeId::of::<S>())
}

/// [`Lanes::turn`] of an 8×8 block: each half of the columns by two rounds of interleaving.
///
/// # Safety
/// As [`Lanes::turn`], and the processor must have AVX.
#[inline]
#[target_feature(enable = "avx")]
pub(super) unsafe fn turn_f32(
    from: *const f32,
    from_row: usize,
    height: usize,
    to: *mut f32,
    to_row: usize,
) {
    for half in [0, 4] {
        // SAFETY: rows below `height` are readable by the caller's promise; others are not touched.
        let rows: [__m256; 4] = std::array::from_fn(|i| unsafe {
            let row = |i: usize| _mm_loadu_ps(from.add(i.min(height - 1) * from_row + half));
            _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(row(i)), row(i + 4))
        });
        let (low01, high01) =
            (_mm256_unpacklo_ps(rows[0], rows[1]), _mm256_unpackhi_ps(rows[0], rows[1]));
        let (low23, high23) =
            (_mm256_unpacklo_ps(rows[2], rows[3]), _mm256_unpackhi_ps(rows[2], rows[3]));
        let columns = [
            _mm256_shuffle_ps::<0x44>(low01, low23),
            _mm256_shuffle_ps::<0xee>(low01, low23),
            _mm256_shuffle_ps::<0x44>(high01, high23),
            _mm256_shuffle_ps::<0xee>(high01, high23),
        ];
        for (p, column) in columns.into_iter().enumerate() {
            // SAFETY: the caller promises the room.
            unsafe { _mm256_storeu_ps(to.add((half + p) * to_row), column) };
        }
    }
}

/// [`Lanes::turn`] of a 4×4 block.
///
/// # Safety
/// As [`Lanes::turn`], and the processor must have AVX.
#[inline]
#[target_feature(enable = "avx")]
pub(super) unsafe fn turn_f64(
    from: *const f64,
    from_row: usize,
    height: usize,
    to: *mut f64,
    to_row: usize,
) {
    for half in [0, 2] {
        // SAFETY: rows below `height` are readable by the caller's promise; others are not touched.
        let rows: [__m256d; 2] = std::array::from_fn(|i| unsafe {
            let row = |i: usize| _mm_loadu_pd(from.add(i.min(height - 1) * from_row + half));
            _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(row(i)), row(i + 2))
        });
        let columns = [_mm256_unpacklo_pd(rows[0], rows[1]), _mm256_unpackhi_pd(rows[0], rows[1])];
        for (p, column) in columns.into_iter().enumerate() {
            // SAFETY: the caller promises the room.
            unsafe { _mm256_storeu_pd(to.add((half + p) * to_row), column) };
        }
    }
}

/// [`Lanes::sums`]: vectors of 64 bytes are folded to 32; 4×4 blocks are transposed and their rows added;
/// their two halves are added last.
///
/// # Safety
/// A `V` must be a vector of 8 or 16 numbers, and the processor must have AVX.
#[inline]
#[target_feature(enable = "avx")]
pub(super) unsafe fn sums_f32<V: Copy>(x: [V; 4]) -> [f32; 4] {
    // SAFETY: as many numbers are there.
    let [x0, x1, x2, x3] = x.map(|x| unsafe {
        let halves = (&raw const x).cast::<__m256>();
        match size_of::<V>() {
            64 => _mm256_add_ps(halves.read_unaligned(), halves.add(1).read_unaligned()),
            _ => halves.read_unaligned(),
        }
    });
    let pair = |x, y| _mm256_add_ps(_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y));
    let (low, high) = (pair(x0, x1), pair(x2, x3));
    let quarters =
        _mm256_add_ps(_mm256_shuffle_ps::<0x44>(low, high), _mm256_shuffle_ps::<0xee>(low, high));
    let sums = _mm_add_ps(_mm256_castps256_ps128(quarters), _mm256_extractf128_ps::<1>(quarters));
    let mut out = [0.0; 4];
    // SAFETY: there is room for four.
    unsafe { _mm_storeu_ps(out.as_mut_ptr(), sums) };
    out
}

/// [`Lanes::sums`] of vectors of 4 or 8 numbers.
///
/// # Safety
/// A `V` must be such a vector, and the processor must have AVX.
#[inline]
#[target_feature(enable = "avx")]
pub(super) unsafe fn sums_f64<V: Copy>(x: [V; 4]) -> [f64; 4] {
    // SAFETY: as many numbers are there.
    let [x0, x1, x2, x3] = x.map(|x| unsafe {
        let halves = (&raw const x).cast::<__m256d>();
        match size_of::<V>() {
            64 => _mm256_add_pd(halves.read_unaligned(), halves.add(1).read_unaligned()),
            _ => halves.read_unaligned(),
        }
    });
    let pair = |x, y| _mm256_add_pd(_mm256_unpacklo_pd(x, y), _mm256_unpackhi_pd(x, y));
    let (low, high) = (pair(x0, x1), pair(x2, x3));
    let sums = _mm256_add_pd(
        _mm256_permute2f128_pd::<0x20>(low, high),
        _mm256_permute2f128_pd::<0x31>(low, high),
    );
    let mut out = [0.0; 4];
    // SAFETY: there is room for four.
    unsafe { _mm256_storeu_pd(out.as_mut_ptr(), sums) };
    out
}
