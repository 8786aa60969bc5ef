//! Worksheets: the key is right, both formats hold it, what cannot be done by hand is refused.

use std::collections::BTreeMap;

use chainrule_explain::{Worksheet, WorksheetOptions};
use chainrule_layers::Activation;
use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};

use crate::common::pdflatex;

fn options(activation: Activation, squared_error: Option<bool>) -> WorksheetOptions {
    let mut options = WorksheetOptions::default();
    (options.activation, options.squared_error) = (activation, squared_error);
    options
}

fn sheet(sizes: &[usize], options: &WorksheetOptions, seed: u64) -> Worksheet {
    Worksheet::new(sizes, options, &mut Xoshiro256PlusPlus::seed_from_u64(seed)).unwrap()
}

type Quantities = Vec<(String, Vec<f64>, usize)>;

/// The quantities of the HTML: the text of their names, their entries row by row, their columns.
/// Those given, and those asked for.
fn quantities(html: &str) -> (Quantities, Quantities) {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(html, options).expect("well-formed");
    let text = |node: roxmltree::Node<'_, '_>| {
        let parts = node.descendants().filter_map(|n| n.is_text().then(|| n.text()).flatten());
        parts.collect::<String>()
    };
    let (mut given, mut asked) = (Vec::new(), Vec::new());
    for node in document.descendants().filter(|n| n.attribute("class") == Some("quantity")) {
        if node.ancestors().any(|n| n.attribute("id") == Some("key")) {
            continue;
        }
        let class = |name| {
            let is_it = move |n: &roxmltree::Node<'_, '_>| {
                n.attribute("class").is_some_and(|class| class.starts_with(name))
            };
            node.children().find(is_it).unwrap()
        };
        let name = text(class("name")).split(" =").next().unwrap().trim().to_owned();
        let matrix = class("matrix");
        let columns = matrix.attribute("style").unwrap()["--columns:".len()..].parse().unwrap();
        let inputs: Vec<f64> = matrix
            .children()
            .filter_map(|n| n.attribute("data-answer"))
            .map(|answer| answer.parse().unwrap())
            .collect();
        if inputs.is_empty() {
            let number = |n| text(n).replace('−', "-").parse().unwrap();
            let values = matrix.children().filter(|n| n.is_element()).map(number).collect();
            given.push((name, values, columns));
        } else {
            asked.push((name, inputs, columns));
        }
    }
    (given, asked)
}

/// `L` by the lecture's formulas, from the given numbers alone.
struct Given {
    x: Vec<f64>,
    w: Vec<Vec<Vec<f64>>>,
    b: Vec<Vec<f64>>,
    y: Option<Vec<f64>>,
    class: usize,
    g: fn(f64) -> f64,
}

impl Given {
    fn new(html: &str, given: &Quantities, g: fn(f64) -> f64) -> Self {
        let (mut w, mut b, mut x, mut y) = (Vec::new(), Vec::new(), Vec::new(), None);
        for (name, values, columns) in given {
            match name.chars().next().unwrap() {
                'x' => x.clone_from(values),
                'W' => w.push(values.chunks(*columns).map(<[f64]>::to_vec).collect()),
                'b' => b.push(values.clone()),
                _ => y = Some(values.clone()),
            }
        }
        let class = html
            .split_once("true class is <i>ℓ</i> = ")
            .map_or(1, |(_, rest)| rest.split('.').next().unwrap().parse().unwrap());
        Self { x, w, b, y, class: class - 1, g }
    }

    fn loss(&self) -> f64 {
        let mut h = self.x.clone();
        for (i, (w, b)) in self.w.iter().zip(&self.b).enumerate() {
            let dot = |row: &Vec<f64>| row.iter().zip(&h).map(|(w, h)| w * h).sum::<f64>();
            let a: Vec<f64> = w.iter().zip(b).map(|(row, b)| dot(row) + b).collect();
            h = if i + 1 < self.w.len() { a.into_iter().map(self.g).collect() } else { a };
        }
        match &self.y {
            Some(y) => h.iter().zip(y).map(|(h, y)| (h - y) * (h - y)).sum(),
            None => h.iter().map(|a| a.exp()).sum::<f64>().ln() - h[self.class],
        }
    }

    fn derivative(&mut self, parameter: impl Fn(&mut Self) -> &mut f64) -> f64 {
        const STEP: f64 = 1e-5;
        let at = *parameter(self);
        *parameter(self) = at + STEP;
        let above = self.loss();
        *parameter(self) = at - STEP;
        let below = self.loss();
        *parameter(self) = at;
        (above - below) / (2.0 * STEP)
    }
}

#[test]
fn the_key_is_right_by_finite_differences() {
    let sigmoid = |a: f64| 1.0 / (1.0 + (-a).exp());
    let relu = |a: f64| a.max(0.0);
    type Case<'a> = (&'a [usize], Activation, Option<bool>, fn(f64) -> f64);
    let cases: [Case<'_>; 6] = [
        (&[2, 2, 2], Activation::Sigmoid, None, sigmoid),
        (&[3, 4, 2, 3], Activation::Tanh, None, f64::tanh),
        (&[2, 3, 1], Activation::Relu, None, relu),
        (&[2, 3, 2], Activation::Identity, Some(true), |a| a),
        (&[1, 1, 1, 1], Activation::Sigmoid, None, sigmoid),
        (&[3, 2], Activation::Sigmoid, None, sigmoid),
    ];
    for ((sizes, activation, squared, g), seed) in
        cases.iter().flat_map(|case| [(case, 5), (case, 6), (case, 7)])
    {
        let html = sheet(sizes, &options(*activation, *squared), seed).html();
        let (given, asked) = quantities(&html);
        let mut given = Given::new(&html, &given, *g);
        let asked: BTreeMap<_, _> =
            asked.iter().rev().map(|(name, values, _)| (name.as_str(), values)).collect();
        let close = |found: f64, expected: f64, what: &str| {
            let bound = 1e-8 * (1.0 + expected.abs());
            assert!((found - expected).abs() < bound, "{sizes:?} {what}: {found} {expected}");
        };
        close(asked["L"][0], given.loss(), "L");
        let mut after = Given::new(&html, &quantities(&html).0, *g);
        for m in 0..given.w.len() {
            let (rows, cols) = (given.w[m].len(), given.w[m][0].len());
            for j in 0..rows {
                for k in 0..cols {
                    let expected = given.derivative(|given| &mut given.w[m][j][k]);
                    let name = format!("∇W{} L", m + 1);
                    close(asked[name.as_str()][j * cols + k], expected, &name);
                    let new = given.w[m][j][k] - 0.5 * expected;
                    close(asked[format!("W{}new", m + 1).as_str()][j * cols + k], new, "W new");
                    after.w[m][j][k] = asked[format!("W{}new", m + 1).as_str()][j * cols + k];
                }
                let expected = given.derivative(|given| &mut given.b[m][j]);
                close(asked[format!("∇b{} L", m + 1).as_str()][j], expected, "∇b");
                after.b[m][j] = asked[format!("b{}new", m + 1).as_str()][j];
            }
        }
        let last = quantities(&html).1.pop().unwrap();
        assert_eq!(last.0, "L");
        close(last.1[0], after.loss(), "L after the update");
    }
}

#[test]
fn a_seed_makes_a_sheet() {
    let make = |seed| sheet(&[2, 2, 2], &WorksheetOptions::default(), seed);
    assert_eq!(make(5).html(), make(5).html());
    assert_eq!(make(5).latex(), make(5).latex());
    assert_ne!(make(5).latex(), make(6).latex());
    insta::assert_snapshot!(make(5).latex());
}

#[test]
fn the_page_stands_alone_and_hides_its_key() {
    let html = sheet(&[3, 2, 2], &WorksheetOptions::default(), 1).html();
    let (given, asked) = quantities(&html);
    assert_eq!((given.len(), asked.len()), (5, 24));
    for outside in [" src=", " href=", "@import", "url(", "fetch(", "XMLHttp", "{{"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains(r#"<section id="key" aria-label="answer key" hidden="hidden">"#));
}

#[test]
fn documents_compile() {
    if !pdflatex::installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (sizes, activation) in [
        (&[2, 2, 2][..], Activation::Sigmoid),
        (&[6, 6, 3], Activation::Tanh),
        (&[3, 4, 3, 1], Activation::Relu),
        (&[1, 1, 1, 1, 1, 1], Activation::Identity),
    ] {
        let document = sheet(sizes, &options(activation, None), 3).latex();
        if let Err(log) = pdflatex::compile(folder.path(), "sheet", &document) {
            panic!("{sizes:?}: {log}");
        }
    }
}

#[test]
fn what_nobody_would_do_by_hand_is_refused() {
    let refused = |sizes: &[usize], options: &WorksheetOptions| {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let line = Worksheet::new(sizes, options, &mut rng).unwrap_err().to_string();
        assert!(line.starts_with("no worksheet: ") && !line.contains('\n'), "{line}");
        line
    };
    let usual = WorksheetOptions::default();
    for (sizes, part) in [
        (&[][..], "0 widths were given"),
        (&[2], "1 width was given, expected 2 to 6"),
        (&[1; 7], "7 widths were given"),
        (&[2, 0, 2], "a layer of 0 units"),
        (&[2, 7, 2], "a layer of 7 units; it must have 1 to 6"),
        (&[usize::MAX, 2], "units"),
        (&[6, 6, 6], "84 parameters"),
    ] {
        assert!(refused(sizes, &usual).contains(part), "{sizes:?}");
    }
    assert!(refused(&[2, 1], &options(Activation::Relu, Some(false))).contains("softmax of one"));
    assert!(refused(&[2, 2], &options(Activation::Gelu, None)).contains("gelu is not one for"));
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut options = WorksheetOptions::default();
        options.learning_rate = rate;
        assert!(refused(&[2, 2], &options).contains("learning rate"), "{rate}");
    }
}
