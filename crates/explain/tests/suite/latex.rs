//! The report as LaTeX: as it was looked at once, and compiled where pdfLaTeX is installed.

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_explain::{Context, Explainer, Report};
use chainrule_layers::{Activation, Dense};
use chainrule_loss::{CrossEntropy, Reduction, SquaredError, Targets};
use chainrule_tensor::Matrix;

use crate::common::{Case, Recipe, pdflatex};

fn report(case: &Case, param: &str, unfused: bool, context: Context) -> Report {
    let mut workspace = case.workspace();
    let backward = case.backward(&mut workspace);
    let explainer = Explainer::new(&backward);
    let explainer = match unfused {
        true => explainer.unfused(&*case.loss, case.targets()).unwrap(),
        false => explainer,
    };
    explainer.report(param.parse().unwrap(), 10, context).unwrap()
}

/// Names that would end a document, or be lost in it.
fn hostile(outputs: usize) -> Context {
    Context {
        model: Some(r"\input{x}_model~1.safetensors".to_owned()),
        data: Some("50 % of $x$, 8×8 {, 中文 #1 & <two>".to_owned()),
        loss: Some("cross_entropy".to_owned()),
        outputs: (0..outputs).map(|o| format!(r"c_{o}^2 \end{{document}}")).collect(),
        ..Context::default()
    }
}

/// The lecture's deep, thin network, by hand.
fn thin() -> Report {
    let dense = |g| Box::new(Dense::new(1, 1, g).unwrap());
    let mut network = Network::<f64>::new(vec![
        dense(Activation::Sigmoid),
        dense(Activation::Sigmoid),
        dense(Activation::Identity),
    ])
    .unwrap();
    network.theta_mut().copy_from_slice(&[0.5, 0.25, -1.0, 0.5, 2.0, -0.5]);
    let (x, y) = (Matrix::from_rows(&[[1.0]]), Matrix::from_rows(&[[1.0]]));
    let (loss, targets) = (SquaredError::new(), Targets::Values(y.view()));
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let backward = forward.output_units(&loss, targets).unwrap().hidden_units();
    let explainer = Explainer::new(&backward).unfused(&loss, targets).unwrap();
    explainer.report("W_111".parse().unwrap(), 10, Context::default()).unwrap()
}

/// A 2-2-2 network, by hand.
fn small() -> Report {
    let dense = |g| Box::new(Dense::new(2, 2, g).unwrap());
    let mut network =
        Network::<f64>::new(vec![dense(Activation::Relu), dense(Activation::Identity)]).unwrap();
    let theta = [1.0, -1.0, 0.5, 1.0, 0.0, 0.5, 1.0, -2.0, 0.5, 1.0, 0.0, 0.0];
    network.theta_mut().copy_from_slice(&theta);
    let x = Matrix::from_rows(&[[2.0, 1.0]]);
    let targets = Targets::Classes(&[1]);
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let backward = forward.output_units(&CrossEntropy::new(), targets).unwrap().hidden_units();
    let mut context = hostile(2);
    context.classes = vec![1];
    Explainer::new(&backward).report("W_112".parse().unwrap(), 10, context).unwrap()
}

#[test]
fn a_thin_network_is_expanded_and_compressed() {
    insta::assert_snapshot!(thin().latex_document());
}

#[test]
fn a_wide_network_has_talks_and_paths() {
    insta::assert_snapshot!(small().latex());
}

#[test]
fn the_document_is_the_fragment_and_its_frame() {
    let report = small();
    let (document, fragment) = (report.latex_document(), report.latex());
    assert!(document.contains(&fragment) && !fragment.contains("\\documentclass"));
    assert_eq!(document.matches("\\end{document}").count(), 1, "names are escaped");
    for (open, close) in [('{', '}'), ('[', ']')] {
        let count = |c| fragment.matches(c).count() - fragment.matches(&format!("\\{c}")).count();
        assert_eq!(count(open), count(close), "{open}{close}");
    }
}

#[test]
fn documents_compile() {
    if !pdflatex::installed() {
        return;
    }
    let recipe = |widths: &[usize], rows| Recipe {
        seed: 5,
        widths: widths.to_vec(),
        activation: Activation::Tanh,
        output_activation: false,
        dropout: false,
        loss: "cross_entropy",
        reduction: Reduction::Mean,
        rows,
    };
    let thin_deep = Recipe { loss: "mse", ..recipe(&[1; 13], 1) };
    let classes = Recipe { dropout: true, ..recipe(&[3, 20, 12, 15], 3) };
    let probabilities = Recipe { loss: "probability_cross_entropy", ..recipe(&[2, 3, 4], 1) };
    let documents = [
        ("hand-thin", thin()),
        ("hand-small", small()),
        ("deep", report(&Case::new(&thin_deep), "W_111", true, Context::default())),
        ("batch", report(&Case::new(&classes), "W_1,20,3", false, hostile(15))),
        ("unfused", report(&Case::new(&recipe(&[2, 3, 4], 1)), "b_12", true, hostile(4))),
        ("softmax", report(&Case::new(&probabilities), "W_212", false, hostile(4))),
        ("many", report(&Case::new(&recipe(&[2, 3, 4], 40)), "W_112", false, hostile(4))),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, report) in documents {
        if let Err(log) = pdflatex::compile(folder.path(), name, &report.latex_document()) {
            panic!("{name}: {log}");
        }
    }
    let broken = thin().latex_document().replacen("\\frac", "\\farc", 1);
    assert!(pdflatex::compile(folder.path(), "broken", &broken).is_err(), "the test can fail");
}
