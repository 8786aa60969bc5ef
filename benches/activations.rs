//! Every activation, forward `h = g(a)` and backward `∇_a = ∇_h ⊙ g'(a)`, over 4096 elements:
//! `activation/forward/tanh/4096/f32`.
//!
//! `cargo bench -p chainrule-benches --bench activations`

use std::time::Duration;

use chainrule::layers::Activation;
use chainrule::tensor::{Scalar, Threads};
use criterion::{Criterion, Throughput};

const ELEMENTS: usize = 4096;

fn activations<S: Scalar>(c: &mut Criterion) {
    let mut group = c.benchmark_group("activation");
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    // −4 to 4, the range that matters in a network.
    let a: Vec<S> = (0..ELEMENTS).map(|i| S::of(8.0 * i as f64 / ELEMENTS as f64 - 4.0)).collect();
    let grad_h = vec![S::one(); ELEMENTS];
    let mut result = vec![S::zero(); ELEMENTS];
    for g in Activation::ALL {
        group.bench_function(format!("forward/{g}/{ELEMENTS}/{}", S::NAME), |bencher| {
            bencher.iter(|| g.apply(&a, &mut result, &Threads::one()));
        });
        group.bench_function(format!("backward/{g}/{ELEMENTS}/{}", S::NAME), |bencher| {
            bencher.iter(|| g.backward(&a, &grad_h, &mut result, &Threads::one()));
        });
    }
}

fn main() {
    let mut c = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .configure_from_args();
    activations::<f32>(&mut c);
    activations::<f64>(&mut c);
    c.final_summary();
}
