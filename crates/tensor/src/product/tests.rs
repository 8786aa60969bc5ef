//! Elements of products against chains written out.

mod bf16;
mod sections;

use pulp::{Arch, Simd, WithSimd};

use super::arithmetic::Plain;
use super::blocks::Sizes;
use super::part::Part;
use super::*;
use crate::Matrix;

/// Values of about one, with a rounding error in nearly every product.
fn values<S: Scalar>(rows: usize, cols: usize) -> Matrix<S> {
    Matrix::from_fn(rows, cols, |i, j| S::of(((i * 31 + j * 17) % 23) as f64 / 7.0 - 1.5))
}

fn operand<S: Scalar>(m: &Matrix<S>, transposed: bool) -> Operand<'_, S> {
    if transposed { Operand::transposed(m.view()) } else { Operand::plain(m.view()) }
}

/// Small integers, whose products and sums are exact in any order, in bf16 too.
fn integers<S: Scalar>(rows: usize, cols: usize) -> Matrix<S> {
    Matrix::from_fn(rows, cols, |i, j| S::of((3 * i + 7 * j) as f64 % 5.0 - 2.0))
}

/// What the sums of column `j` start from, in a destination of ones.
fn begin_at<S: Scalar>(begin: Begin<'_, S>, j: usize) -> S {
    match begin {
        Begin::Zero | Begin::Subtract(_) => S::zero(),
        Begin::Destination => S::one(),
        Begin::Row(row) => row[j],
    }
}

/// A way to compute a part.
type Run<'a, S> = &'a dyn Fn(&Part<S>);

/// Every way, on small shapes and on some that are cut into several blocks, against plain chains
/// over factors of which `factor` says what they become, of fused operations if the ways are for an
/// instruction set that has them. The ways may sum `A Bᵀ` of a few rows, and `A` times one column, in
/// other orders if `few_rows_differ`.
fn one_chain_an_element<S: Scalar>(
    factor: fn(S) -> S,
    fused: bool,
    few_rows_differ: bool,
    ways: &[Run<'_, S>],
) {
    let shapes = [
        (1, 1, 1),
        (4, 3, 0),
        (5, 1, 9),
        (7, 20, 5),
        (25, 9, 17),
        (4, 40, 3),
        (40, 2, 11),
        (13, 4, 9),
        (8, 5, 4),
        (32, 40, 6),
        (2, 66, 1),
        (2, 130, 1),
    ];
    let large = [(200, 70, 600), (33, 2100, 40), (70, 239, 130)];
    let all = shapes.into_iter().chain(large);
    // Miri takes minutes for the larger ones.
    for (m, n, k) in all.filter(|(m, n, k)| !cfg!(miri) || m * n * k < 200) {
        let (a, b, row) = (values::<S>(m, k), values::<S>(k, n), values::<S>(1, n));
        for begin in [Begin::Zero, Begin::Destination, Begin::Row(row.as_slice())] {
            let chain = |i, j| {
                let start = begin_at(begin, j);
                let add = |sum, p| match (factor(a[(i, p)]), factor(b[(p, j)])) {
                    (a, b) if fused => a.mul_add(b, sum),
                    (a, b) => a * b + sum,
                };
                (0..k).fold(start, add)
            };
            let expected = Matrix::from_fn(m, n, chain);
            for (ta, tb) in [(false, true), (false, false), (true, false), (true, true)] {
                if few_rows_differ && !ta && (tb && m <= vector::FEW_ROWS || n == 1) {
                    continue;
                }
                let a = if ta { a.transpose() } else { a.clone() };
                let b = if tb { b.transpose() } else { b.clone() };
                for (way, run) in ways.iter().enumerate() {
                    let mut c = Matrix::from_fn(m, n, |_, _| S::one());
                    let (a, b) = (operand(&a, ta), operand(&b, tb));
                    run(&Part::new(a, b, c.view_mut(), begin));
                    assert_eq!(c, expected, "way {way}: {m}×{n}×{k} {ta} {tb} {begin:?}");
                }
            }
        }
    }
}

/// Vectors of one number, which Miri can watch, AVX2's, and the widest there are; whether they are fused.
fn instruction_sets() -> Vec<(Arch, bool)> {
    let mut sets = vec![(Arch::Scalar, false)];
    #[cfg(target_arch = "x86_64")]
    sets.extend(pulp::x86::V3::try_new().map(|simd| (Arch::V3(simd), true)));
    #[cfg(target_arch = "x86_64")]
    let known = |arch| matches!(arch, Arch::Scalar | Arch::V3(_));
    #[cfg(not(target_arch = "x86_64"))]
    let known = |arch| matches!(arch, Arch::Scalar);
    sets.extend(Some(Arch::new()).filter(|&arch| !known(arch)).map(|arch| (arch, true)));
    sets
}

/// Blocks so small that even small shapes are cut, and of at least two panels of the widest vectors; Miri has none of
/// those.
const SMALL: Sizes =
    Sizes { depth: 4, cols: if cfg!(miri) { 64 } else { 128 }, stream: 0, rows: 64 };

/// A part that is cut so.
struct Cut<'a, S>(&'a Part<S>);

impl<T: Lanes> WithSimd for Cut<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.0.multiply_by(Plain::new(simd), SMALL);
    }
}

#[test]
fn every_element_is_one_chain() {
    fn check<S: Scalar>() {
        for (arch, fused) in instruction_sets() {
            let fitting = |part: &Part<S>| part.fitting(arch).dispatch(part);
            let ways: [Run<'_, S>; 4] = [
                &|part| fitting(&part.clone().along_longer_side()),
                &|part| arch.dispatch(part),
                &|part| arch.dispatch(&part.transposed()),
                &|part| arch.dispatch(Cut(part)),
            ];
            one_chain_an_element(|x| x, fused, true, &ways);
        }
    }
    check::<f32>();
    check::<f64>();
}

/// Short rows of C, and short dot products, are multiplied on shorter vectors.
#[test]
fn shorter_vectors_give_the_same_bits() {
    fn check<S: Scalar>(m: usize, n: usize, k: usize) {
        let (a, b) = (values::<S>(m, k), values::<S>(n, k));
        for (arch, _) in instruction_sets() {
            let [fitting, given] = [true, false].map(|fitting| {
                let mut c = Matrix::from_fn(m, n, |_, _| S::nan());
                let part =
                    Part::new(operand(&a, false), operand(&b, true), c.view_mut(), Begin::Zero);
                if fitting { part.fitting(arch) } else { arch }.dispatch(&part);
                c
            });
            let bits = |c: &Matrix<S>| {
                c.as_slice().iter().map(|c| c.as_f64().to_bits()).collect::<Vec<_>>()
            };
            assert_eq!(bits(&fitting), bits(&given), "{m}×{n}×{k} on {arch:?}");
        }
    }
    for (m, short, long) in [(1, 1, 17), (2, 4, 9), (4, 7, 5), (5, 8, 3), (3, 9, 6)] {
        for (n, k) in [(short, long), (long, short)] {
            check::<f32>(m, n, k);
            check::<f64>(m, n, k);
        }
    }
}

/// Strips of every height, and panels of every width.
#[test]
fn every_size_of_tiles_is_right() {
    /// Integers again, with a longer period.
    fn numbers<S: Scalar>(rows: usize, cols: usize) -> Matrix<S> {
        Matrix::from_fn(rows, cols, |i, j| S::of(((31 * i + 17 * j) % 23) as f64 - 11.0))
    }
    fn check<S: Scalar>(arch: Arch, m: usize, n: usize) {
        let k = 5;
        let (a, b) = (numbers::<S>(m, k), numbers::<S>(k, n));
        let element = |i, j| (0..k).fold(S::zero(), |sum, p| sum + a[(i, p)] * b[(p, j)]);
        let expected = Matrix::from_fn(m, n, element);
        let a_turned = a.transpose();
        for a in [operand(&a, false), operand(&a_turned, true)] {
            for turned in [false, true] {
                let mut c = Matrix::from_fn(m, n, |_, _| S::nan());
                let part = Part::new(a, operand(&b, false), c.view_mut(), Begin::Zero);
                let part = if turned { part.transposed() } else { part };
                arch.dispatch(&part);
                assert_eq!(c, expected, "{m}×{n} {turned}");
            }
        }
    }
    let (most_rows, most_cols) = if cfg!(miri) { (7, 2) } else { (17, 70) };
    for (m, n) in (1..=most_rows).flat_map(|m| (1..=most_cols).map(move |n| (m, n))) {
        for (arch, _) in instruction_sets() {
            for (m, n) in [(m, n), (n, m)] {
                check::<f32>(arch, m, n);
                check::<f64>(arch, m, n);
            }
        }
    }
}

/// Subtracted is what would have been stored; where the sum is cut, all its parts are.
#[test]
fn a_multiple_of_every_element_is_subtracted() {
    fn check<S: Scalar>(m: usize, n: usize, k: usize, arch: Arch) {
        let (a, b) = (values::<S>(m, k), values::<S>(k, n));
        let eta = S::of(0.3);
        let less = |c: S| S::one() - eta * c;
        let fitting = |part: &Part<S>| part.fitting(arch).dispatch(part);
        let ways: [(Run<'_, S>, bool); 4] = [
            (&|part| fitting(&part.clone().along_longer_side()), true),
            (&|part| arch.dispatch(part), true),
            (&|part| arch.dispatch(&part.transposed()), true),
            (&|part| arch.dispatch(Cut(part)), false),
        ];
        for (ta, tb) in [(false, true), (false, false), (true, false), (true, true)] {
            let a = if ta { a.transpose() } else { a.clone() };
            let b = if tb { b.transpose() } else { b.clone() };
            for (way, (run, exact)) in ways.iter().enumerate() {
                let (a, b) = (operand(&a, ta), operand(&b, tb));
                let mut stored = Matrix::zeros(m, n);
                run(&Part::new(a, b, stored.view_mut(), Begin::Zero));
                let mut c = Matrix::from_fn(m, n, |_, _| S::one());
                run(&Part::new(a, b, c.view_mut(), Begin::Subtract(eta)));
                for (&c, &stored) in c.as_slice().iter().zip(stored.as_slice()) {
                    let error = (c - less(stored)).abs().as_f64();
                    let bound = if *exact { 0.0 } else { 1e2 * S::epsilon().as_f64() };
                    assert!(error <= bound, "way {way}: {m}×{n}×{k} {ta} {tb}: {error:e}");
                }
            }
        }
    }
    let shapes = [
        (1, 1, 3),
        (4, 3, 0),
        (5, 1, 9),
        (3, 20, 5),
        (7, 20, 5),
        (13, 4, 9),
        (40, 2, 11),
        (32, 40, 6),
        (2, 66, 1),
        (20, 150, 70),
    ];
    // Miri takes minutes for the larger ones.
    for (m, n, k) in shapes.into_iter().filter(|(m, n, k)| !cfg!(miri) || m * n * k < 200) {
        for (arch, _) in instruction_sets() {
            check::<f32>(m, n, k, arch);
            check::<f64>(m, n, k, arch);
        }
    }
}

/// Each instruction set with each length of dot products.
fn dot_products(longest: usize) -> impl Iterator<Item = (Arch, usize)> {
    let longest = if cfg!(miri) { 5 } else { longest };
    instruction_sets().into_iter().flat_map(move |(arch, _)| (0..=longest).map(move |k| (arch, k)))
}

#[test]
fn a_dot_product_has_the_same_bits_beside_any_others() {
    fn check<S: Scalar>() {
        for (arch, k) in dot_products(70) {
            let (x, w) = (values::<S>(2, k), values::<S>(11, k));
            let (a, b) = (operand(&x, false), operand(&w, true));
            let [mut together, mut alone] = [0; 2].map(|_| Matrix::from_fn(2, 11, |_, _| S::nan()));
            arch.dispatch(&Part::new(a, b, together.view_mut(), Begin::Zero));
            let part = Part::new(a, b, alone.view_mut(), Begin::Zero);
            (0..11).for_each(|j| arch.dispatch(&part.within(0..2, j..j + 1)));
            assert_eq!(together, alone, "{k}");
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn a_dot_product_is_right_at_every_length() {
    fn check<S: Scalar>(m: usize, n: usize, k: usize, arch: Arch) {
        let (x, w, row) = (integers::<S>(m, k), integers::<S>(n, k), integers::<S>(1, n));
        for begin in [Begin::Zero, Begin::Destination, Begin::Row(row.as_slice())] {
            let dot = |i, j| {
                let start = begin_at(begin, j);
                (0..k).fold(start, |sum, p| sum + x[(i, p)] * w[(j, p)])
            };
            let mut c = Matrix::from_fn(m, n, |_, _| S::one());
            let part = Part::new(operand(&x, false), operand(&w, true), c.view_mut(), begin);
            arch.dispatch(&part.along_longer_side());
            assert_eq!(c, Matrix::from_fn(m, n, dot), "{m}×{n}×{k} {begin:?}");
        }
    }
    for (arch, k) in dot_products(70) {
        // A C of one column is taken as `Cᵀ = Bᵀ Aᵀ`, which has one row.
        for (m, n) in [(1, 6), (4, 5), (9, 1)] {
            check::<f32>(m, n, k, arch);
            check::<f64>(m, n, k, arch);
        }
    }
}
