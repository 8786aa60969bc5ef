//! θ as named tensors.

use std::collections::HashMap;
use std::path::Path;

use chainrule_autograd_manual::{Block, Network};
use chainrule_layers::{Activation, LayerConfig, ParamKind};
use chainrule_tensor::Scalar;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{broken, named, open, read};
use crate::error::Result;

/// The name of each of the network's blocks, in the order of its layout: a module's number in
/// PyTorch's `nn.Sequential` and `weight` or `bias`.
///
/// A dense layer is one module (`Linear`) and its activation another; the identity is none, every
/// other layer is one.
///
/// ```
/// use chainrule::{file::tensor_names, prelude::*};
/// let network = NetworkBuilder::<f32>::new(4)
///     .dense(3, Activation::Relu)
///     .dense(2, Activation::Identity)
///     .build()?;
/// assert_eq!(tensor_names(&network), ["0.weight", "0.bias", "2.weight", "2.bias"]);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn tensor_names<S: Scalar>(network: &Network<S>) -> Vec<String> {
    let mut module = 0;
    let mut names = Vec::new();
    for (i, layer) in network.layers().iter().enumerate() {
        let blocks = network.layout().blocks().iter().filter(|block| block.layer == i + 1);
        names.extend(blocks.map(|block| format!("{module}.{}", block.kind.name())));
        module += match layer.config() {
            Some(LayerConfig::Dense(dense)) if dense.activation() != Activation::Identity => 2,
            _ => 1,
        };
    }
    names
}

/// The shape that PyTorch gives the tensor.
fn shape(block: &Block) -> Vec<usize> {
    match block.kind {
        ParamKind::Weight => vec![block.rows, block.cols],
        ParamKind::Bias => vec![block.rows],
    }
}

pub(super) fn serialise<S: Scalar>(
    network: &Network<S>,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>> {
    let (dtype, bytes): (Dtype, Vec<u8>) = if S::NAME == "f64" {
        (Dtype::F64, network.theta().iter().flat_map(|w| w.as_f64().to_le_bytes()).collect())
    } else {
        // Exact: the values are f32 already.
        let bytes = network.theta().iter().flat_map(|w| (w.as_f64() as f32).to_le_bytes());
        (Dtype::F32, bytes.collect())
    };
    let size = dtype.bitsize() / 8;
    let views = tensor_names(network).into_iter().zip(network.layout().blocks());
    let views = views.map(|(name, block)| {
        let data = &bytes[block.range.start * size..block.range.end * size];
        let view = TensorView::new(dtype, shape(block), data);
        view.map(|view| (name, view)).map_err(|error| broken(error.to_string()))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    safetensors::serialize(views, Some(metadata)).map_err(|error| broken(error.to_string()))
}

/// Reads weights that PyTorch wrote (`safetensors.torch.save_file(model.state_dict(), path)`)
/// into a network of the same shape; see [`tensor_names`] for the names.
///
/// # Errors
/// [`Error`](enum@crate::Error) if the file cannot be read or is damaged, or a tensor is missing, too many, of another
/// shape, of a type other than F32 and F64, or not finite. The network is then as it was.
pub fn read_weights<S: Scalar>(path: impl AsRef<Path>, network: &mut Network<S>) -> Result<()> {
    let path = path.as_ref();
    let bytes = read(path)?;
    let filled = open(&bytes).and_then(|file| fill(network, &file));
    filled.map_err(|error| named(path, error))
}

/// Checks that the layers have as many parameters as the file has numbers, before memory is taken
/// for them: a description may claim any size.
pub(super) fn check_size<S: Scalar>(layers: &[LayerConfig], file: &SafeTensors<'_>) -> Result<()> {
    let mut expected = 0_usize;
    for (i, layer) in layers.iter().enumerate() {
        let layer = layer.build::<S>().map_err(|e| broken(format!("layer {}: {e}", i + 1)))?;
        expected = expected.saturating_add(layer.parameter_count());
    }
    let count = |tensor: TensorView<'_>| tensor.data().len() * 8 / tensor.dtype().bitsize().max(1);
    let found: usize = file.iter().map(|(_, tensor)| count(tensor)).sum();
    if expected == found {
        return Ok(());
    }
    Err(broken(format!(
        "the layers described have {expected} parameters, the file's tensors {found}; the file is \
         damaged or put together from two"
    )))
}

/// Copies every tensor of the file into θ; θ changes only if all of them fit.
pub(super) fn fill<S: Scalar>(network: &mut Network<S>, file: &SafeTensors<'_>) -> Result<()> {
    let names = tensor_names(network);
    let mut theta = Vec::with_capacity(network.parameter_count());
    for (name, block) in names.iter().zip(network.layout().blocks()) {
        let tensor = file.tensor(name).map_err(|_| {
            let mut found = file.names();
            found.sort_unstable();
            broken(format!(
                "the tensor `{name}` of layer {} is missing; the file has {}",
                block.layer,
                found.join(", ")
            ))
        })?;
        if tensor.shape() != shape(block) {
            return Err(broken(format!(
                "`{name}` has the shape {:?}, layer {} needs {:?} (outputs × inputs)",
                tensor.shape(),
                block.layer,
                shape(block)
            )));
        }
        values::<S>(name, &tensor, &mut theta)?;
    }
    if let Some(unknown) = file.names().into_iter().find(|name| !names.iter().any(|n| n == name)) {
        return Err(broken(format!(
            "the tensor `{unknown}` belongs to no layer of the network, whose tensors are {}",
            names.join(", ")
        )));
    }
    network.theta_mut().copy_from_slice(&theta);
    Ok(())
}

fn values<S: Scalar>(name: &str, tensor: &TensorView<'_>, theta: &mut Vec<S>) -> Result<()> {
    let start = theta.len();
    let data = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => {
            theta.extend(data.as_chunks().0.iter().map(|&b| S::of(f32::from_le_bytes(b).into())))
        }
        Dtype::F64 => {
            theta.extend(data.as_chunks().0.iter().map(|&b| S::of(f64::from_le_bytes(b))))
        }
        other => {
            let reason = format!("`{name}` is of type {other:?}; save it as F32 or F64");
            return Err(broken(reason));
        }
    }
    match theta[start..].iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(broken(format!("`{name}` holds {} at place {at}", theta[start + at]))),
    }
}
