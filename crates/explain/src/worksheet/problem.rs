//! What is asked, section by section, with the answers.

use chainrule_autograd_manual::{Backward, Param, Workspace};
use chainrule_layers::Activation;
use chainrule_loss::{Loss, OutputFunction, Targets};
use chainrule_tensor::{Matrix, MatrixView, MatrixViewMut};

use super::{Rule, Worksheet, WorksheetOptions, refused};
use crate::text::{number, unit};
use crate::{ExplainError, Explainer};

/// Some quantities under a title.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) words: String,
    pub(super) blanks: Vec<Blank>,
}

/// One quantity: its name and formula in the house's notation (`∇_{a_2} L`, `W_1 h_0 + b_1`), and
/// its entries.
#[derive(Debug, Clone)]
pub(super) struct Blank {
    pub(super) name: String,
    pub(super) formula: String,
    pub(super) values: Vec<Vec<f64>>,
}

impl Blank {
    /// A column.
    fn vector(name: String, formula: impl Into<String>, values: &[f64]) -> Self {
        let values = values.iter().map(|&value| vec![value]).collect();
        Self { name, formula: formula.into(), values }
    }

    fn matrix(name: String, formula: impl Into<String>, values: MatrixView<'_, f64>) -> Self {
        let values = values.iter_rows().map(<[f64]>::to_vec).collect();
        Self { name, formula: formula.into(), values }
    }

    fn number(name: String, formula: impl Into<String>, value: f64) -> Self {
        Self { name, formula: formula.into(), values: vec![vec![value]] }
    }
}

/// What the sheet says of the activation.
pub(super) fn activation_rule(g: Activation) -> Result<Rule, ExplainError> {
    let (latex, html) = match g {
        Activation::Sigmoid => (
            r"g(a) = \dfrac{1}{1 + e^{-a}}, \quad g'(a) = g(a)\,(1 - g(a))",
            "g(a) = 1 / (1 + e^{−a}),  g′(a) = g(a) (1 − g(a))",
        ),
        Activation::Tanh => {
            (r"g(a) = \tanh a, \quad g'(a) = 1 - g(a)^2", "g(a) = tanh a,  g′(a) = 1 − g(a)^{2}")
        }
        Activation::Relu => (
            r"g(a) = \max(a, 0), \quad g'(a) = 1 \text{ if } a > 0 \text{, else } 0",
            "g(a) = max(a, 0),  g′(a) = 1 if a > 0, else 0",
        ),
        Activation::Identity => (r"g(a) = a, \quad g'(a) = 1", "g(a) = a,  g′(a) = 1"),
        other => {
            return Err(refused(format!(
                "the activation {other} is not one for paper; take sigmoid, tanh, relu or identity"
            )));
        }
    };
    Ok(Rule { latex: latex.to_owned(), html: html.to_owned() })
}

/// What the loss of a worksheet compares.
pub(super) struct Problem<'a> {
    pub(super) options: &'a WorksheetOptions,
    pub(super) squared: bool,
    pub(super) class: usize,
    pub(super) y: &'a Matrix<f64>,
    pub(super) loss: &'a dyn Loss<f64>,
}

impl Problem<'_> {
    pub(super) fn worksheet(
        &self,
        sizes: &[usize],
        backward: &Backward<'_, '_, f64>,
        targets: Targets<'_, f64>,
    ) -> Result<Worksheet, ExplainError> {
        let network = backward.network();
        let mut gradient = vec![0.0; network.parameter_count()];
        backward.weights_and_biases(&mut gradient)?;
        let mut next = network.clone();
        for (theta, g) in next.theta_mut().iter_mut().zip(&gradient) {
            *theta -= self.options.learning_rate * g;
        }
        let mut workspace = Workspace::new(&next, 1)?;
        let after =
            next.forward(backward.forward().h(0), &mut workspace)?.loss(self.loss, targets)?;
        let widths: Vec<String> = sizes.iter().map(ToString::to_string).collect();
        let mut rules = Vec::new();
        if sizes.len() > 2 {
            rules.push(activation_rule(self.options.activation)?);
        }
        let (latex, html) = match self.squared {
            true => (
                r"\hat{y} = a_L, \quad L = \sum_j (\hat{y}_j - y_j)^2",
                "ŷ = a_{L},  L = Σ_{j} (ŷ_{j} − y_{j})^{2}",
            ),
            false => (
                r"\hat{y}_j = \dfrac{e^{a_{Lj}}}{\sum_k e^{a_{Lk}}}, \quad L = -\ln \hat{y}_\ell",
                "ŷ_{j} = e^{a_{Lj}} / Σ_{k} e^{a_{Lk}},  L = −ln ŷ_{ℓ}",
            ),
        };
        rules.push(Rule { latex: latex.to_owned(), html: html.to_owned() });
        let mut update = self.update(&next);
        update.blanks.push(Blank::number("L".to_owned(), "after the update", after));
        Ok(Worksheet {
            title: format!("One step of gradient descent by hand: a {} network", widths.join("-")),
            rules,
            given: self.given(backward),
            sections: vec![
                self.forward(backward),
                self.output(backward),
                hidden(backward),
                weights(backward, &gradient)?,
                talks(backward)?,
                update,
            ],
        })
    }

    /// The network and the example.
    fn given(&self, backward: &Backward<'_, '_, f64>) -> Section {
        let network = backward.network();
        let mut blanks = vec![Blank::vector("x = h_0".into(), "", backward.forward().h(0).row(0))];
        for m in 1..=network.depth() {
            let (w, b) = (network.weights(m), network.biases(m));
            blanks.extend(w.map(|w| Blank::matrix(format!("W_{m}"), "", w)));
            blanks.extend(b.map(|b| Blank::vector(format!("b_{m}"), "", b)));
        }
        let target = match self.squared {
            true => "The target is y.".to_owned(),
            false => format!("The true class is ℓ = {}.", self.class + 1),
        };
        if self.squared {
            blanks.push(Blank::vector("y".into(), "", self.y.row(0)));
        }
        let rate = number(self.options.learning_rate);
        let words = format!("{target} The learning rate is η = {rate}.");
        Section { title: "Given", words, blanks }
    }

    fn prediction(&self, backward: &Backward<'_, '_, f64>) -> Vec<f64> {
        let output = backward.forward().output().row(0);
        let mut prediction = vec![0.0; output.len()];
        let function =
            if self.squared { OutputFunction::Identity } else { OutputFunction::Softmax };
        let out = MatrixViewMut::from_row(&mut prediction);
        function.apply(MatrixView::from_row(output), out);
        prediction
    }

    fn forward(&self, backward: &Backward<'_, '_, f64>) -> Section {
        let forward = backward.forward();
        let depth = backward.network().depth();
        let mut blanks = Vec::new();
        for m in 1..=depth {
            let formula = format!("W_{m} h_{} + b_{m}", m - 1);
            blanks.push(Blank::vector(format!("a_{m}"), formula, forward.a(m).row(0)));
            if m < depth {
                blanks.push(Blank::vector(
                    format!("h_{m}"),
                    format!("g(a_{m})"),
                    forward.h(m).row(0),
                ));
            }
        }
        let output =
            if self.squared { format!("a_{depth}") } else { format!("softmax(a_{depth})") };
        blanks.push(Blank::vector("ŷ".into(), output, &self.prediction(backward)));
        let loss = if self.squared { String::new() } else { "−ln ŷ_ℓ".to_owned() };
        blanks.push(Blank::number("L".into(), loss, backward.loss()));
        Section { title: "1. Forward pass and loss", words: String::new(), blanks }
    }

    /// Part 1: output units.
    fn output(&self, backward: &Backward<'_, '_, f64>) -> Section {
        let depth = backward.network().depth();
        let y = self.prediction(backward);
        let grad_a = backward.grad_a(depth).row(0);
        let (grad_y, formula, fused) = match self.squared {
            true => (grad_a.to_vec(), "2 (ŷ − y)", "∇_{ŷ} L"),
            false => {
                let grad = |(j, y): (usize, &f64)| if j == self.class { -1.0 / y } else { 0.0 };
                (y.iter().enumerate().map(grad).collect(), "−(1/ŷ_ℓ) e(ℓ)", "−(e(ℓ) − ŷ)")
            }
        };
        let blanks = vec![
            Blank::vector("∇_{ŷ} L".into(), formula, &grad_y),
            Blank::vector(format!("∇_{{a_{depth}}} L"), fused, grad_a),
        ];
        let words = "The loss asks the output layer.".to_owned();
        Section { title: "2. Gradient, part 1: output units", words, blanks }
    }

    fn update(&self, next: &chainrule_autograd_manual::Network<f64>) -> Section {
        let mut blanks = Vec::new();
        for m in 1..=next.depth() {
            let rule = |letter: char| format!("{letter}_{m} − η ∇_{{{letter}_{m}}} L");
            let (w, b) = (next.weights(m), next.biases(m));
            blanks.extend(w.map(|w| Blank::matrix(format!("W_{m} new"), rule('W'), w)));
            blanks.extend(b.map(|b| Blank::vector(format!("b_{m} new"), rule('b'), b)));
        }
        let words =
            "θ_{t+1} = θ_t − η ∇θ_t. To check: run the new network forward; its loss L is the \
                     last blank."
                .to_owned();
        Section { title: "6. Update", words, blanks }
    }
}

/// Part 2: hidden units.
fn hidden(backward: &Backward<'_, '_, f64>) -> Section {
    let mut blanks = Vec::new();
    for m in (1..backward.network().depth()).rev() {
        let above = m + 1;
        let formula = format!("W_{above}ᵀ ∇_{{a_{above}}} L");
        let grad_h = backward.grad_h(m).row(0);
        blanks.push(Blank::vector(format!("∇_{{h_{m}}} L"), formula, grad_h));
        let formula = format!("∇_{{h_{m}}} L ⊙ g′(a_{m})");
        blanks.push(Blank::vector(format!("∇_{{a_{m}}} L"), formula, backward.grad_a(m).row(0)));
    }
    let words = match blanks.is_empty() {
        true => "There is no hidden layer: the weights are asked directly.".to_owned(),
        false => "Each h passes the question to its pre-activation.".to_owned(),
    };
    Section { title: "3. Gradient, part 2: hidden units", words, blanks }
}

/// Part 3: weights and biases.
fn weights(backward: &Backward<'_, '_, f64>, gradient: &[f64]) -> Result<Section, ExplainError> {
    let network = backward.network();
    let mut of_gradient = network.clone();
    of_gradient.theta_mut().copy_from_slice(gradient);
    let mut blanks = Vec::new();
    for m in (1..=network.depth()).rev() {
        let formula = format!("∇_{{a_{m}}} L · h_{}ᵀ", m - 1);
        let (w, b) = (of_gradient.weights(m), of_gradient.biases(m));
        blanks.extend(w.map(|w| Blank::matrix(format!("∇_{{W_{m}}} L"), formula, w)));
        let formula = format!("∇_{{a_{m}}} L");
        blanks.extend(b.map(|b| Blank::vector(format!("∇_{{b_{m}}} L"), formula, b)));
    }
    let words = "All weights and biases carry the responsibility.".to_owned();
    Ok(Section { title: "4. Gradient, part 3: weights and biases", words, blanks })
}

/// One weight of the first layer in three groups, and its paths.
fn talks(backward: &Backward<'_, '_, f64>) -> Result<Section, ExplainError> {
    let network = backward.network();
    let depth = network.depth();
    let grad = backward.grad_a(1).row(0);
    // Of a neuron that is off there is nothing to tell.
    let strongest = (0..grad.len()).max_by(|&i, &j| grad[i].abs().total_cmp(&grad[j].abs()));
    let neuron = strongest.unwrap_or(0) + 1;
    let input = network.inputs();
    let param = Param::Weight { layer: 1, neuron, input };
    let explainer = Explainer::new(backward);
    let answer = explainer.explain(param, 0)?;
    let paths = explainer.paths(param, 0, 1)?;
    let a = unit('a', 1, neuron);
    let mut blanks = vec![
        Blank::vector(
            format!("∇_{{a_{depth}}} L"),
            "talk to the output layer",
            &answer.output.values,
        ),
        Blank::vector(
            format!("∂a_{depth}/∂{a}"),
            "talk to the hidden layers",
            &answer.hidden.values,
        ),
        Blank::number(unit('h', 0, input), "talk to the weights", answer.weights.value),
        Blank::number(format!("∂L/∂{param}"), "the product of the three", answer.value),
        Blank::number("paths".into(), "their number", paths.count.approximate()),
    ];
    if let (Some(path), true) = (paths.strongest.first(), paths.count.approximate() > 1.0) {
        blanks.push(Blank::number("the strongest path".into(), "its value", path.value));
    }
    let words = format!("Why is ∂L/∂{param} what it is?");
    Ok(Section { title: "5. One weight", words, blanks })
}

/// An answer as the key gives it: four decimals, small ones with a power of ten.
pub(super) fn answer(x: f64) -> (String, Option<i32>) {
    if x != 0.0 && x.abs() < 1e-3 {
        let text = format!("{x:.3e}");
        if let Some((mantissa, exponent)) = text.split_once('e') {
            return (mantissa.to_owned(), exponent.parse().ok());
        }
    }
    let text = format!("{x:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    (if text == "-0" { "0".to_owned() } else { text.to_owned() }, None)
}
