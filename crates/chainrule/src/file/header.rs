//! What the safetensors reader lets through and a model file must not have.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::broken;
use crate::error::Result;

/// Checks the header's length against the file's and that no name occurs twice: of two tensors of
/// one name, a reader would silently take the last.
pub(super) fn check(bytes: &[u8]) -> Result<()> {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        let reason = format!("{} bytes are too few for a safetensors file", bytes.len());
        return Err(broken(reason));
    };
    let length = u64::from_le_bytes(*length);
    let header = usize::try_from(length).ok().and_then(|length| rest.get(..length));
    let Some(header) = header else {
        return Err(broken(format!(
            "not a safetensors file, or a truncated one: its header should have {length} bytes, \
             {} are there",
            rest.len()
        )));
    };
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
