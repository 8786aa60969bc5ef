//! Trains on the bundled handwritten digits with five seeds and prints the mean test accuracy.
//!
//! `cargo run --release -p chainrule-examples --example 07_digits`

use chainrule::{Stream, data, prelude::*, rng};

fn main() -> chainrule::Result<()> {
    let digits = data::digits::<f32>();
    let mut accuracies = Vec::new();
    for seed in 0..5 {
        let (train, test) = digits.split(0.25, &mut rng(seed, Stream::Split))?;
        let mut config = Config::default();
        config.training.seed = seed;
        let mut model = Model::new(&config, &train)?;
        model.train(&config, &train, |trainer| trainer)?;
        let scores = model.evaluate(&test)?;
        println!("seed {seed}: test loss {:.4}, {}", scores.loss, scores.metric);
        accuracies.push(scores.metric.value());
    }
    let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
    println!("mean test accuracy {:.2} %", 100.0 * mean);
    assert!(mean >= 0.97);
    Ok(())
}
