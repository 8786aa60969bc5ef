//! Backpropagation in the lecture's three parts: output units, hidden units, weights and biases.

use chainrule_layers::{Kept, Layer};
use chainrule_loss::Reduction;
use chainrule_tensor::product::Store;
use chainrule_tensor::{MatrixView, Scalar};

use crate::workspace::LayerBuffers;
use crate::{Forward, GradientFactors, Network, NetworkError, Param};

/// Part 1 done: the gradient with respect to the output units.
#[derive(Debug)]
pub struct OutputUnits<'n, 'w, S: Scalar> {
    forward: Forward<'n, 'w, S>,
    loss: S,
    reduction: Reduction,
}

impl<'n, 'w, S: Scalar> OutputUnits<'n, 'w, S> {
    /// From `∇_{h_L} L`, which stands in the workspace: `∇_{a_L} L = ∇_{h_L} L ⊙ O'(a_L)`.
    pub(crate) fn new(forward: Forward<'n, 'w, S>, loss: S, reduction: Reduction) -> Self {
        let mut units = Self { forward, loss, reduction };
        units.activation(units.forward.network.depth());
        units
    }

    /// The loss of the batch.
    pub fn loss(&self) -> S {
        self.loss
    }

    /// `∇_{h_L} L`, (batch × outputs).
    pub fn grad_output(&self) -> MatrixView<'_, S> {
        let rows = self.forward.examples();
        self.top().grad_h.first_rows(rows)
    }

    /// `∇_{a_L} L`, (batch × outputs).
    pub fn grad_a(&self) -> MatrixView<'_, S> {
        self.top().grad_a.first_rows(self.forward.examples())
    }

    fn top(&self) -> &LayerBuffers<S> {
        &self.forward.workspace.layers[self.forward.network.depth() - 1]
    }

    /// Part 2, with respect to the hidden units: `∇_{h_i} L = W_{i+1}ᵀ ∇_{a_{i+1}} L` and
    /// `∇_{a_i} L = ∇_{h_i} L ⊙ g'(a_i)` for `i = L−1, …, 1`.
    pub fn hidden_units(mut self) -> Backward<'n, 'w, S> {
        for i in (1..self.forward.network.depth()).rev() {
            self.input(i + 1);
            self.activation(i);
        }
        Backward { forward: self.forward, loss: self.loss, reduction: self.reduction }
    }

    /// `∇_{a_i} L` from `∇_{h_i} L`.
    fn activation(&mut self, i: usize) {
        let rows = self.forward.examples();
        let Forward { network, x, workspace } = &mut self.forward;
        let compute = &workspace.compute;
        let (below, own) = workspace.layers.split_at_mut(i - 1);
        let x = below.last().map_or(*x, |below| below.h.first_rows(rows));
        let LayerBuffers { a, h, grad_a, grad_h } = &mut own[0];
        let theta = network.layer_theta(i);
        let kept = Kept { theta, x, a: a.first_rows(rows), h: h.first_rows(rows) };
        let (grad_h, grad_a) = (grad_h.first_rows(rows), grad_a.first_rows_mut(rows));
        network.layers()[i - 1].backward_activation(kept, grad_h, grad_a, compute);
    }

    /// `∇_{h_{i−1}} L` from `∇_{a_i} L`, for `i > 1`.
    fn input(&mut self, i: usize) {
        let rows = self.forward.examples();
        let Forward { network, workspace, .. } = &mut self.forward;
        let compute = &workspace.compute;
        let (below, own) = workspace.layers.split_at_mut(i - 1);
        let LayerBuffers { h: x, grad_h, .. } = below.last_mut().expect("a layer below");
        let LayerBuffers { a, h, grad_a, .. } = &own[0];
        let (theta, x) = (network.layer_theta(i), x.first_rows(rows));
        let kept = Kept { theta, x, a: a.first_rows(rows), h: h.first_rows(rows) };
        let (grad_a, grad_x) = (grad_a.first_rows(rows), grad_h.first_rows_mut(rows));
        network.layers()[i - 1].backward_input(kept, grad_a, grad_x, compute);
    }
}

impl<S: Scalar> Forward<'_, '_, S> {
    /// Part 3 of layer `i` over a range of the examples, for the layer's own slice of θ.
    fn params(&self, i: usize, rows: std::ops::Range<usize>, gradient: &mut [S], store: Store) {
        let layer: &dyn Layer<S> = &*self.network.layers()[i - 1];
        let compute = &self.workspace.compute;
        let grad_a = self.workspace.layers[i - 1].grad_a.first_rows(self.examples());
        let theta = self.network.layer_theta(i);
        let kept = self.workspace.kept(i, theta, self.x);
        let (kept, grad_a) = (kept.rows(rows.clone()), grad_a.rows_range(rows));
        layer.backward_params(kept, grad_a, gradient, store, compute);
    }
}

/// Parts 1 and 2 done: the gradients of all units, and part 3 for the asking.
#[derive(Debug)]
pub struct Backward<'n, 'w, S: Scalar> {
    forward: Forward<'n, 'w, S>,
    loss: S,
    reduction: Reduction,
}

impl<'n, 'w, S: Scalar> Backward<'n, 'w, S> {
    /// The loss of the batch.
    pub fn loss(&self) -> S {
        self.loss
    }

    /// The forward pass that this one followed, with every `a_i` and `h_i`.
    pub fn forward(&self) -> &Forward<'_, '_, S> {
        // The shorter lifetime is what a borrow of `self` gives.
        &self.forward
    }

    /// The network.
    pub fn network(&self) -> &Network<S> {
        self.forward.network
    }

    /// How the loss combined the examples.
    pub fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// `∇_{a_i} L`, (batch × units of layer i), `i` from 1.
    ///
    /// # Panics
    /// If there is no layer `i`.
    pub fn grad_a(&self, i: usize) -> MatrixView<'_, S> {
        self.forward.workspace.layers[i - 1].grad_a.first_rows(self.forward.examples())
    }

    /// `∇_{h_i} L`, (batch × units of layer i), `i` from 1; see [`Backward::input_gradient`] for
    /// `∇_x L`.
    ///
    /// # Panics
    /// If there is no layer `i`.
    pub fn grad_h(&self, i: usize) -> MatrixView<'_, S> {
        self.forward.workspace.layers[i - 1].grad_h.first_rows(self.forward.examples())
    }

    /// What the gradient is a product of, without the network, so that θ can change along it:
    /// [`Network::descend`].
    pub fn into_factors(self) -> GradientFactors<'w, S> {
        let Forward { x, workspace, .. } = self.forward;
        GradientFactors::new(x, workspace, self.loss)
    }

    /// Part 3, with respect to weights and biases, overwriting `gradient`:
    /// `∇_{W_i} L = ∇_{a_i} L · h_{i−1}ᵀ`, `∇_{b_i} L = ∇_{a_i} L`, over the batch.
    ///
    /// # Errors
    /// [`NetworkError::Length`] if `gradient` does not fit θ.
    pub fn weights_and_biases(&self, gradient: &mut [S]) -> Result<(), NetworkError> {
        self.part_3(0..self.forward.examples(), gradient, Store::Replace)
    }

    /// The gradient of one weight or bias, over the batch: the bits that
    /// [`Backward::weights_and_biases`] would give it. Allocates for the parameters of its layer.
    ///
    /// # Errors
    /// [`NetworkError::NoParam`] if the network does not have it.
    ///
    /// ```
    /// # use chainrule_autograd_manual::{Network, Workspace};
    /// # use chainrule_layers::{Activation, Dense};
    /// # use chainrule_loss::{SquaredError, Targets};
    /// # use chainrule_tensor::Matrix;
    /// // One neuron without bias at w = (0, 0): L = (w·x − 3)², ∂L/∂W_112 = −2 · 3 · x_2.
    /// let neuron = Dense::new(2, 1, Activation::Identity)?.without_bias();
    /// let network = Network::<f64>::new(vec![Box::new(neuron)])?;
    /// let mut workspace = Workspace::new(&network, 1)?;
    /// let (x, y) = (Matrix::from_rows(&[[1.0, 2.0]]), Matrix::from_rows(&[[3.0]]));
    /// let backward = network
    ///     .forward(x.view(), &mut workspace)?
    ///     .output_units(&SquaredError::new(), Targets::Values(y.view()))?
    ///     .hidden_units();
    /// assert_eq!(backward.param_gradient("W_112".parse()?)?, -12.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn param_gradient(&self, param: Param) -> Result<S, NetworkError> {
        let layout = self.forward.network.layout();
        let (place, own) = (layout.index(param)?, layout.layer_range(param.layer()));
        let mut gradient = vec![S::zero(); own.len()];
        let rows = 0..self.forward.examples();
        self.forward.params(param.layer(), rows, &mut gradient, Store::Replace);
        Ok(gradient[place - own.start])
    }

    /// The gradient of one example (`row`, from 0) of the batch, overwriting `gradient`.
    ///
    /// With mean reduction the batch's gradient is the mean of these over the rows, with sum
    /// reduction their sum. (A weighted mean counts an example by its share of the weights.)
    ///
    /// # Errors
    /// [`NetworkError::Row`] beyond the batch, [`NetworkError::Length`] if `gradient` does not
    /// fit θ.
    pub fn example_gradient(&self, row: usize, gradient: &mut [S]) -> Result<(), NetworkError> {
        let rows = self.forward.examples();
        if row >= rows {
            return Err(NetworkError::Row { rows, row });
        }
        self.part_3(row..row + 1, gradient, Store::Replace)?;
        let scale = self.example_scale();
        gradient.iter_mut().for_each(|g| *g *= scale);
        Ok(())
    }

    /// By what a row of `∇_{a_i} L` is multiplied to be that example's own gradient: the number
    /// of examples with mean reduction, else 1.
    pub fn example_scale(&self) -> S {
        match self.reduction {
            Reduction::Mean => S::of(self.forward.examples() as f64),
            Reduction::Sum => S::one(),
        }
    }

    /// `∇_x L`, (batch × inputs): one step beyond the first layer, which training does not need.
    pub fn input_gradient(&mut self) -> MatrixView<'_, S> {
        let rows = self.forward.examples();
        let Forward { network, x, workspace } = &mut self.forward;
        let LayerBuffers { a, h, grad_a, .. } = &workspace.layers[0];
        let theta = network.layer_theta(1);
        let kept = Kept { theta, x: *x, a: a.first_rows(rows), h: h.first_rows(rows) };
        let grad_a = grad_a.first_rows(rows);
        let grad_x = workspace.grad_x.first_rows_mut(rows);
        network.layers()[0].backward_input(kept, grad_a, grad_x, &workspace.compute);
        workspace.grad_x.first_rows(rows)
    }

    pub(crate) fn part_3(
        &self,
        rows: std::ops::Range<usize>,
        gradient: &mut [S],
        store: Store,
    ) -> Result<(), NetworkError> {
        self.forward.network.check_length("the gradient", gradient)?;
        for i in (1..=self.forward.network.depth()).rev() {
            let own = &mut gradient[self.forward.network.layout().layer_range(i)];
            self.forward.params(i, rows.clone(), own, store);
        }
        Ok(())
    }
}
