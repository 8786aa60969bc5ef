//! The gradient as the factors it is a product of, free of the network.

use chainrule_tensor::kernels::update;
use chainrule_tensor::product::Store;
use chainrule_tensor::{MatrixView, Scalar};

use crate::{Network, NetworkError, Workspace};

/// `∇θ L` before its part 3: every `∇_{a_i} L` and `h_{i−1}`, of which `∇_{W_i} L` is the product.
///
/// It borrows the workspace and not the network, so that θ can change: [`Network::descend`] takes a
/// step along the gradient without storing it. [`GradientFactors::weights_and_biases`] stores it, at
/// the θ of the forward pass as long as θ has not changed. Both are for the network of the forward
/// pass; one of other widths is refused.
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

    /// Part 3, `∇θ L`, overwriting `gradient`: the bits of
    /// [`Backward::weights_and_biases`](crate::Backward::weights_and_biases).
    ///
    /// # Errors
    /// [`NetworkError::Factors`] if the network has other widths, [`NetworkError::Length`] if
    /// `gradient` does not fit θ.
    pub fn weights_and_biases(
        &self,
        network: &Network<S>,
        gradient: &mut [S],
    ) -> Result<(), NetworkError> {
        self.check(network, gradient)?;
        for i in (1..=network.depth()).rev() {
            let own = network.layout().layer_range(i);
            self.part_3(network, i, &mut gradient[own]);
        }
        Ok(())
    }

    /// That `network` may be the one of the forward pass, and `gradient` fits its θ.
    fn check(&self, network: &Network<S>, gradient: &[S]) -> Result<(), NetworkError> {
        if !self.workspace.fits(network) {
            return Err(NetworkError::Factors);
        }
        network.check_length("the gradient", gradient)
    }

    fn part_3(&self, network: &Network<S>, i: usize, own: &mut [S]) {
        let kept = self.workspace.kept(i, network.layer_theta(i), self.x);
        let (grad_a, compute) = (self.grad_a(i), &self.workspace.compute);
        network.layers()[i - 1].backward_params(kept, grad_a, own, Store::Replace, compute);
    }

    fn grad_a(&self, i: usize) -> MatrixView<'w, S> {
        self.workspace.layers[i - 1].grad_a.first_rows(self.examples())
    }
}

impl<S: Scalar> Network<S> {
    /// A step of gradient descent, `θ ← θ − η ∇θ L`, that need not store the gradient: dense layers
    /// subtract its elements where they are computed. Other layers with parameters overwrite their
    /// slice of `gradient`, which is as long as θ, with theirs.
    ///
    /// Of up to [`MAX_WHOLE`](chainrule_tensor::product::MAX_WHOLE) examples the bits are those of a
    /// gradient that is stored, multiplied with η and subtracted; of more, sums may be subtracted in
    /// parts. Nothing looks at the values: a NaN in the gradient is a NaN in θ.
    ///
    /// # Errors
    /// [`NetworkError::LearningRate`] if η is negative, infinite or NaN; [`NetworkError::Factors`] if
    /// they are of a network of other widths; [`NetworkError::Length`] if `gradient` does not fit θ,
    /// which is then as before.
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
    /// network.descend(factors, 0.5, &mut [0.0; 3])?;
    /// assert_eq!(network.theta(), [3.0, 6.0, 3.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn descend(
        &mut self,
        factors: GradientFactors<'_, S>,
        eta: S,
        gradient: &mut [S],
    ) -> Result<(), NetworkError> {
        factors.check(self, gradient)?;
        if !(eta >= S::zero() && eta.is_finite()) {
            return Err(NetworkError::LearningRate { found: eta.as_f64() });
        }
        let GradientFactors { x, workspace, .. } = factors;
        for i in 1..=self.depth() {
            let own = self.layout.layer_range(i);
            let theta = &mut self.theta[own.clone()];
            let (kept, grad_a) = (workspace.kept(i, &[], x), factors.grad_a(i));
            if !self.layers[i - 1].descend(theta, kept, grad_a, eta, &workspace.compute) {
                let gradient = &mut gradient[own.clone()];
                factors.part_3(self, i, gradient);
                update(gradient, &mut self.theta[own], |g, theta| theta - eta * g);
            }
        }
        Ok(())
    }
}
