//! The network as a page for the browser.

mod data;
mod export;

use std::fmt;

use chainrule_autograd_manual::{Backward, Layout, Param};
use chainrule_loss::{Loss, Targets};
use chainrule_tensor::{MatrixView, Scalar};

use crate::ExplainError;
use crate::html::{fill, head, script_data, text};
use crate::local::widen;
use data::Data;

const TEMPLATE: &str = include_str!("../assets/page/page.html");
const STYLE: &str = include_str!("../assets/page/style.css");
/// In the order in which they build on each other.
const SCRIPTS: [&str; 8] = [
    include_str!("../assets/page/text.js"),
    include_str!("../assets/page/functions.js"),
    include_str!("../assets/page/network.js"),
    include_str!("../assets/page/draw.js"),
    include_str!("../assets/page/steps.js"),
    include_str!("../assets/page/answer.js"),
    include_str!("../assets/page/weights.js"),
    include_str!("../assets/page/main.js"),
];

/// A network and some examples as one HTML file, to step through the forward pass and the
/// conversation backwards, and to ask any weight, bias or neuron why its gradient is what it is.
///
/// The file needs nothing but a browser: styles, script and numbers are in it. Up to 100,000
/// parameters, the page takes the forward and backward pass and the paths again in 64-bit numbers
/// and says how far it is from the program's. Of a larger network every value and gradient of the
/// neurons is there, and so every weight's derivative, but the weights, talks and paths of the
/// 24 neurons of each layer alone that carry most of the gradient.
///
/// ```
/// use chainrule_autograd_manual::{Network, Workspace};
/// use chainrule_explain::Page;
/// use chainrule_layers::{Activation, Dense};
/// use chainrule_loss::{CrossEntropy, Targets};
/// use chainrule_tensor::Matrix;
/// use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
///
/// let mut network = Network::<f64>::new(vec![
///     Box::new(Dense::new(2, 3, Activation::Sigmoid)?),
///     Box::new(Dense::new(3, 2, Activation::Identity)?),
/// ])?;
/// network.initialise(&mut Xoshiro256PlusPlus::seed_from_u64(1));
/// let x = Matrix::from_rows(&[[0.5, -1.0], [1.5, 0.25]]);
/// let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&[0, 1]));
/// let mut workspace = Workspace::new(&network, 2)?;
/// let backward =
///     network.forward(x.view(), &mut workspace)?.output_units(&loss, targets)?.hidden_units();
///
/// let page = Page::new(&backward, &loss, targets)?
///     .title("A 2-3-2 network")
///     .outputs(&["cat", "dog"])?
///     .select("W_112".parse()?)?;
/// let html = page.to_string();
/// assert!(html.starts_with("<!DOCTYPE html>") && !html.contains("src="));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Page {
    data: Data,
    layout: Layout,
}

impl Page {
    /// The page of the examples that a backward pass was taken of. Takes the loss and targets of
    /// that pass.
    ///
    /// # Errors
    /// [`ExplainError::Layer`] if a layer is one of the user's own, [`ExplainError::NotShown`] if
    /// a number is NaN or infinite, [`ExplainError::Loss`] if the targets do not fit,
    /// [`ExplainError::TooManyExamples`] if the page would grow beyond some tens of megabytes.
    pub fn new<S: Scalar>(
        backward: &Backward<'_, '_, S>,
        loss: &dyn Loss<S>,
        targets: Targets<'_, S>,
    ) -> Result<Self, ExplainError> {
        let data = Data::new(backward, loss, targets)?;
        Ok(Self { data, layout: backward.network().layout().clone() })
    }

    /// The title, in place of the network's widths.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.data.title);
        self
    }

    /// The names of the examples, in place of `example 0`, …
    ///
    /// # Errors
    /// [`ExplainError::Names`] if there is not one for each.
    pub fn examples<T: AsRef<str>>(mut self, names: &[T]) -> Result<Self, ExplainError> {
        check_names("examples", self.data.examples.len(), names)?;
        for (example, name) in self.data.examples.iter_mut().zip(names) {
            name.as_ref().clone_into(&mut example.name);
        }
        Ok(self)
    }

    /// The names of the outputs.
    ///
    /// # Errors
    /// [`ExplainError::Names`] if there is not one for each.
    pub fn outputs<T: AsRef<str>>(mut self, names: &[T]) -> Result<Self, ExplainError> {
        let outputs = self.data.layers.last().map_or(0, |layer| layer.outputs);
        check_names("outputs", outputs, names)?;
        self.data.outputs = names.iter().map(|name| name.as_ref().to_owned()).collect();
        Ok(self)
    }

    /// The names of the inputs.
    ///
    /// # Errors
    /// [`ExplainError::Names`] if there is not one for each.
    pub fn features<T: AsRef<str>>(mut self, names: &[T]) -> Result<Self, ExplainError> {
        check_names("inputs", self.inputs(), names)?;
        self.data.features = names.iter().map(|name| name.as_ref().to_owned()).collect();
        Ok(self)
    }

    /// The inputs before they were scaled, (examples × inputs), for the picture of an image and to
    /// read.
    ///
    /// # Errors
    /// [`ExplainError::Names`] if the shape is not that of the examples.
    pub fn raw<S: Scalar>(mut self, x: MatrixView<'_, S>) -> Result<Self, ExplainError> {
        let (rows, cols) = (self.data.examples.len(), self.inputs());
        if (x.rows(), x.cols()) != (rows, cols) {
            let found = x.rows() * x.cols();
            return Err(ExplainError::Names { what: "raw inputs", expected: rows * cols, found });
        }
        for (example, x) in self.data.examples.iter_mut().zip(x.iter_rows()) {
            example.raw = Some(widen(x));
        }
        Ok(self)
    }

    /// Shows the input as a picture of `rows` × `cols` pixels, row by row.
    ///
    /// # Errors
    /// [`ExplainError::Names`] if that is not the number of inputs.
    pub fn image(mut self, rows: usize, cols: usize) -> Result<Self, ExplainError> {
        let found = rows.saturating_mul(cols);
        if found != self.inputs() {
            return Err(ExplainError::Names { what: "pixels", expected: self.inputs(), found });
        }
        self.data.image = Some((rows, cols));
        Ok(self)
    }

    /// The weight or bias that the page begins with.
    ///
    /// # Errors
    /// [`ExplainError::Network`] if the network has no such parameter.
    pub fn select(mut self, param: Param) -> Result<Self, ExplainError> {
        self.layout.index(param)?;
        self.data.select = Some(param.to_string());
        Ok(self)
    }

    fn inputs(&self) -> usize {
        self.data.layers.first().map_or(0, |layer| layer.inputs)
    }
}

fn check_names<T>(what: &'static str, expected: usize, names: &[T]) -> Result<(), ExplainError> {
    let found = names.len();
    if found == expected { Ok(()) } else { Err(ExplainError::Names { what, expected, found }) }
}

/// The whole file.
impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = serde_json::to_string(&self.data).map_err(|_| fmt::Error)?;
        fill(f, TEMPLATE, |f, mark| match mark {
            "head" => head(f, &self.data.title, STYLE),
            "title" => f.write_str(&text(&self.data.title)),
            "data" => f.write_str(&script_data(&data)),
            "script" => {
                f.write_str("\"use strict\";\n")?;
                SCRIPTS.iter().try_for_each(|script| f.write_str(script))
            }
            _ => Err(fmt::Error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_fit_into_the_page() {
        for script in SCRIPTS {
            assert!(!script.contains("]]>") && !script.contains("</script"), "ends too early");
        }
        assert!(!STYLE.contains(['<', '&']), "style");
    }
}
