//! What is asked wrongly gets one clear line; what is printed and serialised.

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_explain::{Context, ExplainError, Explainer, explain};
use chainrule_layers::{Activation, Kept, Layer, Pass, Softmax};
use chainrule_loss::{CrossEntropy, Loss, SquaredError, Targets};
use chainrule_tensor::{Compute, Matrix, MatrixView, MatrixViewMut};

use crate::common::dense;

/// `h = 2 x`, a layer that this crate does not know.
#[derive(Debug)]
struct Double(usize);

impl Layer<f64> for Double {
    fn name(&self) -> String {
        format!("double {}", self.0)
    }

    fn inputs(&self) -> usize {
        self.0
    }

    fn outputs(&self) -> usize {
        self.0
    }

    fn forward(
        &self,
        _: &[f64],
        x: MatrixView<'_, f64>,
        mut a: MatrixViewMut<'_, f64>,
        mut h: MatrixViewMut<'_, f64>,
        _: &mut Pass<'_>,
    ) {
        a.copy_from(x);
        h.as_mut_slice().iter_mut().zip(x.as_slice()).for_each(|(h, x)| *h = 2.0 * x);
    }

    fn backward_activation(
        &self,
        _: Kept<'_, f64>,
        grad_h: MatrixView<'_, f64>,
        mut grad_a: MatrixViewMut<'_, f64>,
        _: &Compute,
    ) {
        grad_a.as_mut_slice().iter_mut().zip(grad_h.as_slice()).for_each(|(a, h)| *a = 2.0 * h);
    }

    fn backward_input(
        &self,
        _: Kept<'_, f64>,
        grad_a: MatrixView<'_, f64>,
        mut grad_x: MatrixViewMut<'_, f64>,
        _: &Compute,
    ) {
        grad_x.copy_from(grad_a);
    }
}

fn error<T: std::fmt::Debug>(result: Result<T, ExplainError>) -> String {
    let text = result.unwrap_err().to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

/// 2-2-2 with weights that can be followed by hand.
fn small() -> Network<f64> {
    let layers = vec![dense(2, 2, Activation::Identity), dense(2, 2, Activation::Identity)];
    let mut network = Network::new(layers).unwrap();
    network.theta_mut().copy_from_slice(&[
        1.0, 0.5, -1.0, 2.0, 0.0, 0.0, // W_1, b_1
        3.0, 1.0, -2.0, 1.0, 0.0, 0.0, // W_2, b_2
    ]);
    network
}

#[test]
fn wrong_requests_are_named() {
    let network = small();
    let mut workspace = Workspace::new(&network, 2).unwrap();
    let x = Matrix::from_rows(&[[1.0, 2.0], [0.5, -1.0]]);
    let loss = CrossEntropy::new();
    let targets = Targets::Classes(&[0, 1]);
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let backward = forward.output_units(&loss, targets).unwrap().hidden_units();
    let explainer = Explainer::new(&backward);
    for (param, expected) in [
        ("W_999", "the network has no W_999: layers are 1 to 2"),
        ("W_131", "the network has no W_131: neurons of layer 1 are 1 to 2"),
        ("W_1,1,10", "the network has no W_1,1,10: inputs of layer 1 are 1 to 2"),
        ("b_33", "the network has no b_33: layers are 1 to 2"),
    ] {
        let param = param.parse().unwrap();
        assert_eq!(error(explainer.explain(param, 0)), expected);
        assert_eq!(error(explainer.batch(param)), expected);
        assert_eq!(error(explainer.thin(param, 0)), expected);
    }
    let w = "W_111".parse().unwrap();
    let expected = "the batch has 2 examples, there is no example 2 (counted from 0)";
    assert_eq!(error(explainer.explain(w, 2)), expected);
    assert_eq!(
        error(explainer.thin(w, usize::MAX)),
        expected.replace("example 2", &format!("example {}", usize::MAX))
    );
    let text = error(explainer.thin(w, 0));
    assert!(
        text.starts_with("W_111 has no single path to the loss: layer 1 has 2 neurons"),
        "{text}"
    );

    let other = SquaredError::new();
    let values = Targets::Values(x.view());
    let text = error(Explainer::new(&backward).unfused(&other, values));
    assert!(text.starts_with("the loss squared_error of these targets is "), "{text}");
    let text = error(Explainer::new(&backward).unfused(&loss, Targets::Classes(&[1, 0])));
    assert!(text.contains("the backward pass started from"), "{text}");
    assert!(Explainer::new(&backward).unfused(&loss, Targets::Classes(&[0])).is_err());
}

#[test]
fn a_layer_of_ones_own_is_refused_only_where_it_matters() {
    let layers = vec![
        Box::new(Double(2)) as Box<dyn Layer<f64>>,
        dense(2, 2, Activation::Tanh),
        Box::new(Double(2)),
        dense(2, 1, Activation::Identity),
    ];
    let mut network = Network::new(layers).unwrap();
    network.theta_mut().fill(0.5);
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let forward = network.forward(MatrixView::from_row(&[1.0, 2.0]), &mut workspace).unwrap();
    let y = [0.0];
    let targets = Targets::Values(MatrixView::from_row(&y));
    let backward = forward.output_units(&SquaredError::new(), targets).unwrap().hidden_units();
    let above = explain(&backward, "W_411".parse().unwrap(), 0).unwrap();
    assert_eq!(above.value, above.gradient);
    let text = error(explain(&backward, "W_211".parse().unwrap(), 0));
    assert!(text.starts_with("layer 3 (double 2) cannot be explained"), "{text}");
    let (explainer, param) = (Explainer::new(&backward), "W_211".parse().unwrap());
    for text in [
        error(explainer.paths(param, 0, 3)),
        error(explainer.batch_paths(param, 3)),
        error(explainer.conversation(param, 0)),
        error(explainer.responsibility(param, None)),
        error(explainer.depth(param)),
        error(explainer.report(param, 3, Context::default())),
        error(explainer.picture(param, &Context::default())),
    ] {
        assert!(text.starts_with("layer 3 (double 2) cannot be explained"), "{text}");
        assert!(text.contains("couples the examples of a batch"), "{text}");
    }
    let text = error(explain(&backward, "W_111".parse().unwrap(), 0));
    assert_eq!(text, "the network has no W_111: layer 1 (double 2) has no weight");
}

#[test]
fn what_cannot_be_unfused_says_why() {
    // ŷ of the true class underflows to 0.
    let mut network = Network::new(vec![dense(1, 2, Activation::Identity)]).unwrap();
    network.theta_mut().copy_from_slice(&[1e4, -1e4, 0.0, 0.0]);
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let loss = CrossEntropy::new();
    let targets = Targets::Classes(&[1]);
    let forward = network.forward(MatrixView::from_row(&[1.0]), &mut workspace).unwrap();
    let backward = forward.output_units(&loss, targets).unwrap().hidden_units();
    let w = "W_111".parse().unwrap();
    assert_eq!(explain(&backward, w, 0).unwrap().value, 1.0);
    let text = error(Explainer::new(&backward).unfused(&loss, targets).unwrap().explain(w, 0));
    assert_eq!(
        text,
        "example 0 cannot be shown unfused: ∂L/∂ŷ is -inf at output 2, where ŷ is 0; ask for the \
         fused output layer"
    );

    let network = Network::new(vec![dense(1, 1, Activation::Identity)]).unwrap();
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let targets = Targets::Classes(&[0]);
    let forward = network.forward(MatrixView::from_row(&[1.0]), &mut workspace).unwrap();
    let backward = forward.output_units(&loss, targets).unwrap().hidden_units();
    let text = error(Explainer::new(&backward).unfused(&loss, targets).unwrap().thin(w, 0));
    assert!(text.contains("the softmax of one unit is 1"), "{text}");
}

#[test]
fn an_unfused_softmax_layer_is_its_own_output_function() {
    let softmax = Box::new(Softmax::new(2).unwrap());
    let mut network = Network::new(vec![dense(1, 2, Activation::Identity), softmax]).unwrap();
    network.theta_mut().copy_from_slice(&[1.0, -1.0, 0.0, 0.5]);
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let loss = chainrule_loss::ProbabilityCrossEntropy::new();
    let targets = Targets::Classes(&[1]);
    let forward = network.forward(MatrixView::from_row(&[1.0]), &mut workspace).unwrap();
    let backward = forward.output_units(&loss, targets).unwrap().hidden_units();
    let explainer = Explainer::new(&backward).unfused(&loss, targets).unwrap();
    let answer = explainer.explain("W_111".parse().unwrap(), 0).unwrap();
    let unfused = answer.unfused.as_ref().unwrap();
    assert_eq!(unfused.grad_prediction.values, [0.0, -1.0 / unfused.prediction[1]]);
    assert_eq!(unfused.derivatives.len(), 1);
    for (product, fused) in unfused.grad_a().iter().zip(&answer.output.values) {
        assert!((product - fused).abs() < 1e-15, "{answer}");
    }
}

#[test]
fn a_loss_of_ones_own_with_a_softmax_is_not_taken_for_a_cross_entropy() {
    /// The squared error of the softmax, `Σ (ŷ − e(ℓ))²`, by its derivative.
    #[derive(Debug)]
    struct Brier;
    impl Loss<f64> for Brier {
        fn name(&self) -> String {
            "brier".to_owned()
        }
        fn reduction(&self) -> chainrule_loss::Reduction {
            chainrule_loss::Reduction::Sum
        }
        fn value_and_gradient(
            &self,
            output: MatrixView<'_, f64>,
            targets: Targets<'_, f64>,
            mut gradient: MatrixViewMut<'_, f64>,
        ) -> Result<f64, chainrule_loss::LossError> {
            let mut y = Matrix::zeros(output.rows(), output.cols());
            self.output_function().apply(output, y.view_mut());
            let Targets::Classes(classes) = targets else { panic!("classes") };
            let mut value = 0.0;
            for (i, &class) in classes.iter().enumerate() {
                let r = |j: usize| y[(i, j)] - if j == class { 1.0 } else { 0.0 };
                let mean: f64 = (0..y.cols()).map(|j| y[(i, j)] * 2.0 * r(j)).sum();
                for j in 0..y.cols() {
                    value += r(j) * r(j);
                    gradient[(i, j)] = y[(i, j)] * (2.0 * r(j) - mean);
                }
            }
            Ok(value)
        }
        fn value(
            &self,
            output: MatrixView<'_, f64>,
            targets: Targets<'_, f64>,
        ) -> Result<f64, chainrule_loss::LossError> {
            let mut gradient = Matrix::zeros(output.rows(), output.cols());
            self.value_and_gradient(output, targets, gradient.view_mut())
        }
        fn output_function(&self) -> chainrule_loss::OutputFunction {
            chainrule_loss::OutputFunction::Softmax
        }
    }
    let network = small();
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let targets = Targets::Classes(&[1]);
    let forward = network.forward(MatrixView::from_row(&[0.2, 0.1]), &mut workspace).unwrap();
    let backward = forward.output_units(&Brier, targets).unwrap().hidden_units();
    let w = "W_111".parse().unwrap();
    assert!(explain(&backward, w, 0).is_ok());
    let text = error(Explainer::new(&backward).unfused(&Brier, targets).unwrap().explain(w, 0));
    assert!(text.contains("no cross-entropy"), "{text}");
}

#[test]
fn the_text_is_the_conversation() {
    let network = small();
    let mut workspace = Workspace::new(&network, 2).unwrap();
    let x = Matrix::from_rows(&[[1.0, 2.0], [0.5, -1.0]]);
    let y = Matrix::from_rows(&[[8.5, 0.0], [0.0, 0.0]]);
    // h_1 = (2, 3), (0, −2.5); ŷ = (9, −1), (−2.5, −2.5); L = Σ (ŷ − y)², the mean over examples.
    let (loss, targets) = (SquaredError::new(), Targets::Values(y.view()));
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let backward = forward.output_units(&loss, targets).unwrap().hidden_units();
    let answer = explain(&backward, "W_112".parse().unwrap(), 0).unwrap();
    assert_eq!(
        answer.to_string(),
        "∂L/∂W_112 = 14 for example 0
  output layer  ∇_{a_2} L    = [1, -2]
  hidden layers ∂a_2/∂a_11   = [3, -2]
  weights       ∂a_11/∂W_112 = h_02 = 2
  product                    = 14 (backpropagation: 14)"
    );
    let explainer = Explainer::new(&backward).unfused(&loss, targets).unwrap();
    let bias = explainer.explain("b_21".parse().unwrap(), 0).unwrap();
    assert_eq!(
        bias.to_string(),
        "∂L/∂b_21 = 1 for example 0
  loss          ∂L/∂ŷ       = [1, -2]
  prediction    ŷ           = [9, -1]
  output layer  ∇_{a_2} L   = [1, -2]
  hidden layers ∂a_2/∂a_21  = [1, 0]
  weights       ∂a_21/∂b_21 = 1
  product                   = 1 (backpropagation: 1)"
    );
    // The second example: (−5, −5) · (3, −2) · −1 = 5.
    let batch = explainer.batch("W_112".parse().unwrap()).unwrap();
    assert_eq!(
        batch.to_string(),
        "∂L/∂W_112 = 9.5, the mean over 2 examples (backpropagation: 9.5)
  example 0      14
  example 1      5"
    );
}

#[test]
fn long_vectors_are_shortened_in_the_text_and_whole_in_the_data() {
    let network = {
        let mut network = Network::new(vec![dense(1, 20, Activation::Identity)]).unwrap();
        network.theta_mut().iter_mut().enumerate().for_each(|(i, theta)| *theta = i as f64 / 7.0);
        network
    };
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let loss = CrossEntropy::new();
    let forward = network.forward(MatrixView::from_row(&[1.0]), &mut workspace).unwrap();
    let backward = forward.output_units(&loss, Targets::Classes(&[3])).unwrap().hidden_units();
    let answer = explain(&backward, "b_1,17".parse().unwrap(), 0).unwrap();
    let text = answer.to_string();
    assert!(text.contains("= [17: 1, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, … 20 in all]"), "{text}");
    let json = serde_json::to_value(&answer).unwrap();
    assert_eq!(json["param"], "b_1,17");
    assert_eq!(json["row"], 0);
    assert_eq!(json["output"]["name"], "∇_{a_1} L");
    assert_eq!(json["output"]["values"].as_array().unwrap().len(), 20);
    assert_eq!(json["weights"]["value"], 1.0);
    assert_eq!(json["value"].as_f64(), Some(answer.value));
    assert!(json.get("unfused").is_none());
}
