//! The buffers of forward and backward.

use chainrule_layers::Kept;
use chainrule_tensor::{Compute, Matrix, MatrixView, Precision, Scalar, Threads};

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
/// training step allocates nothing. It also holds the threads that the step may use and the
/// precision of its products.
///
/// One workspace serves one thread of the caller at a time; a network can be shared by many, each
/// with a workspace of its own.
#[derive(Debug, Clone)]
pub struct Workspace<S> {
    pub(crate) layers: Vec<LayerBuffers<S>>,
    pub(crate) grad_x: Matrix<S>,
    pub(crate) compute: Compute,
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
            compute: threads.into(),
            batch,
        })
    }

    /// Chooses the precision of the products to come, of forward and backward alike;
    /// [`Precision::F32`] without.
    ///
    /// # Errors
    /// [`NetworkError::Precision`] for [`Precision::Bf16`] if the network is not one of `f32`.
    ///
    /// ```
    /// # use chainrule_autograd_manual::{Network, Workspace};
    /// # use chainrule_layers::{Activation, Dense};
    /// use chainrule_tensor::Precision;
    /// let network = Network::<f32>::new(vec![Box::new(Dense::new(3, 2, Activation::Relu)?)])?;
    /// let mut workspace = Workspace::new(&network, 16)?;
    /// workspace.set_precision(Precision::Bf16)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_precision(&mut self, precision: Precision) -> Result<(), NetworkError> {
        if precision == Precision::Bf16 && S::NAME != f32::NAME {
            return Err(NetworkError::Precision { precision, element: S::NAME });
        }
        self.compute = self.compute.clone().with_precision(precision);
        Ok(())
    }

    /// The most examples a batch may have.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The threads that a step may use.
    pub fn threads(&self) -> &Threads {
        self.compute.threads()
    }

    /// The precision of products.
    pub fn precision(&self) -> Precision {
        self.compute.precision()
    }

    /// What the forward pass of layer `i` over the examples `x` was given and left.
    #[inline(always)]
    pub(crate) fn kept<'a>(
        &'a self,
        i: usize,
        theta: &'a [S],
        x: MatrixView<'a, S>,
    ) -> Kept<'a, S> {
        let (rows, own) = (x.rows(), &self.layers[i - 1]);
        let below = i.checked_sub(2).map(|below| &self.layers[below]);
        let x = below.map_or(x, |below| below.h.first_rows(rows));
        Kept { theta, x, a: own.a.first_rows(rows), h: own.h.first_rows(rows) }
    }

    /// Whether the buffers have the widths of `network`.
    pub(crate) fn fits(&self, network: &Network<S>) -> bool {
        let widths = network.layers().iter().map(|layer| layer.outputs());
        self.grad_x.cols() == network.inputs()
            && self.layers.len() == network.depth()
            && self.layers.iter().zip(widths).all(|(buffers, units)| buffers.a.cols() == units)
    }
}
