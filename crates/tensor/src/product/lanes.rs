//! Vectors of an element type, for whichever instruction set.

use pulp::{MemMask, Simd};

/// The largest [`Lanes::SIDE`].
pub(super) const MAX_SIDE: usize = 8;

/// An element type that fills vector registers.
pub trait Lanes: num_traits::Zero + Copy {
    /// A vector of them.
    type Vector<S: Simd>: Copy;

    /// How many a vector holds.
    #[inline(always)]
    fn lanes<S: Simd>() -> usize {
        size_of::<Self::Vector<S>>() / size_of::<Self>()
    }

    /// Which lanes of a vector are read.
    type Mask<S: Simd>: Copy;

    /// The first `count` lanes.
    fn first<S: Simd>(simd: S, count: usize) -> Self::Mask<S>;

    /// Reads the lanes of the mask from any address; the others are 0.
    ///
    /// # Safety
    /// The numbers of the mask's lanes must be readable at `from`.
    unsafe fn load_masked<S: Simd>(
        simd: S,
        mask: Self::Mask<S>,
        from: *const Self,
    ) -> Self::Vector<S>;

    /// Writes the lanes of the mask to any address.
    ///
    /// # Safety
    /// The numbers of the mask's lanes must be writable at `to`.
    unsafe fn store_masked<S: Simd>(
        simd: S,
        mask: Self::Mask<S>,
        to: *mut Self,
        x: Self::Vector<S>,
    );

    /// The same number in every lane.
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Vector<S>;

    /// `x + y`.
    fn add<S: Simd>(simd: S, x: Self::Vector<S>, y: Self::Vector<S>) -> Self::Vector<S>;

    /// `x y + z`: rounded once, but on vectors of one number twice, since they stand for processors
    /// where a fused operation is a call.
    fn mul_add<S: Simd>(
        simd: S,
        x: Self::Vector<S>,
        y: Self::Vector<S>,
        z: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// Rows and columns of the blocks that [`Lanes::turn`] transposes.
    const SIDE: usize;

    /// Transposes a block: `to[p * to_row + i] = from[i * from_row + p]` for `i` below `height` and
    /// `p` below `SIDE`, in the order of `p`. It writes `SIDE` values for each `p`, those past
    /// `height` whatever they are.
    ///
    /// # Safety
    /// `height` must be in `1..=SIDE`, `SIDE` values readable at `from + i * from_row`, and as many
    /// writable at `to + p * to_row`.
    unsafe fn turn<S: Simd>(
        from: *const Self,
        from_row: usize,
        height: usize,
        to: *mut Self,
        to_row: usize,
    );

    /// The sums of four vectors' lanes, each in the same order.
    fn sums<S: Simd>(simd: S, x: [Self::Vector<S>; 4]) -> [Self; 4];

    /// Reads a vector from any address.
    ///
    /// # Safety
    /// As many numbers as a vector holds must be readable at `from`.
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const Self) -> Self::Vector<S> {
        // SAFETY: the caller promises that the numbers are there; the address need not be aligned.
        unsafe { from.cast::<Self::Vector<S>>().read_unaligned() }
    }

    /// Writes a vector to any address.
    ///
    /// # Safety
    /// As many numbers as a vector holds must be writable at `to`.
    #[inline(always)]
    unsafe fn store<S: Simd>(to: *mut Self, x: Self::Vector<S>) {
        // SAFETY: the caller promises that there is room; the address need not be aligned.
        unsafe { to.cast::<Self::Vector<S>>().write_unaligned(x) }
    }
}

macro_rules! lanes {
    ($float:ident, $side:literal, $turn:ident, $sums:ident, $vector:ident, $mask:ident, $first:ident, $load:ident, $store:ident, $splat:ident, $add:ident, $mul:ident, $mul_add:ident, $sum:ident) => {
        impl Lanes for $float {
            type Vector<S: Simd> = S::$vector;
            const SIDE: usize = $side;

            #[inline(always)]
            unsafe fn turn<S: Simd>(
                from: *const Self,
                from_row: usize,
                height: usize,
                to: *mut Self,
                to_row: usize,
            ) {
                // A vector of the side means AVX or wider.
                #[cfg(target_arch = "x86_64")]
                if Self::lanes::<S>() >= Self::SIDE {
                    // SAFETY: as promised by the caller; the processor has AVX, since `S` has.
                    return unsafe { $turn(from, from_row, height, to, to_row) };
                }
                for p in 0..Self::SIDE {
                    for i in 0..height {
                        // SAFETY: as promised by the caller.
                        unsafe { *to.add(p * to_row + i) = *from.add(i * from_row + p) };
                    }
                }
            }
            type Mask<S: Simd> = MemMask<S::$mask>;

            #[inline(always)]
            fn first<S: Simd>(simd: S, count: usize) -> Self::Mask<S> {
                let mask = simd.$first(0, count as _);
                // AVX-512 takes masks in its instructions; elsewhere pulp has a function for each, which
                // stores faster than AVX2's masked store.
                if size_of::<S::$vector>() == 64 { MemMask::new(mask.mask()) } else { mask }
            }

            #[inline(always)]
            unsafe fn load_masked<S: Simd>(
                simd: S,
                mask: Self::Mask<S>,
                from: *const Self,
            ) -> S::$vector {
                // SAFETY: the caller promises the numbers of the mask's lanes.
                unsafe { simd.$load(MemMask::new(mask.mask()), from) }
            }

            #[inline(always)]
            unsafe fn store_masked<S: Simd>(
                simd: S,
                mask: Self::Mask<S>,
                to: *mut Self,
                x: S::$vector,
            ) {
                // SAFETY: the caller promises room for the mask's lanes.
                unsafe { simd.$store(mask, to, x) }
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: Self) -> S::$vector {
                simd.$splat(x)
            }

            #[inline(always)]
            fn add<S: Simd>(simd: S, x: S::$vector, y: S::$vector) -> S::$vector {
                simd.$add(x, y)
            }

            #[inline(always)]
            fn mul_add<S: Simd>(
                simd: S,
                x: S::$vector,
                y: S::$vector,
                z: S::$vector,
            ) -> S::$vector {
                if Self::lanes::<S>() == 1 {
                    simd.$add(simd.$mul(x, y), z)
                } else {
                    simd.$mul_add(x, y, z)
                }
            }

            #[inline(always)]
            fn sums<S: Simd>(simd: S, x: [S::$vector; 4]) -> [Self; 4] {
                #[cfg(target_arch = "x86_64")]
                if size_of::<S::$vector>() >= 32 {
                    // SAFETY: the processor has AVX, since `S` has.
                    return unsafe { $sums(x) };
                }
                x.map(|x| simd.$sum(x))
            }
        }
    };
}

lanes!(
    f32,
    8,
    turn_f32,
    sums_f32,
    f32s,
    m32s,
    mask_between_m32s,
    mask_load_ptr_f32s,
    mask_store_ptr_f32s,
    splat_f32s,
    add_f32s,
    mul_f32s,
    mul_add_f32s,
    reduce_sum_f32s
);
lanes!(
    f64,
    4,
    turn_f64,
    sums_f64,
    f64s,
    m64s,
    mask_between_m64s,
    mask_load_ptr_f64s,
    mask_store_ptr_f64s,
    splat_f64s,
    add_f64s,
    mul_f64s,
    mul_add_f64s,
    reduce_sum_f64s
);

/// [`Lanes::turn`] of an 8×8 block: each half of the columns by two rounds of interleaving.
///
/// # Safety
/// As [`Lanes::turn`], and the processor must have AVX.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx")]
unsafe fn turn_f32(from: *const f32, from_row: usize, height: usize, to: *mut f32, to_row: usize) {
    use std::arch::x86_64::*;
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
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx")]
unsafe fn turn_f64(from: *const f64, from_row: usize, height: usize, to: *mut f64, to_row: usize) {
    use std::arch::x86_64::*;
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

/// [`Lanes::sums`]: halves are added, then rows and columns of a 4×4 block change places, two by two.
///
/// # Safety
/// A `V` must be a vector of 8 or 16 numbers, and the processor must have AVX.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx")]
unsafe fn sums_f32<V: Copy>(x: [V; 4]) -> [f32; 4] {
    use std::arch::x86_64::*;
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

/// [`Lanes::sums`] of 4 or 8 numbers each.
///
/// # Safety
/// As [`sums_f32`].
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx")]
unsafe fn sums_f64<V: Copy>(x: [V; 4]) -> [f64; 4] {
    use std::arch::x86_64::*;
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
