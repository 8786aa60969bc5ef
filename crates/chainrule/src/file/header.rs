//! What the safetensors reader lets through and a model file must not have.

use std::collections::HashSet;
use std::fmt;

use safetensors::SafeTensorError;
use safetensors::tensor::Metadata;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::broken;
use crate::error::{Error, Result};

/// The bytes before the header, which hold its length.
pub(super) const PREFIX: usize = size_of::<u64>();
/// The longest header that the safetensors format allows.
const LONGEST: u64 = 100_000_000;

/// The length of the header, which `start` begins with, in a file of `size` bytes.
pub(super) fn length(start: &[u8], size: u64) -> Result<usize> {
    let Some((length, _)) = start.split_first_chunk::<PREFIX>() else {
        let reason = format!("{} bytes are too few for a safetensors file", start.len());
        return Err(broken(reason));
    };
    let length = u64::from_le_bytes(*length);
    let rest = size.saturating_sub(PREFIX as u64);
    if length > rest {
        return Err(broken(format!(
            "not a safetensors file, or a truncated one: its header should have {length} bytes, \
             {rest} are there"
        )));
    }
    match usize::try_from(length) {
        Ok(header) if length <= LONGEST => Ok(header),
        _ => Err(broken(format!(
            "not a safetensors file: its header should have {length} bytes, at most {LONGEST} are \
             possible"
        ))),
    }
}

/// Checks a file of `size` bytes, of which `bytes` are at least all of the header: its length, that
/// no name occurs twice (of two tensors of one name, a reader would silently take the last), and
/// that the tensors are as long as what follows.
pub(super) fn check(bytes: &[u8], size: u64) -> Result<()> {
    let end = PREFIX + length(bytes, size)?;
    let header = &bytes[PREFIX..end];
    check_names(header)?;
    let metadata: Metadata = serde_json::from_slice(header)
        .map_err(|error| damaged(SafeTensorError::InvalidHeaderDeserialization(error)))?;
    let (promised, found) = (metadata.data_len() as u64, size - end as u64);
    if promised == found {
        return Ok(());
    }
    Err(broken(format!(
        "the safetensors file is damaged: its tensors should have {promised} bytes, {found} are \
         there; write or download it again"
    )))
}

pub(super) fn damaged(error: SafeTensorError) -> Error {
    broken(format!("the safetensors file is damaged ({error}); write or download it again"))
}

fn check_names(header: &[u8]) -> Result<()> {
    let mut deserializer = serde_json::Deserializer::from_slice(header);
    let repeated = deserializer
        .deserialize_map(Repeated)
        .map_err(|error| broken(format!("the safetensors header is damaged: {error}")))?;
    match repeated {
        None => Ok(()),
        Some(name) => Err(broken(format!("the safetensors header names `{name}` twice"))),
    }
}

/// The first key that occurs twice in a map, or in one of the maps in it.
struct Repeated;

impl<'de> Visitor<'de> for Repeated {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        first_repeated(map, |RepeatedInside(key)| key)
    }
}

/// The keys of one entry's map.
struct RepeatedInside(Option<String>);

impl<'de> Deserialize<'de> for RepeatedInside {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Option<String>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the description of a tensor")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                first_repeated(map, |IgnoredAny| None)
            }
        }
        deserializer.deserialize_map(Keys).map(Self)
    }
}

/// The first key of the map that occurs twice, or what `inside` finds in a value before.
fn first_repeated<'de, A: MapAccess<'de>, V: Deserialize<'de>>(
    mut map: A,
    inside: impl Fn(V) -> Option<String>,
) -> Result<Option<String>, A::Error> {
    let (mut seen, mut repeated) = (HashSet::new(), None);
    while let Some((key, value)) = map.next_entry::<String, V>()? {
        let again = seen.contains(&key).then(|| key.clone());
        repeated = repeated.or(again).or_else(|| inside(value));
        seen.insert(key);
    }
    Ok(repeated)
}
