//! The buffers of forward and backward.

use chainrule_tensor::{Matrix, Scalar, Threads};

use crate::{Network, NetworkError};

/// What one layer leaves behind, each (batch × outputs of the layer).
#[derive(Debug, Clone)]
pub(crate) struct LayerBuffers<S> {
    pub(crate) a: Matrix<S>,
    pub(crate) h: Matrix<S>,
    pub(crate) grad_a: Matrix<S>,
    pub(crate) grad_h: Matrix<S>,
}

/// Every `a_i`, `h_i` and their gradients, for batches up to a given size; sized once, so that a
/// training step allocates nothing. It also holds the threads that the step may use.
///
/// One workspace serves one thread of the caller at a time; a network can be shared by many, each
/// with a workspace of its own.
#[derive(Debug, Clone)]
pub struct Workspace<S> {
    pub(crate) layers: Vec<LayerBuffers<S>>,
    pub(crate) grad_x: Matrix<S>,
    pub(crate) threads: Threads,
    batch: usize,
}

impl<S: Scalar> Workspace<S> {
    /// Buffers for up to `batch` examples, used on the calling thread alone; see
    /// [`Workspace::with_threads`] for more.
    ///
    /// # Errors
    /// [`NetworkError::EmptyBatch`] if `batch` is 0, [`NetworkError::TooLarge`] if the buffers do
    /// not fit into memory.
    pub fn new(network: &Network<S>, batch: usize) -> Result<Self, NetworkError> {
        Self::with_threads(network, batch, Threads::one())
    }

    /// Buffers for up to `batch` examples and the threads to work with.
    ///
    /// # Errors
    /// As [`Workspace::new`].
    pub fn with_threads(
        network: &Network<S>,
        batch: usize,
        threads: Threads,
    ) -> Result<Self, NetworkError> {
        if batch == 0 {
            return Err(NetworkError::EmptyBatch);
        }
        let matrix = |units| {
            Matrix::try_zeros(batch, units).map_err(|_| NetworkError::TooLarge {
                what: format!("a workspace for {batch} examples of {units} units"),
            })
        };
        let buffers = |units| {
            Ok::<_, NetworkError>(LayerBuffers {
                a: matrix(units)?,
                h: matrix(units)?,
                grad_a: matrix(units)?,
                grad_h: matrix(units)?,
            })
        };
        let layers = network.layers().iter().map(|layer| buffers(layer.outputs()));
        Ok(Self {
            layers: layers.collect::<Result<_, _>>()?,
            grad_x: matrix(network.inputs())?,
            threads,
            batch,
        })
    }

    /// The most examples a batch may have.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The threads that a step may use.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Whether the buffers have the widths of `network`.
    pub(crate) fn fits(&self, network: &Network<S>) -> bool {
        let widths = network.layers().iter().map(|layer| layer.outputs());
        self.grad_x.cols() == network.inputs()
            && self.layers.len() == network.depth()
            && self.layers.iter().zip(widths).all(|(buffers, units)| buffers.a.cols() == units)
    }
}
