//! Exercises: a small random network with blanks to fill, and the answers.

mod html;
mod latex;
mod problem;

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_layers::{Activation, Dense, Layer};
use chainrule_loss::{CrossEntropy, Loss, SquaredError, Targets};
use chainrule_tensor::Matrix;
use rand::{Rng, RngExt};

use crate::ExplainError;
use problem::Section;

/// The most layers of weights, the most units of a layer, the most parameters: what can be done by
/// hand, and fits on paper.
const MOST_LAYERS: usize = 5;
const MOST_UNITS: usize = 6;
const MOST_PARAMETERS: usize = 80;
/// Networks drawn until one is worth the work.
const DRAWS: usize = 1000;

/// What a worksheet is about.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WorksheetOptions {
    /// The activation of the hidden layers: sigmoid, tanh, ReLU or identity.
    pub activation: Activation,
    /// Whether the loss is the squared error on real values; else the cross-entropy with softmax.
    /// `None`: the squared error for one output.
    pub squared_error: Option<bool>,
    /// The learning rate η of the update, above 0.
    pub learning_rate: f64,
}

impl Default for WorksheetOptions {
    fn default() -> Self {
        Self { activation: Activation::Sigmoid, squared_error: None, learning_rate: 0.5 }
    }
}

/// A small network with round random numbers, and one step of gradient descent to do by hand: the
/// forward pass, the loss, the gradient in its three parts, one weight's three talks, and the
/// update. Each quantity is a blank; the answer key holds them all.
///
/// ```
/// use chainrule_explain::{Worksheet, WorksheetOptions};
/// use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
/// let sheet = Worksheet::new(&[2, 2, 2], &WorksheetOptions::default(), &mut rng)?;
/// assert!(sheet.latex().contains("\\section*{Answer key}"));
/// assert!(sheet.html().starts_with("<!DOCTYPE html>"));
/// # Ok::<(), chainrule_explain::ExplainError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Worksheet {
    title: String,
    /// The formulas of `g`, `g'`, the loss: name, LaTeX, and as text.
    rules: Vec<Rule>,
    given: Section,
    sections: Vec<Section>,
}

/// A formula that the sheet reminds of, in the lecture's notation.
#[derive(Debug, Clone)]
struct Rule {
    latex: String,
    html: String,
}

impl Worksheet {
    /// A worksheet of a network of these widths, from inputs to outputs. Weights and biases are
    /// tenths from −1 to 1, inputs and real targets halves from −2 to 2.
    ///
    /// # Errors
    /// [`ExplainError::Worksheet`] if the network is too large to do by hand (more than five layers
    /// of weights, six units a layer or 80 parameters), a width is 0, there is nothing to choose
    /// between for a softmax, or the activation or the learning rate is not one for paper.
    pub fn new(
        sizes: &[usize],
        options: &WorksheetOptions,
        rng: &mut dyn Rng,
    ) -> Result<Self, ExplainError> {
        let squared = check(sizes, options)?;
        let outputs = sizes[sizes.len() - 1];
        let layers = || {
            let layer = |(i, pair): (usize, &[usize])| {
                let last = i + 2 == sizes.len();
                let g = if last { Activation::Identity } else { options.activation };
                let dense = Dense::new(pair[0], pair[1], g).map_err(|e| refused(e.to_string()))?;
                Ok(Box::new(dense) as Box<dyn Layer<f64>>)
            };
            sizes.windows(2).enumerate().map(layer).collect::<Result<Vec<_>, ExplainError>>()
        };
        let mut network = Network::new(layers()?)?;
        let mut workspace = Workspace::new(&network, 1)?;
        let (cross_entropy, squared_error) = (CrossEntropy::new(), SquaredError::new());
        for _ in 0..DRAWS {
            draw(&mut network, rng);
            let x = Matrix::from_fn(1, sizes[0], |_, _| halves(rng));
            let class = [rng.random_range(0..outputs)];
            let y = Matrix::from_fn(1, outputs, |_, _| halves(rng));
            let (loss, targets): (&dyn Loss<f64>, _) = match squared {
                true => (&squared_error, Targets::Values(y.view())),
                false => (&cross_entropy, Targets::Classes(&class)),
            };
            let forward = network.forward(x.view(), &mut workspace)?;
            let backward = forward.output_units(loss, targets)?.hidden_units();
            if !is_worth(&backward) {
                continue;
            }
            let problem = problem::Problem { options, squared, class: class[0], y: &y, loss };
            return problem.worksheet(sizes, &backward, targets);
        }
        Err(refused("no network of these widths has a gradient in every layer".to_owned()))
    }

    /// The worksheet and, on pages of its own, the answer key as one document for pdfLaTeX.
    pub fn latex(&self) -> String {
        latex::document(self)
    }

    /// The worksheet as one HTML file that loads nothing from the network: blanks to type in and to
    /// check, or to print and fill by hand, and the answer key behind a button.
    pub fn html(&self) -> String {
        html::page(self)
    }
}

fn refused(reason: String) -> ExplainError {
    ExplainError::Worksheet { reason }
}

/// Whether the widths and options make a worksheet; whether its loss is the squared error.
fn check(sizes: &[usize], options: &WorksheetOptions) -> Result<bool, ExplainError> {
    let (layers, outputs) = (sizes.len().saturating_sub(1), sizes.last().copied().unwrap_or(0));
    if layers == 0 || layers > MOST_LAYERS {
        return Err(refused(format!(
            "{} given, expected 2 to {} from inputs to outputs, such as 2-2-2",
            match sizes.len() {
                1 => "1 width was".to_owned(),
                n => format!("{n} widths were"),
            },
            MOST_LAYERS + 1
        )));
    }
    if let Some(width) = sizes.iter().find(|&&width| !(1..=MOST_UNITS).contains(&width)) {
        let reason = format!("a layer of {width} units; it must have 1 to {MOST_UNITS}");
        return Err(refused(reason));
    }
    let parameters: usize = sizes.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum();
    if parameters > MOST_PARAMETERS {
        return Err(refused(format!(
            "{parameters} parameters are too many to update by hand; choose widths with at most \
             {MOST_PARAMETERS}"
        )));
    }
    let squared = options.squared_error.unwrap_or(outputs == 1);
    if !squared && outputs == 1 {
        let reason = "the softmax of one unit is always 1; give two outputs or more, or take the \
                      squared error";
        return Err(refused(reason.to_owned()));
    }
    if !(options.learning_rate > 0.0 && options.learning_rate.is_finite()) {
        let reason = format!("the learning rate is {}; it must be above 0", options.learning_rate);
        return Err(refused(reason));
    }
    problem::activation_rule(options.activation)?;
    Ok(squared)
}

/// Tenths from −1 to 1, no weight 0.
fn draw(network: &mut Network<f64>, rng: &mut dyn Rng) {
    let ranges = network.layout().weight_ranges();
    for (index, theta) in network.theta_mut().iter_mut().enumerate() {
        let is_weight = ranges.iter().any(|range| range.contains(&index));
        let mut tenths = rng.random_range(-10..=10_i32);
        while is_weight && tenths == 0 {
            tenths = rng.random_range(-10..=10);
        }
        *theta = f64::from(tenths) / 10.0;
    }
}

/// Halves from −2 to 2, never 0.
fn halves(rng: &mut dyn Rng) -> f64 {
    let size = f64::from(rng.random_range(1..=4_i32)) / 2.0;
    if rng.random::<bool>() { size } else { -size }
}

/// Whether every layer has something to learn, so that no page is full of zeros.
fn is_worth(backward: &chainrule_autograd_manual::Backward<'_, '_, f64>) -> bool {
    let depth = backward.network().depth();
    (1..=depth).all(|m| backward.grad_a(m).as_slice().iter().any(|g| g.abs() > 1e-3))
}
