//! The fully connected layer.

use chainrule_tensor::kernels::{column_sums, sub_column_sums};
use chainrule_tensor::product::Store;
use chainrule_tensor::{
    Compute, MatrixView, MatrixViewMut, Scalar, affine, mul_nn, mul_nt, mul_tn, sub_mul_tn,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::error::check_widths;
use crate::{Activation, Init, Kept, Layer, LayerConfig, LayerError, ParamKind, ParamShape, Pass};

/// A fully connected layer: pre-activation `a_i = W_i h_{i-1} + b_i`, activation `h_i = g(a_i)`.
///
/// Its slice of θ is `[W, b]`, with `W` (outputs × inputs) row by row, as in the lecture and in
/// `torch.nn.Linear`.
///
/// ```
/// use chainrule_layers::{Activation, Dense, Init};
/// let layer = Dense::new(64, 32, Activation::Relu)?.with_init(Init::HeNormal, Init::Zeros);
/// # Ok::<(), chainrule_layers::LayerError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    inputs: usize,
    outputs: usize,
    activation: Activation,
    #[serde(default = "yes")]
    bias: bool,
    #[serde(default)]
    weight_init: Init,
    #[serde(default)]
    bias_init: Init,
}

fn yes() -> bool {
    true
}

impl Dense {
    /// A layer with a bias, initialised as PyTorch does.
    ///
    /// # Errors
    /// [`LayerError::Width`] if a width is 0 or the weights could not be addressed;
    /// [`LayerError::Value`] if a parameter of the activation is not finite.
    pub fn new(inputs: usize, outputs: usize, activation: Activation) -> Result<Self, LayerError> {
        let layer = Self {
            inputs,
            outputs,
            activation,
            bias: true,
            weight_init: Init::PyTorch,
            bias_init: Init::PyTorch,
        };
        layer.validate()?;
        Ok(layer)
    }

    /// The same layer without a bias.
    #[must_use]
    pub fn without_bias(mut self) -> Self {
        self.bias = false;
        self
    }

    /// The same layer with other initialisers.
    ///
    /// Parameters of an initialiser written by hand are checked by [`Init::validate`], and by
    /// [`LayerConfig::build`]; names parse to valid ones only.
    #[must_use]
    pub fn with_init(mut self, weight: Init, bias: Init) -> Self {
        self.weight_init = weight;
        self.bias_init = bias;
        self
    }

    /// The activation `g`.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Whether the layer has a bias.
    pub fn has_bias(&self) -> bool {
        self.bias
    }

    pub(crate) fn validate(&self) -> Result<(), LayerError> {
        check_widths("dense", self.inputs, self.outputs)?;
        self.activation.validate()?;
        self.weight_init.validate()?;
        self.bias_init.validate()
    }

    fn weights(&self) -> usize {
        self.inputs * self.outputs
    }

    fn weight_view<'a, S: Scalar>(&self, theta: &'a [S]) -> MatrixView<'a, S> {
        MatrixView::new(&theta[..self.weights()], self.outputs, self.inputs).expect("W")
    }
}

impl<S: Scalar> Layer<S> for Dense {
    fn name(&self) -> String {
        format!("dense {} -> {}, {}", self.inputs, self.outputs, self.activation)
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn params(&self) -> Vec<ParamShape> {
        let weight = ParamShape { kind: ParamKind::Weight, rows: self.outputs, cols: self.inputs };
        let bias = ParamShape { kind: ParamKind::Bias, rows: self.outputs, cols: 1 };
        if self.bias { vec![weight, bias] } else { vec![weight] }
    }

    fn initialise(&self, theta: &mut [S], rng: &mut dyn Rng) {
        let (w, b) = theta.split_at_mut(self.weights());
        self.weight_init.fill(w, self.inputs, self.outputs, rng);
        self.bias_init.fill(b, self.inputs, self.outputs, rng);
    }

    /// `A = X Wᵀ + 1 bᵀ`, `H = g(A)`.
    fn forward(
        &self,
        theta: &[S],
        x: MatrixView<'_, S>,
        mut a: MatrixViewMut<'_, S>,
        mut h: MatrixViewMut<'_, S>,
        pass: &mut Pass<'_>,
    ) {
        let w = self.weight_view(theta);
        if self.bias {
            affine(x, w, &theta[self.weights()..], a.view_mut(), pass.compute);
        } else {
            mul_nt(x, w, a.view_mut(), Store::Replace, pass.compute);
        }
        self.activation.apply(a.as_slice(), h.as_mut_slice(), pass.compute.threads());
    }

    /// `∇_A L = ∇_H L ⊙ g'(A)`.
    fn backward_activation(
        &self,
        kept: Kept<'_, S>,
        grad_h: MatrixView<'_, S>,
        mut grad_a: MatrixViewMut<'_, S>,
        compute: &Compute,
    ) {
        let grad_a = grad_a.as_mut_slice();
        self.activation.backward(kept.a.as_slice(), grad_h.as_slice(), grad_a, compute.threads());
    }

    /// `∇_X L = ∇_A L · W`.
    fn backward_input(
        &self,
        kept: Kept<'_, S>,
        grad_a: MatrixView<'_, S>,
        grad_x: MatrixViewMut<'_, S>,
        compute: &Compute,
    ) {
        mul_nn(grad_a, self.weight_view(kept.theta), grad_x, Store::Replace, compute);
    }

    /// `∇_W L = (∇_A L)ᵀ X`, `∇_b L = (∇_A L)ᵀ 1`.
    fn backward_params(
        &self,
        kept: Kept<'_, S>,
        grad_a: MatrixView<'_, S>,
        grad_theta: &mut [S],
        store: Store,
        compute: &Compute,
    ) {
        let (grad_w, grad_b) = grad_theta.split_at_mut(self.weights());
        let grad_w = MatrixViewMut::new(grad_w, self.outputs, self.inputs).expect("∇W");
        mul_tn(grad_a, kept.x, grad_w, store, compute);
        if self.bias {
            column_sums(grad_a, grad_b, store, compute.threads());
        }
    }

    /// `W ← W − η (∇_A L)ᵀ X`, `b ← b − η (∇_A L)ᵀ 1`.
    fn descend(
        &self,
        theta: &mut [S],
        kept: Kept<'_, S>,
        grad_a: MatrixView<'_, S>,
        eta: S,
        compute: &Compute,
    ) -> bool {
        let (w, b) = theta.split_at_mut(self.weights());
        let w = MatrixViewMut::new(w, self.outputs, self.inputs).expect("W");
        sub_mul_tn(eta, grad_a, kept.x, w, compute);
        if self.bias {
            sub_column_sums(eta, grad_a, b, compute.threads());
        }
        true
    }

    fn pieces(&self, a: MatrixView<'_, S>, note: &mut dyn FnMut(u8)) {
        let kinks = self.activation.kinks();
        if kinks.is_empty() {
            return;
        }
        for a in a.as_slice() {
            note(kinks.iter().filter(|&&kink| a.as_f64() > kink).count() as u8);
        }
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Dense(self.clone()))
    }
}
