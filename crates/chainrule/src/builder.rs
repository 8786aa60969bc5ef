//! Networks layer by layer.

use chainrule_autograd_manual::{Network, NetworkError};
use chainrule_layers::{Activation, Dense, Dropout, Init, Layer, LayerError, Softmax};
use chainrule_tensor::Scalar;

use crate::error::Result;
use crate::{Stream, rng};

/// Builds a network from the first layer to the last; widths follow from layer to layer, and
/// everything is checked by [`build`](NetworkBuilder::build).
///
/// ```
/// use chainrule::prelude::*;
/// let network: Network<f32> = NetworkBuilder::new(64)
///     .init(Init::HeNormal, Init::Zeros)
///     .dense(32, Activation::Relu)
///     .dropout(0.2)
///     .dense(10, Activation::Identity)
///     .seed(1)
///     .build()?;
/// assert_eq!((network.inputs(), network.outputs(), network.depth()), (64, 10, 3));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Debug)]
pub struct NetworkBuilder<S: Scalar> {
    width: usize,
    layers: Vec<Box<dyn Layer<S>>>,
    init: (Init, Init),
    seed: u64,
    /// The first thing that was wrong, told by `build`.
    error: Option<NetworkError>,
}

impl<S: Scalar> NetworkBuilder<S> {
    /// A network of `inputs` inputs and, so far, no layer.
    pub fn new(inputs: usize) -> Self {
        let init = (Init::PyTorch, Init::PyTorch);
        Self { width: inputs, layers: Vec::new(), init, seed: 0, error: None }
    }

    /// How weights and biases of the dense layers after this call start; PyTorch's way unless
    /// called.
    #[must_use]
    pub fn init(mut self, weight: Init, bias: Init) -> Self {
        self.init = (weight, bias);
        self
    }

    /// The seed of the initial parameters, 0 unless called.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A fully connected layer of `units` neurons.
    #[must_use]
    pub fn dense(self, units: usize, activation: Activation) -> Self {
        let (weight, bias) = self.init;
        let layer = Dense::new(self.width, units, activation).and_then(|layer| {
            weight.validate()?;
            bias.validate()?;
            Ok(layer.with_init(weight, bias))
        });
        self.push(units, layer)
    }

    /// Dropout of the units below, each by chance `rate`.
    #[must_use]
    pub fn dropout(self, rate: f64) -> Self {
        let width = self.width;
        self.push(width, Dropout::new(width, rate))
    }

    /// Softmax over the units below, for the loss on probabilities; the fused cross-entropy wants
    /// logits and no such layer.
    #[must_use]
    pub fn softmax(self) -> Self {
        let width = self.width;
        self.push(width, Softmax::new(width))
    }

    /// A layer of one's own.
    #[must_use]
    pub fn layer(mut self, layer: impl Layer<S> + 'static) -> Self {
        self.width = layer.outputs();
        self.layers.push(Box::new(layer));
        self
    }

    fn push<L>(mut self, units: usize, layer: Result<L, LayerError>) -> Self
    where
        L: Layer<S> + 'static,
    {
        match layer {
            Ok(layer) => self.layer(layer),
            Err(source) => {
                let layer = self.layers.len() + 1;
                self.error.get_or_insert(NetworkError::Layer { layer, source });
                self.width = units;
                self
            }
        }
    }

    /// The network with its initial parameters.
    ///
    /// # Errors
    /// [`Error`](enum@crate::Error) that names the layer, for no layers, a width of 0, sizes that do
    /// not fit together or into memory, a number out of its range, an initial parameter that is not
    /// finite.
    pub fn build(self) -> Result<Network<S>> {
        if let Some(error) = self.error {
            return Err(error.into());
        }
        let mut network = Network::new(self.layers)?;
        network.initialise(&mut rng(self.seed, Stream::Init));
        match network.theta().iter().position(|weight| !weight.is_finite()) {
            None => Ok(network),
            Some(place) => Err(infinite(&network, place)),
        }
    }
}

/// The error of an initial parameter that is infinite or NaN, as a constant of 1e300 is in `f32`.
fn infinite<S: Scalar>(network: &Network<S>, place: usize) -> crate::Error {
    let block = network.layout().blocks().iter().find(|block| block.range.contains(&place));
    let source = LayerError::Value {
        name: "an initial parameter",
        found: network.theta()[place].as_f64(),
        expected: "finite; choose an initialiser with smaller values",
    };
    NetworkError::Layer { layer: block.map_or(0, |block| block.layer), source }.into()
}
