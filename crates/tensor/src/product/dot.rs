//! bf16 on processors with products of it: AVX512-BF16.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_permutexvar_epi16,
    _mm512_set1_epi32,
};
use std::mem::transmute;
use std::sync::OnceLock;

use pulp::x86::V4;
use pulp::{Arch, f32x16};

use super::arithmetic::Arithmetic;
use super::pack;

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
}

/// # Safety
/// The processor must have these instructions: those of pulp's `V4`, and AVX512-BF16.
#[target_feature(
    enable = "fxsr,popcnt,bmi1,bmi2,lzcnt,fma,avx2,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512bf16"
)]
unsafe fn run<F: FnOnce()>(f: F) {
    f();
}

/// Of sixteen numbers and then sixteen more, each of the former beside its like of the latter.
const SIDE_BY_SIDE: [u16; 32] = {
    let mut order = [0; 32];
    let mut i = 0;
    while i < 16 {
        order[2 * i] = i as u16;
        order[2 * i + 1] = (16 + i) as u16;
        i += 1;
    }
    order
};

impl Arithmetic for Dot {
    type Element = f32;
    type Simd = V4;
    type Factor = u32;
    type Factors = __m512bh;

    const VALUES: usize = 2;
    const PACKED: bool = true;

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

    #[inline(always)]
    unsafe fn pack(
        self,
        fill: impl FnOnce(*mut f32),
        k: usize,
        width: usize,
        to: *mut u32,
        room: *mut f32,
    ) {
        fill(room);
        // SAFETY: as promised by the caller; whoever has a `Dot` has detected the instructions, and
        // the arrays and vectors have one size, any bits being valid in both.
        unsafe {
            pack::pairs(
                room,
                k,
                width,
                to,
                #[inline(always)]
                |lower, upper| {
                    let rounded = _mm512_cvtne2ps_pbh(transmute(upper), transmute(lower));
                    transmute(_mm512_permutexvar_epi16(transmute(SIDE_BY_SIDE), transmute(rounded)))
                },
            );
        }
    }
}
