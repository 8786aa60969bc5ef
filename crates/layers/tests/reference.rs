//! Values and derivatives of the activations against PyTorch's and exact ones.
//!
//! The folder named by `CHAINRULE_REFERENCE` is read if set, else the copy in `tests/data`.

use std::path::PathBuf;

use chainrule_layers::Activation;
use chainrule_tensor::{Scalar, Threads};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    x: Vec<Value>,
    y: Vec<Value>,
    dy_dx: Vec<Value>,
}

fn reference() -> Reference {
    let folder = std::env::var_os("CHAINRULE_REFERENCE").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../layers/tests/data")),
        PathBuf::from,
    );
    let path = folder.join("activations.json");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{} is not a reference file: {error}", path.display()))
}

/// A number, or one of the strings `inf`, `-inf`, `nan`.
fn number(value: &Value) -> f64 {
    match value {
        Value::Number(number) => number.as_f64().expect("a number"),
        Value::String(text) if ["inf", "-inf", "nan"].contains(&text.as_str()) => {
            text.parse().expect("a number")
        }
        other => panic!("{other} is no number"),
    }
}

fn close(found: f64, exact: f64, relative: f64, absolute: f64) -> bool {
    (found.is_nan() && exact.is_nan())
        || found == exact
        || (exact.is_finite() && (found - exact).abs() <= relative * exact.abs() + absolute)
}

/// The points of a case in type `S`: `x`, `g(x)`, `g'(x)`. Points whose `x` rounds to 0 without
/// being 0 are left out: theirs is another function value.
fn points<S: Scalar>(case: &Case) -> Vec<(S, f64, f64)> {
    assert!(case.x.len() == case.y.len() && case.x.len() == case.dy_dx.len(), "{}", case.name);
    let values = case.x.iter().zip(&case.y).zip(&case.dy_dx);
    values
        .map(|((x, y), dy_dx)| (number(x), number(y), number(dy_dx)))
        .filter(|&(x, ..)| x == 0.0 || S::of(x) != S::zero())
        .map(|(x, y, dy_dx)| (S::of(x), y, dy_dx))
        .collect()
}

/// Compares one by one, and in slices in which every point takes every place in a vector.
fn check<S: Scalar>(relative: f64, absolute: f64) {
    let Reference { cases } = reference();
    assert!(!cases.is_empty());
    let mut compared = 0;
    for case in &cases {
        let g: Activation = case.name.parse().unwrap_or_else(|error| panic!("{error}"));
        let points = points::<S>(case);
        let verify = |x: S, y: S, dy_dx: S, (_, exact, exact_dy_dx): (S, f64, f64)| {
            let name = &case.name;
            let ok = |found: S, exact| close(found.as_f64(), exact, relative, absolute);
            assert!(ok(y, exact), "{name}({x:e}) = {y:e} in {}, not {exact:e}", S::NAME);
            assert!(ok(dy_dx, exact_dy_dx), "{name}'({x:e}) = {dy_dx:e}, not {exact_dy_dx:e}");
        };
        for &point in &points {
            verify(point.0, g.value(point.0), g.derivative(point.0), point);
        }
        for offset in 0..16 {
            let x: Vec<S> = std::iter::repeat_n(S::one(), offset)
                .chain(points.iter().map(|point| point.0).cycle().take(3 * points.len()))
                .collect();
            let (mut y, mut dy_dx) = (vec![S::nan(); x.len()], vec![S::nan(); x.len()]);
            g.apply(&x, &mut y, &Threads::one());
            g.backward(&x, &vec![S::one(); x.len()], &mut dy_dx, &Threads::one());
            for (i, &point) in points.iter().cycle().take(3 * points.len()).enumerate() {
                verify(x[offset + i], y[offset + i], dy_dx[offset + i], point);
            }
        }
        compared += points.len();
    }
    println!("activations.json, {}: {} cases, {compared} points", S::NAME, cases.len());
}

#[test]
fn f64_agrees_with_the_exact_values() {
    check::<f64>(1e-12, 1e-300);
}

#[test]
fn f32_agrees_with_the_exact_values() {
    check::<f32>(1e-5, 1e-37);
}

#[test]
fn the_comparison_can_fail() {
    assert!(close(1.0 + 1e-13, 1.0, 1e-12, 1e-300));
    for (found, exact) in [(1.0 + 1e-11, 1.0), (f64::NAN, 0.0), (0.0, f64::NAN), (-1.0, 1.0)] {
        assert!(!close(found, exact, 1e-12, 1e-300), "{found} {exact}");
    }
    assert!(!close(f64::MAX, f64::INFINITY, 1e-12, 1e-300));
    assert!(!close(f64::NEG_INFINITY, f64::INFINITY, 1e-12, 1e-300));
}
