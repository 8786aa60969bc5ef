//! What the README says its example prints.

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_explain::{Explainer, explain};
use chainrule_layers::{Activation, Dense};
use chainrule_loss::{CrossEntropy, Targets};
use chainrule_tensor::Matrix;
use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};

#[test]
fn the_readme_shows_what_its_example_prints() -> Result<(), Box<dyn std::error::Error>> {
    let mut network = Network::<f64>::new(vec![
        Box::new(Dense::new(4, 3, Activation::Sigmoid)?),
        Box::new(Dense::new(3, 3, Activation::Identity)?),
    ])?;
    network.initialise(&mut Xoshiro256PlusPlus::seed_from_u64(1));
    let mut workspace = Workspace::new(&network, 2)?;
    let x = Matrix::from_rows(&[[0.1, -0.2, 0.3, 0.4], [1.0, 0.6, -1.0, 0.5]]);
    let (loss, targets) = (CrossEntropy::default(), Targets::Classes(&[2, 0]));
    let backward =
        network.forward(x.view(), &mut workspace)?.output_units(&loss, targets)?.hidden_units();
    let fused = explain(&backward, "W_112".parse()?, 0)?;
    let unfused = Explainer::new(&backward).unfused(&loss, targets)?;
    let unfused = unfused.explain("b_21".parse()?, 1)?;
    let batch = Explainer::new(&backward).batch("W_112".parse()?)?;
    let printed = format!("```text\n{fused}\n\n{unfused}\n\n{batch}\n```");
    assert!(include_str!("../../README.md").contains(&printed), "the README lacks\n{printed}");
    Ok(())
}
