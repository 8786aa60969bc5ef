//! The products against naive sums in `f64`, and their bits on several threads.
#![cfg(not(miri))] // Miri takes hours for shapes of this size; the unit tests have small ones.

use chainrule_tensor::bf16::bf16;
use chainrule_tensor::product::{MAX_WHOLE, Store};
use chainrule_tensor::{
    Compute, Matrix, MatrixView, MatrixViewMut, Precision, Scalar, Threads, mul_nn, mul_nt, mul_tn,
    sub_mul_tn,
};
use proptest::prelude::*;

type Product<S> = fn(MatrixView<'_, S>, MatrixView<'_, S>, MatrixViewMut<'_, S>, Store, &Compute);

/// A product and which of its factors it transposes.
struct Form<S> {
    name: &'static str,
    product: Product<S>,
    transposed: (bool, bool),
}

fn forms<S: Scalar>() -> [Form<S>; 3] {
    [
        Form { name: "A Bᵀ", product: mul_nt, transposed: (false, true) },
        Form { name: "A B", product: mul_nn, transposed: (false, false) },
        Form { name: "Aᵀ B", product: mul_tn, transposed: (true, false) },
    ]
}

/// Values in [−1, 1] that no two places share a pattern in.
fn values<S: Scalar>(rows: usize, cols: usize, seed: u64) -> Matrix<S> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ ((rows * 31 + cols) as u64);
    Matrix::from_fn(rows, cols, |_, _| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        S::of((state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
    })
}

/// The factors of an (m × k)·(k × n) product, laid out as `form` reads them.
fn factors<S: Scalar>(form: &Form<S>, (m, n, k): (usize, usize, usize)) -> (Matrix<S>, Matrix<S>) {
    let (a, b) = (values::<S>(m, k, 1), values::<S>(k, n, 2));
    let (ta, tb) = form.transposed;
    (if ta { a.transpose() } else { a }, if tb { b.transpose() } else { b })
}

/// `|c − Σ_k a b| ≤ ε (k + 2) (Σ_k |a b| + |c₀|)` everywhere (Higham, ch. 3, with room for the
/// final addition).
fn assert_right<S: Scalar>(shape: (usize, usize, usize), epsilon: f64) {
    assert_right_in::<S>(Precision::F32, S::as_f64, shape, epsilon);
}

/// As [`assert_right`], of factors of which `factor` says what they become.
fn assert_right_in<S: Scalar>(
    precision: Precision,
    factor: fn(S) -> f64,
    shape: (usize, usize, usize),
    epsilon: f64,
) {
    let compute = Compute::one().with_precision(precision);
    let (m, n, k) = shape;
    for form in forms::<S>() {
        let (a, b) = factors(&form, shape);
        let at = |i: usize, p: usize| factor(if form.transposed.0 { a[(p, i)] } else { a[(i, p)] });
        let bt = |p: usize, j: usize| factor(if form.transposed.1 { b[(j, p)] } else { b[(p, j)] });
        for store in [Store::Replace, Store::Add] {
            // Replace must not even look at what was there.
            let before = match store {
                Store::Replace => Matrix::from_fn(m, n, |_, _| S::nan()),
                Store::Add => values(m, n, 3),
            };
            let mut c = before.clone();
            (form.product)(a.view(), b.view(), c.view_mut(), store, &compute);
            for i in 0..m {
                for j in 0..n {
                    let start = if store == Store::Add { before[(i, j)].as_f64() } else { 0.0 };
                    let (mut exact, mut size) = (start, start.abs());
                    for p in 0..k {
                        exact += at(i, p) * bt(p, j);
                        size += (at(i, p) * bt(p, j)).abs();
                    }
                    let error = (c[(i, j)].as_f64() - exact).abs();
                    let bound = epsilon * (k + 2) as f64 * size;
                    assert!(
                        error <= bound,
                        "{} {store:?} {m}×{n}×{k} {} at ({i}, {j}): {error:e} > {bound:e}",
                        form.name,
                        S::NAME
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn products_are_sums_of_products(shape in (1..=70_usize, 1..=70_usize, 1..=70_usize)) {
        assert_right::<f32>(shape, f64::from(f32::EPSILON));
        assert_right::<f64>(shape, f64::EPSILON);
        assert_right_in(Precision::Bf16, rounded, shape, f64::from(f32::EPSILON));
    }
}

#[test]
fn long_thin_and_empty_shapes_are_right() {
    for shape in THIN {
        assert_right::<f32>(shape, f64::from(f32::EPSILON));
        assert_right::<f64>(shape, f64::EPSILON);
        assert_right_in(Precision::Bf16, rounded, shape, f64::from(f32::EPSILON));
    }
}

/// (m, n, k), some of them 0.
const THIN: [(usize, usize, usize); 14] = [
    (0, 5, 3),
    (4, 0, 3),
    (0, 0, 0),
    (4, 5, 0),
    (1, 1, 0),
    (1, 1, 1),
    (1, 300, 7),
    (300, 1, 7),
    (1, 1, 5000),
    (3, 2, 4000),
    (4, 2, 4000),
    (16, 16, 1),
    (2, 700, 3),
    (65, 257, 1),
];

/// What bf16 makes of a factor.
fn rounded(x: f32) -> f64 {
    bf16::from_f32(x).into()
}

/// Factors of all sizes, products that are nearly the largest number or subnormal, sums that cancel.
/// What is subnormal may become 0.
#[test]
fn bf16_products_of_huge_and_tiny_numbers_are_those_of_the_rounded_factors() {
    let compute = Compute::one().with_precision(Precision::Bf16);
    let sizes = [1e-41, 1e-38, 1e-20, 1e-3, 1.0, 1e3, 1e17];
    for (m, n, k) in [(1, 1, 7), (1, 40, 33), (40, 1, 33), (13, 37, 301), (65, 33, 64)] {
        for form in forms::<f32>() {
            let (mut a, mut b) = factors(&form, (m, n, k));
            for (i, x) in a.as_mut_slice().iter_mut().chain(b.as_mut_slice()).enumerate() {
                *x = if i % 5 == 0 { 0.0 } else { *x * sizes[i * i % sizes.len()] };
            }
            let at = |i, p| rounded(if form.transposed.0 { a[(p, i)] } else { a[(i, p)] });
            let bt = |p, j| rounded(if form.transposed.1 { b[(j, p)] } else { b[(p, j)] });
            let mut c = Matrix::zeros(m, n);
            (form.product)(a.view(), b.view(), c.view_mut(), Store::Replace, &compute);
            let tiny = f64::from(f32::MIN_POSITIVE);
            for i in 0..m {
                for j in 0..n {
                    let (mut exact, mut bound) = (0.0, 0.0);
                    for p in 0..k {
                        let (x, y) = (at(i, p), bt(p, j));
                        exact += x * y;
                        bound += f64::from(f32::EPSILON) * (k + 2) as f64 * (x * y).abs();
                        // A subnormal factor, product or sum taken for 0.
                        bound += tiny * (x.abs() + y.abs() + 2.0);
                    }
                    let error = (f64::from(c[(i, j)]) - exact).abs();
                    assert!(error <= bound, "{} {m}×{n}×{k}: {error:e} > {bound:e}", form.name);
                }
            }
        }
    }
}

#[test]
fn bf16_leaves_products_of_f64_alone() {
    for form in forms::<f64>() {
        let (a, b) = factors(&form, (9, 20, 31));
        let product = |precision| {
            let (mut c, compute) = (Matrix::zeros(9, 20), Compute::one().with_precision(precision));
            (form.product)(a.view(), b.view(), c.view_mut(), Store::Replace, &compute);
            c
        };
        assert_eq!(product(Precision::F32), product(Precision::Bf16), "{}", form.name);
    }
}

#[test]
fn nan_and_infinity_reach_the_product() {
    for precision in [Precision::F32, Precision::Bf16] {
        let compute = Compute::one().with_precision(precision);
        for form in forms::<f32>() {
            let (mut a, b) = factors(&form, (20, 20, 20));
            a[(7, 7)] = f32::NAN;
            let mut c = Matrix::zeros(20, 20);
            (form.product)(a.view(), b.view(), c.view_mut(), Store::Replace, &compute);
            assert!(c.row(7).iter().all(|x| x.is_nan()), "{} {precision}", form.name);
            assert!(c.row(8).iter().all(|x| x.is_finite()), "{} {precision}", form.name);
            a[(7, 7)] = f32::INFINITY;
            (form.product)(a.view(), b.view(), c.view_mut(), Store::Replace, &compute);
            assert!(c.row(7).iter().all(|x| !x.is_finite()), "{} {precision}", form.name);
        }
    }
}

fn assert_same_bits<S: Scalar>(precision: Precision, shapes: &[(usize, usize, usize)]) {
    let team = |count| Compute::from(Threads::new(count).unwrap()).with_precision(precision);
    let teams: Vec<Compute> = (1..=4).map(team).collect();
    let mut failures = Vec::new();
    for &(m, n, k) in shapes {
        for form in forms::<S>() {
            let (a, b) = factors(&form, (m, n, k));
            for store in [Store::Replace, Store::Add] {
                let results = teams.iter().map(|compute| {
                    let mut c = values(m, n, 3);
                    (form.product)(a.view(), b.view(), c.view_mut(), store, compute);
                    // `as_f64` is exact, so equal bits here are equal bits there.
                    c.as_slice().iter().map(|x| x.as_f64().to_bits()).collect::<Vec<_>>()
                });
                let results: Vec<_> = results.collect();
                for (count, result) in (2..).zip(&results[1..]) {
                    let differ = result.iter().zip(&results[0]).filter(|(x, y)| x != y).count();
                    if differ > 0 {
                        failures.push(format!(
                            "{} {store:?} {m}×{n}×{k} {}: {differ} values differ on {count} threads",
                            form.name,
                            S::NAME
                        ));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// (m, n, k), most of them large enough to be shared, many odd or thin.
const SHARED: [(usize, usize, usize); 33] = [
    (520, 530, 33),
    (257, 65, 513),
    (33, 1000, 700),
    (512, 784, 512),
    (100, 16, 4096),
    (97, 17, 1600),
    (128, 512, 784),
    (128, 10, 512),
    (512, 784, 128),
    (10, 512, 128),
    (64, 64, 1797),
    (1, 4096, 1024),
    (1, 1024, 4096),
    (2, 2048, 1024),
    (3, 1000, 2000),
    (4, 1000, 2000),
    (7, 3, 100_000),
    (15, 900, 900),
    (17, 900, 900),
    (31, 640, 641),
    (32, 31, 4000),
    (35, 16, 20_000),
    (1000, 1, 1000),
    (1000, 2, 1000),
    (1001, 7, 333),
    (4096, 15, 64),
    (4096, 17, 33),
    (1000, 1000, 1),
    (3000, 700, 2),
    (67, 150, 5000),
    (48, 48, 30_000),
    (1024, 64, 3000),
    (130, 515, 2049),
];

#[test]
fn threads_do_not_change_a_bit_in_f32() {
    assert_same_bits::<f32>(Precision::F32, &SHARED);
}

#[test]
fn threads_do_not_change_a_bit_in_f64() {
    assert_same_bits::<f64>(Precision::F32, &SHARED);
}

#[test]
fn threads_do_not_change_a_bit_in_bf16() {
    assert_same_bits::<f32>(Precision::Bf16, &SHARED);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn threads_do_not_change_a_bit_of_any_shape(
        shape in (1..300_usize, 1..300_usize, 1..1200_usize),
    ) {
        assert_same_bits::<f32>(Precision::F32, &[shape]);
        assert_same_bits::<f64>(Precision::F32, &[shape]);
        assert_same_bits::<f32>(Precision::Bf16, &[shape]);
    }
}

/// Subtracted from ones, on one to three threads; up to the longest whole sums to the bit what is stored
/// and then subtracted, beyond them near it.
fn assert_subtracted<S: Scalar>(precision: Precision, (m, n, k): (usize, usize, usize)) {
    let (a, b) = (values::<S>(k, m, 1), values::<S>(k, n, 2));
    let eta = S::of(0.3);
    let mut alone = None;
    for count in 1..=3 {
        let compute = Compute::from(Threads::new(count).unwrap()).with_precision(precision);
        let (mut stored, mut found) = (Matrix::zeros(m, n), Matrix::from_fn(m, n, |_, _| S::one()));
        mul_tn(a.view(), b.view(), stored.view_mut(), Store::Replace, &compute);
        sub_mul_tn(eta, a.view(), b.view(), found.view_mut(), &compute);
        let expected = Matrix::from_fn(m, n, |i, j| S::one() - eta * stored[(i, j)]);
        let name = format!("{m}×{n}×{k} {} {precision}, {count} threads", S::NAME);
        if k <= MAX_WHOLE {
            assert_eq!(found, expected, "{name}");
        }
        for (found, expected) in found.as_slice().iter().zip(expected.as_slice()) {
            let bound = 4.0 * k as f64 * S::epsilon().as_f64();
            let error = (*found - *expected).abs().as_f64();
            assert!(error <= bound, "{name}: {error:e} > {bound:e}");
        }
        let alone = alone.get_or_insert_with(|| found.clone());
        assert_eq!(&found, alone, "{name}");
    }
}

#[test]
fn a_multiple_of_the_product_is_subtracted() {
    let long = SHARED.iter().copied().filter(|&(m, n, k)| m * n * k < 20_000_000);
    for shape in THIN.into_iter().chain(long) {
        assert_subtracted::<f32>(Precision::F32, shape);
        assert_subtracted::<f64>(Precision::F32, shape);
        assert_subtracted::<f32>(Precision::Bf16, shape);
    }
}

#[test]
fn wrong_shapes_are_refused_and_nothing_is_subtracted() {
    let (a, b) = (values::<f64>(5, 3, 1), values::<f64>(5, 4, 2));
    for (rows, cols) in [(4, 4), (3, 5), (4, 3)] {
        let mut c = Matrix::zeros(rows, cols);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            sub_mul_tn(1.0, a.view(), b.view(), c.view_mut(), &Compute::one());
        }));
        assert!(outcome.is_err() && c == Matrix::zeros(rows, cols));
    }
}

#[test]
fn wrong_shapes_are_refused() {
    for form in forms::<f64>() {
        let (a, b) = factors(&form, (3, 4, 5));
        for (rows, cols) in [(4, 4), (3, 5), (4, 3)] {
            let outcome = std::panic::catch_unwind(|| {
                let mut c = Matrix::zeros(rows, cols);
                (form.product)(a.view(), b.view(), c.view_mut(), Store::Add, &Compute::one());
            });
            let panic = outcome.expect_err("a destination of the wrong shape");
            let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            assert!(message.contains(form.name) && message.contains("product of"), "{message}");
        }
    }
}
