//! Elementwise functions, and reductions of rows and columns, on one thread: 4096 elements, in
//! matrices as many rows as fill them. `kernel/softmax_rows/409x10/f32`.
//!
//! `cargo bench -p chainrule-benches --bench kernels`

use std::time::Duration;

use chainrule::tensor::kernels::{
    Formula, column_sums, dot, log_sum_exp_rows, map, softmax_rows, sum_map,
};
use chainrule::tensor::product::Store;
use chainrule::tensor::{Matrix, Number, Scalar, Threads, math};
use criterion::{Criterion, Throughput};

const ELEMENTS: usize = 4096;
/// Few classes, some, and a wide layer.
const COLUMNS: [usize; 3] = [2, 10, 1024];

/// −4 to 4, the range that matters in a network.
fn value<S: Scalar>(i: usize) -> S {
    S::of(8.0 * ((37 * i) % ELEMENTS) as f64 / ELEMENTS as f64 - 4.0)
}

fn elementwise<S: Scalar>(c: &mut Criterion) {
    let mut group = c.benchmark_group("kernel");
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    let x: Vec<S> = (0..ELEMENTS).map(value).collect();
    let (mut y, one) = (vec![S::zero(); ELEMENTS], Threads::one());
    // Not a table: called through a pointer, a function is not compiled into the loop.
    macro_rules! functions {
        ($($function:ident),*) => {$({
            struct Function;
            impl<S: Scalar> Formula<S, 1> for Function {
                #[inline(always)]
                fn at<N: Number<Element = S>>(&self, [x]: [N; 1]) -> N {
                    math::$function(x)
                }
            }
            let id = format!("{}/{ELEMENTS}/{}", stringify!($function), S::NAME);
            group.bench_function(id, |bencher| bencher.iter(|| map(&x, &mut y, Function, &one)));
        })*};
    }
    functions!(exp, exp_m1, sigmoid, tanh, softplus, normal_cdf);
    group.bench_function(format!("dot/{ELEMENTS}/{}", S::NAME), |bencher| {
        bencher.iter(|| dot(&x, &y));
    });
    group.bench_function(format!("sum_of_squares/{ELEMENTS}/{}", S::NAME), |bencher| {
        bencher.iter(|| sum_map(&x, |x| x * x));
    });
}

fn rows_and_columns<S: Scalar>(c: &mut Criterion) {
    let (mut group, one) = (c.benchmark_group("kernel"), Threads::one());
    for columns in COLUMNS {
        let rows = ELEMENTS / columns;
        let a = Matrix::<S>::from_fn(rows, columns, |i, j| value(i * columns + j));
        let mut out = Matrix::zeros(rows, columns);
        let (mut sums, mut total) = (vec![S::zero(); columns], S::zero());
        let id = |name: &str| format!("{name}/{rows}x{columns}/{}", S::NAME);
        group.throughput(Throughput::Elements((rows * columns) as u64));
        group.bench_function(id("softmax_rows"), |bencher| {
            bencher.iter(|| softmax_rows(a.view(), out.view_mut()));
        });
        group.bench_function(id("log_sum_exp_rows"), |bencher| {
            bencher.iter(|| log_sum_exp_rows(a.view(), out.view_mut(), |_, lse| total += lse));
        });
        group.bench_function(id("column_sums"), |bencher| {
            bencher.iter(|| column_sums(a.view(), &mut sums, Store::Replace, &one));
        });
    }
}

fn main() {
    let mut c = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .configure_from_args();
    elementwise::<f32>(&mut c);
    rows_and_columns::<f32>(&mut c);
    elementwise::<f64>(&mut c);
    rows_and_columns::<f64>(&mut c);
    c.final_summary();
}
