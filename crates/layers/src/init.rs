//! Initial values of parameters.

use std::fmt;
use std::str::FromStr;

use chainrule_tensor::Scalar;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::LayerError;

/// How a weight matrix (fan_out × fan_in) or a bias is filled.
///
/// Numbers are drawn in `f64` and rounded, so that `f32` and `f64` networks of one seed start from
/// the same values. Names read `he_normal` (or `kaiming_normal`), `xavier_uniform` (or
/// `glorot_uniform`), `constant(0.1)`, `uniform(-1,1)`.
///
/// ```
/// use chainrule_layers::Init;
/// use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
/// let mut w = [0.0_f32; 6];
/// Init::XavierUniform.fill(&mut w, 3, 2, &mut Xoshiro256PlusPlus::seed_from_u64(1));
/// assert!(w.iter().all(|w| w.abs() <= (6.0_f32 / 5.0).sqrt()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Init {
    /// All 0.
    Zeros,
    /// All the same.
    Constant(f64),
    /// Uniform between two bounds.
    Uniform(f64, f64),
    /// Normal with mean and standard deviation.
    Normal(f64, f64),
    /// Uniform on ±√(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).
    XavierUniform,
    /// Normal with variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010).
    XavierNormal,
    /// Uniform on ±√(6 / fan_in), for ReLU (He et al. 2015).
    HeUniform,
    /// Normal with variance 2 / fan_in, for ReLU (He et al. 2015).
    HeNormal,
    /// Uniform on ±√(3 / fan_in) (LeCun et al. 1998).
    LecunUniform,
    /// Normal with variance 1 / fan_in (LeCun et al. 1998), as SELU wants.
    LecunNormal,
    /// Rows (or columns, where there are fewer) orthonormal (Saxe et al. 2014).
    Orthogonal,
    /// Uniform on ±1/√fan_in: what `torch.nn.Linear` does for weights and biases.
    #[default]
    PyTorch,
}

impl Init {
    /// Every initialiser once.
    pub const ALL: [Self; 12] = [
        Self::Zeros,
        Self::Constant(0.1),
        Self::Uniform(-0.1, 0.1),
        Self::Normal(0.0, 0.1),
        Self::XavierUniform,
        Self::XavierNormal,
        Self::HeUniform,
        Self::HeNormal,
        Self::LecunUniform,
        Self::LecunNormal,
        Self::Orthogonal,
        Self::PyTorch,
    ];

    /// Fills `values`, a (fan_out × fan_in) weight matrix row by row, or a bias of a layer with
    /// these fans.
    ///
    /// A bias under [`Init::Orthogonal`], which needs a matrix, becomes 0.
    pub fn fill<S: Scalar>(
        self,
        values: &mut [S],
        fan_in: usize,
        fan_out: usize,
        rng: &mut dyn Rng,
    ) {
        let (inputs, outputs) = (fan_in as f64, fan_out as f64);
        match self {
            Self::Zeros => values.fill(S::zero()),
            Self::Constant(c) => values.fill(S::of(c)),
            Self::Uniform(low, high) => uniform(values, low, high, rng),
            Self::Normal(mean, std) => normal(values, mean, std, rng),
            Self::XavierUniform => symmetric(values, (6.0 / (inputs + outputs)).sqrt(), rng),
            Self::XavierNormal => normal(values, 0.0, (2.0 / (inputs + outputs)).sqrt(), rng),
            Self::HeUniform => symmetric(values, (6.0 / inputs).sqrt(), rng),
            Self::HeNormal => normal(values, 0.0, (2.0 / inputs).sqrt(), rng),
            Self::LecunUniform => symmetric(values, (3.0 / inputs).sqrt(), rng),
            Self::LecunNormal => normal(values, 0.0, (1.0 / inputs).sqrt(), rng),
            Self::Orthogonal if values.len() == fan_in * fan_out => {
                orthogonal(values, fan_out, fan_in, rng);
            }
            Self::Orthogonal => values.fill(S::zero()),
            Self::PyTorch => symmetric(values, 1.0 / inputs.sqrt(), rng),
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`LayerError::Value`] for parameters that are not finite, a negative deviation, or bounds
    /// in the wrong order.
    pub fn validate(self) -> Result<(), LayerError> {
        let wrong = |name, found, expected| Err(LayerError::Value { name, found, expected });
        match self {
            Self::Constant(c) if !c.is_finite() => wrong("the constant of init", c, "finite"),
            Self::Uniform(low, high) if !(low.is_finite() && high.is_finite() && low <= high) => {
                wrong("the lower bound of init", low, "finite and not above the upper bound")
            }
            Self::Uniform(low, high) if !(high - low).is_finite() => {
                wrong("the range of init", high - low, "finite")
            }
            Self::Normal(mean, _) if !mean.is_finite() => wrong("the mean of init", mean, "finite"),
            Self::Normal(_, std) if !(std.is_finite() && std >= 0.0) => {
                wrong("the standard deviation of init", std, "finite and not negative")
            }
            _ => Ok(()),
        }
    }

    fn base_name(self) -> &'static str {
        match self {
            Self::Zeros => "zeros",
            Self::Constant(_) => "constant",
            Self::Uniform(..) => "uniform",
            Self::Normal(..) => "normal",
            Self::XavierUniform => "xavier_uniform",
            Self::XavierNormal => "xavier_normal",
            Self::HeUniform => "he_uniform",
            Self::HeNormal => "he_normal",
            Self::LecunUniform => "lecun_uniform",
            Self::LecunNormal => "lecun_normal",
            Self::Orthogonal => "orthogonal",
            Self::PyTorch => "pytorch",
        }
    }
}

fn uniform<S: Scalar>(values: &mut [S], low: f64, high: f64, rng: &mut dyn Rng) {
    for value in values {
        *value = S::of(low + (high - low) * rng.random::<f64>());
    }
}

fn symmetric<S: Scalar>(values: &mut [S], bound: f64, rng: &mut dyn Rng) {
    uniform(values, -bound, bound, rng);
}

fn normal<S: Scalar>(values: &mut [S], mean: f64, std: f64, rng: &mut dyn Rng) {
    for value in values {
        *value = S::of(mean + std * rng.sample::<f64, _>(StandardNormal));
    }
}

/// Gram-Schmidt, twice for full orthogonality, on normal vectors: the shorter side becomes
/// orthonormal.
fn orthogonal<S: Scalar>(values: &mut [S], rows: usize, cols: usize, rng: &mut dyn Rng) {
    let (count, length) = (rows.min(cols), rows.max(cols));
    let mut basis = vec![0.0_f64; count * length];
    for i in 0..count {
        let (before, rest) = basis.split_at_mut(i * length);
        let vector = &mut rest[..length];
        let mut norm = 0.0;
        // A draw inside the span of those before has no direction of its own: draw again.
        while norm < 1e-6 {
            normal(vector, 0.0, 1.0, rng);
            for _ in 0..2 {
                for earlier in before.chunks_exact(length) {
                    let along: f64 = earlier.iter().zip(&*vector).map(|(e, v)| e * v).sum();
                    vector.iter_mut().zip(earlier).for_each(|(v, e)| *v -= along * e);
                }
            }
            norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        }
        vector.iter_mut().for_each(|v| *v /= norm);
    }
    for (i, value) in values.iter_mut().enumerate() {
        let (row, col) = (i / cols, i % cols);
        let (vector, place) = if rows <= cols { (row, col) } else { (col, row) };
        *value = S::of(basis[vector * length + place]);
    }
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base_name())?;
        match self {
            Self::Constant(c) => write!(f, "({c})"),
            Self::Uniform(a, b) | Self::Normal(a, b) => write!(f, "({a},{b})"),
            _ => Ok(()),
        }
    }
}

impl FromStr for Init {
    type Err = LayerError;

    fn from_str(text: &str) -> Result<Self, LayerError> {
        let unknown = || LayerError::UnknownInit {
            found: text.to_owned(),
            known: Self::ALL.map(|init| init.to_string()).join(", "),
        };
        let (base, parameters) = match text.split_once('(') {
            Some((base, rest)) => {
                let list = rest.strip_suffix(')').ok_or_else(unknown)?;
                let numbers = list.split(',').map(|n| n.trim().parse::<f64>());
                (base, numbers.collect::<Result<Vec<_>, _>>().map_err(|_| unknown())?)
            }
            None => (text, Vec::new()),
        };
        // Glorot's and Kaiming's are the other names of Xavier's and He's.
        let base = base.replace("glorot_", "xavier_").replace("kaiming_", "he_");
        let known = Self::ALL.into_iter().find(|init| init.base_name() == base);
        let init = match (known.ok_or_else(unknown)?, parameters[..].as_ref()) {
            (Self::Constant(_), &[c]) => Self::Constant(c),
            (Self::Uniform(..), &[low, high]) => Self::Uniform(low, high),
            (Self::Normal(..), &[mean, std]) => Self::Normal(mean, std),
            (Self::Constant(_) | Self::Uniform(..) | Self::Normal(..), _) => return Err(unknown()),
            (known, &[]) => known,
            _ => return Err(unknown()),
        };
        init.validate()?;
        Ok(init)
    }
}

impl TryFrom<String> for Init {
    type Error = LayerError;

    fn try_from(text: String) -> Result<Self, LayerError> {
        text.parse()
    }
}

impl From<Init> for String {
    fn from(init: Init) -> Self {
        init.to_string()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    fn filled(init: Init, fan_in: usize, fan_out: usize, seed: u64) -> Vec<f64> {
        let mut w = vec![f64::NAN; fan_in * fan_out];
        init.fill(&mut w, fan_in, fan_out, &mut Xoshiro256PlusPlus::seed_from_u64(seed));
        w
    }

    #[test]
    fn variances_are_those_of_the_papers() {
        let (fan_in, fan_out) = (300, 200);
        for (init, variance) in [
            (Init::Uniform(-1.0, 2.0), 0.75),
            (Init::Normal(0.5, 0.3), 0.09),
            (Init::XavierUniform, 2.0 / 500.0),
            (Init::XavierNormal, 2.0 / 500.0),
            (Init::HeUniform, 2.0 / 300.0),
            (Init::HeNormal, 2.0 / 300.0),
            (Init::LecunUniform, 1.0 / 300.0),
            (Init::LecunNormal, 1.0 / 300.0),
            (Init::PyTorch, 1.0 / 900.0),
        ] {
            let w = filled(init, fan_in, fan_out, 7);
            let n = w.len() as f64;
            let mean = w.iter().sum::<f64>() / n;
            let found = w.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / n;
            assert!((found / variance - 1.0).abs() < 0.03, "{init}: {found} against {variance}");
        }
    }

    #[test]
    fn orthogonal_rows_or_columns_are_orthonormal() {
        for (fan_in, fan_out) in [(7, 4), (4, 7), (5, 5), (1, 3)] {
            let w = filled(Init::Orthogonal, fan_in, fan_out, 3);
            let count = fan_in.min(fan_out);
            let at = |v: usize, p: usize| {
                if fan_out <= fan_in { w[v * fan_in + p] } else { w[p * fan_in + v] }
            };
            for i in 0..count {
                for j in 0..=i {
                    let dot: f64 = (0..fan_in.max(fan_out)).map(|p| at(i, p) * at(j, p)).sum();
                    assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-14);
                }
            }
        }
    }

    /// The bits of the generator and of what is drawn from it must not drift between versions.
    #[test]
    fn drawn_values_are_pinned() {
        let pinned = |init| filled(init, 2, 1, 42);
        assert_eq!(Xoshiro256PlusPlus::seed_from_u64(42).next_u64(), PINNED_BITS);
        assert_eq!(pinned(Init::PyTorch), PINNED_UNIFORM);
        for (found, pinned) in pinned(Init::HeNormal).iter().zip(PINNED_NORMAL) {
            assert!((found - pinned).abs() < 1e-14);
        }
    }

    const PINNED_BITS: u64 = 15_021_278_609_987_233_951;
    const PINNED_UNIFORM: [f64; 2] = [0.444_494_598_956_463_04, -0.256_225_742_361_450_46];
    const PINNED_NORMAL: [f64; 2] = [0.834_397_546_843_795_9, -0.514_962_928_147_295];

    #[test]
    fn f32_starts_from_the_rounded_values_of_f64() {
        let mut w = [0.0_f32; 6];
        Init::HeNormal.fill(&mut w, 3, 2, &mut Xoshiro256PlusPlus::seed_from_u64(9));
        let exact = filled(Init::HeNormal, 3, 2, 9);
        assert!(w.iter().zip(exact).all(|(&w, exact)| w == exact as f32));
    }

    #[test]
    fn names_round_trip_and_nonsense_is_refused() {
        for init in Init::ALL {
            assert_eq!(init.to_string().parse::<Init>(), Ok(init));
        }
        assert_eq!("glorot_uniform".parse::<Init>(), Ok(Init::XavierUniform));
        assert_eq!("kaiming_normal".parse::<Init>(), Ok(Init::HeNormal));
        for text in ["he", "constant", "constant(x)", "zeros(1)", "uniform(1)", "normal(0,1"] {
            assert!(matches!(text.parse::<Init>(), Err(LayerError::UnknownInit { .. })), "{text}");
        }
        let wide = "uniform(-1.7e308,1.7e308)";
        for text in ["uniform(2,1)", wide, "normal(0,-1)", "constant(inf)"] {
            assert!(matches!(text.parse::<Init>(), Err(LayerError::Value { .. })), "{text}");
        }
    }
}
