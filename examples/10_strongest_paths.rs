//! A wide network: the derivative as a sum over paths, the strongest of them found without listing
//! all, and who is responsible.
//!
//! `cargo run -p chainrule-examples --example 10_strongest_paths`

use chainrule::explain::{Context, Explainer, NetworkStatistics};
use chainrule::prelude::*;
use chainrule::rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let network = NetworkBuilder::<f64>::new(8)
        .dense(50, Activation::Tanh)
        .dense(50, Activation::Relu)
        .dense(50, Activation::Tanh)
        .dense(3, Activation::Identity)
        .seed(7)
        .build()?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let x = Matrix::from_fn(4, 8, |_, _| rng.random_range(-1.0..1.0));
    let classes = [0, 2, 1, 2];
    let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&classes));
    let mut workspace = Workspace::new(&network, 4)?;
    let mut gradient = vec![0.0; network.parameter_count()];
    let backward =
        network.forward(x.view(), &mut workspace)?.backward(&loss, targets, &mut gradient)?;
    let explainer = Explainer::new(&backward);
    let weight: Param = "W_1,12,3".parse()?;

    // One example: 3 · 50 · 50 paths, of which the three strongest.
    let paths = explainer.paths(weight, 0, 3)?;
    println!("{paths}\n");
    assert_eq!(paths.count.exact(), Some(3 * 50 * 50));
    assert!(paths.certificate.holds);
    let strongest = &paths.strongest[0];
    let product: f64 = strongest.factors.iter().map(|factor| factor.value).product();
    assert_eq!(product, strongest.value);

    // The batch: the mean of the examples, who pushes which way, which neurons carry it.
    let responsibility = explainer.responsibility(weight, Some(&classes))?;
    println!("{responsibility}\n");
    let mean = gradient[network.layout().index(weight)?];
    let parts: f64 = responsibility.examples.iter().map(|example| example.part).sum();
    assert!((parts - mean).abs() < 1e-12);

    // Where the gradient gets lost on its way down, and the layers at a glance.
    println!("{}\n", explainer.depth(weight)?);
    println!("{}", NetworkStatistics::new(&backward, &gradient));

    // All of it and the drawing, as `chainrule explain` writes them.
    let report = explainer.report(weight, 10, Context::default())?;
    let svg = explainer.picture(weight, &Context::default())?.svg();
    assert!((report.value - mean).abs() < 1e-12 && svg.ends_with("</svg>\n"));
    Ok(())
}
