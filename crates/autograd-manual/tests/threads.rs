//! Threads never change a bit: neither those of the workspace, nor those of the caller.

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_layers::{Activation, Dense, Dropout, Layer};
use chainrule_loss::{CrossEntropy, Targets};
use chainrule_tensor::{Matrix, Precision, Scalar, Threads};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

fn network<S: Scalar>(sizes: &[usize]) -> Network<S> {
    let last = sizes.len() - 2;
    let mut layers: Vec<Box<dyn Layer<S>>> = Vec::new();
    for (i, pair) in sizes.windows(2).enumerate() {
        let activation = if i < last { Activation::Tanh } else { Activation::Identity };
        layers.push(Box::new(Dense::new(pair[0], pair[1], activation).unwrap()));
        if i < last {
            layers.push(Box::new(Dropout::new(pair[1], 0.1).unwrap()));
        }
    }
    let mut network = Network::new(layers).unwrap();
    network.initialise(&mut Xoshiro256PlusPlus::seed_from_u64(5));
    network
}

fn examples<S: Scalar>(rows: usize, cols: usize) -> Matrix<S> {
    Matrix::from_fn(rows, cols, |i, j| S::of(((i * 31 + j * 17) % 101) as f64 / 50.0 - 1.0))
}

/// θ, `∇θ L`, `∇_x L`, outputs and losses of several steps.
fn train<S: Scalar>(
    sizes: &[usize],
    batch: usize,
    threads: usize,
    precision: Precision,
) -> Vec<u64> {
    let mut network = network::<S>(sizes);
    let threads = Threads::new(threads).unwrap();
    let mut workspace = Workspace::with_threads(&network, batch, threads).unwrap();
    workspace.set_precision(precision).unwrap();
    let x = examples::<S>(batch, sizes[0]);
    let labels: Vec<usize> = (0..batch).map(|i| i % network.outputs()).collect();
    let mut gradient = vec![S::zero(); network.parameter_count()];
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(6);
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let mut backward = network
            .forward_train(x.view(), &mut workspace, &mut rng)
            .unwrap()
            .backward(&CrossEntropy::new(), Targets::Classes(&labels), &mut gradient)
            .unwrap();
        numbers.push(backward.loss());
        numbers.extend_from_slice(backward.forward().output().as_slice());
        numbers.extend_from_slice(backward.input_gradient().as_slice());
        for (theta, &g) in network.theta_mut().iter_mut().zip(&gradient) {
            *theta -= S::of(0.1) * g;
        }
    }
    numbers.extend_from_slice(&gradient);
    numbers.extend_from_slice(network.theta());
    assert!(numbers.iter().all(|x| x.is_finite()));
    numbers.iter().map(|x| x.as_f64().to_bits()).collect()
}

fn same_bits<S: Scalar>(sizes: &[usize], batch: usize, precision: Precision) {
    let alone = train::<S>(sizes, batch, 1, precision);
    for threads in [2, 3, 4] {
        let same = train::<S>(sizes, batch, threads, precision) == alone;
        assert!(same, "{sizes:?}, batch {batch}, {threads} threads, {}, {precision}", S::NAME);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for (sizes, batch) in [
        ([257, 513, 65, 10].as_slice(), 129),
        (&[784, 512, 512, 10], 128),
        (&[257, 513, 65, 10], 1),
        (&[257, 513, 65, 10], 2),
        (&[257, 513, 65, 10], 33),
        (&[511, 1023, 17], 63),
        (&[1000, 16], 257),
        (&[7, 20, 3], 5_000),
    ] {
        same_bits::<f32>(sizes, batch, Precision::F32);
        same_bits::<f32>(sizes, batch, Precision::Bf16);
        same_bits::<f64>(sizes, batch, Precision::F32);
    }
}

#[test]
fn many_callers_predict_from_one_network() {
    let network = network::<f32>(&[257, 513, 65, 10]);
    let x = examples::<f32>(64, 257);
    let mut workspace = Workspace::new(&network, 64).unwrap();
    let alone = network.predict(x.view(), &mut workspace).unwrap().as_slice().to_vec();
    // The callers share a team as well: one of them gets it, the others work alone.
    let threads = Threads::new(3).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut workspace = Workspace::with_threads(&network, 64, threads.clone()).unwrap();
                for _ in 0..5 {
                    let found = network.predict(x.view(), &mut workspace).unwrap();
                    assert_eq!(found.as_slice(), alone);
                }
            });
        }
    });
}

#[test]
fn the_rest_of_a_batch_does_not_matter() {
    let network = network::<f64>(&[7, 9, 3]);
    let x = examples::<f64>(5, 7);
    // A larger workspace with the leavings of another batch.
    let mut used = Workspace::new(&network, 8).unwrap();
    network.predict(examples::<f64>(8, 7).view(), &mut used).unwrap();
    let mut fresh = Workspace::new(&network, 5).unwrap();
    let expected = network.predict(x.view(), &mut fresh).unwrap();
    assert_eq!(network.predict(x.view(), &mut used).unwrap().as_slice(), expected.as_slice());
}
