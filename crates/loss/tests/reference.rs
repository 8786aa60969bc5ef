//! PyTorch's losses and gradients. `CHAINRULE_REFERENCE` names another folder with a
//! `losses.json` of the same format.

use std::path::PathBuf;

use chainrule_loss::{Reduction, Targets, parse};
use chainrule_tensor::{Matrix, Scalar};
use serde_json::Value;

fn cases() -> Vec<Value> {
    let copy = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../loss/tests/data"));
    let folder = std::env::var_os("CHAINRULE_REFERENCE").map_or(copy, PathBuf::from);
    let path = folder.join("losses.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap();
    file["cases"].as_array().expect("an array of cases").clone()
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().expect("inf, -inf or nan"),
        value => value.as_f64().expect("a number"),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(number).collect()
}

fn matrix<S: Scalar>(value: &Value) -> Matrix<S> {
    let rows: Vec<_> = value.as_array().expect("rows").iter().map(numbers).collect();
    Matrix::try_from_rows(&rows).unwrap().cast()
}

fn check<S: Scalar>(case: &Value, absolute: f64, relative: f64) {
    let name = case["name"].as_str().expect("a name");
    let reduction: Reduction = serde_json::from_value(case["reduction"].clone()).unwrap();
    let output = matrix::<S>(&case["z"]);
    let target = case["target"].as_array().expect("targets");
    let (classes, values);
    let targets = if target[0].is_array() {
        classes = Vec::new();
        values = matrix::<S>(&case["target"]);
        Targets::Values(values.view())
    } else {
        let class = |class: &Value| class.as_u64().expect("a class") as usize;
        classes = target.iter().map(class).collect::<Vec<_>>();
        Targets::Classes(&classes)
    };
    // The one option that a loss by itself cannot resolve: the first target's class.
    let resolved = match classes.first() {
        Some(class) => name.replace("ignore_index=first", &format!("ignore_index={class}")),
        None => name.to_owned(),
    };
    let weights = case.get("class_weights").map(numbers);
    let loss = parse::<S>(&resolved, weights.as_deref(), reduction)
        .unwrap_or_else(|e| panic!("case `{name}`: {e}"));

    let mut gradient = Matrix::zeros(output.rows(), output.cols());
    let value = loss.value_and_gradient(output.view(), targets, gradient.view_mut()).unwrap();
    let agree = |found: S, expected: f64, what: &str| {
        let found = found.as_f64();
        let same = found == expected || (found.is_nan() && expected.is_nan());
        let error = (found - expected).abs();
        assert!(
            same || error <= absolute + relative * expected.abs(),
            "{name} ({reduction}, {}): {what} is {found:e}, PyTorch's {expected:e}",
            S::NAME
        );
    };
    agree(value, number(&case["loss"]), "the loss");
    let expected = matrix::<f64>(&case["grad"]);
    assert_eq!((expected.rows(), expected.cols()), (output.rows(), output.cols()));
    for i in 0..output.rows() {
        for j in 0..output.cols() {
            agree(gradient[(i, j)], expected[(i, j)], &format!("the gradient at ({i}, {j})"));
        }
    }
}

#[test]
fn losses_are_pytorchs() {
    let cases = cases();
    assert!(!cases.is_empty(), "no cases");
    for case in &cases {
        check::<f64>(case, 1e-12, 1e-12);
        check::<f32>(case, 1e-5, 1e-5);
    }
    println!("losses.json: {} cases, each in f64 and f32", cases.len());
}

/// The comparison above sees a value that is off by little.
#[test]
#[should_panic(expected = "PyTorch's")]
fn a_wrong_reference_is_caught() {
    let mut case = cases().swap_remove(0);
    case["grad"][0][0] = Value::from(number(&case["grad"][0][0]) + 1e-10);
    check::<f64>(&case, 1e-12, 1e-12);
}

#[test]
#[should_panic(expected = "unknown loss `crossentropy`")]
fn an_unknown_name_fails() {
    let mut case = cases().swap_remove(0);
    case["name"] = Value::from("crossentropy");
    check::<f64>(&case, 1e-12, 1e-12);
}
