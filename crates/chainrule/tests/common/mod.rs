//! Small data sets and configurations that several tests share.
#![allow(dead_code, reason = "each test file uses some of them")]

use chainrule::data::{Dataset, Target};
use chainrule::optim::{AdamConfig, OptimizerConfig};
use chainrule::prelude::*;
use chainrule::rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use chainrule::{Config, NetworkConfig, TrainingConfig};

pub(crate) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Three clouds of points in the plane.
pub(crate) fn blobs<S: Scalar>(examples: usize, seed: u64) -> Dataset<S> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let centres = [[-2.0, 0.0], [2.0, 1.0], [0.0, 3.0]];
    let labels: Vec<usize> = (0..examples).map(|i| i % 3).collect();
    let x = Matrix::from_fn(examples, 2, |i, j| {
        S::of(centres[labels[i]][j] + rng.random_range(-1.0..1.0))
    });
    let target = Target::Classes { labels, names: names(&["red", "green", "blue"]) };
    Dataset::new("blobs", x, names(&["x", "y"]), target).unwrap()
}

/// `y = 100 + 10 sin(2u) + 5v`, and `z = 1e-3 u`.
pub(crate) fn surface<S: Scalar>(examples: usize, seed: u64) -> Dataset<S> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let x = Matrix::<f64>::from_fn(examples, 2, |_, _| rng.random_range(-1.0..1.0));
    let values = Matrix::from_fn(examples, 2, |i, j| {
        let (u, v) = (x[(i, 0)], x[(i, 1)]);
        if j == 0 { 100.0 + 10.0 * (2.0 * u).sin() + 5.0 * v } else { 1e-3 * u }
    });
    let target = Target::Values { values: values.cast(), names: names(&["y", "z"]) };
    Dataset::new("surface", x.cast(), names(&["u", "v"]), target).unwrap()
}

pub(crate) fn config(epochs: usize) -> Config {
    let adam = AdamConfig { learning_rate: 0.01, ..AdamConfig::default() };
    Config {
        network: NetworkConfig {
            hidden: vec![8, 6],
            activation: Activation::Tanh,
            ..NetworkConfig::default()
        },
        training: TrainingConfig {
            optimizer: OptimizerConfig::Adam(adam),
            schedule: Schedule::Constant,
            epochs: Some(epochs),
            batch_size: 16,
            threads: Some(1),
            ..TrainingConfig::default()
        },
    }
}

pub(crate) fn trained<S: Scalar>(config: &Config, data: &Dataset<S>) -> Model<S> {
    let mut model = Model::new(config, data).unwrap();
    model.train(config, data, |trainer| trainer).unwrap();
    model
}

/// θ bit by bit: equal numbers are not enough.
pub(crate) fn bits<S: Scalar>(network: &Network<S>) -> Vec<u64> {
    network.theta().iter().map(|weight| weight.as_f64().to_bits()).collect()
}
