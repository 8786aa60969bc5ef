//! The names of activations, in text and in files.

use std::fmt;
use std::str::FromStr;

use super::Activation;
use crate::LayerError;

impl Activation {
    /// What the parameter is called, if the activation has one: here, and in PyTorch.
    fn parameter_names(self) -> &'static [&'static str] {
        match self {
            Self::LeakyRelu { .. } => &["slope", "negative_slope"],
            Self::Elu { .. } => &["alpha"],
            _ => &[],
        }
    }

    fn base_name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::LeakyRelu { .. } => "leaky_relu",
            Self::Elu { .. } => "elu",
            Self::Selu => "selu",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_tanh",
            Self::Silu => "silu",
            Self::Softplus => "softplus",
            Self::Softsign => "softsign",
            Self::HardSigmoid => "hard_sigmoid",
            Self::HardSwish => "hard_swish",
            Self::Mish => "mish",
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base_name())?;
        match self {
            Self::LeakyRelu { slope: parameter } | Self::Elu { alpha: parameter } => {
                write!(f, "({parameter})")
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for Activation {
    type Err = LayerError;

    fn from_str(text: &str) -> Result<Self, LayerError> {
        let unknown = || LayerError::UnknownActivation {
            found: text.to_owned(),
            known: Self::ALL.map(|g| g.to_string()).join(", "),
        };
        let (base, parameter) = match text.split_once('(') {
            Some((base, rest)) => (base, Some(rest.strip_suffix(')').ok_or_else(unknown)?)),
            None => (text, None),
        };
        let known = Self::ALL.into_iter().find(|g| g.base_name() == base).ok_or_else(unknown)?;
        let number = |text: &str| {
            let number = match text.split_once('=') {
                Some((name, number)) => {
                    known.parameter_names().contains(&name.trim()).then_some(number)?
                }
                None => text,
            };
            number.trim().parse::<f64>().ok()
        };
        let parameter = parameter.map(|text| number(text).ok_or_else(unknown)).transpose()?;
        let activation = match (known, parameter) {
            (known, None) => known,
            (Self::LeakyRelu { .. }, Some(slope)) => Self::LeakyRelu { slope },
            (Self::Elu { .. }, Some(alpha)) => Self::Elu { alpha },
            (_, Some(_)) => return Err(unknown()),
        };
        activation.validate()?;
        Ok(activation)
    }
}

impl TryFrom<String> for Activation {
    type Error = LayerError;

    fn try_from(text: String) -> Result<Self, LayerError> {
        text.parse()
    }
}

impl From<Activation> for String {
    fn from(activation: Activation) -> Self {
        activation.to_string()
    }
}
