//! The four parts of a layer, each by itself, on one thread: `layer/dense/input/128x512-512/f32` is
//! the gradient of the inputs of a dense layer from 512 to 512 units, for 128 examples.
//!
//! `cargo bench -p chainrule-benches --bench layers`

use std::time::Duration;

use chainrule::layers::{Activation, Dense, Dropout, Kept, Layer, Pass, Softmax};
use chainrule::rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
use chainrule::tensor::product::Store;
use chainrule::tensor::{Compute, Matrix, Scalar};
use criterion::{Criterion, Throughput};

/// Examples, inputs and outputs.
const SIZES: [(usize, usize, usize); 4] =
    [(8, 16, 16), (32, 64, 32), (64, 784, 128), (128, 512, 512)];

fn matrix<S: Scalar>(rows: usize, cols: usize) -> Matrix<S> {
    Matrix::from_fn(rows, cols, |i, j| S::of(((7 * i + 3 * j) % 11) as f64 / 11.0 - 0.5))
}

fn parts<S: Scalar>(c: &mut Criterion, kind: &str, layer: &dyn Layer<S>, examples: usize) {
    let (inputs, outputs) = (layer.inputs(), layer.outputs());
    let mut group = c.benchmark_group("layer");
    group.throughput(Throughput::Elements(examples as u64));
    let id = |part: &str| format!("{kind}/{part}/{examples}x{inputs}-{outputs}/{}", S::NAME);

    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut theta = vec![S::zero(); layer.parameter_count()];
    layer.initialise(&mut theta, &mut rng);
    let (x, grad_h) = (matrix::<S>(examples, inputs), matrix::<S>(examples, outputs));
    let (mut a, mut h) = (Matrix::zeros(examples, outputs), Matrix::zeros(examples, outputs));
    let (mut grad_a, mut grad_x) = (h.clone(), Matrix::zeros(examples, inputs));
    let mut grad_theta = vec![S::zero(); theta.len()];
    let compute = Compute::one();

    group.bench_function(id("forward"), |bencher| {
        bencher.iter(|| {
            let mut pass = Pass { rng: Some(&mut rng), compute: &compute };
            layer.forward(&theta, x.view(), a.view_mut(), h.view_mut(), &mut pass);
        });
    });
    let kept = Kept { theta: &theta, x: x.view(), a: a.view(), h: h.view() };
    group.bench_function(id("activation"), |bencher| {
        bencher.iter(|| {
            layer.backward_activation(kept, grad_h.view(), grad_a.view_mut(), &compute);
        });
    });
    group.bench_function(id("input"), |bencher| {
        bencher.iter(|| layer.backward_input(kept, grad_a.view(), grad_x.view_mut(), &compute));
    });
    if theta.is_empty() {
        return;
    }
    group.bench_function(id("params"), |bencher| {
        bencher.iter(|| {
            let store = Store::Replace;
            layer.backward_params(kept, grad_a.view(), &mut grad_theta, store, &compute);
        });
    });
}

fn layers<S: Scalar>(c: &mut Criterion) -> chainrule::Result<()> {
    for (examples, inputs, outputs) in SIZES {
        parts::<S>(c, "dense", &Dense::new(inputs, outputs, Activation::Relu)?, examples);
    }
    parts::<S>(c, "dropout", &Dropout::new(512, 0.5)?, 128);
    parts::<S>(c, "softmax", &Softmax::new(10)?, 128);
    Ok(())
}

fn main() -> chainrule::Result<()> {
    let mut c = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .configure_from_args();
    layers::<f32>(&mut c)?;
    layers::<f64>(&mut c)?;
    c.final_summary();
    Ok(())
}
