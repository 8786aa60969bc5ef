//! Model files: safetensors whose tensors are named as PyTorch's
//! `nn.Sequential(Linear, activation, Linear, …)` names them, with the model's description in the
//! metadata.
//!
//! `torch_model.load_state_dict(safetensors.torch.load_file(path), strict=True)` takes such a
//! file; [`read_weights`] takes what PyTorch wrote, without our metadata.

mod atomic;
mod header;
mod tensors;

pub use atomic::write_atomically;
pub use tensors::{read_weights, tensor_names};

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use chainrule_autograd_manual::Network;
use chainrule_tensor::Scalar;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::{Model, ModelInfo};

/// The version of the metadata's format.
pub const FORMAT_VERSION: u32 = 1;
/// The key of the description in the file's metadata.
const KEY: &str = "chainrule";

#[derive(Serialize, Deserialize)]
struct Metadata {
    format_version: u32,
    /// The version of chainrule that wrote the file.
    version: String,
    #[serde(flatten)]
    info: ModelInfo,
}

/// Only the version, to tell a newer format from a broken file.
#[derive(Deserialize)]
struct FormatVersion {
    format_version: u32,
}

impl<S: Scalar> Model<S> {
    /// Writes the model to a file, all or nothing: to a temporary file beside it, which takes its
    /// place when it is safely on the disk.
    ///
    /// # Errors
    /// [`Error::Io`] with the system's answer, and as [`Model::to_bytes`]; a file that was there
    /// before is then still there.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_atomically(path.as_ref(), &self.to_bytes()?)
    }

    /// The bytes of the model file.
    ///
    /// # Errors
    /// [`Error::Network`] if a layer is not one of the `layers` crate, and so cannot be described;
    /// [`Error::Mismatch`] if a weight is not finite: no file is read back with such a one.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.network().config()?;
        let theta = self.network().theta();
        if let Some(at) = theta.iter().position(|weight| !weight.is_finite()) {
            let param = self.network().layout().param(at);
            let name = param.map_or("a weight".to_owned(), |param| param.to_string());
            return Err(Error::Mismatch(format!(
                "{name} is {}, and a model file holds finite numbers only; train again",
                theta[at]
            )));
        }
        let metadata = Metadata {
            format_version: FORMAT_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            info: self.info().clone(),
        };
        let text =
            serde_json::to_string(&metadata).map_err(|error| Error::Config(error.to_string()))?;
        let metadata = HashMap::from([(KEY.to_owned(), text)]);
        tensors::serialise(self.network(), metadata)
    }

    /// Reads a model file. Weights stored in the other floating-point type are converted.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::ModelFile`] if it is damaged, not a model, of
    /// a newer format, or its weights are missing, of other shapes or not finite.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::parse(&read(path)?).map_err(|error| named(path, error))
    }

    /// Reads the bytes of a model file.
    ///
    /// # Errors
    /// [`Error::ModelFile`] as [`Model::load`], for a path `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::parse(bytes).map_err(|error| named(Path::new("bytes"), error))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let file = open(bytes)?;
        let info = info(bytes)?;
        tensors::check_size::<S>(&info.layers, &file)?;
        let mut network = Network::from_config(&info.layers)?;
        tensors::fill(&mut network, &file)?;
        Self::from_parts(network, info)
    }
}

/// An error whose path is filled in by who knows it.
fn broken(reason: impl Into<String>) -> Error {
    Error::ModelFile { path: PathBuf::new(), reason: reason.into() }
}

/// Names the file in an error about its contents.
fn named(path: &Path, error: Error) -> Error {
    let reason = match error {
        Error::ModelFile { reason, .. } => reason,
        other => other.to_string(),
    };
    Error::ModelFile { path: path.to_owned(), reason }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let error = |source| Error::Io { action: "read", path: path.to_owned(), source };
    // A device or pipe may never end.
    if !std::fs::metadata(path).map_err(error)?.is_file() {
        return Err(named(path, broken("not a regular file, so it cannot be a model")));
    }
    let mut file = File::open(path).map_err(error)?;
    let size = file.metadata().map_err(error)?.len();
    let mut bytes = Vec::new();
    // The header first: what is no model is not read into memory, however large.
    file.by_ref().take(header::PREFIX as u64).read_to_end(&mut bytes).map_err(error)?;
    let length = header::length(&bytes, size).map_err(|error| named(path, error))?;
    file.by_ref().take(length as u64).read_to_end(&mut bytes).map_err(error)?;
    header::check(&bytes, size).map_err(|error| named(path, error))?;
    let rest = usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(bytes.len());
    bytes.try_reserve_exact(rest).map_err(|e| error(e.into()))?;
    file.read_to_end(&mut bytes).map_err(error)?;
    Ok(bytes)
}

/// The file's tensors, after its header has been checked.
fn open(bytes: &[u8]) -> Result<SafeTensors<'_>> {
    header::check(bytes, bytes.len() as u64)?;
    SafeTensors::deserialize(bytes).map_err(header::damaged)
}

fn info(bytes: &[u8]) -> Result<ModelInfo> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| broken(e.to_string()))?;
    let text = metadata.metadata().as_ref().and_then(|map| map.get(KEY)).ok_or_else(|| {
        broken(
            "a safetensors file, but without chainrule's description of the network; load its \
             weights into a network of your own with chainrule::file::read_weights",
        )
    })?;
    let damaged = |error| broken(format!("the description of the model is damaged: {error}"));
    let version: FormatVersion = serde_json::from_str(text).map_err(damaged)?;
    if version.format_version != FORMAT_VERSION {
        return Err(broken(format!(
            "format version {}, this program reads version {FORMAT_VERSION}; use the chainrule \
             that wrote it or a newer one",
            version.format_version
        )));
    }
    let metadata: Metadata = serde_json::from_str(text).map_err(damaged)?;
    Ok(metadata.info)
}
