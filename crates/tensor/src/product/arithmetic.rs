//! How tiles multiply: what packed operands hold, and what becomes of vectors of it.

use pulp::Simd;

use super::lanes::Lanes;
use super::pack::LINE;
use crate::bf16;

/// A way to multiply. One source of blocks, packing and tiles serves all.
pub(super) trait Arithmetic: Copy {
    /// An element of A, B and C.
    type Element: Lanes;
    /// The vectors of C.
    type Simd: Simd;
    /// What packed operands hold: `VALUES` neighbours along the inner dimension.
    type Factor: Copy;
    /// As many factors as a vector of C has elements.
    type Factors: Copy;

    /// Elements in a factor.
    const VALUES: usize;
    /// Whether tiles need packed operands; else a factor is an element.
    const PACKED: bool;

    /// The vectors of C.
    fn simd(self) -> Self::Simd;

    /// Runs `f`, into which all it does must be inlined, with the instructions of this arithmetic.
    fn vectorize(self, f: impl FnOnce());

    /// The same factor in every place.
    fn splat(self, x: Self::Factor) -> Self::Factors;

    /// Reads a vector of factors from any address.
    ///
    /// # Safety
    /// As many must be readable there.
    unsafe fn load(self, from: *const Self::Factor) -> Self::Factors;

    /// `sum + x y`, over the values of a factor.
    fn mul_add(self, x: Self::Factors, y: Self::Factors, sum: Sums<Self>) -> Sums<Self>;

    /// The factor of `values` elements, at `from`, `from + step` and so on; to `VALUES` they are
    /// filled up with 0.
    ///
    /// # Safety
    /// They must be readable there; there is at least one.
    unsafe fn factor(self, from: *const Self::Element, step: usize, values: usize) -> Self::Factor;

    /// The factors of neighbours: [`Arithmetic::factor`] at `from`, `from + 1` and so on.
    ///
    /// # Safety
    /// Their elements must be readable.
    unsafe fn line(
        self,
        from: *const Self::Element,
        step: usize,
        values: usize,
    ) -> [Self::Factor; LINE];

    /// Transposes a block: `to[q * to_row + i]` is the factor of the elements `VALUES q`,
    /// `VALUES q + 1` and so on at `from + i * from_row`, for `i` below `height` and `q` below
    /// [`Lanes::SIDE`], in the order of `q`. It writes `SIDE` factors for each `q`, those past
    /// `height` whatever they are.
    ///
    /// # Safety
    /// `height` must be in `1..=SIDE`, `SIDE * VALUES` elements readable at `from + i * from_row`,
    /// and `SIDE` factors writable at `to + q * to_row`.
    unsafe fn turn(
        self,
        from: *const Self::Element,
        from_row: usize,
        height: usize,
        to: *mut Self::Factor,
        to_row: usize,
    );

    /// What is left to do once a panel or strip is packed.
    #[inline(always)]
    fn finish(self, _packed: &mut [Self::Factor]) {}
}

/// A vector of C.
pub(super) type Sums<R> = <<R as Arithmetic>::Element as Lanes>::Vector<<R as Arithmetic>::Simd>;

/// Elements as they are, multiplied and added as [`Lanes::mul_add`] says.
#[derive(Clone, Copy)]
pub(super) struct Plain<S, T>(S, std::marker::PhantomData<T>);

impl<S, T> Plain<S, T> {
    pub(super) fn new(simd: S) -> Self {
        Self(simd, std::marker::PhantomData)
    }
}

/// A closure for pulp to inline.
pub(super) struct Inlined<F>(pub(super) F);

impl<F: FnOnce()> pulp::WithSimd for Inlined<F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        (self.0)();
    }
}

impl<S: Simd, T: Lanes> Arithmetic for Plain<S, T> {
    type Element = T;
    type Simd = S;
    type Factor = T;
    type Factors = T::Vector<S>;

    const VALUES: usize = 1;
    const PACKED: bool = false;

    #[inline(always)]
    fn simd(self) -> S {
        self.0
    }

    #[inline(always)]
    fn vectorize(self, f: impl FnOnce()) {
        self.0.vectorize(Inlined(f));
    }

    #[inline(always)]
    fn splat(self, x: T) -> T::Vector<S> {
        T::splat(self.0, x)
    }

    #[inline(always)]
    unsafe fn load(self, from: *const T) -> T::Vector<S> {
        // SAFETY: as promised by the caller.
        unsafe { T::load::<S>(from) }
    }

    #[inline(always)]
    fn mul_add(self, x: T::Vector<S>, y: T::Vector<S>, sum: T::Vector<S>) -> T::Vector<S> {
        T::mul_add(self.0, x, y, sum)
    }

    #[inline(always)]
    unsafe fn factor(self, from: *const T, _: usize, _: usize) -> T {
        // SAFETY: as promised by the caller.
        unsafe { *from }
    }

    #[inline(always)]
    unsafe fn line(self, from: *const T, _: usize, _: usize) -> [T; LINE] {
        // SAFETY: as promised by the caller.
        unsafe { from.cast::<[T; LINE]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn turn(
        self,
        from: *const T,
        from_row: usize,
        height: usize,
        to: *mut T,
        to_row: usize,
    ) {
        // SAFETY: as promised by the caller.
        unsafe { T::turn::<S>(from, from_row, height, to, to_row) }
    }
}

/// bf16 where the processor has no products of it: elements are rounded while they are packed,
/// and multiplied as `f32`.
#[derive(Clone, Copy)]
pub(super) struct Rounded<S>(pub(super) S);

impl<S: Simd> Arithmetic for Rounded<S> {
    type Element = f32;
    type Simd = S;
    type Factor = f32;
    type Factors = S::f32s;

    const VALUES: usize = 1;
    const PACKED: bool = true;

    #[inline(always)]
    fn simd(self) -> S {
        self.0
    }

    #[inline(always)]
    fn vectorize(self, f: impl FnOnce()) {
        self.0.vectorize(Inlined(f));
    }

    #[inline(always)]
    fn splat(self, x: f32) -> S::f32s {
        self.0.splat_f32s(x)
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> S::f32s {
        // SAFETY: as promised by the caller.
        unsafe { <f32 as Lanes>::load::<S>(from) }
    }

    /// A product of two bf16 is exact in `f32` wherever it is a normal number, so that two roundings
    /// are one.
    #[inline(always)]
    fn mul_add(self, x: S::f32s, y: S::f32s, sum: S::f32s) -> S::f32s {
        <f32 as Lanes>::mul_add(self.0, x, y, sum)
    }

    #[inline(always)]
    unsafe fn factor(self, from: *const f32, _: usize, _: usize) -> f32 {
        // SAFETY: as promised by the caller.
        unsafe { *from }
    }

    #[inline(always)]
    unsafe fn line(self, from: *const f32, _: usize, _: usize) -> [f32; LINE] {
        // SAFETY: as promised by the caller.
        unsafe { from.cast::<[f32; LINE]>().read_unaligned() }
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
        unsafe { <f32 as Lanes>::turn::<S>(from, from_row, height, to, to_row) }
    }

    /// A long loop is one that the compiler vectorises.
    #[inline(always)]
    fn finish(self, packed: &mut [f32]) {
        for x in packed {
            *x = f32::from_bits(bf16::nearest(x.to_bits()));
        }
    }
}
