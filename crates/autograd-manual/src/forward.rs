//! What the forward pass left, and the way to the backward pass.

use std::fmt;

use chainrule_loss::{Loss, Reduction, Targets};
use chainrule_tensor::product::Store;
use chainrule_tensor::{MatrixView, Scalar};

use crate::{Backward, Network, NetworkError, OutputUnits, Workspace};

/// A finished forward pass: every `a_i` and `h_i` of the batch.
///
/// It borrows the network (`'n`) and the workspace with the examples (`'w`), so that what backward reads
/// is what forward wrote: neither θ nor the workspace can change in between.
///
/// ```compile_fail,E0502
/// # use chainrule_autograd_manual::{Network, Workspace};
/// # use chainrule_layers::{Activation, Dense};
/// # use chainrule_loss::{CrossEntropy, Targets};
/// # use chainrule_tensor::Matrix;
/// # let mut network = Network::new(vec![Box::new(Dense::new(3, 2, Activation::Identity)?)])?;
/// # let mut workspace = Workspace::new(&network, 1)?;
/// # let mut gradient = vec![0.0; network.parameter_count()];
/// # let x = Matrix::from_rows(&[[0.3, -1.0, 2.0]]);
/// let forward = network.forward(x.view(), &mut workspace)?;
/// network.theta_mut()[0] += 0.1; // error[E0502]: `forward` still borrows the network
/// forward.backward(&CrossEntropy::new(), Targets::Classes(&[1]), &mut gradient)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Forward<'n, 'w, S: Scalar> {
    pub(crate) network: &'n Network<S>,
    pub(crate) x: MatrixView<'w, S>,
    pub(crate) workspace: &'w mut Workspace<S>,
}

impl<'n, 'w, S: Scalar> Forward<'n, 'w, S> {
    pub(crate) fn new(
        network: &'n Network<S>,
        x: MatrixView<'w, S>,
        workspace: &'w mut Workspace<S>,
    ) -> Self {
        Self { network, x, workspace }
    }

    /// Number of examples in the batch.
    pub fn examples(&self) -> usize {
        self.x.rows()
    }

    /// The pre-activation `a_i`, (batch × units of layer i), `i` from 1.
    ///
    /// # Panics
    /// If there is no layer `i`.
    pub fn a(&self, i: usize) -> MatrixView<'_, S> {
        self.workspace.layers[i - 1].a.first_rows(self.examples())
    }

    /// The activation `h_i`, (batch × units of layer i); `h_0 = x`.
    ///
    /// # Panics
    /// If there is no layer `i`.
    pub fn h(&self, i: usize) -> MatrixView<'_, S> {
        match i.checked_sub(1) {
            None => self.x,
            Some(below) => self.workspace.layers[below].h.first_rows(self.examples()),
        }
    }

    /// The output `h_L`, (batch × outputs).
    pub fn output(&self) -> MatrixView<'_, S> {
        self.h(self.network.depth())
    }

    pub(crate) fn into_output(self) -> MatrixView<'w, S> {
        let (rows, depth) = (self.examples(), self.network.depth());
        self.workspace.layers[depth - 1].h.first_rows(rows)
    }

    /// The loss of the output against the targets, without a gradient.
    ///
    /// # Errors
    /// [`NetworkError::Loss`] if the targets do not fit.
    pub fn loss(&self, loss: &dyn Loss<S>, targets: Targets<'_, S>) -> Result<S, NetworkError> {
        Ok(loss.value(self.output(), targets)?)
    }

    /// Part 1 of the gradient, with respect to the output units: `∇_{h_L} L` by the loss and
    /// `∇_{a_L} L` by the last layer. With a fused loss the last layer is the identity and both
    /// are `ŷ − e(ℓ)`, over the batch.
    ///
    /// # Errors
    /// [`NetworkError::Loss`] if the targets do not fit.
    pub fn output_units(
        self,
        loss: &dyn Loss<S>,
        targets: Targets<'_, S>,
    ) -> Result<OutputUnits<'n, 'w, S>, NetworkError> {
        let (rows, depth) = (self.examples(), self.network.depth());
        let top = &mut self.workspace.layers[depth - 1];
        let gradient = top.grad_h.first_rows_mut(rows);
        let value = loss.value_and_gradient(top.h.first_rows(rows), targets, gradient)?;
        Ok(OutputUnits::new(self, value, loss.reduction()))
    }

    /// Part 1 for a loss of one's own: takes `∇_{h_L} L`, (batch × outputs), as given.
    ///
    /// # Errors
    /// [`NetworkError::OutputGradient`] if it has another shape than the output.
    pub fn output_units_from(
        self,
        grad_output: MatrixView<'_, S>,
        value: S,
        reduction: Reduction,
    ) -> Result<OutputUnits<'n, 'w, S>, NetworkError> {
        let (rows, outputs) = (self.examples(), self.network.outputs());
        let (expected, found) = ((rows, outputs), (grad_output.rows(), grad_output.cols()));
        if expected != found {
            return Err(NetworkError::OutputGradient { expected, found });
        }
        let top = self.workspace.layers.last_mut().expect("a network has a layer");
        top.grad_h.first_rows_mut(rows).copy_from(grad_output);
        Ok(OutputUnits::new(self, value, reduction))
    }

    /// The whole gradient `∇θ L`, overwriting `gradient`: the lecture's backpropagation.
    ///
    /// # Errors
    /// [`NetworkError`] if the targets do not fit the output or `gradient` does not fit θ.
    pub fn backward(
        self,
        loss: &dyn Loss<S>,
        targets: Targets<'_, S>,
        gradient: &mut [S],
    ) -> Result<Backward<'n, 'w, S>, NetworkError> {
        self.all_parts(loss, targets, gradient, Store::Replace)
    }

    /// As [`Forward::backward`], adding to `gradient`: for accumulation over micro-batches.
    ///
    /// # Errors
    /// As [`Forward::backward`].
    pub fn backward_accumulate(
        self,
        loss: &dyn Loss<S>,
        targets: Targets<'_, S>,
        gradient: &mut [S],
    ) -> Result<Backward<'n, 'w, S>, NetworkError> {
        self.all_parts(loss, targets, gradient, Store::Add)
    }

    fn all_parts(
        self,
        loss: &dyn Loss<S>,
        targets: Targets<'_, S>,
        gradient: &mut [S],
        store: Store,
    ) -> Result<Backward<'n, 'w, S>, NetworkError> {
        self.network.check_length("the gradient", gradient)?;
        let backward = self.output_units(loss, targets)?.hidden_units();
        backward.part_3(0..backward.forward().examples(), gradient, store)?;
        Ok(backward)
    }

    /// The first value on the way forward that is infinite or not a number, if there is one.
    pub fn first_non_finite(&self) -> Option<NonFinite> {
        let find = |quantity, layer, m: MatrixView<'_, S>| {
            let at = m.as_slice().iter().position(|value| !value.is_finite())?;
            let (row, unit) = (at / m.cols(), at % m.cols() + 1);
            Some(NonFinite { quantity, layer, unit, row, value: m.as_slice()[at].as_f64() })
        };
        find(Quantity::Input, 0, self.x).or_else(|| {
            (1..=self.network.depth()).find_map(|i| {
                find(Quantity::PreActivation, i, self.a(i))
                    .or_else(|| find(Quantity::Activation, i, self.h(i)))
            })
        })
    }
}

/// What is not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// The input `x`.
    Input,
    /// A pre-activation `a_i`.
    PreActivation,
    /// An activation `h_i`.
    Activation,
}

/// The place of a value that is infinite or not a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NonFinite {
    /// What it is.
    pub quantity: Quantity,
    /// The layer `i`, from 1; 0 for the input.
    pub layer: usize,
    /// The unit in the layer, from 1.
    pub unit: usize,
    /// The example in the batch, from 0.
    pub row: usize,
    /// The value.
    pub value: f64,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, unit, row, value, .. } = self;
        let what = match self.quantity {
            Quantity::Input => {
                return write!(f, "input {unit} of example {row} (counted from 0) is {value}");
            }
            Quantity::PreActivation => "pre-activation",
            Quantity::Activation => "activation",
        };
        write!(f, "layer {layer}: the {what} of neuron {unit} is {value} ")?;
        write!(f, "for example {row} (counted from 0)")
    }
}
