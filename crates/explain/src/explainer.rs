//! The questions that can be asked of a backward pass.

use chainrule_autograd_manual::{Backward, NetworkError, Param};
use chainrule_loss::{Loss, Targets};
use chainrule_tensor::Scalar;

use crate::detective::first_non_finite;
use crate::local::{dot, parameter, push_upward, widen};
use crate::unfused::Head;
use crate::{BatchExplanation, ExplainError, Explanation, Group, ThinFactors, text};

/// Explains gradients from what a forward and a backward pass left; it changes nothing.
///
/// Products are taken in `f64`, whatever the network's element type. An explanation costs about
/// one forward pass of one example. All quantities of an example are those of its own gradient
/// ([`Backward::example_gradient`]): the batch's gradient is their mean or, if the loss sums, their
/// sum.
///
/// ```
/// use chainrule_autograd_manual::{Network, Workspace};
/// use chainrule_explain::Explainer;
/// use chainrule_layers::{Activation, Dense};
/// use chainrule_loss::{SquaredError, Targets};
/// use chainrule_tensor::Matrix;
///
/// let mut network = Network::new(vec![
///     Box::new(Dense::new(1, 1, Activation::Sigmoid)?),
///     Box::new(Dense::new(1, 1, Activation::Identity)?),
/// ])?;
/// network.theta_mut().copy_from_slice(&[2.0, 0.0, -1.0, 0.5]);
/// let (x, y) = (Matrix::from_rows(&[[1.0]]), Matrix::from_rows(&[[1.0]]));
/// let (loss, targets) = (SquaredError::new(), Targets::Values(y.view()));
/// let mut workspace = Workspace::new(&network, 1)?;
/// let backward =
///     network.forward(x.view(), &mut workspace)?.output_units(&loss, targets)?.hidden_units();
///
/// let thin = Explainer::new(&backward).unfused(&loss, targets)?.thin("W_111".parse()?, 0)?;
/// let names: Vec<_> = thin.expanded.iter().map(|factor| factor.name.as_str()).collect();
/// assert_eq!(names, ["∂L/∂ŷ", "∂ŷ/∂a_21", "∂a_21/∂h_11", "∂h_11/∂a_11", "∂a_11/∂W_111"]);
/// assert!((thin.value / thin.gradient - 1.0).abs() < 1e-14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Explainer<'b, S: Scalar> {
    pub(crate) backward: &'b Backward<'b, 'b, S>,
    pub(crate) head: Option<Head<S>>,
    /// What the examples are called; their places in the batch if none.
    labels: Vec<usize>,
}

/// The three groups of one weight or bias for the example `row` (from 0): [`Explainer::explain`]
/// with the output layer fused.
///
/// # Errors
/// As [`Explainer::explain`].
pub fn explain<S: Scalar>(
    backward: &Backward<'_, '_, S>,
    param: Param,
    row: usize,
) -> Result<Explanation, ExplainError> {
    Explainer::new(backward).explain(param, row)
}

impl<'b, S: Scalar> Explainer<'b, S> {
    /// With the output layer fused, `∇_{a_L} L` as one quantity.
    pub fn new(backward: &'b Backward<'_, '_, S>) -> Self {
        Self { backward, head: None, labels: Vec::new() }
    }

    /// With the output layer unfused as `∂L/∂ŷ · ∂ŷ/∂a_L`, where `ŷ = O(h_L)` with the output
    /// function that the loss applies itself. Takes the loss and targets of the backward pass.
    ///
    /// # Errors
    /// [`ExplainError::Loss`] if the targets do not fit, [`ExplainError::OtherLoss`] if the loss
    /// has another value than the backward pass started from.
    pub fn unfused(
        self,
        loss: &dyn Loss<S>,
        targets: Targets<'_, S>,
    ) -> Result<Self, ExplainError> {
        let head = Some(Head::new(self.backward, loss, targets)?);
        Ok(Self { head, ..self })
    }

    /// With the numbers that the answers call the examples by: their rows in the data that the
    /// batch was taken from. Questions still count the rows of the batch, from 0.
    ///
    /// # Errors
    /// [`ExplainError::Labels`] if there is not one label an example.
    pub fn labelled(self, labels: &[usize]) -> Result<Self, ExplainError> {
        let (expected, found) = (self.backward.forward().examples(), labels.len());
        if expected != found {
            return Err(ExplainError::Labels { expected, found });
        }
        Ok(Self { labels: labels.to_vec(), ..self })
    }

    /// What the example `row` of the batch is called.
    pub(crate) fn label(&self, row: usize) -> usize {
        self.labels.get(row).copied().unwrap_or(row)
    }

    /// The three groups of one weight or bias for the example `row`, from 0:
    /// `∂L/∂W_{ijk} = (∇_{a_L} L)ᵀ · (∂a_L/∂a_{ij}) · h_{i−1,k}`.
    ///
    /// # Errors
    /// [`ExplainError::Network`] if there is no such parameter or example,
    /// [`ExplainError::Layer`] if a layer on the way is one of the user's own,
    /// [`ExplainError::Unfused`] if `∂L/∂ŷ` was asked for and is not finite (`ŷ_ℓ` is 0).
    pub fn explain(&self, param: Param, row: usize) -> Result<Explanation, ExplainError> {
        let gradient = self.gradient(param, row)?;
        let depth = self.backward.network().depth();
        let weights = parameter(self.backward, param, row)?;
        let hidden = push_upward(self.backward, param.layer(), param.neuron(), row)?;
        let scale = self.backward.example_scale().as_f64();
        let mut output = widen(self.backward.grad_a(depth).row(row));
        output.iter_mut().for_each(|g| *g *= scale);
        let a_l = text::vector('a', depth);
        let a_ij = text::unit('a', param.layer(), param.neuron());
        Ok(Explanation {
            param,
            row: self.label(row),
            value: dot(&output, &hidden) * weights.value,
            gradient,
            output: Group { name: format!("∇_{{{a_l}}} L"), values: output },
            unfused: self.head.as_ref().map(|head| head.at(self.backward, row)).transpose()?,
            hidden: Group { name: format!("∂{a_l}/∂{a_ij}"), values: hidden },
            weights,
        })
    }

    /// One weight or bias over the whole batch: every example's explanation, and the mean (or, if
    /// the loss sums, the sum) of their products.
    ///
    /// It holds two vectors with an entry per output for every example.
    ///
    /// # Errors
    /// As [`Explainer::explain`].
    pub fn batch(&self, param: Param) -> Result<BatchExplanation, ExplainError> {
        let rows = 0..self.backward.forward().examples();
        let examples = rows.map(|row| self.explain(param, row)).collect::<Result<Vec<_>, _>>()?;
        Ok(BatchExplanation::new(param, self.backward.reduction(), examples))
    }

    /// Every factor of the chain rule by name, for a parameter with a single path to the loss: one
    /// neuron in each layer from its own to the last.
    ///
    /// After [`Explainer::unfused`] the first factors are `∂L/∂ŷ · ∂ŷ/∂a_L1`, as on the lecture's
    /// slide, else the one `∂L/∂a_L1`.
    ///
    /// # Errors
    /// As [`Explainer::explain`], and [`ExplainError::NotThin`] if there are more paths.
    pub fn thin(&self, param: Param, row: usize) -> Result<ThinFactors, ExplainError> {
        ThinFactors::new(self, param, row)
    }

    /// Whether there is such a parameter and such an example.
    pub(crate) fn check(&self, param: Param, row: usize) -> Result<(), ExplainError> {
        self.backward.network().layout().index(param)?;
        let rows = self.backward.forward().examples();
        if row >= rows {
            return Err(NetworkError::Row { rows, row }.into());
        }
        Ok(())
    }

    pub(crate) fn not_finite(&self, param: Param, row: usize) -> ExplainError {
        let reason = match first_non_finite(self.backward, None) {
            Some(finding) => finding.to_string(),
            None => "a factor, or a product of factors, is not finite".to_owned(),
        };
        ExplainError::NotFinite { param: param.to_string(), row: self.label(row), reason }
    }

    /// The example's own `∂L/∂W_{ijk} = ∇_{a_{ij}} L · h_{i−1,k}` by backpropagation, with the same
    /// bits as [`Backward::example_gradient`].
    pub(crate) fn gradient(&self, param: Param, row: usize) -> Result<f64, ExplainError> {
        self.check(param, row)?;
        let backward = self.backward;
        let i = param.layer();
        let grad_a = backward.grad_a(i).row(row)[param.neuron() - 1];
        let gradient = match param {
            Param::Weight { input, .. } => grad_a * backward.forward().h(i - 1).row(row)[input - 1],
            Param::Bias { .. } => grad_a,
        };
        Ok((gradient * backward.example_scale()).as_f64())
    }
}
