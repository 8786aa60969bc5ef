//! Responsibility as readable text.

use std::fmt;

use super::{ExamplePart, LayerPart, NeuronPart, NeuronState, Responsibility};
use crate::text::{examples, number, percent, unit};

/// How many examples, classes and neurons a list shows.
const SHOWN: usize = 5;

impl fmt::Display for Responsibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = examples(self.examples.len(), self.reduction);
        write!(f, "responsible for ∂L/∂{} = {}{whole}", self.param, number(self.value))?;
        if self.examples.len() > 1 {
            self.pushers(f, "push the weight up, as ∂L/∂W < 0", |part| part < 0.0)?;
            self.pushers(f, "push it down, as ∂L/∂W > 0", |part| part > 0.0)?;
        }
        if self.classes.len() > 1 {
            write!(f, "\n  by class")?;
            for class in &self.classes {
                let plural = if class.examples == 1 { "" } else { "s" };
                let name = class.name.clone().unwrap_or_else(|| class.class.to_string());
                let part = number(class.part);
                write!(f, "\n    {name:<6} {part:>12}  {} example{plural}", class.examples)?;
            }
        }
        self.layers.iter().try_for_each(|layer| self.layer(f, layer))
    }
}

impl Responsibility {
    fn pushers(
        &self,
        f: &mut fmt::Formatter<'_>,
        title: &str,
        sign: fn(f64) -> bool,
    ) -> fmt::Result {
        let mut own: Vec<&ExamplePart> =
            self.examples.iter().filter(|example| sign(example.part)).collect();
        own.sort_by(|a, b| b.part.abs().total_cmp(&a.part.abs()));
        write!(f, "\n  {} of {} examples {title}", own.len(), self.examples.len())?;
        for example in own.iter().take(SHOWN) {
            let (row, value) = (example.row, number(example.value));
            write!(f, "\n    example {row:<6} {value:>12}")?;
        }
        more(f, own.len(), "examples")
    }

    fn layer(&self, f: &mut fmt::Formatter<'_>, layer: &LayerPart) -> fmt::Result {
        let LayerPart { layer: m, neurons, width, dead, saturated } = layer;
        let asleep: String = [(dead, "dead"), (saturated, "saturated")]
            .iter()
            .filter(|(count, _)| **count > 0)
            .map(|(count, what)| format!(", {count} {what}"))
            .collect();
        let carry = neurons.iter().filter(|neuron| neuron.magnitude > 0.0).count();
        write!(f, "\n  layer {m}: {carry} of {width} neurons carry it{asleep}")?;
        let all: f64 = neurons.iter().map(|neuron| neuron.magnitude).sum();
        for neuron in neurons.iter().take(SHOWN) {
            let NeuronPart { part, magnitude, state, .. } = neuron;
            let share = if all > 0.0 { magnitude / all } else { 0.0 };
            let share = percent(share).replace('+', "");
            let state = match state {
                NeuronState::Working => "",
                NeuronState::Saturated => ", saturated",
                NeuronState::Dead => ", dead",
                NeuronState::Dropped => ", dropped",
            };
            let name = unit(if *m == self.layers[0].layer { 'a' } else { 'h' }, *m, neuron.unit);
            write!(f, "\n    {name:<8} {:>12}  {share:>7} of Σ |paths|{state}", number(*part))?;
        }
        more(f, neurons.len(), "neurons")
    }
}

fn more(f: &mut fmt::Formatter<'_>, count: usize, what: &str) -> fmt::Result {
    match count.saturating_sub(SHOWN) {
        0 => Ok(()),
        rest => write!(f, "\n    and {rest} {what} with less"),
    }
}
