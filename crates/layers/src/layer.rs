//! The interface of a layer.

use std::fmt::Debug;
use std::ops::Range;

use chainrule_tensor::product::Store;
use chainrule_tensor::{Compute, MatrixView, MatrixViewMut, Scalar};
use rand::Rng;

use crate::LayerConfig;

/// Whether a block of parameters is a weight matrix or a bias vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParamKind {
    /// `W_i`, (outputs × inputs).
    Weight,
    /// `b_i`, one value an output.
    Bias,
}

impl ParamKind {
    /// `"weight"` or `"bias"`, as in PyTorch's parameter names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
        }
    }
}

/// One block in a layer's slice of θ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamShape {
    /// Weight or bias.
    pub kind: ParamKind,
    /// Rows: outputs of the layer.
    pub rows: usize,
    /// Columns: inputs of the layer; 1 for a bias.
    pub cols: usize,
}

impl ParamShape {
    /// Number of values in the block.
    pub fn count(&self) -> usize {
        self.rows * self.cols
    }
}

/// What a forward pass is given besides its operands.
pub struct Pass<'a> {
    /// The source of chance in training; `None` in evaluation, where dropout is off.
    pub rng: Option<&'a mut dyn Rng>,
    /// The threads to use and the precision of products.
    pub compute: &'a Compute,
}

impl Debug for Pass<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pass")
            .field("training", &self.rng.is_some())
            .field("compute", self.compute)
            .finish()
    }
}

/// The ground on which the backward pass of one layer stands: what the forward pass was given and
/// what it left.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a, S> {
    /// The layer's slice of θ, `[W_i, b_i]` for a dense layer; empty in [`Layer::descend`].
    pub theta: &'a [S],
    /// The layer's input `h_{i-1}`, (examples × inputs).
    pub x: MatrixView<'a, S>,
    /// The pre-activation `a_i`, (examples × outputs), or whatever else the layer keeps there
    /// (dropout keeps its mask).
    pub a: MatrixView<'a, S>,
    /// The output `h_i`, (examples × outputs).
    pub h: MatrixView<'a, S>,
}

impl<'a, S: Scalar> Kept<'a, S> {
    /// What was kept of a range of the examples.
    ///
    /// # Panics
    /// If the range leaves the batch.
    #[must_use]
    pub fn rows(&self, range: Range<usize>) -> Self {
        let rows = |m: MatrixView<'a, S>| m.rows_range(range.clone());
        Self { theta: self.theta, x: rows(self.x), a: rows(self.a), h: rows(self.h) }
    }
}

/// A differentiable function `h = f(x; θ)` with its hand-derived gradient.
///
/// A layer owns no parameters and no state: θ is the caller's slice, laid out as [`Layer::params`]
/// says, and what backward needs of forward stands in buffers of the caller. All matrices have one
/// example a row. Examples do not influence each other. The backward pass has the lecture's parts:
///
/// | method | formula for [`Dense`](crate::Dense), one example |
/// | --- | --- |
/// | [`forward`](Layer::forward) | `a_i = W_i h_{i-1} + b_i`, `h_i = g(a_i)` |
/// | [`backward_activation`](Layer::backward_activation) | `∇_{a_i} L = ∇_{h_i} L ⊙ g'(a_i)` |
/// | [`backward_input`](Layer::backward_input) | `∇_{h_{i-1}} L = W_iᵀ ∇_{a_i} L` |
/// | [`backward_params`](Layer::backward_params) | `∇_{W_i} L = ∇_{a_i} L · h_{i-1}ᵀ`, `∇_{b_i} L = ∇_{a_i} L` |
/// | [`descend`](Layer::descend) | `W_i ← W_i − η ∇_{W_i} L`, `b_i ← b_i − η ∇_{b_i} L` |
///
/// They share what the forward pass was given and what it left, [`Kept`].
/// What a layer keeps in `a`, and what it writes into `grad_a`, is its own affair as long as the
/// three agree: a dense layer keeps its pre-activations, dropout its mask, and an activation with
/// parameters of its own (PReLU) may hand `∇_h L` on in `grad_a` and use `x` and θ afterwards.
///
/// The trait is object-safe; a network is a list of boxed layers. Callers guarantee the shapes
/// (a network checks them once); implementations may panic on others.
pub trait Layer<S: Scalar>: Debug + Send + Sync {
    /// A short description, such as `dense 64 -> 32, relu`.
    fn name(&self) -> String;

    /// Number of inputs, the columns of `x`.
    fn inputs(&self) -> usize;

    /// Number of outputs, the columns of `a` and `h`.
    fn outputs(&self) -> usize;

    /// The blocks of the layer's slice of θ, in their order; none for a layer without parameters.
    fn params(&self) -> Vec<ParamShape> {
        Vec::new()
    }

    /// Number of values in the layer's slice of θ.
    fn parameter_count(&self) -> usize {
        self.params().iter().map(ParamShape::count).sum()
    }

    /// Writes initial parameters into the layer's slice of θ.
    fn initialise(&self, theta: &mut [S], rng: &mut dyn Rng) {
        let _ = (theta, rng);
    }

    /// Writes `a` and `h` from `x`.
    fn forward(
        &self,
        theta: &[S],
        x: MatrixView<'_, S>,
        a: MatrixViewMut<'_, S>,
        h: MatrixViewMut<'_, S>,
        pass: &mut Pass<'_>,
    );

    /// `∇_a L` from `∇_h L`, both (examples × outputs), overwriting `grad_a`.
    fn backward_activation(
        &self,
        kept: Kept<'_, S>,
        grad_h: MatrixView<'_, S>,
        grad_a: MatrixViewMut<'_, S>,
        compute: &Compute,
    );

    /// `∇_x L`, (examples × inputs), from `∇_a L`, overwriting `grad_x`.
    fn backward_input(
        &self,
        kept: Kept<'_, S>,
        grad_a: MatrixView<'_, S>,
        grad_x: MatrixViewMut<'_, S>,
        compute: &Compute,
    );

    /// `∇_θ L`, summed over the examples, from `∇_a L`, into or onto `grad_theta`. The examples are
    /// those of the forward pass or a range of them, the same in `kept` and `grad_a`.
    fn backward_params(
        &self,
        kept: Kept<'_, S>,
        grad_a: MatrixView<'_, S>,
        grad_theta: &mut [S],
        store: Store,
        compute: &Compute,
    ) {
        let _ = (kept, grad_a, grad_theta, store, compute);
    }

    /// A step of gradient descent on the layer's slice of θ, `θ ← θ − η ∇_θ L`, without storing the gradient
    /// of [`backward_params`](Layer::backward_params), over the examples of the forward pass; whether it took
    /// it. As provided it does not, and the caller stores the gradient and subtracts it. What was kept comes
    /// without θ, which changes here: `kept.theta` is empty.
    fn descend(
        &self,
        theta: &mut [S],
        kept: Kept<'_, S>,
        grad_a: MatrixView<'_, S>,
        eta: S,
        compute: &Compute,
    ) -> bool {
        let _ = (kept, grad_a, eta, compute);
        theta.is_empty()
    }

    /// Tells `note` on which smooth piece of the activation each pre-activation lies, so that a
    /// gradient check sees when a step crosses a kink (ReLU at 0). Nothing for smooth layers.
    fn pieces(&self, a: MatrixView<'_, S>, note: &mut dyn FnMut(u8)) {
        let _ = (a, note);
    }

    /// The description that a model file keeps; `None` for layers made outside this crate.
    fn config(&self) -> Option<LayerConfig> {
        None
    }
}
