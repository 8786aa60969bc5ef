//! Where along the depth the gradient vanishes or explodes, and by which factor.

use std::fmt;

use chainrule_autograd_manual::Param;
use chainrule_layers::LayerConfig;
use chainrule_tensor::Scalar;
use serde::Serialize;

use crate::graph::{Graph, Quantity, Step};
use crate::text::{as_text, number, unit, vector};
use crate::{ExplainError, Explainer};

/// Less than this is left of what the loss asks the output layer: the gradient vanishes.
const VANISHED: f64 = 1e-3;
/// More than this times as much arrives: it explodes.
const EXPLODED: f64 = 1e3;

/// What turns the gradient of one level into that of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Through {
    /// The loss, where it begins.
    Loss,
    /// The output function, where the output layer is unfused.
    OutputFunction,
    /// The weights `W_m` of the layer above.
    Weights,
    /// The activation's slope `g'(a_m)`.
    Activation,
    /// The Jacobian of a softmax layer.
    Softmax,
    /// A dropout mask.
    Mask,
    /// Nothing: a layer without weights.
    Nothing,
    /// What the weight multiplies, `h_{i−1,k}`; 1 for a bias.
    Input,
}

/// The size of the gradient at one level.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DepthStage {
    /// The gradient: `∇_{h_2} L`, `∂L/∂a_11`, `∂L/∂W_112`.
    pub name: String,
    /// The layer, from 1.
    pub layer: usize,
    /// Its root mean square over the units of the level and the examples; from the parameter's own
    /// layer on, of the parameter's neuron alone.
    pub size: f64,
    /// What came between this level and the one above.
    pub through: Through,
    /// The size over that of the level above; `None` at the first and after a 0.
    pub ratio: Option<f64>,
    /// Of weights: how many times larger the gradient would be if no two terms of `Wᵀ ∇` cancelled.
    pub cancelled: Option<f64>,
}

/// How the gradient fares on its way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fate {
    /// Between a thousandth and a thousand times what the loss asks arrives.
    Steady,
    /// Less arrives.
    Vanishes,
    /// More arrives.
    Explodes,
    /// Nothing arrives.
    Zero,
    /// The loss asks for nothing: the outputs are right, or the example does not count.
    NothingAsked,
}

/// The factor that did the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// Weights too small.
    SmallWeights,
    /// Weights that are large enough, whose terms cancel.
    Cancellation,
    /// Weights too large.
    LargeWeights,
    /// An activation where it is flat.
    FlatActivation,
    /// An activation, or output function, where it is steep.
    SteepActivation,
    /// A softmax that is all but decided.
    SaturatedSoftmax,
    /// The neuron was dropped.
    Dropped,
    /// An input near 0.
    ZeroInput,
    /// A large input.
    LargeInput,
}

/// The gradient's size along the depth, on the way to one weight or bias, over the examples of the
/// batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Depth {
    /// The weight or bias.
    #[serde(serialize_with = "as_text")]
    pub param: Param,
    /// The levels, from the loss down.
    pub stages: Vec<DepthStage>,
    /// The size at the last over that at the first stage.
    pub ratio: Option<f64>,
    /// Whether it vanishes or explodes.
    pub fate: Fate,
    /// If it does, the stage (from 0) that did the most, and how.
    pub cause: Option<(usize, Cause)>,
}

impl<S: Scalar> Explainer<'_, S> {
    /// How large the gradient is at every level from the loss to the parameter; sizes are root mean
    /// squares over the batch.
    ///
    /// # Errors
    /// As [`Explainer::explain`].
    pub fn depth(&self, param: Param) -> Result<Depth, ExplainError> {
        let rows = self.backward.forward().examples();
        let mut squares: Vec<f64> = Vec::new();
        let mut terms: Vec<f64> = Vec::new();
        let mut stages = Vec::new();
        for row in 0..rows {
            let graph = Graph::new(self, param, row)?;
            if stages.is_empty() {
                stages = self.stages(&graph, param);
                squares = vec![0.0; stages.len()];
                terms = vec![0.0; stages.len()];
            }
            let down = graph.down(|x| x);
            for (t, gradient) in down.iter().enumerate() {
                let units = own_units(&graph, t, gradient.len());
                squares[t] += mean_square(&gradient[units.clone()]);
                if let Some(step @ Step::Weights(_)) = t.checked_sub(1).map(|t| &graph.steps[t]) {
                    let above: Vec<f64> = down[t - 1].iter().map(|g| g.abs()).collect();
                    terms[t] += mean_square(&step.down(&above, &f64::abs)[units]);
                }
            }
            let last = down[down.len() - 1][graph.target] * graph.param.value;
            squares[down.len()] += last * last;
        }
        let size = |sum: f64| (sum / rows as f64).sqrt();
        let mut above = None;
        for (t, stage) in stages.iter_mut().enumerate() {
            stage.size = size(squares[t]);
            stage.ratio = above.filter(|&above| above != 0.0).map(|above| stage.size / above);
            let cancels = stage.through == Through::Weights && stage.size > 0.0;
            stage.cancelled = cancels.then(|| size(terms[t]) / stage.size);
            above = Some(stage.size);
        }
        Ok(Depth::judge(param, stages, &terms))
    }

    /// The stages without their sizes.
    fn stages(&self, graph: &Graph<'_, S>, param: Param) -> Vec<DepthStage> {
        let stage = |name, layer, through| DepthStage {
            name,
            layer,
            size: 0.0,
            through,
            ratio: None,
            cancelled: None,
        };
        let mut stages = Vec::new();
        for (t, level) in graph.levels.iter().enumerate() {
            let m = level.layer;
            let narrow = own_units(graph, t, level.width).len() < level.width;
            let letter = if level.quantity == Quantity::Activation { 'h' } else { 'a' };
            let name = match (level.quantity, narrow) {
                (Quantity::Prediction, _) => "∂L/∂ŷ".to_owned(),
                (_, true) => format!("∂L/∂{}", unit(letter, m, graph.target + 1)),
                (_, false) => format!("∇_{{{}}} L", vector(letter, m)),
            };
            let through = match t.checked_sub(1).map(|above| (above, &graph.steps[above])) {
                None => Through::Loss,
                Some((_, Step::Weights(_))) => Through::Weights,
                Some((_, Step::Same)) => Through::Nothing,
                Some((0, Step::Local(_))) if self.head.is_some() => Through::OutputFunction,
                Some((_, Step::Local(_))) => {
                    match self.backward.network().layers()[m - 1].config() {
                        Some(LayerConfig::Dropout(_)) => Through::Mask,
                        Some(LayerConfig::Softmax(_)) => Through::Softmax,
                        _ => Through::Activation,
                    }
                }
            };
            stages.push(stage(name, m, through));
        }
        stages.push(stage(format!("∂L/∂{param}"), param.layer(), Through::Input));
        stages
    }
}

/// The units of a level that the size is taken over: the parameter's neuron where no other leads
/// to it.
fn own_units<S: Scalar>(graph: &Graph<'_, S>, t: usize, width: usize) -> std::ops::Range<usize> {
    let narrow = t > 0 && graph.steps[t..].iter().all(|step| !step.is_dense());
    if narrow { graph.target..graph.target + 1 } else { 0..width }
}

fn mean_square(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64
}

impl Depth {
    fn judge(param: Param, stages: Vec<DepthStage>, terms: &[f64]) -> Self {
        let (first, last) = (stages[0].size, stages[stages.len() - 1].size);
        let ratio = (first != 0.0).then(|| last / first);
        let fate = match ratio {
            None => Fate::NothingAsked,
            Some(0.0) => Fate::Zero,
            Some(ratio) if ratio < VANISHED => Fate::Vanishes,
            Some(ratio) if ratio > EXPLODED => Fate::Explodes,
            Some(_) => Fate::Steady,
        };
        let by_ratio = |t: &usize| stages[*t].ratio.unwrap_or(1.0);
        let order = |a: &usize, b: &usize| by_ratio(a).total_cmp(&by_ratio(b));
        let inner = 1..stages.len();
        let stage = match fate {
            Fate::Steady | Fate::NothingAsked => None,
            Fate::Zero => inner.clone().find(|&t| stages[t].size == 0.0),
            Fate::Vanishes => inner.clone().min_by(order),
            Fate::Explodes => inner.clone().max_by(order),
        };
        let cause = stage.map(|t| (t, cause(&stages[t], fate, terms[t])));
        Self { param, stages, ratio, fate, cause }
    }
}

fn cause(stage: &DepthStage, fate: Fate, terms: f64) -> Cause {
    let grows = fate == Fate::Explodes;
    match stage.through {
        Through::Weights if grows => Cause::LargeWeights,
        Through::Weights => {
            let zero = stage.size == 0.0 && terms > 0.0;
            let cancels = stage.cancelled.is_some_and(|factor| factor > 10.0);
            if zero || cancels { Cause::Cancellation } else { Cause::SmallWeights }
        }
        Through::Mask if !grows => Cause::Dropped,
        Through::Softmax if !grows => Cause::SaturatedSoftmax,
        Through::Input if grows => Cause::LargeInput,
        Through::Input => Cause::ZeroInput,
        _ if grows => Cause::SteepActivation,
        _ => Cause::FlatActivation,
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0);
        write!(f, "the gradient along the depth (root mean squares)")?;
        for stage in &self.stages {
            let through = match stage.through {
                Through::Loss => "by the loss".to_owned(),
                Through::OutputFunction => "by the output function".to_owned(),
                Through::Weights => format!("by W_{}", stage.layer + 1),
                Through::Activation => format!("by g'({})", vector('a', stage.layer)),
                Through::Softmax => "by the softmax".to_owned(),
                Through::Mask => "by the mask".to_owned(),
                Through::Nothing => "as it is".to_owned(),
                Through::Input => "by what it multiplies".to_owned(),
            };
            let ratio =
                stage.ratio.map_or(String::new(), |ratio| format!("× {:<12}", number(ratio)));
            let line = format!(
                "{:<width$}  {:<12}  {ratio:<14} {through}",
                stage.name,
                number(stage.size)
            );
            write!(f, "\n  {}", line.trim_end())?;
        }
        write!(f, "\n  {}", self.verdict())
    }
}

impl Depth {
    /// The fate and its cause in a sentence.
    pub fn verdict(&self) -> String {
        let fate = match (self.fate, self.ratio) {
            (Fate::NothingAsked, _) | (_, None) => return "the loss asks for nothing".to_owned(),
            (Fate::Zero, _) => "nothing arrives".to_owned(),
            (Fate::Steady, Some(ratio)) => {
                return format!("it arrives: {} of what the loss asks an output", number(ratio));
            }
            (Fate::Vanishes, Some(ratio)) => format!("it vanishes to {} of it", number(ratio)),
            (Fate::Explodes, Some(ratio)) => format!("it explodes to {} times it", number(ratio)),
        };
        let Some((stage, cause)) = self.cause else { return fate };
        let cause = match cause {
            Cause::SmallWeights => "small weights",
            Cause::Cancellation => "weights whose terms cancel",
            Cause::LargeWeights => "large weights",
            Cause::FlatActivation => "a flat activation",
            Cause::SteepActivation => "a steep activation",
            Cause::SaturatedSoftmax => "a softmax that is decided",
            Cause::Dropped => "dropout",
            Cause::ZeroInput => "an input near 0",
            Cause::LargeInput => "a large input",
        };
        format!("{fate}; most of it at {}, by {cause}", self.stages[stage].name)
    }
}
