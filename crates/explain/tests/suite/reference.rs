//! PyTorch's gradients of whole networks, explained weight by weight.

use std::path::PathBuf;

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_explain::{Context, Explainer};
use chainrule_layers::{Activation, Dense, Layer, ParamKind};
use chainrule_loss::{Reduction, Targets, parse};
use chainrule_tensor::Matrix;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap_or_else(|| panic!("{number} is no number"))],
    }
}

fn indices(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

fn matrix(value: &Value) -> Matrix<f64> {
    let rows = value.as_array().unwrap().len();
    let data = numbers(value);
    Matrix::from_vec(rows, data.len() / rows, data).unwrap()
}

/// Every weight and bias of the case; the errors norm-wise per tensor.
fn check(case: &Value) {
    let name = case["name"].as_str().unwrap();
    let sizes = indices(&case["sizes"]);
    let hidden: Activation = case["hidden_activation"].as_str().unwrap().parse().unwrap();
    let depth = sizes.len() - 1;
    let g = |i| if i == depth { Activation::Identity } else { hidden };
    let layer = |i: usize| {
        Box::new(Dense::new(sizes[i - 1], sizes[i], g(i)).unwrap()) as Box<dyn Layer<f64>>
    };
    let mut network = Network::new((1..=depth).map(layer).collect()).unwrap();
    let blocks = network.layout().blocks().to_vec();
    let tensor = |block: &chainrule_autograd_manual::Block| {
        format!("{}.{}", block.layer - 1, block.kind.name())
    };
    for block in &blocks {
        let values = numbers(&case["params"][tensor(block)]);
        network.theta_mut()[block.range.clone()].copy_from_slice(&values);
    }
    let x = matrix(&case["x"]);
    let loss_name = case["loss_name"].as_str().unwrap();
    let weights = case.get("class_weights").map(numbers);
    let loss = parse(loss_name, weights.as_deref(), Reduction::Mean).unwrap();
    let by_class = case["target"][0].is_u64();
    let (mut classes, mut values) = (Vec::new(), Matrix::zeros(0, 0));
    match by_class {
        true => classes = indices(&case["target"]),
        false => values = matrix(&case["target"]),
    }
    let targets =
        if by_class { Targets::Classes(&classes) } else { Targets::Values(values.view()) };
    let mut workspace = Workspace::new(&network, x.rows()).unwrap();
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let backward = forward.output_units(&*loss, targets).unwrap().hidden_units();
    let explainer = Explainer::new(&backward);
    for block in blocks {
        let expected = numbers(&case["grads"][tensor(&block)]);
        let (mut error, mut norm) = (0.0, 0.0);
        for (index, expected) in block.range.clone().zip(&expected) {
            let param = network.layout().param(index).unwrap();
            assert!(
                matches!(param, chainrule_autograd_manual::Param::Bias { .. })
                    == (block.kind == ParamKind::Bias)
            );
            // As a user reads it: from the JSON.
            let answer = match name {
                "lecture" => {
                    let report = explainer.report(param, 3, Context::default()).unwrap();
                    assert!(report.paths.certificate.holds, "{report}");
                    serde_json::to_string(&report).unwrap()
                }
                _ => serde_json::to_string(&explainer.batch(param).unwrap()).unwrap(),
            };
            let answer: Value = serde_json::from_str(&answer).unwrap();
            error += (answer["value"].as_f64().unwrap() - expected).powi(2);
            norm += expected.powi(2);
        }
        assert!(error.sqrt() <= 1e-12 * norm.sqrt(), "{name}, {}: {error:e}", tensor(&block));
    }
}

#[test]
fn every_gradient_is_pytorchs() {
    let copy = concat!(env!("CARGO_MANIFEST_DIR"), "/../autograd-manual/tests/data");
    let folder = std::env::var_os("CHAINRULE_REFERENCE").map_or(copy.into(), PathBuf::from);
    let path = folder.join("networks.json");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let lecture = cases.iter().filter(|case| case["name"] == "lecture").count();
    assert_eq!(lecture, 1, "the lecture's network");
    cases.iter().for_each(check);
    println!("{}: {} networks", path.display(), cases.len());
}
