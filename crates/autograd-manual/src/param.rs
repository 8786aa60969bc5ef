//! The lecture's names of parameters.

use std::fmt;
use std::str::FromStr;

use crate::NetworkError;

/// One weight `W_{ijk}` or bias `b_{ij}`, by the lecture's indices, all counted from 1: layer `i`,
/// neuron `j`, input `k`.
///
/// Written `W_112` or `b_21` where every number has one digit, else with commas: `W_1,12,3`,
/// `b_2,10`. A comma form is read for single digits too.
///
/// ```
/// use chainrule_autograd_manual::Param;
/// let w: Param = "W_112".parse()?;
/// assert_eq!(w, Param::Weight { layer: 1, neuron: 1, input: 2 });
/// assert_eq!(Param::Bias { layer: 2, neuron: 10 }.to_string(), "b_2,10");
/// # Ok::<(), chainrule_autograd_manual::NetworkError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Param {
    /// `W_{ijk}`: from neuron `k` of layer `i − 1` to neuron `j` of layer `i`.
    Weight {
        /// Layer `i`, from 1.
        layer: usize,
        /// Neuron `j` of that layer, from 1.
        neuron: usize,
        /// Input `k`, a neuron of the layer below, from 1.
        input: usize,
    },
    /// `b_{ij}`, of neuron `j` of layer `i`.
    Bias {
        /// Layer `i`, from 1.
        layer: usize,
        /// Neuron `j` of that layer, from 1.
        neuron: usize,
    },
}

impl Param {
    /// The layer `i`, from 1.
    pub fn layer(self) -> usize {
        match self {
            Self::Weight { layer, .. } | Self::Bias { layer, .. } => layer,
        }
    }

    /// The neuron `j` of the layer, from 1.
    pub fn neuron(self) -> usize {
        match self {
            Self::Weight { neuron, .. } | Self::Bias { neuron, .. } => neuron,
        }
    }
}

/// Indices as the lecture writes them: run together where each has one digit, else with commas.
pub(crate) fn subscript(indices: &[usize]) -> String {
    let separator = if indices.iter().all(|&i| i < 10) { "" } else { "," };
    indices.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::Weight { layer, neuron, input } => {
                format!("W_{}", subscript(&[layer, neuron, input]))
            }
            Self::Bias { layer, neuron } => format!("b_{}", subscript(&[layer, neuron])),
        };
        f.pad(&text)
    }
}

/// A positive decimal number without sign or leading zero.
fn index(text: &str) -> Option<usize> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| canonical)
}

impl FromStr for Param {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let refused = || NetworkError::ParamName { found: text.to_owned() };
        let (letter, subscript) = text.split_once('_').ok_or_else(refused)?;
        let indices: Option<Vec<usize>> = if subscript.contains(',') {
            subscript.split(',').map(index).collect()
        } else {
            subscript.char_indices().map(|(i, c)| index(&subscript[i..i + c.len_utf8()])).collect()
        };
        match (letter, indices.ok_or_else(refused)?[..].as_ref()) {
            ("W", &[layer, neuron, input]) => Ok(Self::Weight { layer, neuron, input }),
            ("b", &[layer, neuron]) => Ok(Self::Bias { layer, neuron }),
            _ => Err(refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        let weight = |layer, neuron, input| Param::Weight { layer, neuron, input };
        assert_eq!("W_112".parse::<Param>().unwrap(), weight(1, 1, 2));
        assert_eq!("W_1,1,2".parse::<Param>().unwrap(), weight(1, 1, 2));
        assert_eq!("W_1,12,3".parse::<Param>().unwrap(), weight(1, 12, 3));
        assert_eq!("b_2,10".parse::<Param>().unwrap(), Param::Bias { layer: 2, neuron: 10 });
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "W",
            "W_",
            "W_1",
            "W_11",
            "W_1112",
            "W_012",
            "W_102",
            "W_1,2",
            "W_1,,2",
            "W_1,2,",
            "W_1,02,3",
            "W_1,+2,3",
            "W_1, 2,3",
            "w_112",
            "b_1",
            "b_112",
            "B_11",
            "W112",
            "W_11é",
            "W_99999999999999999999999,1,1",
            " W_112",
        ] {
            assert!(text.parse::<Param>().is_err(), "{text:?} was read");
        }
    }

    #[test]
    fn display_pads_and_reads_back() {
        for param in ["W_112", "W_1,12,3", "b_21", "b_2,10"] {
            assert_eq!(param.parse::<Param>().unwrap().to_string(), param);
        }
        assert_eq!(format!("{:>8}", Param::Bias { layer: 1, neuron: 2 }), "    b_12");
    }
}
