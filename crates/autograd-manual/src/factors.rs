//! The gradient as the factors it is a product of, free of the network.

use chainrule_tensor::product::Store;
use chainrule_tensor::{MatrixView, Scalar};

use crate::{Network, NetworkError, Workspace};

/// `∇θ L` before its part 3: every `∇_{a_i} L` and `h_{i−1}`, of which `∇_{W_i} L` is the product.
///
/// It borrows the workspace and not the network, so that θ can change: [`Network::descend`] takes a step
/// along the gradient without storing it, [`GradientFactors::multiply`] stores it. It is the gradient
/// at the θ of the forward pass.
#[derive(Debug)]
pub struct GradientFactors<'w, S> {
    x: MatrixView<'w, S>,
    workspace: &'w Workspace<S>,
    loss: S,
}

impl<'w, S: Scalar> GradientFactors<'w, S> {
    pub(crate) fn new(x: MatrixView<'w, S>, workspace: &'w Workspace<S>, loss: S) -> Self {
        Self { x, workspace, loss }
    }

    /// The loss of the batch.
    pub fn loss(&self) -> S {
        self.loss
    }

    /// Number of examples in the batch.
    pub fn examples(&self) -> usize {
        self.x.rows()
    }

    /// `∇θ L`, overwriting `gradient`: the bits that [`Forward::backward`](crate::Forward::backward) would
    /// give it. `network` is the one of the forward pass.
    ///
    /// # Errors
    /// [`NetworkError`] if the network has other widths, or `gradient` does not fit θ.
    pub fn multiply(&self, network: &Network<S>, gradient: &mut [S]) -> Result<(), NetworkError> {
        self.check(network)?;
        network.check_length("the gradient", gradient)?;
        for i in (1..=network.depth()).rev() {
            let kept = self.workspace.kept(i, network.layer_theta(i), self.x);
            let own = &mut gradient[network.layout().layer_range(i)];
            let (grad_a, compute) = (self.grad_a(i), &self.workspace.compute);
            network.layers()[i - 1].backward_params(kept, grad_a, own, Store::Replace, compute);
        }
        Ok(())
    }

    fn grad_a(&self, i: usize) -> MatrixView<'_, S> {
        self.workspace.layers[i - 1].grad_a.first_rows(self.examples())
    }

    fn check(&self, network: &Network<S>) -> Result<(), NetworkError> {
        if self.workspace.fits(network) { Ok(()) } else { Err(NetworkError::Workspace) }
    }
}

impl<S: Scalar> Network<S> {
    /// A step of gradient descent, `θ ← θ − η ∇θ L`, that stores no gradient: each element of it is
    /// subtracted where it is computed. `factors` are of this network's backward pass.
    ///
    /// Of up to [`MAX_WHOLE`](chainrule_tensor::product::MAX_WHOLE) examples the bits are those of a gradient
    /// that is stored, multiplied with η and subtracted; of more, sums are subtracted in parts. Layers of one's own allocate, see [`Layer::descend`](chainrule_layers::Layer::descend).
    ///
    /// # Errors
    /// [`NetworkError::LearningRate`] if η is negative, infinite or NaN; [`NetworkError::Workspace`] if the
    /// factors are of a network of other widths. θ is then as before.
    ///
    /// ```
    /// # use chainrule_autograd_manual::{Network, Workspace};
    /// # use chainrule_layers::{Activation, Dense};
    /// # use chainrule_loss::{SquaredError, Targets};
    /// # use chainrule_tensor::Matrix;
    /// // One neuron at w = (0, 0), b = 0: L = (w·x + b − 3)², ∇θ L = −6 (x, 1).
    /// let neuron = Dense::new(2, 1, Activation::Identity)?;
    /// let mut network = Network::<f64>::new(vec![Box::new(neuron)])?;
    /// let mut workspace = Workspace::new(&network, 1)?;
    /// let (x, y) = (Matrix::from_rows(&[[1.0, 2.0]]), Matrix::from_rows(&[[3.0]]));
    /// let factors = network
    ///     .forward(x.view(), &mut workspace)?
    ///     .output_units(&SquaredError::new(), Targets::Values(y.view()))?
    ///     .hidden_units()
    ///     .into_factors();
    /// assert_eq!(factors.loss(), 9.0);
    /// network.descend(&factors, 0.5)?;
    /// assert_eq!(network.theta(), [3.0, 6.0, 3.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn descend(
        &mut self,
        factors: &GradientFactors<'_, S>,
        eta: S,
    ) -> Result<(), NetworkError> {
        factors.check(self)?;
        if !(eta >= S::zero() && eta.is_finite()) {
            return Err(NetworkError::LearningRate { found: eta.as_f64() });
        }
        let GradientFactors { x, workspace, .. } = *factors;
        let (layers, layout, theta) = self.parts_mut();
        for (i, layer) in layers.iter().enumerate() {
            let theta = &mut theta[layout.layer_range(i + 1)];
            let kept = workspace.kept(i + 1, &[], x);
            layer.descend(theta, kept, factors.grad_a(i + 1), eta, &workspace.compute);
        }
        Ok(())
    }
}
