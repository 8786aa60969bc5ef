//! What a drawing shows.

use chainrule_autograd_manual::Param;
use chainrule_loss::Reduction;
use chainrule_tensor::Scalar;

use super::{Picture, PictureEdge, PictureLayer, PictureNode};
use crate::flow::{Flow, level_of};
use crate::graph::{Graph, Quantity, Step};
use crate::text::{examples, number, percent, unit, vector};
use crate::{Context, Derivative, ExplainError, Explainer, Paths};

/// A layer of more units is folded.
const WHOLE: usize = 8;
/// To so many, and one for the others.
const SHOWN: usize = 6;
/// So many of the strongest paths are marked.
const MARKED: usize = 3;
/// Below the parameter's layer edges are drawn where they are few.
const FAINT: usize = 64;

impl<S: Scalar> Explainer<'_, S> {
    /// The drawing for one weight or bias over the batch, with its strongest paths marked. Names of
    /// inputs and outputs come from `context`.
    ///
    /// # Errors
    /// As [`Explainer::batch_paths`].
    pub fn picture(&self, param: Param, context: &Context) -> Result<Picture, ExplainError> {
        let paths = self.batch_paths(param, MARKED)?;
        let tallies = self.tallies(param)?;
        let depth = self.backward.network().depth();
        let i = param.layer();
        let mut layers = Vec::new();
        for m in 0..=depth {
            layers.push(self.layer(m, param, &paths, &tallies, context)?);
        }
        let mut edges = Vec::new();
        for m in 1..=depth {
            match m.cmp(&i) {
                std::cmp::Ordering::Less => faint(&layers, m, &mut edges),
                std::cmp::Ordering::Equal => into_own(&layers, param, &paths, &mut edges),
                std::cmp::Ordering::Greater => self.edges(&layers, m, param, &mut edges)?,
            }
        }
        let outputs = &layers[depth].nodes;
        for (from, node) in outputs.iter().enumerate().filter(|(_, node)| node.part != 0.0) {
            let part = node.part;
            edges.push(PictureEdge {
                layer: depth + 1,
                from,
                to: 0,
                part,
                rank: None,
                chosen: false,
            });
        }
        mark(&paths, &layers, &mut edges);
        Ok(Picture {
            param,
            title: title(param, &paths),
            subtitle: subtitle(&paths, context),
            loss: self.backward.loss().as_f64(),
            layers,
            edges,
            marked: paths.strongest.len(),
        })
    }

    fn scale(&self) -> f64 {
        match self.backward.reduction() {
            Reduction::Mean => 1.0 / self.backward.forward().examples() as f64,
            Reduction::Sum => 1.0,
        }
    }

    /// (part, magnitude) of every unit of the layers from the parameter's up.
    fn tallies(&self, param: Param) -> Result<Vec<Vec<(f64, f64)>>, ExplainError> {
        let (depth, scale) = (self.backward.network().depth(), self.scale());
        let mut tallies: Vec<Vec<(f64, f64)>> = Vec::new();
        for row in 0..self.backward.forward().examples() {
            let graph = Graph::new(self, param, row)?;
            let flow = Flow::new(&graph);
            for m in param.layer()..=depth {
                let t = level_of(&graph, m).expect("the graph has the layer");
                let place = m - param.layer();
                if tallies.len() == place {
                    tallies.push(vec![(0.0, 0.0); graph.levels[t].width]);
                }
                for (n, (part, magnitude)) in tallies[place].iter_mut().enumerate() {
                    *part += flow.through(t, n) * scale;
                    *magnitude += flow.magnitude(t, n) * scale;
                }
            }
        }
        Ok(tallies)
    }

    fn layer(
        &self,
        m: usize,
        param: Param,
        paths: &Paths,
        tallies: &[Vec<(f64, f64)>],
        context: &Context,
    ) -> Result<PictureLayer, ExplainError> {
        let network = self.backward.network();
        let (i, j, depth) = (param.layer(), param.neuron(), network.depth());
        let forward = self.backward.forward();
        let values = if m == depth { forward.a(m) } else { forward.h(m) };
        let (rows, width) = (values.rows(), values.cols());
        let mean =
            |n: usize| values.iter_rows().map(|row| row[n].as_f64()).sum::<f64>() / rows as f64;
        let tally = m.checked_sub(i).map(|place| &tallies[place]);
        let chosen = |n: usize| match param {
            Param::Weight { input, .. } => (m == i && n + 1 == j) || (m + 1 == i && n + 1 == input),
            Param::Bias { .. } => m == i && n + 1 == j,
        };
        let on_path = |n: usize| {
            paths.strongest.iter().flat_map(|path| &path.nodes).any(|node| {
                node.layer == m && node.unit == n + 1 && node.quantity != Quantity::Prediction
            })
        };
        // First what must be seen, then what carries the most, then the larger activations.
        let weight = |n: usize| tally.map_or(0.0, |tally| tally[n].1);
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|&a, &b| {
            let must = |n| chosen(n) || on_path(n);
            must(b).cmp(&must(a)).then(weight(b).total_cmp(&weight(a)))
        });
        let shown = match (width <= WHOLE, tally.is_some() && m > i) {
            (true, _) => width,
            (false, true) => SHOWN.max(order.iter().take_while(|&&n| on_path(n)).count()),
            // Of other wide layers only what the parameter touches.
            (false, false) => order.iter().take_while(|&&n| chosen(n)).count(),
        };
        let (mut shown, folded) = (order[..shown].to_vec(), &order[shown..]);
        shown.sort_unstable();
        let letter = if m == depth { 'a' } else { 'h' };
        let magnitude = paths.magnitude;
        let share = |n: usize| if magnitude > 0.0 { weight(n) / magnitude } else { 0.0 };
        let part = |n: usize| tally.map_or(0.0, |tally| tally[n].0);
        let names = match m {
            0 => &context.features[..],
            _ if m == depth => &context.outputs[..],
            _ => &[],
        };
        let mut nodes: Vec<PictureNode> = shown
            .iter()
            .map(|&n| PictureNode {
                unit: Some(n + 1),
                name: if m == 0 { format!("x_{}", n + 1) } else { unit(letter, m, n + 1) },
                called: names.get(n).cloned(),
                activation: Some(mean(n)),
                part: part(n),
                share: share(n),
                units: 1,
                chosen: chosen(n),
            })
            .collect();
        if !folded.is_empty() {
            nodes.push(PictureNode {
                unit: None,
                name: match shown.len() {
                    0 => format!("{} units", folded.len()),
                    _ => format!("+ {} more", folded.len()),
                },
                called: None,
                activation: None,
                part: folded.iter().map(|&n| part(n)).sum(),
                share: folded.iter().map(|&n| share(n)).sum(),
                units: folded.len(),
                chosen: false,
            });
        }
        if let Param::Bias { .. } = param
            && m + 1 == i
        {
            nodes.push(PictureNode {
                unit: None,
                name: "1".to_owned(),
                called: None,
                activation: Some(1.0),
                part: 0.0,
                share: 0.0,
                units: 0,
                chosen: true,
            });
        }
        let (name, kind) = match m {
            0 => ("x".to_owned(), format!("{width} inputs")),
            _ => (vector(letter, m), network.layers()[m - 1].name()),
        };
        Ok(PictureLayer { layer: m, name, kind, nodes })
    }

    /// The edges into layer `m`, above the parameter's, with the sums of the paths through them.
    fn edges(
        &self,
        layers: &[PictureLayer],
        m: usize,
        param: Param,
        edges: &mut Vec<PictureEdge>,
    ) -> Result<(), ExplainError> {
        let (lower, upper) = (&layers[m - 1], &layers[m]);
        let scale = self.scale();
        let mut parts = vec![vec![0.0; lower.nodes.len()]; upper.nodes.len()];
        let mut joined = vec![vec![false; lower.nodes.len()]; upper.nodes.len()];
        for row in 0..self.backward.forward().examples() {
            let graph = Graph::new(self, param, row)?;
            let flow = Flow::new(&graph);
            let t = level_of(&graph, m).expect("the graph has the layer");
            // A softmax layer mixes within itself, others on the way to the layer below.
            let t = match &graph.steps[t] {
                Step::Local(Derivative::Diagonal(_)) => t + 1,
                _ => t,
            };
            let below = t + 1;
            let place = places(upper, graph.levels[t].width);
            let place_below = places(lower, graph.levels[below].width);
            let step = &graph.steps[t];
            for o in 0..graph.levels[t].width {
                let mut add = |p: usize| {
                    let part = flow.down[t][o] * step.factor(o, p) * flow.up[below][p];
                    parts[place[o]][place_below[p]] += part * scale;
                    joined[place[o]][place_below[p]] = true;
                };
                match step.is_dense() {
                    true => (0..graph.levels[below].width).for_each(&mut add),
                    false => add(o),
                }
            }
        }
        for (to, row) in parts.iter().enumerate() {
            for (from, &part) in row.iter().enumerate() {
                if joined[to][from] {
                    edges.push(PictureEdge { layer: m, from, to, part, rank: None, chosen: false });
                }
            }
        }
        Ok(())
    }
}

/// Which node stands for each unit.
fn places(layer: &PictureLayer, width: usize) -> Vec<usize> {
    let folded = layer.nodes.iter().position(|node| node.unit.is_none());
    let mut places = vec![folded.unwrap_or(0); width];
    for (place, node) in layer.nodes.iter().enumerate() {
        if let Some(unit) = node.unit {
            places[unit - 1] = place;
        }
    }
    places
}

/// Edges of layers that the derivative does not touch.
fn faint(layers: &[PictureLayer], m: usize, edges: &mut Vec<PictureEdge>) {
    let (lower, upper) = (layers[m - 1].nodes.len(), layers[m].nodes.len());
    if lower * upper <= FAINT {
        // The 1 of a bias has no edges below.
        for to in (0..upper).filter(|&to| layers[m].nodes[to].units > 0) {
            for from in 0..lower {
                let part = 0.0;
                edges.push(PictureEdge { layer: m, from, to, part, rank: None, chosen: false });
            }
        }
    }
}

/// Edges into the parameter's neuron, the chosen one among them.
fn into_own(layers: &[PictureLayer], param: Param, paths: &Paths, edges: &mut Vec<PictureEdge>) {
    let m = param.layer();
    for (to, node) in layers[m].nodes.iter().enumerate().filter(|(_, node)| node.chosen) {
        for (from, below) in layers[m - 1].nodes.iter().enumerate() {
            let chosen = below.chosen && node.chosen;
            let part = if chosen { paths.sum } else { 0.0 };
            edges.push(PictureEdge { layer: m, from, to, part, rank: None, chosen });
        }
    }
}

/// Marks the edges that the strongest paths take.
fn mark(paths: &Paths, layers: &[PictureLayer], edges: &mut [PictureEdge]) {
    let place = |layer: usize, unit: usize| {
        layers[layer].nodes.iter().position(|node| node.unit == Some(unit))
    };
    for (rank, path) in paths.strongest.iter().enumerate() {
        let unit_of = |layer: usize, quantity: Quantity| {
            path.nodes
                .iter()
                .find(|node| node.layer == layer && node.quantity == quantity)
                .map(|node| node.unit)
        };
        let top = layers.len() - 1;
        let node = |layer: usize| {
            let quantity =
                if layer == top { Quantity::PreActivation } else { Quantity::Activation };
            unit_of(layer, quantity).and_then(|unit| place(layer, unit))
        };
        for edge in edges.iter_mut() {
            let taken = match edge.layer > top {
                true => node(top) == Some(edge.from),
                false => {
                    node(edge.layer) == Some(edge.to) && node(edge.layer - 1) == Some(edge.from)
                }
            };
            if taken || edge.chosen {
                edge.rank.get_or_insert(rank + 1);
            }
        }
    }
}

fn title(param: Param, paths: &Paths) -> String {
    let whole = examples(paths.rows.len(), paths.reduction);
    format!("∂L/∂{param} = {}{whole}", number(paths.sum))
}

fn subtitle(paths: &Paths, context: &Context) -> String {
    let example = match paths.rows[..] {
        [row] => {
            let class = context.classes.first().and_then(|&class| context.outputs.get(class));
            let class = class.map_or(String::new(), |name| format!(", class {name}"));
            format!("example {row}{class}; ")
        }
        _ => String::new(),
    };
    let covered = percent(paths.covered).replace('+', "");
    let cancels = paths.cancellation().map_or(String::new(), |index| {
        format!("; |Σ paths| / Σ |paths| = {}", number((index * 1e3).round() / 1e3))
    });
    let count = match paths.strongest.len() {
        1 => "the strongest covers".to_owned(),
        n => format!("the {n} strongest cover"),
    };
    let plural = match paths.rows.len() {
        1 if paths.count.exact() == Some(1) => "path",
        1 => "paths",
        _ => "(example, path) pairs",
    };
    format!("{example}{} {plural}, {count} {covered} of Σ |paths|{cancels}", paths.count)
}
