//! Sums, dot products, and the softmax.

use chainrule_tensor::kernels::{
    RowSum, column_sums, dot, exponential_rows, exponential_sums, log_sum_exp, log_sum_exp_rows,
    softmax_rows, sum_map,
};
use chainrule_tensor::product::Store;
use chainrule_tensor::{Matrix, Scalar, Threads};
use proptest::prelude::*;

use crate::{LENGTHS, cast, wave};

fn config() -> ProptestConfig {
    // Under Miri a case takes a second, and files cannot be written.
    let cases = if cfg!(miri) { 2 } else { 128 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn column_sums_replace_or_add() {
    for (rows, cols) in [(0, 3), (3, 0), (1, 1), (5, 17), (40, 33)] {
        let m = Matrix::from_vec(rows, cols, wave(rows * cols)).unwrap();
        let naive = |j: usize| (0..rows).map(|i| m[(i, j)]).sum::<f64>();
        let mut sums = vec![f64::NAN; cols];
        column_sums(m.view(), &mut sums, Store::Replace, &Threads::one());
        assert!((0..cols).all(|j| (sums[j] - naive(j)).abs() < 1e-12));
        column_sums(m.view(), &mut sums, Store::Add, &Threads::one());
        assert!((0..cols).all(|j| (sums[j] - 2.0 * naive(j)).abs() < 1e-12));
    }
}

#[test]
fn sums_and_dots_are_right_at_every_length() {
    for n in LENGTHS {
        let (x, y) = (wave(n), wave(2 * n)[n..].to_vec());
        let naive: f64 = x.iter().map(|x| x * x).sum();
        assert!((sum_map(&x, |x| x * x) - naive).abs() <= 1e-13 * naive);
        let naive: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
        assert!((dot(&x, &y) - naive).abs() < 1e-12);
    }
    // Partial sums lose no small terms that a running sum would: 2²⁴ + 1 + 1 + … in f32.
    let mut x = vec![1.0_f32; 1 << 10];
    x[0] = 16_777_216.0;
    assert!(sum_map(&x, |x| x) > 16_777_216.0 + 900.0);
}

/// A shape and its values, for random logits.
fn logits(scale: f64) -> impl Strategy<Value = Matrix<f64>> {
    (1..8_usize, 1..40_usize).prop_flat_map(move |(rows, cols)| {
        prop::collection::vec(-scale..scale, rows * cols)
            .prop_map(move |data| Matrix::from_vec(rows, cols, data).unwrap())
    })
}

/// Softmax and log-sum-exp in f64 by the standard library.
fn naive_row(a: &[f64]) -> (Vec<f64>, f64) {
    let max = a.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = a.iter().map(|a| (a - max).exp()).sum();
    (a.iter().map(|a| (a - max).exp() / sum).collect(), max + sum.ln())
}

fn assert_softmax<S: Scalar>(a: &Matrix<f64>, epsilon: f64) {
    let a = a.cast::<S>();
    let (rows, cols) = (a.rows(), a.cols());
    let (mut y, mut z) = (Matrix::<S>::zeros(rows, cols), Matrix::<S>::zeros(rows, cols));
    let mut lse = vec![S::nan(); rows];
    softmax_rows(a.view(), y.view_mut());
    log_sum_exp_rows(a.view(), z.view_mut(), |i, value| lse[i] = value);
    assert_eq!(y, z);
    for i in 0..rows {
        let exact: Vec<_> = a.row(i).iter().map(|a| a.as_f64()).collect();
        let (softmax, sum) = naive_row(&exact);
        let total: f64 = y.row(i).iter().map(|y| y.as_f64()).sum();
        assert!((total - 1.0).abs() <= 8.0 * epsilon, "row {i} sums to {total}");
        for (y, exact) in y.row(i).iter().zip(softmax) {
            // In f64 the reference itself rounds a − max, which counts by the size of the exponent.
            let rounding = if S::NAME == "f64" { 4.0 - exact.max(1e-300).ln() } else { 0.0 };
            let bound = epsilon * (4.0 + rounding) * exact + 1e-44;
            assert!((y.as_f64() - exact).abs() <= bound, "{y} instead of {exact}");
        }
        let bound = 4.0 * epsilon * sum.abs().max(1.0);
        assert!((lse[i].as_f64() - sum).abs() <= bound, "{} instead of {sum}", lse[i]);
        let single = log_sum_exp(a.row(i)).as_f64();
        assert!((single - sum).abs() <= bound, "{single} instead of {sum}");
    }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn softmax_and_log_sum_exp_are_right(a in logits(20.0), b in logits(1e4)) {
        for a in [a, b] {
            assert_softmax::<f32>(&a, f64::from(f32::EPSILON));
            assert_softmax::<f64>(&a, f64::EPSILON);
        }
    }
}

/// Rows whose softmax and log-sum-exp mpmath gave, at 50 digits.
#[test]
fn small_probabilities_and_small_logarithms_keep_their_digits() {
    let check = |row: &[f64], softmax: &[f64], sum: f64| {
        let a = Matrix::from_vec(1, row.len(), row.to_vec()).unwrap();
        let (mut y, mut lse) = (Matrix::zeros(1, row.len()), f64::NAN);
        log_sum_exp_rows(a.view(), y.view_mut(), |_, value| lse = value);
        let close = |found: f64, exact: f64| (found - exact).abs() <= 4.0 * f64::EPSILON * exact;
        assert!(y.row(0).iter().zip(softmax).all(|(&y, &exact)| close(y, exact)), "{y:?}");
        assert!(close(lse, sum) && close(log_sum_exp(row), sum), "{lse:e} instead of {sum:e}");
    };
    check(
        &[0.1, 50.3, -30.2],
        &[1.579_126_815_522_546e-22, 1.0, 1.094_697_702_953_145_5e-35],
        50.3,
    );
    check(
        &[10_000.3, 9_958.3, 9_300.1],
        &[1.0, 5.749_522_264_293_56e-19, 8.072_420_401_786_561e-305],
        10_000.3,
    );
    let tail = 4.248_354_255_291_589e-18;
    check(&[0.0, -40.0], &[1.0, tail], tail);
    let tails = [2.061_153_618_190_203_7e-9, 8.756_510_744_648_007e-27];
    check(
        &[-20.0, -60.0, 0.0],
        &[tails[0], tails[1], 0.999_999_997_938_846_4],
        2.061_153_620_314_381e-9,
    );
    // Many columns, past the partial sums: 40 times e^{−45} beside one 1.
    let mut row = vec![-45.0; 41];
    row[17] = 0.0;
    assert!((log_sum_exp(&row) / (40.0 * (-45.0_f64).exp()) - 1.0).abs() < 1e-15);
}

#[test]
fn logits_of_ten_thousand_neither_overflow_nor_vanish() {
    fn check<S: Scalar>() {
        for sign in [1.0, -1.0] {
            let big = S::of(sign * 1e4);
            let a = Matrix::from_fn(1, 3, |_, _| big);
            let mut y = Matrix::zeros(1, 3);
            let mut lse = S::nan();
            log_sum_exp_rows(a.view(), y.view_mut(), |_, value| lse = value);
            assert!(y.as_slice().iter().all(|&y| (y.as_f64() - 1.0 / 3.0).abs() < 1e-7));
            assert_eq!(lse, big + S::of(3.0_f64.ln()));
            assert_eq!(log_sum_exp(a.row(0)), lse);
        }
        let a = Matrix::from_rows(&[[S::of(1e4), S::of(-1e4)]]);
        let mut y = Matrix::zeros(1, 2);
        softmax_rows(a.view(), y.view_mut());
        assert_eq!(y.as_slice(), [S::one(), S::zero()]);
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn exponentials_and_their_sums_are_the_same_with_and_without_storing() {
    fn check<S: Scalar>(relative: f64) {
        // Blocks of rows below and beyond those of vectors in turn.
        for (rows, cols) in [(3, 1), (3, 5), (3, 16), (19, 7), (17, 40)] {
            let a = Matrix::from_vec(rows, cols, cast::<S>(&wave(rows * cols))).unwrap();
            let mut e = Matrix::zeros(rows, cols);
            let mut stored = Vec::new();
            exponential_rows(a.view(), e.view_mut(), |i, row, sum| {
                for (&e, &a) in row.iter().zip(a.row(i)) {
                    let exact = (a.as_f64() - sum.max.as_f64()).exp();
                    assert!((e.as_f64() / exact - 1.0).abs() < relative, "{e:e}, not {exact:e}");
                }
                row[0] = -S::one();
                stored.push((i, sum));
            });
            assert!((0..rows).all(|i| e[(i, 0)] == -S::one()), "the row may be changed");
            let mut alone = Vec::new();
            exponential_sums(a.view(), |i, sum| alone.push((i, sum)));
            assert_eq!(stored, alone);
            for (i, RowSum { max, others, ln_sum }) in stored {
                assert_eq!(max, a.row(i).iter().copied().fold(S::min_value(), S::max));
                let exact: f64 = a.row(i).iter().map(|&a| (a - max).as_f64().exp()).sum();
                assert!((others.as_f64() - (exact - 1.0)).abs() <= 4.0 * relative * exact);
                let ln = exact.ln();
                assert!((ln_sum.as_f64() - ln).abs() <= 4.0 * relative * ln.max(1e-3));
            }
        }
    }
    check::<f32>(3e-7);
    // The difference itself is rounded before the standard exponential is taken.
    check::<f64>(2e-15);
}

#[test]
fn nan_propagates_through_its_row_alone() {
    for (rows, cols) in [(2, 1), (2, 5), (2, 16), (2, 40), (16, 10)] {
        for place in (0..cols).step_by(if cfg!(miri) { 7 } else { 1 }) {
            let mut a = Matrix::from_vec(rows, cols, cast::<f32>(&wave(rows * cols))).unwrap();
            a[(0, place)] = f32::NAN;
            let mut y = Matrix::zeros(rows, cols);
            let mut lse = vec![0.0; rows];
            log_sum_exp_rows(a.view(), y.view_mut(), |i, value| lse[i] = value);
            assert!(y.row(0).iter().all(|y| y.is_nan()) && lse[0].is_nan());
            assert!(y.as_slice()[cols..].iter().all(|y| y.is_finite()));
            assert!(lse[1..].iter().all(|lse| lse.is_finite()));
            assert!(log_sum_exp(a.row(0)).is_nan());
            assert!(sum_map(a.row(0), |x| x).is_nan() && dot(a.row(0), a.row(1)).is_nan());
        }
    }
}

#[test]
fn infinite_logits_have_the_limits_of_the_sum() {
    let inf = f64::INFINITY;
    assert_eq!(log_sum_exp(&[0.0, -inf]), 0.0);
    assert_eq!(log_sum_exp(&[-inf, -inf]), -inf);
    assert_eq!(log_sum_exp(&[1.0, inf]), inf);
    let a = Matrix::from_rows(&[[0.0, -inf, 0.0]]);
    let mut y = Matrix::zeros(1, 3);
    softmax_rows(a.view(), y.view_mut());
    assert_eq!(y.as_slice(), [0.5, 0.0, 0.5]);
    // ∞ − ∞ and 0 / 0 have no value, for one row as for many.
    for row in [[inf, 1.0, 1.0], [-inf; 3]] {
        softmax_rows(Matrix::from_rows(&[row]).view(), y.view_mut());
        assert!(y.as_slice().iter().any(|y| y.is_nan()));
    }
    let mut lse = 0.0;
    log_sum_exp_rows(Matrix::from_rows(&[[-inf; 3]]).view(), y.view_mut(), |_, value| lse = value);
    assert_eq!(lse, -inf);
    log_sum_exp_rows(Matrix::from_rows(&[[1.0, inf, 2.0]]).view(), y.view_mut(), |_, v| lse = v);
    assert_eq!(lse, inf);
}

#[test]
fn empty_matrices_do_nothing() {
    for (rows, cols) in [(0, 3), (3, 0), (0, 0)] {
        let a = Matrix::<f32>::zeros(rows, cols);
        let mut y = a.clone();
        softmax_rows(a.view(), y.view_mut());
        let mut calls = 0;
        log_sum_exp_rows(a.view(), y.view_mut(), |_, _| calls += 1);
        assert_eq!(calls, 0);
    }
    assert_eq!(log_sum_exp::<f64>(&[]), f64::NEG_INFINITY);
    assert_eq!(sum_map::<f64>(&[], |x| x), 0.0);
    assert_eq!(dot::<f64>(&[], &[]), 0.0);
}
