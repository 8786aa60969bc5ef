//! The drawing: what flows adds up, the files are well-formed and stand alone.

use chainrule_autograd_manual::{Network, Param, Workspace};
use chainrule_explain::{Context, Explainer, Picture};
use chainrule_layers::{Activation, Dropout, Layer, Softmax};
use chainrule_loss::{CrossEntropy, Targets};
use chainrule_tensor::Matrix;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::common::dense;

fn draw(layers: Vec<Box<dyn Layer<f64>>>, rows: usize, param: &str, context: &Context) -> Picture {
    let mut network = Network::new(layers).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    network.initialise(&mut rng);
    let x = Matrix::from_fn(rows, network.inputs(), |_, _| rng.random_range(-1.0..1.0));
    let classes: Vec<usize> = (0..rows).map(|row| row % network.outputs()).collect();
    let mut workspace = Workspace::new(&network, rows).unwrap();
    let forward = network.forward_train(x.view(), &mut workspace, &mut rng).unwrap();
    let targets = Targets::Classes(&classes);
    let backward = forward.output_units(&CrossEntropy::new(), targets).unwrap().hidden_units();
    let param: Param = param.parse().unwrap();
    Explainer::new(&backward).picture(param, context).unwrap()
}

fn wide(rows: usize, param: &str) -> Picture {
    let layers = vec![
        dense(30, 20, Activation::Tanh),
        Box::new(Dropout::new(20, 0.3).unwrap()) as Box<dyn Layer<f64>>,
        dense(20, 12, Activation::Sigmoid),
        Box::new(Softmax::new(12).unwrap()),
        dense(12, 5, Activation::Identity),
    ];
    draw(layers, rows, param, &Context::default())
}

#[test]
fn what_flows_into_every_layer_is_the_whole() {
    let whole = |picture: &Picture| -> f64 {
        picture.edges.iter().filter(|edge| edge.chosen).map(|edge| edge.part).sum()
    };
    // A neuron of layer 1 that dropout has kept.
    let mut of_layer_1 = (1..=20).map(|neuron| format!("W_1,{neuron},7"));
    let kept = of_layer_1.find(|param| whole(&wide(1, param)) != 0.0).unwrap();
    for (rows, param, from) in [(1, &*kept, 1), (3, &*kept, 1), (2, "b_35", 3), (1, "W_521", 5)] {
        let picture = wide(rows, param);
        let whole = whole(&picture);
        assert!(whole != 0.0, "{param}");
        for layer in from..=6 {
            let into = picture.edges.iter().filter(|edge| edge.layer == layer);
            let sum: f64 = into.map(|edge| edge.part).sum();
            assert!((sum - whole).abs() < 1e-13, "{param}, layer {layer}: {sum} and {whole}");
        }
        for layer in &picture.layers[from..] {
            let sum: f64 = layer.nodes.iter().map(|node| node.part).sum();
            assert!((sum - whole).abs() < 1e-13, "{param}, {}", layer.name);
            let shares: f64 = layer.nodes.iter().map(|node| node.share).sum();
            assert!((shares - 1.0).abs() < 1e-12, "{param}, {}: {shares}", layer.name);
        }
        assert_eq!(picture.edges.iter().filter(|edge| edge.chosen).count(), 1);
        let marked = picture.edges.iter().filter(|e| e.rank == Some(1) && e.layer >= from);
        assert_eq!(marked.count(), 7 - from, "the strongest path is marked whole");
    }
}

#[test]
fn wide_layers_are_folded_with_their_number() {
    let picture = wide(1, "W_147");
    let widths = [30, 20, 20, 12, 12, 5];
    for (layer, width) in picture.layers.iter().zip(widths) {
        let units: usize = layer.nodes.iter().map(|node| node.units).sum();
        assert_eq!(units, width, "{}", layer.name);
        assert!(layer.nodes.len() <= 10, "{}", layer.name);
    }
    assert_eq!(picture.layers[0].nodes[0].name, "x_7");
    assert_eq!(picture.layers[0].nodes[1].name, "+ 29 more");
    // The shown ones carry more than any that is folded.
    let layer = &picture.layers[3].nodes;
    let folded = layer.last().unwrap();
    assert_eq!((folded.unit, folded.activation), (None, None));
    // Narrow layers are whole.
    assert!(picture.layers[5].nodes.iter().all(|node| node.units == 1));
}

/// Every tag, attribute and reference of a drawing.
fn check_svg(text: &str) {
    let document = roxmltree::Document::parse(text).unwrap();
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "svg");
    assert!(root.attribute("viewBox").is_some());
    for node in document.descendants().filter(|node| node.is_element()) {
        assert!(
            !["script", "image", "use", "foreignObject", "a", "link"]
                .contains(&node.tag_name().name())
        );
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on"), "{attribute:?}");
            assert!(!attribute.name().contains("href"), "{attribute:?}");
            for part in ["NaN", "inf"] {
                assert!(!attribute.value().contains(part), "{attribute:?}");
            }
        }
    }
    let references = text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for part in ["http", "url(", "@import", "//"] {
        assert!(!references.contains(part), "{part}");
    }
}

#[test]
fn the_files_are_well_formed_whatever_things_are_called() {
    let nasty =
        ["<script>alert(1)</script>", "a & b", "\"quoted\" 'twice'", "]]>\u{0}\u{1b}", "h_2_x,"];
    let context = Context {
        features: nasty.iter().map(|&name| name.to_owned()).collect(),
        outputs: nasty.iter().map(|&name| name.to_owned()).collect(),
        classes: vec![0],
        ..Context::default()
    };
    for param in ["W_111", "W_125", "b_13", "b_21", "W_242"] {
        let layers = vec![dense(5, 4, Activation::Relu), dense(4, 5, Activation::Identity)];
        let picture = draw(layers, 1, param, &context);
        check_svg(&picture.svg());
        let dot = picture.dot();
        let quotes = dot.replace("\\\\", "").replace("\\\"", "").matches('"').count();
        assert!(quotes.is_multiple_of(2) && !dot.contains('\u{0}'.to_string().as_str()), "{dot}");
        assert_eq!(dot.matches('{').count(), dot.matches('}').count());
    }
    for (rows, param) in [(1, "W_147"), (3, "b_35"), (2, "W_5,1,12")] {
        check_svg(&wide(rows, param).svg());
    }
}

#[test]
fn a_derivative_of_0_is_drawn_too() {
    // ReLU after large negative biases: nothing passes.
    let mut network =
        Network::new(vec![dense(2, 3, Activation::Relu), dense(3, 2, Activation::Identity)])
            .unwrap();
    network.theta_mut()[6..9].fill(-9.0);
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let x = Matrix::from_rows(&[[0.5, 0.25]]);
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let targets = Targets::Classes(&[0]);
    let backward = forward.output_units(&CrossEntropy::new(), targets).unwrap().hidden_units();
    let explainer = Explainer::new(&backward);
    let param = "W_111".parse().unwrap();
    let picture = explainer.picture(param, &Context::default()).unwrap();
    check_svg(&picture.svg());
    let paths = explainer.paths(param, 0, 5).unwrap();
    assert_eq!((paths.cancellation(), paths.covered, paths.live.exact()), (None, 1.0, Some(0)));
    assert!(paths.to_string().contains("nothing to argue about"), "{paths}");
}
