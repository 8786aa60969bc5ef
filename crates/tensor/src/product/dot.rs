//! bf16 on processors with products of it: AVX512-BF16.

use std::arch::x86_64::*;
use std::mem::transmute;
use std::sync::OnceLock;

use pulp::x86::V4;
use pulp::{Arch, f32x16};
use raw_cpuid::CpuId;

use super::arithmetic::Arithmetic;
use super::pack::{LINE, Packing};
use super::pairs::Pairing;

/// Pairs of bf16 along the inner dimension, whose two products are added to a sum in `f32` by one
/// instruction. It takes subnormal factors and sums for 0, as does the one that rounds factors.
#[derive(Clone, Copy)]
pub(super) struct Dot(V4);

impl Dot {
    /// If the instruction set is chosen that it belongs to, and the processor has it.
    pub(super) fn under(arch: Arch) -> Option<Self> {
        static DETECTED: OnceLock<bool> = OnceLock::new();
        match arch {
            Arch::V4(simd) => DETECTED
                .get_or_init(|| is_x86_feature_detected!("avx512bf16"))
                .then_some(Self(simd)),
            _ => None,
        }
    }

    /// Whether it is faster than products of `f32`. On the one processor of Intel's that was measured it is not,
    /// where products are large.
    pub(super) fn pays(self) -> bool {
        static PAYS: OnceLock<bool> = OnceLock::new();
        *PAYS.get_or_init(|| {
            CpuId::new().get_vendor_info().is_none_or(|vendor| vendor.as_str() != "GenuineIntel")
        })
    }
}

/// # Safety
/// The processor must have these instructions: those of pulp's `V4`, and AVX512-BF16.
#[target_feature(
    enable = "fxsr,popcnt,bmi1,bmi2,lzcnt,fma,avx2,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512bf16"
)]
unsafe fn run<F: FnOnce()>(f: F) {
    f();
}

/// Of eight numbers and then eight more, each of the former beside its like of the latter.
const SIDE_BY_SIDE: [u16; 16] = [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15];

impl Arithmetic for Dot {
    type Element = f32;
    type Simd = V4;
    type Factor = u32;
    type Factors = __m512bh;

    const VALUES: usize = 2;

    #[inline(always)]
    fn simd(self) -> V4 {
        self.0
    }

    #[inline(always)]
    fn vectorize(self, f: impl FnOnce()) {
        // SAFETY: whoever has a `Dot` has detected the instructions.
        unsafe { run(f) }
    }

    #[inline(always)]
    fn splat(self, x: u32) -> __m512bh {
        // SAFETY: whoever has a `Dot` has detected the instructions; the types have one size and
        // any bits are valid in both.
        unsafe { transmute::<__m512i, __m512bh>(_mm512_set1_epi32(x as i32)) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const u32) -> __m512bh {
        // SAFETY: the caller promises that the numbers are there.
        unsafe { from.cast::<__m512bh>().read_unaligned() }
    }

    #[inline(always)]
    fn mul_add(self, x: __m512bh, y: __m512bh, sum: f32x16) -> f32x16 {
        // SAFETY: whoever has a `Dot` has detected the instruction; the types have one size and
        // any bits are valid in both.
        unsafe { transmute(_mm512_dpbf16_ps(transmute::<f32x16, __m512>(sum), x, y)) }
    }
}

impl Packing for Dot {
    type Element = f32;
    type Factor = u32;
    type Arithmetic = Self;

    const NEEDED: bool = true;

    #[inline(always)]
    fn arithmetic(self) -> Self {
        self
    }

    #[inline(always)]
    unsafe fn factor(self, from: *const f32, step: usize, values: usize) -> u32 {
        // SAFETY: as promised by the caller; whoever has a `Dot` has detected the instruction, and
        // the types have one size, any bits being valid in both.
        unsafe {
            let pair = [*from, if values == 2 { *from.add(step) } else { 0.0 }];
            let [pair, ..]: [u32; 4] =
                transmute(_mm_cvtneps_pbh(_mm_setr_ps(pair[0], pair[1], 0.0, 0.0)));
            pair
        }
    }

    #[inline(always)]
    unsafe fn line(self, from: *const f32, step: usize, values: usize) -> [u32; LINE] {
        // SAFETY: as in `factor`.
        unsafe {
            let lower = _mm512_castps256_ps512(_mm256_loadu_ps(from));
            let upper = match values {
                2 => _mm256_loadu_ps(from.add(step)),
                _ => _mm256_setzero_ps(),
            };
            let rounded = _mm512_cvtneps_pbh(_mm512_insertf32x8::<1>(lower, upper));
            let order = _mm256_loadu_si256(SIDE_BY_SIDE.as_ptr().cast());
            let rounded = transmute::<__m256bh, __m256i>(rounded);
            transmute::<__m256i, [u32; LINE]>(_mm256_permutexvar_epi16(order, rounded))
        }
    }

    /// Four rows and four more in the halves of vectors of pairs; then each quarter of four vectors
    /// by two rounds of interleaving.
    #[inline(always)]
    unsafe fn turn(
        self,
        from: *const f32,
        from_row: usize,
        height: usize,
        to: *mut u32,
        to_row: usize,
    ) {
        // SAFETY: as in `factor`; rows below `height` are readable by the caller's promise, others
        // are not touched, and there is room for the columns.
        unsafe {
            let row = |i: usize| _mm512_loadu_ps(from.add(i.min(height - 1) * from_row));
            let rows: [__m512i; 4] = std::array::from_fn(|i| {
                transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(row(i + 4), row(i)))
            });
            let (low01, high01) =
                (_mm512_unpacklo_epi32(rows[0], rows[1]), _mm512_unpackhi_epi32(rows[0], rows[1]));
            let (low23, high23) =
                (_mm512_unpacklo_epi32(rows[2], rows[3]), _mm512_unpackhi_epi32(rows[2], rows[3]));
            // Column q of four rows, column q + 4, and both of the other rows.
            let columns = [
                _mm512_unpacklo_epi64(low01, low23),
                _mm512_unpackhi_epi64(low01, low23),
                _mm512_unpacklo_epi64(high01, high23),
                _mm512_unpackhi_epi64(high01, high23),
            ]
            .map(|column| _mm512_shuffle_i32x4::<0b11_01_10_00>(column, column));
            for (q, column) in columns.into_iter().enumerate() {
                _mm256_storeu_si256(to.add(q * to_row).cast(), _mm512_castsi512_si256(column));
            }
            for (q, column) in columns.into_iter().enumerate() {
                let upper = _mm512_extracti64x4_epi64::<1>(column);
                _mm256_storeu_si256(to.add((q + 4) * to_row).cast(), upper);
            }
        }
    }
}

impl Pairing for Dot {
    #[inline(always)]
    unsafe fn along(self, from: *const f32) -> [u32; LINE] {
        // SAFETY: the caller promises the elements; whoever has a `Dot` has detected the instruction, and the
        // types have one size, any bits being valid in both.
        unsafe { transmute(_mm512_cvtneps_pbh(_mm512_loadu_ps(from))) }
    }
}
