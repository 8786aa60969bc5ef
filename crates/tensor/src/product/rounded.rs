//! bf16 where the processor has no products of it.

use pulp::Simd;

use super::arithmetic::Plain;
use super::pack::{LINE, Packing};
use crate::bf16;

/// Elements are rounded to bf16 while they are packed, and multiplied as `f32`. A product of two bf16 is
/// exact in `f32` wherever it is a normal number, so that only the sum rounds, fused or not.
#[derive(Clone, Copy)]
pub(super) struct Rounded<S>(Plain<S, f32>);

impl<S> Rounded<S> {
    pub(super) fn new(simd: S) -> Self {
        Self(Plain::new(simd))
    }
}

impl<S: Simd> Packing for Rounded<S> {
    type Element = f32;
    type Factor = f32;
    type Arithmetic = Plain<S, f32>;

    const NEEDED: bool = true;

    #[inline(always)]
    fn arithmetic(self) -> Plain<S, f32> {
        self.0
    }

    #[inline(always)]
    unsafe fn factor(self, from: *const f32, step: usize, values: usize) -> f32 {
        // SAFETY: as promised by the caller.
        unsafe { self.0.factor(from, step, values) }
    }

    #[inline(always)]
    unsafe fn line(self, from: *const f32, step: usize, values: usize) -> [f32; LINE] {
        // SAFETY: as promised by the caller.
        unsafe { self.0.line(from, step, values) }
    }

    #[inline(always)]
    unsafe fn turn(
        self,
        from: *const f32,
        from_row: usize,
        height: usize,
        to: *mut f32,
        to_row: usize,
    ) {
        // SAFETY: as promised by the caller.
        unsafe { self.0.turn(from, from_row, height, to, to_row) }
    }

    /// A long loop is one that the compiler vectorises.
    #[inline(always)]
    fn finish(self, packed: &mut [f32]) {
        for x in packed {
            *x = f32::from_bits(bf16::nearest(x.to_bits()));
        }
    }
}
