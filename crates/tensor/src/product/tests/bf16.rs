//! Products of bf16, with what multiplies pairs and tiles of it written out, so that any processor runs the
//! blocks of those that have instructions for it.

use pulp::{Arch, Simd, WithSimd};

use super::*;
use crate::bf16;
use crate::product::arithmetic::{Arithmetic, Inlined};
use crate::product::pack::{LINE, Packing};
use crate::product::rounded::Rounded;
use crate::product::tiles::{BLOCK, BlockSums, Pairing, SIDE, TILE, Tiles};

#[test]
fn with_bf16_every_element_is_the_chain_of_rounded_factors() {
    struct PairedPart<'a>(&'a Part<f32>);
    impl WithSimd for PairedPart<'_> {
        type Output = ();

        fn with_simd<S: Simd>(self, simd: S) {
            self.0.multiply(Pairs(simd));
        }
    }
    struct Cut<'a>(&'a Part<f32>);
    impl WithSimd for Cut<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            self.0.multiply_by(Rounded::new(simd), SMALL);
        }
    }
    let cut = |arch: Arch| move |part: &_| arch.dispatch(Cut(part));
    let rounded = |arch: Arch| move |part: &_| arch.dispatch(RoundedPart(part));
    let paired = |arch: Arch| move |part: &_| arch.dispatch(PairedPart(part));
    for (arch, fused) in instruction_sets() {
        let ways: [Run<'_, f32>; 3] = [&rounded(arch), &cut(arch), &paired(arch)];
        one_chain_an_element(|x| half::bf16::from_f32(x).into(), fused, false, &ways);
    }
}

/// What the instructions of `Dot` do, but for subnormal numbers and with two
/// fused operations for a pair, so that tests see packed pairs on any processor.
#[derive(Clone, Copy)]
struct Pairs<S>(S);

impl<S: Simd> Arithmetic for Pairs<S> {
    type Element = f32;
    type Simd = S;
    type Factor = u32;
    type Factors = S::u32s;

    const VALUES: usize = 2;

    fn simd(self) -> S {
        self.0
    }

    #[inline(always)]
    fn vectorize(self, f: impl FnOnce()) {
        self.0.vectorize(Inlined(f));
    }

    #[inline(always)]
    fn splat(self, x: u32) -> S::u32s {
        self.0.splat_u32s(x)
    }

    #[inline(always)]
    unsafe fn load(self, from: *const u32) -> S::u32s {
        // SAFETY: the caller promises that the numbers are there.
        unsafe { from.cast::<S::u32s>().read_unaligned() }
    }

    #[inline(always)]
    fn mul_add(self, x: S::u32s, y: S::u32s, sum: S::f32s) -> S::f32s {
        let simd = self.0;
        let upper = |x| simd.transmute_f32s_u32s(simd.and_u32s(x, simd.splat_u32s(0xffff_0000)));
        let lower =
            |x| simd.transmute_f32s_u32s(simd.wrapping_dyn_shl_u32s(x, simd.splat_u32s(16)));
        simd.mul_add_f32s(upper(x), upper(y), simd.mul_add_f32s(lower(x), lower(y), sum))
    }
}

impl<S: Simd> Packing for Pairs<S> {
    type Element = f32;
    type Factor = u32;
    type Arithmetic = Self;

    const NEEDED: bool = true;

    fn arithmetic(self) -> Self {
        self
    }

    #[inline(always)]
    unsafe fn factor(self, from: *const f32, step: usize, values: usize) -> u32 {
        let half = |x: f32| bf16::nearest(x.to_bits());
        // SAFETY: as promised by the caller.
        unsafe { half(*from) >> 16 | if values == 2 { half(*from.add(step)) } else { 0 } }
    }

    #[inline(always)]
    unsafe fn line(self, from: *const f32, step: usize, values: usize) -> [u32; LINE] {
        // SAFETY: as promised by the caller.
        std::array::from_fn(|j| unsafe { self.factor(from.add(j), step, values) })
    }

    #[inline(always)]
    unsafe fn turn(
        self,
        from: *const f32,
        from_row: usize,
        height: usize,
        to: *mut u32,
        to_row: usize,
    ) {
        for q in 0..<f32 as Lanes>::SIDE {
            for i in 0..height {
                // SAFETY: as promised by the caller.
                unsafe {
                    *to.add(q * to_row + i) = self.factor(from.add(i * from_row + 2 * q), 1, 2)
                };
            }
        }
    }
}

impl<S: Simd> Pairing for Pairs<S> {
    #[inline(always)]
    unsafe fn along(self, from: *const f32) -> [u32; LINE] {
        // SAFETY: as promised by the caller.
        std::array::from_fn(|q| unsafe { self.factor(from.add(2 * q), 1, 2) })
    }
}

/// What the instructions of `Amx` do, likewise.
#[derive(Clone, Copy)]
struct PairTiles<S>(Pairs<S>);

impl<S: Simd> Tiles for PairTiles<S> {
    type Packing = Pairs<S>;

    fn packing(self) -> Pairs<S> {
        self.0
    }

    #[inline(always)]
    fn set_up(self, f: impl FnOnce()) {
        self.0.vectorize(f);
    }

    unsafe fn multiply(
        self,
        a: *const u32,
        a_next: *const u32,
        b: *const u32,
        steps: usize,
        sums: &mut BlockSums,
    ) {
        let halves = |pair: u32| [pair << 16, pair & 0xffff_0000].map(f32::from_bits);
        for (place, sum) in sums.0.iter_mut().enumerate() {
            let (i, j) = (place / BLOCK, place % BLOCK);
            *sum = (0..steps * SIDE).fold(0.0, |sum, q| {
                let tiles = if i < SIDE { a } else { a_next };
                // SAFETY: the caller promises the tiles and the panel.
                let (x, y) = unsafe {
                    let x = *tiles.add(q / SIDE * TILE + i % SIDE * SIDE + q % SIDE);
                    (halves(x), halves(*b.add(q * BLOCK + j)))
                };
                sum + x[0] * y[0] + x[1] * y[1]
            });
        }
    }
}

#[test]
fn tiles_give_every_element() {
    struct Tiled<'a>(&'a Part<f32>, usize, usize);
    impl WithSimd for Tiled<'_> {
        type Output = ();

        fn with_simd<S: Simd>(self, simd: S) {
            self.0.multiply_tiles_by(PairTiles(Pairs(simd)), self.1, self.2);
        }
    }
    let shapes = [(1, 1, 1), (4, 3, 0), (16, 40, 32), (33, 1, 33), (70, 65, 67), (40, 100, 130)];
    let shapes = shapes.into_iter().filter(|(m, n, k)| !cfg!(miri) || m * n * k < 200);
    for ((m, n, k), (arch, _)) in
        shapes.flat_map(|shape| instruction_sets().into_iter().map(move |set| (shape, set)))
    {
        let whole = |part: &_| arch.dispatch(Tiled(part, 512, 512));
        let cut = |part: &_| arch.dispatch(Tiled(part, 16, 32));
        let turned = |part: &Part<f32>| arch.dispatch(Tiled(&part.transposed(), 16, 32));
        let mut ways: Vec<Run<'_, f32>> = vec![&whole, &cut, &turned];
        #[cfg(target_arch = "x86_64")]
        let amx = Amx::under(arch).map(|amx| move |part: &Part<f32>| part.multiply_tiles(amx));
        #[cfg(target_arch = "x86_64")]
        ways.extend(amx.iter().map(|run| run as Run<'_, f32>));
        #[cfg(target_arch = "x86_64")]
        let dot = Dot::under(arch).map(|dot| move |part: &Part<f32>| part.multiply(dot));
        #[cfg(target_arch = "x86_64")]
        ways.extend(dot.iter().map(|run| run as Run<'_, f32>));
        let (a, b, row) = (integers(m, k), integers(k, n), integers(1, n));
        let begins =
            [Begin::Zero, Begin::Destination, Begin::Row(row.as_slice()), Begin::Subtract(0.5)];
        for begin in begins {
            let element = |i, j| {
                let sum = (0..k).map(|p| a[(i, p)] * b[(p, j)]).sum::<f32>();
                match begin {
                    Begin::Subtract(eta) => 1.0 - eta * sum,
                    _ => begin_at(begin, j) + sum,
                }
            };
            let expected = Matrix::from_fn(m, n, element);
            for (ta, tb) in [(false, true), (false, false), (true, false), (true, true)] {
                let a = if ta { a.transpose() } else { a.clone() };
                let b = if tb { b.transpose() } else { b.clone() };
                for (way, run) in ways.iter().enumerate() {
                    let mut c = Matrix::from_fn(m, n, |_, _| 1.0);
                    run(&Part::new(operand(&a, ta), operand(&b, tb), c.view_mut(), begin));
                    assert_eq!(c, expected, "way {way}: {m}×{n}×{k} {ta} {tb} {begin:?}");
                }
            }
        }
    }
}
