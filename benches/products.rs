//! The three products of a training step. `mul_nt/128x784x512/f32` is (128 × 784) times the
//! transpose of (512 × 784): rows, length of the sums, columns.
//!
//! `cargo bench -p chainrule-benches --bench products`

use std::time::Duration;

use chainrule::tensor::product::Store;
use chainrule::tensor::{Compute, Matrix, MatrixView, MatrixViewMut, Precision, Scalar};
use chainrule::tensor::{mul_nn, mul_nt, mul_tn};
use criterion::{BenchmarkId, Criterion, Throughput};

type Product<S> = fn(MatrixView<'_, S>, MatrixView<'_, S>, MatrixViewMut<'_, S>, Store, &Compute);

/// Batch, inputs and outputs of a layer.
const LAYERS: [(usize, usize, usize); 5] =
    [(1, 784, 512), (8, 16, 16), (32, 64, 32), (128, 784, 512), (512, 2048, 2048)];

fn matrix<S: Scalar>(rows: usize, cols: usize) -> Matrix<S> {
    Matrix::from_fn(rows, cols, |i, j| S::of(((7 * i + 3 * j) % 11) as f64 / 11.0 - 0.5))
}

fn products<S: Scalar>(c: &mut Criterion, precision: Precision, element: &str) {
    let forms: [(&str, Product<S>); 3] =
        [("mul_nt", mul_nt), ("mul_nn", mul_nn), ("mul_tn", mul_tn)];
    for (name, multiply) in forms {
        let mut group = c.benchmark_group(name);
        for (batch, inputs, outputs) in LAYERS {
            // Forward A = X Wᵀ, hidden units ∇_A · W, weights (∇_A)ᵀ X.
            let (m, k, n) = match name {
                "mul_nt" => (batch, inputs, outputs),
                "mul_nn" => (batch, outputs, inputs),
                _ => (outputs, batch, inputs),
            };
            let a = if name == "mul_tn" { matrix::<S>(k, m) } else { matrix::<S>(m, k) };
            let b = if name == "mul_nt" { matrix::<S>(n, k) } else { matrix::<S>(k, n) };
            let mut product = Matrix::<S>::zeros(m, n);
            let compute = Compute::one().with_precision(precision);
            group.throughput(Throughput::Elements((2 * m * k * n) as u64));
            group.bench_function(BenchmarkId::new(format!("{m}x{k}x{n}"), element), |bencher| {
                bencher.iter(|| {
                    let c = product.view_mut();
                    multiply(a.view(), b.view(), c, Store::Replace, &compute);
                });
            });
        }
    }
}

fn main() {
    let mut c = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    products::<f32>(&mut c, Precision::F32, "f32");
    products::<f32>(&mut c, Precision::Bf16, "bf16");
    products::<f64>(&mut c, Precision::F32, "f64");
    c.final_summary();
}
