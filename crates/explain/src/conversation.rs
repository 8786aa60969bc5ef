//! The conversation about responsibility, level by level.

use std::fmt;

use chainrule_autograd_manual::Param;
use chainrule_layers::LayerConfig;
use chainrule_tensor::Scalar;
use serde::Serialize;

use crate::graph::{Graph, Quantity, Step};
use crate::local::widen;
use crate::text::{as_text, list, number, selection, unit, vector};
use crate::{Derivative, ExplainError, Explainer, Group};

/// What one level answers when it is asked for its responsibility.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Turn {
    /// Who is asked: `output layer`, `h_2`, `a_2`, `W_112`.
    pub asked: String,
    /// What it answers, as the lecture speaks.
    pub answer: String,
    /// Its responsibility: `∇_{h_2} L`, one entry a unit; for the weight or bias one number.
    pub gradient: Group,
    /// How that follows from the level above: `W_3ᵀ ∇_{a_3} L`; nothing where the loss begins.
    pub formula: String,
    /// What it is itself, or what it multiplies with: `h_2`, `g'(a_2)`, a mask, `ŷ`.
    pub own: Option<Group>,
    /// The unit, from 1, that the parameter hangs on, where the level has one.
    pub unit: Option<usize>,
}

/// The lecture's conversation about responsibility (4.4), for one weight or bias and one example:
/// the loss asks the output layer, which passes the question on, level by level, until the weight
/// answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Conversation {
    /// The weight or bias.
    #[serde(serialize_with = "as_text")]
    pub param: Param,
    /// The example, as [`Explainer::labelled`] calls it.
    pub row: usize,
    /// Who says what, from the loss down.
    pub turns: Vec<Turn>,
}

impl<S: Scalar> Explainer<'_, S> {
    /// The conversation that ends with `∂L/∂W_{ijk}` of the example `row`, from 0.
    ///
    /// # Errors
    /// As [`Explainer::explain`].
    pub fn conversation(&self, param: Param, row: usize) -> Result<Conversation, ExplainError> {
        let graph = Graph::new(self, param, row)?;
        let gradients = graph.down(|x| x);
        let mut turns = Vec::new();
        for (t, values) in gradients.into_iter().enumerate() {
            turns.push(self.turn(&graph, t, values, row));
        }
        turns.push(last(&graph, param, &turns[turns.len() - 1]));
        Ok(Conversation { param, row: self.label(row), turns })
    }

    fn turn(&self, graph: &Graph<'_, S>, t: usize, values: Vec<f64>, row: usize) -> Turn {
        let level = graph.levels[t];
        let (m, depth) = (level.layer, self.backward.network().depth());
        let name = |t: usize| gradient_name(graph.levels[t].quantity, graph.levels[t].layer);
        let forward = self.backward.forward();
        let group = |name: String, values: Vec<f64>| Some(Group { name, values });
        let last = graph.steps[t..].iter().all(|step| !step.is_dense());
        let mut turn = Turn {
            asked: String::new(),
            answer: String::new(),
            gradient: Group { name: name(t), values },
            formula: String::new(),
            own: None,
            unit: last.then_some(graph.target + 1),
        };
        let a = vector('a', m);
        match (level.quantity, t.checked_sub(1).map(|above| &graph.steps[above])) {
            (Quantity::Prediction, _) => {
                turn.asked = "prediction ŷ".to_owned();
                turn.answer = format!(
                    "I am what the output function made of the output layer, {}",
                    vector('a', m)
                );
                turn.own = self.prediction(row);
            }
            (Quantity::Activation, Some(Step::Local(_))) => {
                turn.asked = vector('h', m);
                turn.answer = "I am the input of the output function".to_owned();
                turn.formula = format!("(∂ŷ/∂{})ᵀ {}", vector('h', m), name(t - 1));
                turn.own = group(vector('h', m), widen(forward.h(m).row(row)));
            }
            (Quantity::Activation, step) => {
                let h = vector('h', m);
                turn.asked = h.clone();
                let above = name(t - 1);
                turn.formula = match step {
                    Some(Step::Weights(_)) => format!("W_{}ᵀ {above}", m + 1),
                    _ => above,
                };
                turn.answer = format!("I am what {a} made of me, so I pass it to {a}");
                turn.own = group(h, widen(forward.h(m).row(row)));
            }
            (Quantity::PreActivation, step) => {
                turn.asked = if m == depth { "output layer".to_owned() } else { a.clone() };
                let below = vector('h', m - 1);
                let input = if m == 1 { "the input x".to_owned() } else { below };
                let parts = self.parts(m);
                turn.answer = match (last, parts.is_empty()) {
                    (true, _) => format!("I am only as good as {parts}{input}: ask my weights"),
                    (false, true) => format!("I am {input} itself, so I pass it to {input}"),
                    (false, false) => format!(
                        "I am only as good as {parts}{input}; W and b answer for themselves, I \
                         pass it to {input}"
                    ),
                };
                if let Some(Step::Local(derivative)) = step {
                    let above = name(t - 1);
                    (turn.formula, turn.own) = self.through(derivative, m, &above);
                }
            }
        }
        turn
    }

    /// `W_m, b_m and `, of the parameters that layer `m` has.
    fn parts(&self, m: usize) -> String {
        let network = self.backward.network();
        match (network.weights(m), network.biases(m)) {
            (Some(_), Some(_)) => format!("W_{m}, b_{m} and "),
            (Some(_), None) => format!("W_{m} and "),
            _ => String::new(),
        }
    }

    fn prediction(&self, row: usize) -> Option<Group> {
        let unfused = self.head.as_ref()?.at(self.backward, row).ok()?;
        Some(Group { name: "ŷ".to_owned(), values: unfused.prediction })
    }

    /// `∇_{h_m} L ⊙ g'(a_m)`, and what is multiplied with.
    fn through(&self, derivative: &Derivative, m: usize, above: &str) -> (String, Option<Group>) {
        let (a, h) = (vector('a', m), vector('h', m));
        let dropout = matches!(
            self.backward.network().layers()[m - 1].config(),
            Some(LayerConfig::Dropout(_))
        );
        let head = above == gradient_name(Quantity::Prediction, m);
        let of = if head { "ŷ" } else { &h };
        match derivative {
            Derivative::Softmax(values) => (
                format!("(∂{of}/∂{a})ᵀ {above}"),
                Some(Group { name: format!("softmax({a})"), values: values.clone() }),
            ),
            Derivative::Diagonal(values) => {
                let name = if dropout { "mask".to_owned() } else { format!("g'({a})") };
                (format!("{above} ⊙ {name}"), Some(Group { name, values: values.clone() }))
            }
        }
    }
}

/// `∇_{a_3} L`, or `∂L/∂ŷ`.
fn gradient_name(quantity: Quantity, layer: usize) -> String {
    match quantity {
        Quantity::Prediction => "∂L/∂ŷ".to_owned(),
        Quantity::PreActivation => format!("∇_{{{}}} L", vector('a', layer)),
        Quantity::Activation => format!("∇_{{{}}} L", vector('h', layer)),
    }
}

/// The weight or bias answers.
fn last<S: Scalar>(graph: &Graph<'_, S>, param: Param, above: &Turn) -> Turn {
    let (i, j) = (param.layer(), param.neuron());
    let a = unit('a', i, j);
    let (answer, formula, own) = match param {
        Param::Weight { input, .. } => {
            let h = unit('h', i - 1, input);
            let own = Group { name: h.clone(), values: vec![graph.param.value] };
            (format!("I let {h} into {a}; my share is {h}"), format!("∂L/∂{a} · {h}"), Some(own))
        }
        Param::Bias { .. } => {
            (format!("I am added to {a} as I am; my share is 1"), format!("∂L/∂{a}"), None)
        }
    };
    let value = above.gradient.values[j - 1] * graph.param.value;
    let gradient = Group { name: format!("∂L/∂{param}"), values: vec![value] };
    Turn { asked: param.to_string(), answer, gradient, formula, own, unit: None }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { param, row, turns } = self;
        write!(f, "the conversation about {param} on example {row}")?;
        for (t, turn) in turns.iter().enumerate() {
            let chosen = selection(&turn.gradient.values);
            let mut chosen = chosen.as_deref();
            // Where the way narrows to a neuron, that neuron alone of a long list is of interest.
            let only = [turn.unit.unwrap_or(1) - 1];
            if turn.unit.is_some() && chosen.is_some() {
                chosen = Some(&only);
            }
            let asks = if t == 0 { "the loss asks the " } else { "" };
            write!(f, "\n  {asks}{}: {}", turn.asked, turn.answer)?;
            let formula = match turn.formula.is_empty() {
                true => String::new(),
                false => format!("{} = ", turn.formula),
            };
            let values = scalar_or_list(&turn.gradient.values, chosen);
            write!(f, "\n      {} = {formula}{values}", turn.gradient.name)?;
            if let Some(own) = &turn.own {
                let values = scalar_or_list(&own.values, chosen.filter(|_| own.values.len() > 1));
                write!(f, "\n      {} = {values}", own.name)?;
            }
        }
        Ok(())
    }
}

fn scalar_or_list(values: &[f64], chosen: Option<&[usize]>) -> String {
    match values {
        [one] => number(*one),
        _ => list(values, chosen),
    }
}
