//! Products whose sums are cut into sections.

use super::*;
use crate::product::share::MIN_BLOCK;
use crate::sections::{FEW_SUMS, Sections};

fn begins<S: Scalar>(row: &[S]) -> [Begin<'_, S>; 4] {
    [Begin::Zero, Begin::Destination, Begin::Row(row), Begin::Subtract(S::of(2.0))]
}

/// What `begin` makes of a sum in column `j`, in a destination of ones.
fn finished<S: Scalar>(begin: Begin<'_, S>, j: usize, sum: S) -> S {
    match begin {
        Begin::Subtract(eta) => S::one() - eta * sum,
        _ => begin_at(begin, j) + sum,
    }
}

/// The product of operands as they are, or rounded to bf16.
type Multiply<S> = fn(Operand<'_, S>, Operand<'_, S>, MatrixViewMut<'_, S>, Begin<'_, S>, &Threads);

/// Sums of small integers are exact in any order, in bf16 too; a section left out, taken twice or put elsewhere
/// is not.
fn assert_whole<S: Scalar>(multiply: Multiply<S>, (m, n, k): (usize, usize, usize)) {
    assert!(Sections::of(m * n, k, m.max(n) / MIN_BLOCK).is_some(), "{m}×{n}×{k} is not cut");
    let (a, b, row) = (integers::<S>(m, k), integers::<S>(k, n), integers::<S>(1, n));
    let sums =
        Matrix::from_fn(m, n, |i, j| (0..k).fold(S::zero(), |sum, p| sum + a[(i, p)] * b[(p, j)]));
    let expected = |begin| Matrix::from_fn(m, n, |i, j| finished(begin, j, sums[(i, j)]));
    let (forms, counts) = if cfg!(miri) {
        (vec![(true, false)], 2..=2)
    } else {
        (vec![(true, false), (false, true), (false, false)], 1..=3)
    };
    for (ta, tb) in forms {
        let a = if ta { a.transpose() } else { a.clone() };
        let b = if tb { b.transpose() } else { b.clone() };
        for threads in counts.clone().map(|count| Threads::new(count).unwrap()) {
            for begin in begins(row.as_slice()) {
                let mut c = Matrix::from_fn(m, n, |_, _| S::one());
                multiply(operand(&a, ta), operand(&b, tb), c.view_mut(), begin, &threads);
                assert_eq!(c, expected(begin), "{m}×{n}×{k} {ta} {tb} {begin:?} {threads:?}");
            }
        }
    }
}

#[test]
fn long_sums_are_whole_whatever_they_start_from() {
    assert_whole::<f32>(multiply, (2, 3, MAX_WHOLE + 1));
    if cfg!(miri) {
        return;
    }
    for shape in [(40, 1, 2048), (1, 40, 2048), (9, 17, 2100), (33, 9, 5003), (64, 64, 5000)] {
        assert_whole::<f32>(multiply, shape);
        assert_whole::<f32>(multiply_bf16, shape);
        assert_whole::<f64>(multiply, shape);
    }
    assert_whole::<f32>(multiply, (3, 5, 100_000));
}

/// Each section is one chain, and the chains are added in order: 1 and then as many halves of its last bit as
/// one section has change nothing there, but a section of them alone adds up.
#[test]
#[cfg_attr(miri, ignore = "bits of long sums; their memory is watched above")]
fn sections_are_summed_by_themselves() {
    let half = f32::EPSILON / 2.0;
    let k = MAX_WHOLE + 512;
    let (a, b) = (
        Matrix::from_fn(k, 5, |_, _| 1.0),
        Matrix::from_fn(k, 1, |p, _| if p == 0 { 1.0 } else { half }),
    );
    let of = |m, n| {
        let mut c = Matrix::zeros(m, n);
        let (a, b) = (operand(&a, true), operand(&b, false));
        multiply(a, b, c.view_mut(), Begin::Zero, &Threads::one());
        c
    };
    assert_eq!(of(5, 1).as_slice(), [1.0 + 768.0 * half; 5]);
}

/// Where sums are many, or short, or can be shared as they are, each is one chain.
#[test]
fn only_long_sums_are_cut_and_if_they_are_few() {
    let are_cut = |sums, terms, parts| Sections::of(sums, terms, parts).is_some();
    assert!(!are_cut(16, MAX_WHOLE, 1));
    assert!(are_cut(16, MAX_WHOLE + 1, 1));
    assert!(!are_cut(16, MAX_WHOLE + 1, 2));
    assert!(are_cut(16, 5000, 7));
    assert!(!are_cut(16, 5000, 8));
    assert!(are_cut(16, 1_000_000, 63));
    assert!(!are_cut(16, 1_000_000, 64));
    assert!(are_cut(FEW_SUMS, 5000, 0));
    assert!(!are_cut(FEW_SUMS + 1, 5000, 0));
    assert!(!are_cut(0, 5000, 0));
}
