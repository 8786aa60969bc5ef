//! The whole network at a glance: statistics per layer.

use std::fmt;

use chainrule_autograd_manual::Backward;
use chainrule_layers::{LayerConfig, ParamKind};
use chainrule_tensor::{MatrixView, Scalar, Threads};
use serde::Serialize;

use crate::responsibility::FLAT;
use crate::text::number;

/// Statistics of one layer over a batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LayerStatistics {
    /// The layer, from 1.
    pub layer: usize,
    /// Its description: `dense 64 -> 128, relu`.
    pub name: String,
    /// The mean of its activations `h`, over units and examples.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// The root mean square of the examples' `∇_a L`, over units and examples.
    pub gradient_a: f64,
    /// The share of its units with `g'(a) = 0` on every example; `None` where there is no `g`
    /// (dropout, softmax, a layer of one's own) or it is the identity.
    pub dead: Option<f64>,
    /// The share of (example, unit) pairs with `0 < |g'(a)| ≤ 0.01`.
    pub saturated: Option<f64>,
    /// `‖W‖`, the Euclidean norm; `None` in a layer without weights.
    pub weights: Option<f64>,
    /// `‖∇_W L‖` over the batch.
    pub gradient_w: Option<f64>,
    /// `‖ΔW‖ / ‖W‖` of the step that followed; about 10⁻³ is usual. `None` before
    /// [`NetworkStatistics::set_update`].
    pub update_ratio: Option<f64>,
}

/// Gradients and activations of a network at a glance, from what one forward and backward pass
/// left: cheap enough for every epoch, as it costs less than those passes. Values that are not
/// finite show in the statistics they enter.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NetworkStatistics {
    /// Examples of the batch.
    pub examples: usize,
    /// The layers from the first.
    pub layers: Vec<LayerStatistics>,
}

impl NetworkStatistics {
    /// The statistics of a batch, with its gradient (in the layout of θ).
    ///
    /// # Panics
    /// If `gradient` does not have one entry a parameter.
    ///
    /// ```
    /// # use chainrule_autograd_manual::{Network, Workspace};
    /// # use chainrule_explain::NetworkStatistics;
    /// # use chainrule_layers::{Activation, Dense};
    /// # use chainrule_loss::{SquaredError, Targets};
    /// # use chainrule_tensor::Matrix;
    /// let mut network = Network::new(vec![Box::new(Dense::new(1, 2, Activation::Relu)?)])?;
    /// network.theta_mut().copy_from_slice(&[3.0, -4.0, 0.0, 0.0]);
    /// let (x, y) = (Matrix::from_rows(&[[1.0]]), Matrix::from_rows(&[[2.0, 0.0]]));
    /// let mut workspace = Workspace::new(&network, 1)?;
    /// let mut gradient = vec![0.0; 4];
    /// let backward = network
    ///     .forward(x.view(), &mut workspace)?
    ///     .backward(&SquaredError::new(), Targets::Values(y.view()), &mut gradient)?;
    /// let statistics = NetworkStatistics::new(&backward, &gradient);
    /// let layer = &statistics.layers[0];
    /// assert_eq!((layer.mean, layer.dead, layer.weights), (1.5, Some(0.5), Some(5.0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new<S: Scalar>(backward: &Backward<'_, '_, S>, gradient: &[S]) -> Self {
        let network = backward.network();
        assert_eq!(gradient.len(), network.parameter_count(), "one entry a parameter");
        let scale = backward.example_scale().as_f64();
        let layer = |m: usize| {
            let (mean, deviation) = moments(backward.forward().h(m));
            let (g_mean, g_deviation) = moments(backward.grad_a(m));
            let (dead, saturated) = slopes(backward, m).unzip();
            let norm = |values: &[S]| {
                let blocks = network.layout().blocks().iter();
                let own = blocks.filter(|b| b.layer == m && b.kind == ParamKind::Weight);
                let square =
                    |b: &chainrule_autograd_manual::Block| sum_of_squares(&values[b.range.clone()]);
                own.map(square).reduce(|a, b| a + b).map(f64::sqrt)
            };
            LayerStatistics {
                layer: m,
                name: network.layers()[m - 1].name(),
                mean,
                deviation,
                gradient_a: g_mean.hypot(g_deviation) * scale,
                dead,
                saturated,
                weights: norm(network.theta()),
                gradient_w: norm(gradient),
                update_ratio: None,
            }
        };
        let layers = (1..=network.depth()).map(layer).collect();
        Self { examples: backward.forward().examples(), layers }
    }

    /// Adds the ratio of the step that followed, from θ before and after it.
    ///
    /// # Panics
    /// If the slices do not have one entry a parameter of the network of `layout`.
    pub fn set_update<S: Scalar>(
        &mut self,
        layout: &chainrule_autograd_manual::Layout,
        before: &[S],
        after: &[S],
    ) {
        for layer in &mut self.layers {
            let own = layout
                .blocks()
                .iter()
                .filter(|block| block.layer == layer.layer && block.kind == ParamKind::Weight);
            let (mut moved, mut size) = (0.0, 0.0);
            for block in own {
                let pairs = before[block.range.clone()].iter().zip(&after[block.range.clone()]);
                for (before, after) in pairs {
                    moved += (after.as_f64() - before.as_f64()).powi(2);
                    size += before.as_f64().powi(2);
                }
            }
            // Weights that are all 0 have no ratio.
            layer.update_ratio =
                (layer.weights.is_some() && size > 0.0).then(|| (moved / size).sqrt());
        }
    }
}

fn sum_of_squares<S: Scalar>(values: &[S]) -> f64 {
    values.iter().map(|x| x.as_f64() * x.as_f64()).sum()
}

/// Mean and standard deviation.
fn moments<S: Scalar>(values: MatrixView<'_, S>) -> (f64, f64) {
    let count = values.as_slice().len() as f64;
    let mean = values.as_slice().iter().map(|x| x.as_f64()).sum::<f64>() / count;
    let square = |x: &S| (x.as_f64() - mean).powi(2);
    let variance = values.as_slice().iter().map(square).sum::<f64>() / count;
    (mean, variance.sqrt())
}

/// The share of dead units, and of pairs that are saturated.
fn slopes<S: Scalar>(backward: &Backward<'_, '_, S>, m: usize) -> Option<(f64, f64)> {
    let Some(LayerConfig::Dense(dense)) = backward.network().layers()[m - 1].config() else {
        return None;
    };
    let g = dense.activation();
    if g == chainrule_layers::Activation::Identity {
        return None;
    }
    let a = backward.forward().a(m);
    let (ones, mut slope) = (vec![S::one(); a.cols()], vec![S::zero(); a.cols()]);
    let mut passes = vec![false; a.cols()];
    let mut saturated = 0_usize;
    for row in a.iter_rows() {
        g.backward(row, &ones, &mut slope, &Threads::one());
        for (slope, passes) in slope.iter().zip(&mut passes) {
            let size = slope.as_f64().abs();
            // A NaN passes on, itself.
            *passes |= size != 0.0;
            saturated += usize::from(size > 0.0 && size <= FLAT);
        }
    }
    let dead = passes.iter().filter(|passes| !**passes).count();
    Some((dead as f64 / a.cols() as f64, saturated as f64 / a.as_slice().len() as f64))
}

impl fmt::Display for NetworkStatistics {
    /// A table with a line a layer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.layers.iter().map(|l| l.name.chars().count()).max().unwrap_or(0).max(5);
        write!(
            f,
            "{:>5}  {:<width$}  {:>10} {:>10}  {:>6} {:>6}  {:>10}  {:>10} {:>10} {:>10}",
            "layer", "kind", "mean h", "dev h", "dead", "flat", "rms ∇a", "‖W‖", "‖∇W‖", "‖ΔW‖/‖W‖"
        )?;
        for layer in &self.layers {
            let share = |x: Option<f64>| x.map_or("-".to_owned(), |x| format!("{:.1}%", 100.0 * x));
            let short = |x: Option<f64>| x.map_or("-".to_owned(), three_digits);
            write!(
                f,
                "\n{:>5}  {:<width$}  {:>10} {:>10}  {:>6} {:>6}  {:>10}  {:>10} {:>10} {:>10}",
                layer.layer,
                layer.name,
                three_digits(layer.mean),
                three_digits(layer.deviation),
                share(layer.dead),
                share(layer.saturated),
                three_digits(layer.gradient_a),
                short(layer.weights),
                short(layer.gradient_w),
                short(layer.update_ratio),
            )?;
        }
        Ok(())
    }
}

fn three_digits(x: f64) -> String {
    let rounded: f64 = format!("{x:.2e}").parse().unwrap_or(x);
    number(rounded)
}
