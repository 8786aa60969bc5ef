//! Random networks with their data.

pub(crate) mod pdflatex;

use chainrule_autograd_manual::{Backward, Network, Param, Workspace};
use chainrule_layers::{Activation, Dense, Dropout, Layer, LayerConfig, Softmax};
use chainrule_loss::{Loss, Reduction, Targets, parse};
use chainrule_tensor::Matrix;
use proptest::prelude::{Strategy, any, prop};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

pub(crate) const LOSSES: [&str; 11] = [
    "cross_entropy",
    "cross_entropy(label_smoothing=0.1)",
    "cross_entropy(ignore_index=0)",
    "cross_entropy(class_weights)",
    "soft_cross_entropy",
    "bce_with_logits",
    "probability_cross_entropy",
    "squared_error",
    "mse",
    // With kinks, not for finite differences.
    "huber(0.7)",
    "l1",
];

/// A dense layer, boxed.
pub(crate) fn dense(inputs: usize, outputs: usize, g: Activation) -> Box<dyn Layer<f64>> {
    Box::new(Dense::new(inputs, outputs, g).unwrap())
}

/// What a case is made from.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    pub(crate) widths: Vec<usize>,
    pub(crate) activation: Activation,
    /// Whether the last dense layer has the activation too.
    pub(crate) output_activation: bool,
    pub(crate) dropout: bool,
    pub(crate) loss: &'static str,
    pub(crate) reduction: Reduction,
    pub(crate) rows: usize,
}

/// Recipes of every activation and loss, with up to so many units a layer and rows.
pub(crate) fn recipes(most_units: usize, most_rows: usize) -> impl Strategy<Value = Recipe> {
    recipes_of(&Activation::ALL, &LOSSES, most_units, most_rows)
}

/// The same of these activations and losses alone.
pub(crate) fn recipes_of(
    activations: &'static [Activation],
    losses: &'static [&'static str],
    most_units: usize,
    most_rows: usize,
) -> impl Strategy<Value = Recipe> {
    (
        any::<u64>(),
        // 1 to 4 dense layers; at least two outputs, as a softmax of one has no gradient.
        (prop::collection::vec(1..=most_units, 1..5), 2_usize..5),
        prop::sample::select(activations),
        (any::<bool>(), any::<bool>(), any::<bool>()),
        prop::sample::select(losses),
        1..=most_rows,
    )
        .prop_map(|(seed, (mut widths, outputs), activation, flags, loss, rows)| {
            widths.push(outputs);
            let (output_activation, dropout, mean) = flags;
            let reduction = if mean { Reduction::Mean } else { Reduction::Sum };
            Recipe { seed, widths, activation, output_activation, dropout, loss, reduction, rows }
        })
}

/// A network, a batch, its targets and a loss.
pub(crate) struct Case {
    pub(crate) network: Network<f64>,
    pub(crate) x: Matrix<f64>,
    pub(crate) classes: Vec<usize>,
    pub(crate) values: Matrix<f64>,
    pub(crate) loss: Box<dyn Loss<f64>>,
    pub(crate) by_class: bool,
    pub(crate) mask_seed: u64,
}

impl Case {
    pub(crate) fn new(recipe: &Recipe) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(recipe.seed);
        let outputs = *recipe.widths.last().unwrap();
        let mut layers: Vec<Box<dyn Layer<f64>>> = Vec::new();
        for (i, pair) in recipe.widths.windows(2).enumerate() {
            let last = i + 2 == recipe.widths.len();
            let plain = last && !recipe.output_activation;
            let g = if plain { Activation::Identity } else { recipe.activation };
            layers.push(Box::new(Dense::new(pair[0], pair[1], g).unwrap()));
            if recipe.dropout && !last {
                layers.push(Box::new(Dropout::new(pair[1], 0.4).unwrap()));
            }
        }
        if recipe.loss == "probability_cross_entropy" {
            layers.push(Box::new(Softmax::new(outputs).unwrap()));
        }
        let mut network = Network::new(layers).unwrap();
        for theta in network.theta_mut() {
            *theta = rng.random_range(-1.0..1.0);
        }
        let rows = recipe.rows;
        let x = Matrix::from_fn(rows, recipe.widths[0], |_, _| rng.random_range(-1.5..1.5));
        // The first example is never the ignored class, so that there is something to average.
        let classes =
            (0..rows).map(|i| if i == 0 { outputs - 1 } else { rng.random_range(0..outputs) });
        let classes = classes.collect();
        let mut values = Matrix::from_fn(rows, outputs, |_, _| rng.random_range(0.05..1.0));
        if recipe.loss == "soft_cross_entropy" {
            for i in 0..rows {
                let sum: f64 = values.row(i).iter().sum();
                values.row_mut(i).iter_mut().for_each(|v| *v /= sum);
            }
        }
        let weights: Vec<f64> = (0..outputs).map(|_| rng.random_range(0.2..3.0)).collect();
        let weights = recipe.loss.contains("class_weights").then_some(&weights[..]);
        let loss = parse(recipe.loss, weights, recipe.reduction).unwrap();
        let soft = recipe.loss == "soft_cross_entropy";
        let by_class = recipe.loss.contains("cross_entropy") && !soft;
        Self { network, x, classes, values, loss, by_class, mask_seed: recipe.seed ^ 0xd0 }
    }

    pub(crate) fn targets(&self) -> Targets<'_, f64> {
        match self.by_class {
            true => Targets::Classes(&self.classes),
            false => Targets::Values(self.values.view()),
        }
    }

    pub(crate) fn workspace(&self) -> Workspace<f64> {
        Workspace::new(&self.network, self.x.rows()).unwrap()
    }

    /// Forward as in training, then parts 1 and 2.
    pub(crate) fn backward<'a>(
        &'a self,
        workspace: &'a mut Workspace<f64>,
    ) -> Backward<'a, 'a, f64> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.mask_seed);
        let forward = self.network.forward_train(self.x.view(), workspace, &mut rng).unwrap();
        forward.output_units(&*self.loss, self.targets()).unwrap().hidden_units()
    }

    /// The loss with one parameter moved, under the same masks.
    pub(crate) fn loss_at(&mut self, index: usize, theta: f64) -> f64 {
        let before = std::mem::replace(&mut self.network.theta_mut()[index], theta);
        let mut workspace = self.workspace();
        let value = self.backward(&mut workspace).loss();
        self.network.theta_mut()[index] = before;
        value
    }

    pub(crate) fn params(&self) -> Vec<Param> {
        let layout = self.network.layout();
        (0..layout.len()).map(|index| layout.param(index).unwrap()).collect()
    }
}

/// `Σ |terms|` over all paths from the parameter to the outputs: the scale on which rounding
/// shows.
pub(crate) fn sum_of_magnitudes(backward: &Backward<'_, '_, f64>, param: Param, row: usize) -> f64 {
    let (network, forward) = (backward.network(), backward.forward());
    let mut v = vec![0.0; network.layers()[param.layer() - 1].outputs()];
    v[param.neuron() - 1] = match param {
        Param::Weight { layer, input, .. } => forward.h(layer - 1).row(row)[input - 1].abs(),
        Param::Bias { .. } => 1.0,
    };
    for m in param.layer()..=network.depth() {
        if m > param.layer()
            && let Some(LayerConfig::Dense(_)) = network.layers()[m - 1].config()
        {
            let w = network.weights(m).expect("a dense layer's weights");
            v = w.iter_rows().map(|w| w.iter().zip(&v).map(|(w, v)| w.abs() * v).sum()).collect();
        }
        if m == network.depth() {
            break;
        }
        let (a, h) = (forward.a(m).row(row), forward.h(m).row(row));
        match network.layers()[m - 1].config() {
            Some(LayerConfig::Dense(dense)) => {
                v.iter_mut()
                    .zip(a)
                    .for_each(|(v, &a)| *v *= dense.activation().derivative(a).abs());
            }
            Some(LayerConfig::Dropout(_)) => v.iter_mut().zip(a).for_each(|(v, mask)| *v *= mask),
            _ => {
                let total: f64 = v.iter().zip(h).map(|(v, h)| v * h).sum();
                v.iter_mut().zip(h).for_each(|(v, h)| *v = h * (*v + total));
            }
        }
    }
    let grad = backward.grad_a(network.depth()).row(row);
    backward.example_scale() * grad.iter().zip(&v).map(|(g, v)| g.abs() * v).sum::<f64>()
}
