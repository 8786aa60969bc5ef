//! Who is responsible: the derivative cut by example, class, layer and neuron.

mod text;

use chainrule_autograd_manual::Param;
use chainrule_layers::LayerConfig;
use chainrule_loss::Reduction;
use chainrule_tensor::Scalar;
use serde::Serialize;

use crate::flow::{Flow, level_of};
use crate::graph::Graph;
use crate::local::activation;
use crate::text::as_text;
use crate::{Derivative, ExplainError, Explainer};

/// An activation that passes on no more than this of what it is asked is flat.
pub(crate) const FLAT: f64 = 0.01;

/// One example's part in the derivative.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExamplePart {
    /// The example, as [`Explainer::labelled`] calls it.
    pub row: usize,
    /// Its class, from 0, where classes were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<usize>,
    /// Its own derivative.
    pub value: f64,
    /// Its part in the batch's: the value over the number of examples, or the value.
    pub part: f64,
}

/// What the examples of a class push together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClassPart {
    /// The class, from 0.
    pub class: usize,
    /// What it is called; `None` unless someone said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Examples of the class in the batch.
    pub examples: usize,
    /// The sum of their parts.
    pub part: f64,
}

/// Whether a neuron passes on what it is asked, over the examples of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NeuronState {
    /// It passes on, on some example at least.
    Working,
    /// `|g'(a)| ≤ 0.01` on every example, and not 0 on all.
    Saturated,
    /// `g'(a) = 0` on every example.
    Dead,
    /// A dropout mask of 0 on every example.
    Dropped,
}

/// The paths through one neuron.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NeuronPart {
    /// The neuron, from 1.
    pub unit: usize,
    /// The sum over all paths through it: its part in the derivative.
    pub part: f64,
    /// The sum of their magnitudes.
    pub magnitude: f64,
    /// Whether it passes on what it is asked.
    pub state: NeuronState,
}

/// The paths through the neurons of one layer; the parts add up to the derivative.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LayerPart {
    /// The layer, from 1.
    pub layer: usize,
    /// Its neurons that carry anything (with a part or magnitude other than 0), and in the
    /// parameter's own layer its one neuron; by magnitude, from the largest.
    pub neurons: Vec<NeuronPart>,
    /// All its neurons.
    pub width: usize,
    /// How many of all its neurons are dead; none of the last layer, which has no way around.
    pub dead: usize,
    /// How many are saturated.
    pub saturated: usize,
}

/// `∂L/∂W_{ijk}` of a batch, cut in several ways. Each way's parts add up to the whole: the mean
/// (or, if the loss sums, the sum) over the examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Responsibility {
    /// The weight or bias.
    #[serde(serialize_with = "as_text")]
    pub param: Param,
    /// How the examples become one value.
    pub reduction: Reduction,
    /// The whole.
    pub value: f64,
    /// By example, in their order. A positive part wants a smaller weight: descent steps against
    /// the gradient.
    pub examples: Vec<ExamplePart>,
    /// By the examples' class, where classes were given; in the order of the classes.
    pub classes: Vec<ClassPart>,
    /// By layer and neuron, from the last layer down to the parameter's.
    pub layers: Vec<LayerPart>,
}

impl<S: Scalar> Explainer<'_, S> {
    /// Who in the batch, and which neurons, are responsible for the derivative.
    ///
    /// # Errors
    /// As [`Explainer::explain`]; [`ExplainError::Labels`] if `classes` is not one class an example.
    pub fn responsibility(
        &self,
        param: Param,
        classes: Option<&[usize]>,
    ) -> Result<Responsibility, ExplainError> {
        let rows = self.backward.forward().examples();
        if let Some(found) = classes.map(<[usize]>::len).filter(|&found| found != rows) {
            return Err(ExplainError::Labels { expected: rows, found });
        }
        let reduction = self.backward.reduction();
        let scale = match reduction {
            Reduction::Mean => 1.0 / rows as f64,
            Reduction::Sum => 1.0,
        };
        let mut examples = Vec::new();
        let mut layers: Vec<Tally> = Vec::new();
        for row in 0..rows {
            let graph = Graph::new(self, param, row)?;
            let flow = Flow::new(&graph);
            let bottom = graph.levels.len() - 1;
            let value = flow.through(bottom, graph.target);
            let class = classes.map(|classes| classes[row]);
            examples.push(ExamplePart { row: self.label(row), class, value, part: value * scale });
            if layers.is_empty() {
                let layer = |m| Tally::new(&graph, m);
                layers =
                    (param.layer()..=self.backward.network().depth()).rev().map(layer).collect();
            }
            for tally in &mut layers {
                tally.add(self, &graph, &flow, row)?;
            }
        }
        let own = (param.layer(), param.neuron());
        Ok(Responsibility {
            param,
            reduction,
            value: examples.iter().map(|example| example.part).sum(),
            classes: by_class(&examples),
            examples,
            layers: layers.into_iter().map(|tally| tally.finish(scale, own)).collect(),
        })
    }
}

fn by_class(examples: &[ExamplePart]) -> Vec<ClassPart> {
    let mut classes: Vec<ClassPart> = Vec::new();
    for example in examples {
        let Some(class) = example.class else { continue };
        let place = classes.binary_search_by_key(&class, |part| part.class);
        let place = place.unwrap_or_else(|place| {
            classes.insert(place, ClassPart { class, name: None, examples: 0, part: 0.0 });
            place
        });
        classes[place].examples += 1;
        classes[place].part += example.part;
    }
    classes
}

/// A layer's neurons over the examples so far.
struct Tally {
    layer: usize,
    level: usize,
    part: Vec<f64>,
    magnitude: Vec<f64>,
    /// Examples on which `g' = 0`, and on which `|g'| ≤ 0.01`.
    off: Vec<usize>,
    flat: Vec<usize>,
    examples: usize,
    dropout: bool,
}

impl Tally {
    fn new<S: Scalar>(graph: &Graph<'_, S>, layer: usize) -> Self {
        let level = level_of(graph, layer).expect("the graph has every layer from the parameter's");
        let width = graph.levels[level].width;
        Self {
            layer,
            level,
            part: vec![0.0; width],
            magnitude: vec![0.0; width],
            off: vec![0; width],
            flat: vec![0; width],
            examples: 0,
            dropout: false,
        }
    }

    fn add<S: Scalar>(
        &mut self,
        explainer: &Explainer<'_, S>,
        graph: &Graph<'_, S>,
        flow: &Flow,
        row: usize,
    ) -> Result<(), ExplainError> {
        self.examples += 1;
        for n in 0..graph.levels[self.level].width {
            self.part[n] += flow.through(self.level, n);
            self.magnitude[n] += flow.magnitude(self.level, n);
        }
        let network = explainer.backward.network();
        let config = network.layers()[self.layer - 1].config();
        self.dropout = matches!(config, Some(LayerConfig::Dropout(_)));
        if self.layer < network.depth()
            && let Derivative::Diagonal(slopes) = activation(explainer.backward, self.layer, row)?
        {
            for (n, slope) in slopes.into_iter().enumerate() {
                self.off[n] += usize::from(slope == 0.0);
                self.flat[n] += usize::from(slope.abs() <= FLAT);
            }
        }
        Ok(())
    }

    fn state(&self, n: usize) -> NeuronState {
        match (self.off[n] == self.examples, self.flat[n] == self.examples) {
            (true, _) if self.dropout => NeuronState::Dropped,
            (true, _) => NeuronState::Dead,
            (false, true) => NeuronState::Saturated,
            _ => NeuronState::Working,
        }
    }

    fn finish(self, scale: f64, own: (usize, usize)) -> LayerPart {
        let width = self.part.len();
        let count = |state| (0..width).filter(|&n| self.state(n) == state).count();
        let carries = |n: usize| {
            self.magnitude[n] != 0.0 || self.part[n] != 0.0 || own == (self.layer, n + 1)
        };
        let neuron = |n: usize| NeuronPart {
            unit: n + 1,
            part: self.part[n] * scale,
            magnitude: self.magnitude[n] * scale,
            state: self.state(n),
        };
        let mut neurons: Vec<NeuronPart> = (0..width).filter(|&n| carries(n)).map(neuron).collect();
        // Stable: of equals the first.
        neurons.sort_by(|a, b| b.magnitude.total_cmp(&a.magnitude));
        LayerPart {
            layer: self.layer,
            width,
            dead: count(NeuronState::Dead),
            saturated: count(NeuronState::Saturated),
            neurons,
        }
    }
}
