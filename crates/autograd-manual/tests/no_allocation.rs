//! A training step and a prediction allocate nothing. Alone in its file, in one test: the counter
//! sees every thread of the process.

use std::alloc::System;

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_layers::{Activation, Dense, Dropout, Layer};
use chainrule_loss::{CrossEntropy, Targets};
use chainrule_tensor::{Matrix, Precision, Threads};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn network(sizes: &[usize], rng: &mut Xoshiro256PlusPlus) -> Network<f32> {
    let mut layers: Vec<Box<dyn Layer<f32>>> = Vec::new();
    for (i, pair) in sizes.windows(2).enumerate() {
        if i > 0 {
            layers.push(Box::new(Dropout::new(pair[0], 0.2).unwrap()));
        }
        let activation = if i + 2 < sizes.len() { Activation::Relu } else { Activation::Identity };
        layers.push(Box::new(Dense::new(pair[0], pair[1], activation).unwrap()));
    }
    let mut network = Network::new(layers).unwrap();
    network.initialise(rng);
    network
}

/// Allocations, reallocations and releases while `f` runs.
fn heap_calls(f: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    f();
    let change = region.change();
    change.allocations + change.reallocations + change.deallocations
}

#[test]
fn after_the_first_step_nothing_is_allocated() {
    assert_eq!(heap_calls(|| drop(std::hint::black_box(vec![1_u8; 100]))), 2, "the counter");
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    for (sizes, batch) in [
        ([784, 512, 10].as_slice(), 128),
        (&[784, 512, 512, 10], 33),
        (&[257, 513, 65, 10], 129),
        (&[4, 3, 2], 5),
        (&[1, 1], 1),
        (&[7, 20, 3], 5_000),
    ] {
        let mut network = network(sizes, &mut rng);
        let x = Matrix::from_fn(batch, sizes[0], |i, j| ((i * 7 + j * 3) % 11) as f32 / 11.0);
        let labels: Vec<usize> = (0..batch).map(|i| i % network.outputs()).collect();
        let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&labels));
        let mut gradient = vec![0.0; network.parameter_count()];
        for (threads, precision) in
            [(1, Precision::F32), (2, Precision::F32), (1, Precision::Bf16), (2, Precision::Bf16)]
        {
            let threads = Threads::new(threads).unwrap();
            let place = format!("{sizes:?}, batch {batch}, {threads:?}, {precision}");
            let mut workspace = Workspace::with_threads(&network, batch, threads).unwrap();
            workspace.set_precision(precision).unwrap();
            let mut step = |network: &mut Network<f32>| {
                let forward = network.forward_train(x.view(), &mut workspace, &mut rng).unwrap();
                let mut backward = forward.backward(&loss, targets, &mut gradient).unwrap();
                assert!(backward.loss().is_finite());
                backward.input_gradient();
                backward.example_gradient(batch - 1, &mut gradient).unwrap();
                let forward = network.forward(x.view(), &mut workspace).unwrap();
                assert_eq!(forward.first_non_finite(), None);
                forward.backward_accumulate(&loss, targets, &mut gradient).unwrap();
                for (theta, g) in network.theta_mut().iter_mut().zip(&gradient) {
                    *theta -= 1e-3 * g;
                }
                let forward = network.forward_train(x.view(), &mut workspace, &mut rng).unwrap();
                let units = forward.output_units(&loss, targets).unwrap();
                let factors = units.hidden_units().into_factors();
                factors.weights_and_biases(network, &mut gradient).unwrap();
                network.descend(factors, 1e-3, &mut gradient).unwrap();
                network.predict_one(x.row(0), &mut workspace).unwrap();
            };
            step(&mut network);
            for i in 0..3 {
                assert_eq!(heap_calls(|| step(&mut network)), 0, "step {i} of {place}");
            }
        }
    }
}
