//! Products of bf16, with what multiplies pairs and tiles of it written out, so that any processor runs the
//! blocks of those that have instructions for it.

use pulp::{Arch, Simd, WithSimd};

use super::*;
use crate::bf16;
use crate::product::arithmetic::{Arithmetic, Inlined};
use crate::product::pack::{LINE, Packing};
use crate::product::pairs::{Pairing, SIDE, TILE};
use crate::product::rounded::Rounded;
use crate::product::tile_registers::{BLOCK, BlockSums, Sizes, TileRegisters};

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

/// What the instructions of `Amx` do, but for subnormal numbers and with sums in the order of the inner
/// dimension.
#[derive(Clone, Copy)]
struct PairTiles<S>(Pairs<S>);

impl<S: Simd> TileRegisters for PairTiles<S> {
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
        for (i, sums) in sums.0.chunks_exact_mut(BLOCK).enumerate() {
            sums.fill(0.0);
            let tiles = if i < SIDE { a } else { a_next };
            for q in 0..steps * SIDE {
                // SAFETY: the caller promises the tiles.
                let x = unsafe { *tiles.add(q / SIDE * TILE + i % SIDE * SIDE + q % SIDE) };
                // Miri has no time for what is filled up with 0, or is left as it was spoilt.
                if cfg!(miri) && [0, u32::MAX].contains(&x) {
                    continue;
                }
                let x = halves(x);
                for (j, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: the caller promises the panel.
                    let y = halves(unsafe { *b.add(q * BLOCK + j) });
                    *sum = *sum + x[0] * y[0] + x[1] * y[1];
                }
            }
        }
    }
}

/// A part by [`PairTiles`], and by how large blocks.
struct Tiled<'a>(&'a Part<f32>, Option<Sizes>);

impl WithSimd for Tiled<'_> {
    type Output = ();

    fn with_simd<S: Simd>(self, simd: S) {
        let registers = PairTiles(Pairs(simd));
        match self.1 {
            None => self.0.multiply_in(registers),
            Some(sizes) => self.0.multiply_in_by(registers, sizes),
        }
    }
}

/// Blocks of so few tiles that even small shapes are cut.
const FEW_TILES: Sizes = Sizes { depth: 16, rows: 32, cols: 32 };

/// Runs `check` with every way to multiply pairs and tiles, this processor's own among them.
fn with_every_way(mut check: impl FnMut(Run<'_, f32>)) {
    for (arch, _) in instruction_sets() {
        check(&|part| arch.dispatch(Tiled(part, None)));
        check(&|part| arch.dispatch(Tiled(part, Some(FEW_TILES))));
        check(&|part| arch.dispatch(Tiled(&part.transposed(), Some(FEW_TILES))));
        check(&|part| {
            let (m, n) = (part.rows.end, part.cols.end);
            for rows in [0..m / 2, m / 2..m] {
                for cols in [0..n / 2, n / 2..n] {
                    arch.dispatch(Tiled(&part.within(rows.clone(), cols), None));
                }
            }
        });
        #[cfg(target_arch = "x86_64")]
        if let Some(amx) = Amx::under(arch) {
            check(&|part| part.multiply_in(amx));
        }
        // Where tiles or rounding are faster nothing else runs it.
        #[cfg(target_arch = "x86_64")]
        if let Some(dot) = Dot::under(arch) {
            check(&|part| part.multiply(dot));
        }
    }
}

/// Fills the room for packed operands with NaN.
fn spoil_rooms() {
    let bytes = if cfg!(miri) { 1 << 14 } else { 1 << 20 };
    // SAFETY: the room has so many bytes.
    crate::scratch::with(&crate::scratch::PACKED, [bytes], |[room]| unsafe {
        room.write_bytes(0xff, bytes)
    });
}

/// Shapes that end within tiles, pairs and blocks; for Miri, which takes its time, two.
fn shapes() -> Vec<(usize, usize, usize)> {
    if cfg!(miri) {
        return vec![(17, 3, 3), (2, 33, 33)];
    }
    let small = [(1, 1, 1), (4, 3, 0), (17, 3, 3), (16, 1, 3), (1, 1, 33), (1, 33, 2), (3, 2, 18)];
    [&small[..], &[(16, 40, 32), (33, 1, 33), (70, 65, 67), (40, 100, 130)]].concat()
}

#[test]
fn pairs_and_tiles_give_every_element() {
    for (m, n, k) in shapes() {
        let (a, b, row) = (integers(m, k), integers(k, n), integers(1, n));
        let begins =
            [Begin::Zero, Begin::Destination, Begin::Row(row.as_slice()), Begin::Subtract(0.5)];
        for begin in begins.into_iter().skip(if cfg!(miri) { 3 } else { 0 }) {
            let element = |i, j| {
                let sum = (0..k).map(|p| a[(i, p)] * b[(p, j)]).sum::<f32>();
                match begin {
                    Begin::Subtract(eta) => 1.0 - eta * sum,
                    _ => begin_at(begin, j) + sum,
                }
            };
            let expected = Matrix::from_fn(m, n, element);
            let layouts = [(false, true), (true, false), (false, false), (true, true)];
            for (ta, tb) in layouts.into_iter().take(if cfg!(miri) { 2 } else { 4 }) {
                let a = if ta { a.transpose() } else { a.clone() };
                let b = if tb { b.transpose() } else { b.clone() };
                let mut way = 0;
                with_every_way(|run| {
                    spoil_rooms();
                    let mut c = Matrix::from_fn(m, n, |_, _| 1.0);
                    run(&Part::new(operand(&a, ta), operand(&b, tb), c.view_mut(), begin));
                    assert_eq!(c, expected, "way {way}: {m}×{n}×{k} {ta} {tb} {begin:?}");
                    way += 1;
                });
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "the other test has the same addresses")]
fn pairs_and_tiles_round_every_factor() {
    for (m, n, k) in shapes() {
        let (a, b) = (values::<f32>(m, k), values::<f32>(k, n));
        let rounded = |x: f32| f64::from(half::bf16::from_f32(x));
        for (ta, tb) in [(false, true), (false, false), (true, false)] {
            let (x, y) = (&if ta { a.transpose() } else { a.clone() }, &b);
            let y = &if tb { y.transpose() } else { y.clone() };
            with_every_way(|run| {
                let mut c = Matrix::zeros(m, n);
                run(&Part::new(operand(x, ta), operand(y, tb), c.view_mut(), Begin::Zero));
                for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    let terms = (0..k).map(|p| rounded(a[(i, p)]) * rounded(b[(p, j)]));
                    let (sum, size) =
                        terms.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs()));
                    let bound = k as f64 * f64::from(f32::EPSILON) * size;
                    let found = f64::from(c[(i, j)]);
                    assert!((found - sum).abs() <= bound, "{m}×{n}×{k}: {found} {sum}");
                }
            });
        }
    }
}
