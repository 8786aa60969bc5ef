//! The network: a list of layers over one flat θ.

use std::sync::Arc;

use chainrule_layers::{Layer, LayerConfig, ParamKind, Pass};
use chainrule_tensor::{AlignedVec, MatrixView, MatrixViewMut, Scalar};
use rand::Rng;

use crate::{Forward, Layout, NetworkError, Workspace};

/// A feedforward network: layers `i = 1..=L` over one flat `θ = [W_1, b_1, …, W_L, b_L]`.
///
/// It is `Send + Sync`: many threads may predict from one network, each with its own
/// [`Workspace`]. Clones share the layers, which never change, and own their θ.
///
/// ```
/// use chainrule_autograd_manual::{Network, Workspace};
/// use chainrule_layers::{Activation, Dense};
/// use chainrule_loss::{CrossEntropy, Targets};
/// use chainrule_tensor::Matrix;
/// use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
///
/// let mut network = Network::<f64>::new(vec![
///     Box::new(Dense::new(4, 3, Activation::Sigmoid)?),
///     Box::new(Dense::new(3, 2, Activation::Identity)?),
/// ])?;
/// network.initialise(&mut Xoshiro256PlusPlus::seed_from_u64(1));
///
/// let mut workspace = Workspace::new(&network, 1)?;
/// let mut gradient = vec![0.0; network.parameter_count()];
/// let x = Matrix::from_rows(&[[0.1, -0.2, 0.3, 0.4]]);
/// let backward = network
///     .forward(x.view(), &mut workspace)?
///     .backward(&CrossEntropy::default(), Targets::Classes(&[1]), &mut gradient)?;
/// println!("L = {}, ∂L/∂W_112 = {}", backward.loss(), gradient[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Network<S: Scalar> {
    pub(crate) layers: Arc<[Box<dyn Layer<S>>]>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) theta: AlignedVec<S>,
}

impl<S: Scalar> Network<S> {
    /// A network of these layers, with every parameter 0 until [`Network::initialise`].
    ///
    /// # Errors
    /// [`NetworkError`] if there is no layer, neighbours do not fit, or θ is too large.
    pub fn new(layers: Vec<Box<dyn Layer<S>>>) -> Result<Self, NetworkError> {
        if layers.is_empty() {
            return Err(NetworkError::Empty);
        }
        for (i, pair) in layers.windows(2).enumerate() {
            let (outputs, inputs) = (pair[0].outputs(), pair[1].inputs());
            if outputs != inputs {
                return Err(NetworkError::Mismatch { layer: i + 2, inputs, outputs });
            }
        }
        let layout = Layout::of(&layers)?;
        let theta = AlignedVec::zeros(layout.len()).map_err(|_| NetworkError::TooLarge {
            what: format!("a network of {} parameters", layout.len()),
        })?;
        Ok(Self { layers: layers.into(), layout: Arc::new(layout), theta })
    }

    /// A network of described layers, with every parameter 0.
    ///
    /// # Errors
    /// As [`Network::new`], and [`NetworkError::Layer`] for a wrong description.
    pub fn from_config(configs: &[LayerConfig]) -> Result<Self, NetworkError> {
        let build = |(i, config): (usize, &LayerConfig)| {
            config.build().map_err(|source| NetworkError::Layer { layer: i + 1, source })
        };
        Self::new(configs.iter().enumerate().map(build).collect::<Result<_, _>>()?)
    }

    /// The descriptions of the layers.
    ///
    /// # Errors
    /// [`NetworkError::Undescribed`] if a layer is not one of the `chainrule-layers` crate.
    pub fn config(&self) -> Result<Vec<LayerConfig>, NetworkError> {
        let described = self.layers.iter().enumerate().map(|(i, layer)| {
            let undescribed = || NetworkError::Undescribed { layer: i + 1, name: layer.name() };
            layer.config().ok_or_else(undescribed)
        });
        described.collect()
    }

    /// The same network in another element type, θ rounded to the nearest (in `f32`, values beyond
    /// its range become infinite).
    ///
    /// # Errors
    /// [`NetworkError::Undescribed`] if a layer is not one of the `chainrule-layers` crate.
    pub fn cast<T: Scalar>(&self) -> Result<Network<T>, NetworkError> {
        let mut network = Network::from_config(&self.config()?)?;
        for (to, from) in network.theta.iter_mut().zip(self.theta.iter()) {
            *to = T::of(from.as_f64());
        }
        Ok(network)
    }

    /// Draws initial parameters, layer by layer from the first.
    pub fn initialise(&mut self, rng: &mut dyn Rng) {
        for (i, layer) in self.layers.iter().enumerate() {
            layer.initialise(&mut self.theta[self.layout.layer_range(i + 1)], rng);
        }
    }

    /// The layers; layer `i` of the lecture is `layers()[i - 1]`.
    pub fn layers(&self) -> &[Box<dyn Layer<S>>] {
        &self.layers
    }

    /// `L`, the number of layers.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Number of inputs of the first layer.
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs()
    }

    /// `k`, the number of outputs of the last layer.
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs()
    }

    /// Number of parameters, the length of θ and of every gradient.
    pub fn parameter_count(&self) -> usize {
        self.theta.len()
    }

    /// Where each weight and bias stands in θ.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// All parameters, `[W_1, b_1, …, W_L, b_L]`.
    pub fn theta(&self) -> &[S] {
        &self.theta
    }

    /// All parameters, to write: what an optimizer updates.
    pub fn theta_mut(&mut self) -> &mut [S] {
        &mut self.theta
    }

    /// The slice of θ of layer `layer`, from 1.
    pub fn layer_theta(&self, layer: usize) -> &[S] {
        &self.theta[self.layout.layer_range(layer)]
    }

    /// `W_i`, (units of layer i × inputs of layer i) in a dense layer, `i` from 1: row `j` holds the
    /// weights into neuron `j`. `None` where there is no layer `i` or it has no weights. If a layer
    /// of one's own has several blocks of weights, the first.
    ///
    /// ```
    /// # use chainrule_autograd_manual::Network;
    /// # use chainrule_layers::{Activation, Dense};
    /// let layer = Dense::new(3, 2, Activation::Identity)?;
    /// let mut network = Network::<f64>::new(vec![Box::new(layer)])?;
    /// network.theta_mut().copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.1, 0.2]);
    /// let (w, b) = (network.weights(1).unwrap(), network.biases(1).unwrap());
    /// assert_eq!((w.rows(), w.cols()), (2, 3));
    /// assert_eq!((w.row(1), b[1]), ([4.0, 5.0, 6.0].as_slice(), 0.2));
    /// assert!(network.weights(2).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn weights(&self, i: usize) -> Option<MatrixView<'_, S>> {
        let block = self.layout.first_block(i, ParamKind::Weight)?;
        MatrixView::new(&self.theta[block.range.clone()], block.rows, block.cols).ok()
    }

    /// `b_i`, one value a unit of layer i, `i` from 1. `None` where there is no layer `i` or it has
    /// no bias. If a layer of one's own has several blocks of biases, the first.
    pub fn biases(&self, i: usize) -> Option<&[S]> {
        let block = self.layout.first_block(i, ParamKind::Bias)?;
        Some(&self.theta[block.range.clone()])
    }

    /// Runs the examples `x`, (batch × inputs), through all layers, in evaluation (dropout off).
    ///
    /// The result lends every `a_i`, `h_i` and leads to the backward pass; while it lives, neither
    /// θ nor the workspace can change.
    ///
    /// # Errors
    /// [`NetworkError`] if the workspace is another network's or too small, or `x` has another
    /// width than the network or no rows.
    pub fn forward<'w>(
        &self,
        x: MatrixView<'w, S>,
        workspace: &'w mut Workspace<S>,
    ) -> Result<Forward<'_, 'w, S>, NetworkError> {
        self.run(x, workspace, None)
    }

    /// As [`Network::forward`], in training: dropout draws its masks from `rng`.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn forward_train<'w>(
        &self,
        x: MatrixView<'w, S>,
        workspace: &'w mut Workspace<S>,
        rng: &mut dyn Rng,
    ) -> Result<Forward<'_, 'w, S>, NetworkError> {
        self.run(x, workspace, Some(rng))
    }

    fn run<'w>(
        &self,
        x: MatrixView<'w, S>,
        workspace: &'w mut Workspace<S>,
        rng: Option<&mut dyn Rng>,
    ) -> Result<Forward<'_, 'w, S>, NetworkError> {
        self.check_batch(x, workspace)?;
        self.run_layers(&self.theta, x, workspace, rng);
        Ok(Forward::new(self, x, workspace))
    }

    /// The outputs `h_L`, (batch × outputs), of the examples `x`, in evaluation. What they mean,
    /// logits or values, is the loss's affair.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn predict<'w>(
        &self,
        x: MatrixView<'w, S>,
        workspace: &'w mut Workspace<S>,
    ) -> Result<MatrixView<'w, S>, NetworkError> {
        self.forward(x, workspace).map(Forward::into_output)
    }

    /// The outputs `h_L` of one example.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn predict_one<'w>(
        &self,
        x: &'w [S],
        workspace: &'w mut Workspace<S>,
    ) -> Result<&'w [S], NetworkError> {
        Ok(self.predict(MatrixView::from_row(x), workspace)?.as_slice())
    }

    pub(crate) fn check_batch(
        &self,
        x: MatrixView<'_, S>,
        workspace: &Workspace<S>,
    ) -> Result<(), NetworkError> {
        if !workspace.fits(self) {
            return Err(NetworkError::Workspace);
        }
        if x.cols() != self.inputs() {
            return Err(NetworkError::Inputs { expected: self.inputs(), found: x.cols() });
        }
        match x.rows() {
            0 => Err(NetworkError::EmptyBatch),
            rows if rows > workspace.batch() => {
                Err(NetworkError::BatchTooLarge { capacity: workspace.batch(), rows })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn check_length(&self, what: &'static str, slice: &[S]) -> Result<(), NetworkError> {
        let (expected, found) = (self.parameter_count(), slice.len());
        if expected == found { Ok(()) } else { Err(NetworkError::Length { what, expected, found }) }
    }

    /// Forward propagation (lecture 4.8) with an explicit θ: for `i = 1..=L`, `a_i` and `h_i` from
    /// `h_{i-1}`, `h_0 = x`.
    pub(crate) fn run_layers(
        &self,
        theta: &[S],
        x: MatrixView<'_, S>,
        workspace: &mut Workspace<S>,
        rng: Option<&mut dyn Rng>,
    ) {
        let Workspace { layers: buffers, compute, .. } = workspace;
        let mut pass = Pass { rng: rng.map(|rng| rng as &mut dyn Rng), compute };
        let rows = x.rows();
        for (i, layer) in self.layers.iter().enumerate() {
            let (below, own) = buffers.split_at_mut(i);
            let input = below.last().map_or(x, |below| below.h.first_rows(rows));
            let theta = &theta[self.layout.layer_range(i + 1)];
            let a: MatrixViewMut<'_, S> = own[0].a.first_rows_mut(rows);
            let h: MatrixViewMut<'_, S> = own[0].h.first_rows_mut(rows);
            layer.forward(theta, input, a, h, &mut pass);
        }
    }
}
