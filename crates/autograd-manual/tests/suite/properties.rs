//! Random networks: their gradients against central differences, and the ways to the same gradient
//! against each other.

use chainrule_autograd_manual::{
    Backward, CheckOptions, Network, NetworkError, Workspace, check_gradient,
};
use chainrule_gradcheck::{Options, Pieces, Sample, check};
use chainrule_layers::{Activation, Dense, Dropout, Layer, Softmax};
use chainrule_loss::{Loss, LossError, Reduction, Targets, parse};
use chainrule_tensor::{Matrix, MatrixView};
use proptest::prelude::*;
use proptest::sample::select;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// What a loss is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Classes,
    Probabilities,
    Values,
}

const LOSSES: [(&str, Kind); 12] = [
    ("cross_entropy", Kind::Classes),
    ("cross_entropy", Kind::Probabilities),
    ("cross_entropy(label_smoothing=0.1,class_weights)", Kind::Classes),
    ("cross_entropy(ignore_index=0)", Kind::Classes),
    ("soft_cross_entropy(class_weights)", Kind::Probabilities),
    ("bce_with_logits", Kind::Probabilities),
    ("probability_cross_entropy", Kind::Classes),
    ("probability_cross_entropy", Kind::Probabilities),
    ("squared_error", Kind::Values),
    ("mse", Kind::Values),
    ("l1", Kind::Values),
    ("huber(0.5)", Kind::Values),
];

/// One `Dense` layer, perhaps without bias or with dropout behind it.
#[derive(Debug, Clone)]
struct Part {
    outputs: usize,
    activation: Activation,
    bias: bool,
    dropout: bool,
}

/// A network, a batch and a loss, all drawn from `seed`.
#[derive(Debug, Clone)]
struct Case {
    inputs: usize,
    parts: Vec<Part>,
    batch: usize,
    loss: (&'static str, Kind),
    reduction: Reduction,
    seed: u64,
}

fn activations() -> Vec<Activation> {
    let more = [Activation::LeakyRelu { slope: 0.3 }, Activation::Elu { alpha: 1.5 }];
    Activation::ALL.into_iter().chain(more).collect()
}

fn part() -> impl Strategy<Value = Part> {
    (1..=7_usize, select(activations()), any::<bool>(), any::<bool>()).prop_map(
        |(outputs, activation, bias, dropout)| Part { outputs, activation, bias, dropout },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let parts = prop::collection::vec(part(), 1..=4);
    let reduction = select(vec![Reduction::Mean, Reduction::Sum]);
    (1..=7_usize, parts, 1..=6_usize, select(LOSSES.to_vec()), reduction, any::<u64>()).prop_map(
        |(inputs, parts, batch, loss, reduction, seed)| Case {
            inputs,
            parts,
            batch,
            loss,
            reduction,
            seed,
        },
    )
}

/// The ground of a case; targets own what they lend.
struct Ready {
    network: Network<f64>,
    x: Matrix<f64>,
    loss: Box<dyn Loss<f64>>,
    classes: Vec<usize>,
    values: Matrix<f64>,
}

impl Case {
    fn ready(&self) -> Ready {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let mut layers: Vec<Box<dyn Layer<f64>>> = Vec::new();
        let mut width = self.inputs;
        for part in &self.parts {
            let dense = Dense::new(width, part.outputs, part.activation).unwrap();
            let dense = if part.bias { dense } else { dense.without_bias() };
            layers.push(Box::new(dense));
            width = part.outputs;
            if part.dropout {
                layers.push(Box::new(Dropout::new(width, 0.3).unwrap()));
            }
        }
        let (name, kind) = self.loss;
        if name == "probability_cross_entropy" {
            layers.push(Box::new(Softmax::new(width).unwrap()));
        }
        let mut network = Network::new(layers).unwrap();
        network.initialise(&mut rng);

        let x = Matrix::from_fn(self.batch, self.inputs, |_, _| rng.random_range(-1.0..1.0));
        let mut values = Matrix::from_fn(self.batch, width, |_, _| rng.random_range(0.0..1.0));
        if kind == Kind::Probabilities && name != "bce_with_logits" {
            for i in 0..self.batch {
                let sum: f64 = values.row(i).iter().sum();
                values.row_mut(i).iter_mut().for_each(|p| *p /= sum);
            }
        }
        let mut classes: Vec<usize> = (0..self.batch).map(|_| rng.random_range(0..width)).collect();
        // A batch of ignored classes alone is an error.
        classes[0] = width - 1;
        let name = if width == 1 { name.replace("(ignore_index=0)", "") } else { name.to_owned() };
        let weights: Vec<f64> = (0..width).map(|_| rng.random_range(0.5..2.0)).collect();
        let weights = name.contains("class_weights").then_some(&weights[..]);
        let loss = parse(&name, weights, self.reduction).unwrap();
        Ready { network, x, loss, classes, values }
    }

    /// Whether every example counts the same, so that one alone is a batch like any.
    fn plain(&self) -> bool {
        !self.loss.0.contains("ignore_index") && !self.loss.0.contains("class_weights")
    }
}

impl Ready {
    fn targets(&self, kind: Kind) -> Targets<'_, f64> {
        match kind {
            Kind::Classes => Targets::Classes(&self.classes),
            Kind::Probabilities | Kind::Values => Targets::Values(self.values.view()),
        }
    }

    /// Central differences lose their order where the second derivative jumps, which is no kink.
    fn bends(&self, seed: u64) -> bool {
        let mut workspace = Workspace::new(&self.network, self.x.rows()).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let forward = self.network.forward_train(self.x.view(), &mut workspace, &mut rng).unwrap();
        let bent = |name: &str| name.contains("elu(1)") || name.contains("softsign");
        (1..).zip(self.network.layers()).any(|(i, layer)| {
            bent(&layer.name()) && forward.a(i).as_slice().iter().any(|a| a.abs() < 1e-4)
        })
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |norm, x| norm.hypot(*x))
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |norm, (a, b)| norm.hypot(a - b))
}

fn gradients(backward: &Backward<'_, '_, f64>) -> Vec<f64> {
    let depth = backward.network().depth();
    (1..=depth)
        .flat_map(|i| [backward.grad_a(i), backward.grad_h(i)])
        .flat_map(|m| m.as_slice().to_vec())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn gradients_are_central_differences(case in case()) {
        let ready = case.ready();
        prop_assume!(ready.network.parameter_count() > 0 && !ready.bends(case.seed));
        let (x, targets) = (ready.x.view(), ready.targets(case.loss.1));
        let options = CheckOptions { training_seed: Some(case.seed), ..CheckOptions::default() };
        let report = check_gradient(&ready.network, x, &*ready.loss, targets, &options).unwrap();
        // Small networks have too few entries for one to lie at a kink.
        prop_assume!(report.report.kinks == 0);
        prop_assert!(report.passed(), "{report}");
        prop_assert_eq!(report.report.checked, ready.network.parameter_count());
    }

    #[test]
    fn the_input_gradient_is_a_central_difference(case in case()) {
        let ready = case.ready();
        prop_assume!(!ready.bends(case.seed));
        let Ready { network, loss, .. } = &ready;
        let targets = ready.targets(case.loss.1);
        let rng = || Xoshiro256PlusPlus::seed_from_u64(case.seed);
        let mut workspace = Workspace::new(network, case.batch).unwrap();
        let mut gradient = vec![0.0; network.parameter_count()];
        let mut backward = network
            .forward_train(ready.x.view(), &mut workspace, &mut rng())
            .unwrap()
            .backward(&**loss, targets, &mut gradient)
            .unwrap();
        let grad_x = backward.input_gradient().as_slice().to_vec();

        let evaluate = |x: &[f64]| {
            let x = MatrixView::new(x, case.batch, case.inputs).unwrap();
            let forward = network.forward_train(x, &mut workspace, &mut rng()).unwrap();
            let mut pieces = Pieces::new();
            for (i, layer) in (1..).zip(network.layers()) {
                layer.pieces(forward.a(i), &mut |piece| pieces.note(piece));
            }
            loss.pieces(forward.output(), targets, &mut |piece| pieces.note(piece));
            Sample { value: forward.loss(&**loss, targets).unwrap(), piece: pieces.finish() }
        };
        let mut x = ready.x.as_slice().to_vec();
        let report = check(&mut x, &grad_x, evaluate, &Options::default()).unwrap();
        prop_assume!(report.kinks == 0);
        prop_assert!(report.passed(), "{report}");
    }

    #[test]
    fn the_three_parts_are_backward(case in case()) {
        let ready = case.ready();
        let Ready { network, x, loss, .. } = &ready;
        let targets = ready.targets(case.loss.1);
        let rng = || Xoshiro256PlusPlus::seed_from_u64(case.seed);
        let mut workspace = Workspace::new(network, case.batch).unwrap();
        let (mut whole, mut parts) =
            (vec![f64::NAN; network.parameter_count()], vec![0.5; network.parameter_count()]);

        let forward = network.forward_train(x.view(), &mut workspace, &mut rng()).unwrap();
        let backward = forward.backward(&**loss, targets, &mut whole).unwrap();
        let (value, units) = (backward.loss(), gradients(&backward));

        let forward = network.forward_train(x.view(), &mut workspace, &mut rng()).unwrap();
        let output = forward.output_units(&**loss, targets).unwrap();
        let grad_output = Matrix::from_vec(
            case.batch,
            network.outputs(),
            output.grad_output().as_slice().to_vec(),
        )
        .unwrap();
        let backward = output.hidden_units();
        backward.weights_and_biases(&mut parts).unwrap();
        prop_assert_eq!(&parts, &whole);
        prop_assert_eq!(gradients(&backward), units.clone());
        prop_assert_eq!(backward.loss(), value);

        let forward = network.forward_train(x.view(), &mut workspace, &mut rng()).unwrap();
        let output = forward.output_units_from(grad_output.view(), value, case.reduction).unwrap();
        let backward = output.hidden_units();
        backward.weights_and_biases(&mut parts).unwrap();
        prop_assert_eq!(&parts, &whole);
        prop_assert_eq!(gradients(&backward), units);
    }

    #[test]
    fn micro_batches_add_up_to_the_batch(case in case(), cut in 1..=6_usize) {
        let case = Case { reduction: Reduction::Sum, ..case };
        let ready = case.ready();
        let Ready { network, x, loss, .. } = &ready;
        let targets = ready.targets(case.loss.1);
        let mut workspace = Workspace::new(network, case.batch).unwrap();
        let mut whole = vec![f64::NAN; network.parameter_count()];
        let forward = network.forward(x.view(), &mut workspace).unwrap();
        forward.backward(&**loss, targets, &mut whole).unwrap();

        let (mut sum, mut scale) = (vec![0.0; whole.len()], 0.0);
        let cut = cut.min(case.batch);
        for range in [0..cut, cut..case.batch] {
            if range.is_empty() {
                continue;
            }
            let before = sum.clone();
            let x = x.view().rows_range(range.clone());
            let forward = network.forward(x, &mut workspace).unwrap();
            match forward.backward_accumulate(&**loss, targets.rows_range(range), &mut sum) {
                Ok(_) => {}
                // Nothing to add.
                Err(NetworkError::Loss(LossError::AllIgnored { .. })) => {}
                Err(error) => panic!("{error}"),
            }
            scale += distance(&before, &sum);
        }
        prop_assert!(distance(&sum, &whole) <= 1e-14 * scale, "{} of {scale}", distance(&sum, &whole));
    }

    #[test]
    fn example_gradients_combine_to_the_batch(case in case()) {
        let ready = case.ready();
        let Ready { network, x, loss, .. } = &ready;
        let targets = ready.targets(case.loss.1);
        let mut workspace = Workspace::new(network, case.batch).unwrap();
        let mut own_workspace = Workspace::new(network, 1).unwrap();
        let mut whole = vec![f64::NAN; network.parameter_count()];
        let (mut example, mut alone) = (whole.clone(), whole.clone());
        let forward = network.forward(x.view(), &mut workspace).unwrap();
        let backward = forward.backward(&**loss, targets, &mut whole).unwrap();
        for (place, value) in whole.iter().enumerate() {
            let param = network.layout().param(place).unwrap();
            prop_assert_eq!(backward.param_gradient(param).unwrap(), *value);
        }

        let (mut sum, mut scale) = (vec![0.0; whole.len()], 0.0);
        for row in 0..case.batch {
            backward.example_gradient(row, &mut example).unwrap();
            sum.iter_mut().zip(&example).for_each(|(sum, g)| *sum += g);
            scale += norm(&example);
            if case.plain() {
                network
                    .forward(x.view().rows_range(row..row + 1), &mut own_workspace)
                    .unwrap()
                    .backward(&**loss, targets.rows_range(row..row + 1), &mut alone)
                    .unwrap();
                prop_assert!(distance(&example, &alone) <= 1e-13 * norm(&alone) + 1e-15);
            }
        }
        if case.reduction == Reduction::Mean {
            let count = case.batch as f64;
            sum.iter_mut().for_each(|sum| *sum /= count);
            scale /= count;
        }
        prop_assert!(distance(&sum, &whole) <= 1e-14 * scale, "{} of {scale}", distance(&sum, &whole));
    }
}

/// No pair is left to chance.
#[test]
fn every_activation_passes_with_every_loss() {
    for (activation, loss) in
        activations().into_iter().flat_map(|activation| LOSSES.map(|loss| (activation, loss)))
    {
        let part = Part { outputs: 4, activation, bias: true, dropout: true };
        let last = Part { outputs: 3, activation, bias: true, dropout: false };
        let (parts, reduction, seed) = (vec![part, last], Reduction::Mean, 11);
        let case = Case { inputs: 5, parts, batch: 6, loss, reduction, seed };
        let ready = case.ready();
        let (x, targets) = (ready.x.view(), ready.targets(loss.1));
        for training_seed in [None, Some(2)] {
            let options = CheckOptions { training_seed, ..CheckOptions::default() };
            let report =
                check_gradient(&ready.network, x, &*ready.loss, targets, &options).unwrap();
            assert!(report.passed(), "{activation}, {loss:?}: {report}");
        }
    }
}
