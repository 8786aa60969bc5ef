//! Saved optimizers.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use chainrule_tensor::Scalar;
use serde::de::{self, Deserializer, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::{
    Adadelta, Adagrad, Adam, AdamW, DecayOn, NAdam, OptimError, Optimizer, OptimizerConfig,
    RmsProp, Sgd,
};

/// Everything an optimizer holds: configuration (with the current learning rate), step count and
/// buffers. Training that is saved, restored and continued gives the same bits as training that
/// was never interrupted.
///
/// Values are written as numbers in `f64`, which holds `f32` exactly; in text formats the ones
/// that are not finite are the strings `inf`, `-inf` and `nan`. A text format must read floats
/// exactly: serde_json needs its feature `float_roundtrip` for states in `f64`.
///
/// ```
/// use chainrule_optim::{DecayOn, OptimizerConfig, OptimizerState};
/// let mut adam = OptimizerConfig::from_name("adam")?.build::<f32>(2, DecayOn::All)?;
/// let mut theta = [1.0, 2.0];
/// adam.step(&mut theta, &[0.5, -0.25])?;
///
/// let json = serde_json::to_string(&adam.state()).unwrap();
/// let state: OptimizerState<f32> = serde_json::from_str(&json).unwrap();
/// let mut resumed = state.restore()?;
/// assert_eq!(resumed.steps(), 1);
///
/// let mut same = theta;
/// adam.step(&mut theta, &[0.1, 0.1])?;
/// resumed.step(&mut same, &[0.1, 0.1])?;
/// assert_eq!(theta, same);
/// # Ok::<(), chainrule_optim::OptimError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(serialize = "", deserialize = ""))]
pub struct OptimizerState<S: Scalar> {
    /// The rule, its hyperparameters and the learning rate of the next step.
    pub config: OptimizerConfig,
    /// `f32` or `f64`.
    pub scalar: String,
    /// Where weight decay applies.
    pub decay_on: DecayOn,
    /// The length of θ.
    pub parameters: usize,
    /// The steps taken.
    pub steps: u64,
    /// NAdam's product of momentum coefficients; 1 for the other rules.
    pub mu_product: f64,
    /// The rule's buffers by name, each as long as θ.
    #[serde(with = "exact")]
    pub buffers: BTreeMap<String, Vec<S>>,
}

impl<S: Scalar> OptimizerState<S> {
    /// The optimizer, where it was when it was saved.
    ///
    /// # Errors
    /// [`OptimError::State`] if the state was saved with another scalar type, or a buffer is
    /// missing, unknown or of another length; the errors of
    /// [`OptimizerConfig::build`] for the configuration.
    pub fn restore(self) -> Result<Box<dyn Optimizer<S>>, OptimError> {
        if self.scalar != S::NAME {
            let problem = format!("it was saved in {}, expected {}", self.scalar, S::NAME);
            return Err(OptimError::State { optimizer: self.config.name(), problem });
        }
        Ok(match self.config.clone() {
            OptimizerConfig::Sgd(rule) => Box::new(Sgd::restore(rule, self)?),
            OptimizerConfig::Adagrad(rule) => Box::new(Adagrad::restore(rule, self)?),
            OptimizerConfig::RmsProp(rule) => Box::new(RmsProp::restore(rule, self)?),
            OptimizerConfig::Adadelta(rule) => Box::new(Adadelta::restore(rule, self)?),
            OptimizerConfig::Adam(rule) => Box::new(Adam::restore(rule, self)?),
            OptimizerConfig::AdamW(rule) => Box::new(AdamW::restore(rule, self)?),
            OptimizerConfig::NAdam(rule) => Box::new(NAdam::restore(rule, self)?),
        })
    }
}

/// Buffers whose values come back bit by bit (but for the payload of a NaN).
mod exact {
    use super::*;

    pub(super) fn serialize<S: Scalar, F: Serializer>(
        buffers: &BTreeMap<String, Vec<S>>,
        serializer: F,
    ) -> Result<F::Ok, F::Error> {
        serializer.collect_map(buffers.iter().map(|(name, values)| (name, Values(values))))
    }

    pub(super) fn deserialize<'de, S: Scalar, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, Vec<S>>, D::Error> {
        let buffers = BTreeMap::<String, Vec<Value<S>>>::deserialize(deserializer)?;
        let plain = |values: Vec<Value<S>>| values.into_iter().map(|value| value.0).collect();
        Ok(buffers.into_iter().map(|(name, values)| (name, plain(values))).collect())
    }

    struct Values<'a, S>(&'a [S]);

    impl<S: Scalar> Serialize for Values<'_, S> {
        fn serialize<F: Serializer>(&self, serializer: F) -> Result<F::Ok, F::Error> {
            serializer.collect_seq(self.0.iter().map(|&x| Value(x)))
        }
    }

    struct Value<S>(S);

    impl<S: Scalar> Serialize for Value<S> {
        fn serialize<F: Serializer>(&self, serializer: F) -> Result<F::Ok, F::Error> {
            let x = self.0.as_f64();
            if x.is_finite() || !serializer.is_human_readable() {
                return serializer.serialize_f64(x);
            }
            serializer.serialize_str(match x {
                f64::INFINITY => "inf",
                f64::NEG_INFINITY => "-inf",
                _ => "nan",
            })
        }
    }

    impl<'de, S: Scalar> Deserialize<'de> for Value<S> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let visitor = ValueVisitor(PhantomData);
            match deserializer.is_human_readable() {
                true => deserializer.deserialize_any(visitor),
                false => deserializer.deserialize_f64(visitor),
            }
        }
    }

    struct ValueVisitor<S>(PhantomData<S>);

    impl<S: Scalar> Visitor<'_> for ValueVisitor<S> {
        type Value = Value<S>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a number in the range of {}, `inf`, `-inf` or `nan`", S::NAME)
        }

        fn visit_f64<E: de::Error>(self, x: f64) -> Result<Value<S>, E> {
            let value = S::of(x);
            if x.is_finite() && !value.is_finite() {
                return Err(E::invalid_value(de::Unexpected::Float(x), &self));
            }
            Ok(Value(value))
        }

        fn visit_i64<E: de::Error>(self, x: i64) -> Result<Value<S>, E> {
            self.visit_f64(x as f64)
        }

        fn visit_u64<E: de::Error>(self, x: u64) -> Result<Value<S>, E> {
            self.visit_f64(x as f64)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Value<S>, E> {
            match text {
                "inf" => Ok(Value(S::infinity())),
                "-inf" => Ok(Value(S::neg_infinity())),
                "nan" => Ok(Value(S::nan())),
                _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
            }
        }
    }
}
