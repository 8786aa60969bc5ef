//! Products whose sums are cut into sections.

use super::*;
use crate::sections::FEW_SUMS;

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

/// Sums of small integers are exact in any order; a section left out, taken twice or put elsewhere is not.
#[test]
fn long_sums_are_whole_whatever_they_start_from() {
    fn check<S: Scalar>(m: usize, n: usize, k: usize) {
        let (a, b, row) = (integers::<S>(k, m), integers::<S>(k, n), integers::<S>(1, n));
        let sums = Matrix::from_fn(m, n, |i, j| {
            (0..k).fold(S::zero(), |sum, p| sum + a[(p, i)] * b[(p, j)])
        });
        let expected = |begin| Matrix::from_fn(m, n, |i, j| finished(begin, j, sums[(i, j)]));
        let counts = if cfg!(miri) { 2..=2 } else { 1..=3 };
        for threads in counts.map(|count| Threads::new(count).unwrap()) {
            for begin in begins(row.as_slice()) {
                let mut c = Matrix::from_fn(m, n, |_, _| S::one());
                let (a, b) = (operand(&a, true), operand(&b, false));
                multiply(a, b, c.view_mut(), begin, &threads);
                assert_eq!(c, expected(begin), "{m}×{n}×{k} {begin:?} {threads:?}");
            }
        }
    }
    check::<f32>(2, 3, MAX_WHOLE + 1);
    if cfg!(miri) {
        return;
    }
    for (m, n, k) in [(40, 1, 1777), (1, 40, 2048), (33, 9, 5003), (64, 64, 1600)] {
        check::<f32>(m, n, k);
        check::<f64>(m, n, k);
    }
    check::<f32>(3, 5, 100_000);
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

/// Where sums are many, or short, each is one chain as before.
#[test]
fn only_long_sums_are_cut_and_if_they_are_few() {
    assert_eq!(sections(16, MAX_WHOLE), None);
    assert_eq!(sections(16, MAX_WHOLE + 1), Some(2));
    assert_eq!(sections(16, 5000), Some(8));
    assert_eq!(sections(16, 1_000_000), Some(64));
    assert_eq!(sections(FEW_SUMS, MAX_WHOLE + 1), Some(2));
    assert_eq!(sections(FEW_SUMS + 1, MAX_WHOLE + 1), None);
    assert_eq!(sections(0, 5000), None);
}
