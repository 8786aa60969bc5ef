//! The library code in the repository's README compiles, does what it says, and is this code.
#![cfg(all(feature = "data", feature = "explain"))]

use chainrule::explain::explain;
use chainrule::{Stream, data, prelude::*, rng};

#[test]
fn a_model_is_trained_in_five_lines() -> chainrule::Result<()> {
    let (train, test) = data::digits::<f32>().split(0.25, &mut rng(0, Stream::Split))?;
    let config = Config::default();
    let mut model = Model::new(&config, &train)?;
    model.train(&config, &train, |trainer| trainer)?;
    println!("{}", model.evaluate(&test)?.metric);

    assert!(model.evaluate(&test)?.metric.value() > 0.9);
    Ok(())
}

#[test]
fn a_step_is_taken_with_every_value_in_reach() -> Result<(), Box<dyn std::error::Error>> {
    let mut network = NetworkBuilder::<f64>::new(2)
        .dense(2, Activation::Tanh)
        .dense(3, Activation::Identity)
        .build()?;
    let mut workspace = Workspace::new(&network, 1)?;
    let mut gradient = vec![0.0; network.parameter_count()];
    let x = Matrix::from_rows(&[[0.5, -1.0]]);
    let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&[2]));
    let config = OptimizerConfig::from_name("sgd")?;
    let mut optimizer = config.build::<f64>(network.parameter_count(), DecayOn::All)?;
    let before = network.theta().to_vec();

    let forward = network.forward(x.view(), &mut workspace)?;
    let backward = forward.backward(&loss, targets, &mut gradient)?;
    println!("{}", explain(&backward, "W_112".parse()?, 0)?);
    optimizer.step(network.theta_mut(), &gradient)?;

    assert!(network.theta() != before);
    Ok(())
}

#[test]
fn the_readme_shows_this_code() {
    let here = include_str!("readme.rs");
    let readme = include_str!("../../../../README.md");
    let blocks: Vec<&str> = readme.split("```rust\n").skip(1).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        for line in block.split("```").next().unwrap().lines() {
            let code = line.split("//").next().unwrap().trim();
            assert!(here.contains(code), "`{code}` is not in this file");
        }
    }
}
