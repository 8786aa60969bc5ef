//! How tiles multiply: what factors are, and what becomes of vectors of them.

use pulp::Simd;

use super::lanes::Lanes;

/// A way to multiply. One source of tiles serves all.
pub(super) trait Arithmetic: Copy {
    /// An element of C.
    type Element: Lanes;
    /// The vectors of C.
    type Simd: Simd;
    /// `VALUES` neighbours along the inner dimension.
    type Factor: Copy;
    /// As many factors as a vector of C has elements.
    type Factors: Copy;

    /// Elements of A and B in a factor. If there are several, operands must be packed.
    const VALUES: usize;

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
}
