//! The page: well-formed, alone, harmless, and with the program's numbers in it.

use chainrule_autograd_manual::Param;
use chainrule_explain::{ExplainError, Explainer, Page};
use chainrule_layers::Activation;
use chainrule_loss::Reduction;
use serde_json::Value;

use crate::common::{Case, LOSSES, Recipe};

fn recipe(widths: &[usize]) -> Recipe {
    Recipe {
        seed: 3,
        widths: widths.to_vec(),
        activation: Activation::Tanh,
        output_activation: false,
        dropout: false,
        loss: "cross_entropy",
        reduction: Reduction::Mean,
        rows: 3,
    }
}

fn page(case: &Case) -> Result<Page, ExplainError> {
    let mut workspace = case.workspace();
    let backward = case.backward(&mut workspace);
    Page::new(&backward, &*case.loss, case.targets())
}

/// The page's numbers, as its script reads them.
fn data(html: &str) -> Value {
    let document = roxmltree::Document::parse_with_options(
        html,
        roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() },
    )
    .expect("well-formed");
    let is_data = |node: &roxmltree::Node<'_, '_>| node.attribute("id") == Some("data");
    let node = document.descendants().find(is_data).expect("the data");
    serde_json::from_str(node.text().unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn pages_are_well_formed_and_load_nothing() {
    let image = page(&Case::new(&recipe(&[9, 20, 4]))).unwrap().image(3, 3).unwrap();
    for html in [page(&Case::new(&recipe(&[2, 3, 2]))).unwrap().to_string(), image.to_string()] {
        data(&html);
        for outside in [" src=", " href=", "@import", "url(", "fetch(", "XMLHttp", "import("] {
            assert!(!html.contains(outside), "{outside}");
        }
        let addresses: Vec<&str> = html.match_indices("//").map(|(i, _)| &html[..i]).collect();
        let names = addresses.iter().filter(|before| before.ends_with(':'));
        // Names of XML's languages, which no browser fetches.
        assert_eq!(names.count(), 2, "xmlns of HTML and of SVG");
        assert!(html.contains("default-src 'none'"));
    }
}

#[test]
fn names_stay_text() {
    let hostile = "</script><script>alert(1)</script><!-- ]]> & \u{2028}";
    let html = page(&Case::new(&recipe(&[2, 2])))
        .unwrap()
        .title(hostile)
        .outputs(&[hostile, "b"])
        .unwrap()
        .features(&["u", hostile])
        .unwrap()
        .examples(&[hostile, "b", "c"])
        .unwrap()
        .to_string();
    let data = data(&html);
    assert_eq!(data["outputs"][0], hostile);
    assert_eq!(data["features"][1], hostile);
    assert_eq!(data["examples"][0]["name"], hostile);
    assert_eq!(html.matches("</script>").count(), 2, "that of the data and that of the script");
}

#[test]
fn the_numbers_are_the_networks() {
    for (loss, dropout) in LOSSES.iter().flat_map(|loss| [(loss, false), (loss, true)]) {
        let case = Case::new(&Recipe { loss, dropout, ..recipe(&[3, 4, 3]) });
        let data = data(&page(&case).unwrap().to_string());
        let mut workspace = case.workspace();
        let backward = case.backward(&mut workspace);
        let mut theta = Vec::new();
        for layer in data["layers"].as_array().unwrap() {
            for part in ["weights", "bias"] {
                theta.extend(layer.get(part).map(numbers).unwrap_or_default());
            }
        }
        assert_eq!(theta, case.network.theta(), "{loss}");
        assert_eq!(data["loss"]["value"].as_f64(), Some(backward.loss()), "{loss}");
        let examples = data["examples"].as_array().unwrap();
        let mean: f64 = examples.iter().map(|e| e["loss"].as_f64().unwrap()).sum::<f64>() / 3.0;
        assert!((mean / backward.loss() - 1.0).abs() < 1e-12, "{loss}");
        for (row, example) in examples.iter().enumerate() {
            for m in 1..=case.network.depth() {
                let expected: Vec<f64> =
                    backward.grad_a(m).row(row).iter().map(|g| g * 3.0).collect();
                assert_eq!(numbers(&example["grad_a"][m - 1]), expected, "{loss}, layer {m}");
            }
        }
    }
}

#[test]
fn a_large_network_is_exported_in_part() {
    let case = Case::new(&Recipe { rows: 2, ..recipe(&[60, 400, 200, 5]) });
    let html = page(&case).unwrap().to_string();
    let data = data(&html);
    assert_eq!(data["complete"], false);
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    let mut workspace = case.workspace();
    let backward = case.backward(&mut workspace);
    let explainer = Explainer::new(&backward);
    for (row, example) in data["examples"].as_array().unwrap().iter().enumerate() {
        let output = numbers(&example["grad_a"][2]);
        let neurons = example["neurons"].as_array().unwrap();
        assert_eq!(neurons.len(), 24 + 24 + 5);
        for exported in neurons {
            let layer = exported["layer"].as_u64().unwrap() as usize;
            let neuron = exported["neuron"].as_u64().unwrap() as usize;
            let param = Param::Bias { layer, neuron };
            let expected = explainer.explain(param, row).unwrap().gradient;
            let upward = numbers(&exported["upward"]);
            let value: f64 = output.iter().zip(&upward).map(|(g, u)| g * u).sum();
            let magnitude = exported["magnitude"].as_f64().unwrap();
            assert!((value - expected).abs() <= 1e-12 * magnitude, "{param}");
            // The page draws a path by its units: they must give the path's value.
            let width = [400.0, 200.0, 5.0][layer..].iter().product::<f64>();
            assert_eq!(exported["number"].as_f64(), Some(width), "{param}");
            for path in exported["best"].as_array().unwrap() {
                let units: Vec<Vec<f64>> =
                    path["units"].as_array().unwrap().iter().map(numbers).collect();
                assert_eq!(units.len(), 4 - layer);
                assert_eq!(units[0][0] as usize, neuron - 1);
                let at = |m: usize| units[m - layer][0] as usize;
                let mut product = output[at(3)];
                for m in layer..3 {
                    let a = backward.forward().a(m).row(row)[at(m)];
                    let w = case.network.weights(m + 1).unwrap().row(at(m + 1))[at(m)];
                    product *= w * Activation::Tanh.derivative(a);
                }
                let value = path["value"].as_f64().unwrap();
                assert!((product / value - 1.0).abs() < 1e-12, "{param}: {product} {value}");
            }
        }
        // Of the others the page still has all that backpropagation says.
        assert_eq!(example["a"][0].as_array().unwrap().len(), 400);
        assert_eq!(example["grad_h"][1].as_array().unwrap().len(), 200);
    }
    let rows = data["layers"][0]["rows"].as_object().unwrap();
    let (j, row) = rows.iter().next().unwrap();
    let j: usize = j.parse().unwrap();
    assert_eq!(numbers(row), case.network.weights(1).unwrap().row(j - 1));
}

#[test]
fn what_does_not_fit_is_refused_in_one_line() {
    let case = Case::new(&recipe(&[2, 3, 2]));
    let make = || page(&case).unwrap();
    let errors = [
        make().outputs(&["one"]).unwrap_err(),
        make().features(&["u", "v", "w"]).unwrap_err(),
        make().examples::<&str>(&[]).unwrap_err(),
        make().image(1, 3).unwrap_err(),
        make().image(usize::MAX, 2).unwrap_err(),
        make().raw(case.network.weights(1).unwrap().rows_range(0..1)).unwrap_err(),
        make().select("W_999".parse().unwrap()).unwrap_err(),
    ];
    for error in errors {
        let line = error.to_string();
        assert!(!line.contains('\n') && line.len() > 20, "{line}");
    }
    let mut broken = Case::new(&recipe(&[2, 3, 2]));
    broken.network.theta_mut()[0] = f64::NAN;
    let line = page(&broken).unwrap_err().to_string();
    assert!(line.starts_with("W_1 holds a number that is not finite"), "{line}");
    broken.network.theta_mut()[0] = 0.0;
    broken.x.as_mut_slice()[2] = f64::INFINITY;
    let line = page(&broken).unwrap_err().to_string();
    assert!(line.starts_with("x of example 1 holds"), "{line}");
    let many = Case::new(&Recipe { rows: 3000, ..recipe(&[2, 200, 2]) });
    let line = page(&many).unwrap_err().to_string();
    assert!(line.contains("3000 examples") && line.contains("at most 2450"), "{line}");
}
