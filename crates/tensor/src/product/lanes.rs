//! Vectors of an element type, for whichever instruction set.

use pulp::{MemMask, Simd};

#[cfg(target_arch = "x86_64")]
use super::avx;

/// The largest [`Lanes::SIDE`].
pub(super) const MAX_SIDE: usize = 8;

/// An element type that fills vector registers.
pub trait Lanes: num_traits::Num + Copy {
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

    /// `x − y z`, rounded twice.
    fn sub_mul<S: Simd>(
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
    /// writable at `to + p * to_row`; and the processor must have `S`.
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
    ($float:ident, $side:literal, $turn:ident, $sums:ident, $vector:ident, $mask:ident, $first:ident, $load:ident, $store:ident, $splat:ident, $add:ident, $sub:ident, $mul:ident, $mul_add:ident, $sum:ident) => {
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
                #[cfg(target_arch = "x86_64")]
                if avx::is_in::<S>() {
                    // SAFETY: as promised by the caller.
                    return unsafe { avx::$turn(from, from_row, height, to, to_row) };
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
                // AVX-512 takes masks in its instructions; elsewhere pulp has a function for each, to store.
                if size_of::<S::$vector>() == 64 { MemMask::new(mask.mask()) } else { mask }
            }

            #[inline(always)]
            unsafe fn load_masked<S: Simd>(
                simd: S,
                mask: Self::Mask<S>,
                from: *const Self,
            ) -> S::$vector {
                // AVX2's masked load instead of the call of a function.
                let mask = MemMask::new(mask.mask());
                // SAFETY: the caller promises the numbers of the mask's lanes.
                unsafe { simd.$load(mask, from) }
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
            fn sub_mul<S: Simd>(
                simd: S,
                x: S::$vector,
                y: S::$vector,
                z: S::$vector,
            ) -> S::$vector {
                simd.$sub(x, simd.$mul(y, z))
            }

            #[inline(always)]
            fn sums<S: Simd>(simd: S, x: [S::$vector; 4]) -> [Self; 4] {
                #[cfg(target_arch = "x86_64")]
                if avx::is_in::<S>() {
                    // SAFETY: the processor has `S`, of which there is one.
                    return unsafe { avx::$sums(x) };
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
    sub_f32s,
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
    sub_f64s,
    mul_f64s,
    mul_add_f64s,
    reduce_sum_f64s
);
