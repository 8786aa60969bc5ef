//! How a computation is done: on which threads, in which precision.

use std::fmt;
use std::str::FromStr;

use crate::{TensorError, Threads};

/// What the products of `f32` matrices round their inputs to. Products of `f64` do not depend on it.
///
/// ```
/// use chainrule_tensor::Precision;
/// assert_eq!("bf16".parse(), Ok(Precision::Bf16));
/// # Ok::<(), chainrule_tensor::TensorError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// Nothing: `f32` times `f32`, added up in `f32`.
    #[default]
    F32,
    /// The nearest bf16 (8 bits of precision, the range of `f32`); the products are added up in
    /// `f32`. Everything but the factors of products stays `f32`.
    ///
    /// Meant for processors with instructions for it, elsewhere nothing is gained:
    /// [`Precision::bf16_instructions`] tells. The instructions take subnormal factors and sums for 0.
    Bf16,
}

impl Precision {
    /// The name, `"f32"` or `"bf16"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// The instructions on which bf16 products run here: `"AMX"` (on Linux) or `"AVX512-BF16"` (not on Intel's
    /// processors: it is slower than `f32` there). If `None`, inputs are rounded to bf16 and multiplied in `f32`.
    /// The environment variable `CHAINRULE_SIMD` (see [`vectorised`](crate::vectorised)) can rule them out.
    pub fn bf16_instructions() -> Option<&'static str> {
        crate::product::bf16_instructions()
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = TensorError;

    fn from_str(text: &str) -> Result<Self, TensorError> {
        [Self::F32, Self::Bf16]
            .into_iter()
            .find(|precision| precision.name() == text)
            .ok_or_else(|| TensorError::Precision { found: text.to_owned() })
    }
}

/// How a computation is done: the threads it may use, and the precision of its products.
///
/// What computes is handed one; a layer hands it on and need not look inside.
///
/// ```
/// use chainrule_tensor::{Compute, Precision, Threads};
/// let compute = Compute::from(Threads::new(2)?).with_precision(Precision::Bf16);
/// assert_eq!((compute.threads().count(), compute.precision()), (2, Precision::Bf16));
/// # Ok::<(), chainrule_tensor::TensorError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Compute {
    threads: Threads,
    precision: Precision,
}

impl Compute {
    /// On the calling thread alone, in `f32`.
    pub fn one() -> Self {
        Threads::one().into()
    }

    /// The same with products of this precision.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The threads.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The precision of products.
    pub fn precision(&self) -> Precision {
        self.precision
    }
}

impl From<Threads> for Compute {
    /// On these threads, in `f32`.
    fn from(threads: Threads) -> Self {
        Self { threads, precision: Precision::F32 }
    }
}
