//! The local derivatives of one example: what every explanation is multiplied from.
//!
//! Each layer `m` is seen as `a_m = W_m h_{m−1} + b_m` (or `a_m = h_{m−1}` for a layer without
//! weights) followed by `h_m = O_m(a_m)`.

use chainrule_autograd_manual::{Backward, Network, Param};
use chainrule_layers::LayerConfig;
use chainrule_tensor::{MatrixView, Scalar, Threads};
use serde::Serialize;

use crate::{ExplainError, text};

/// One factor of the chain rule, or a product of some: its name in the lecture's notation and its
/// value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Factor {
    /// The name, such as `∂a_21/∂h_11`.
    pub name: String,
    /// The value.
    pub value: f64,
}

/// The derivative of a vector with respect to the vector below it, `∂h/∂a` of one example, kept in
/// as many numbers as the layer has units. Both kinds are symmetric.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", content = "values", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Derivative {
    /// `∂h_j/∂a_j = d_j`, and 0 off the diagonal: an activation's `g'(a)`, or a dropout mask.
    Diagonal(Vec<f64>),
    /// `∂h_j/∂a_k = h_j (1[j = k] − h_k)` from the outputs `h` of a softmax.
    Softmax(Vec<f64>),
}

impl Derivative {
    /// `∂h_j/∂a_k`, with `j` and `k` from 1.
    ///
    /// # Panics
    /// If there is no unit `j` or `k`.
    ///
    /// ```
    /// use chainrule_explain::Derivative;
    /// assert_eq!(Derivative::Softmax(vec![0.25, 0.75]).entry(1, 2), -0.1875);
    /// ```
    pub fn entry(&self, j: usize, k: usize) -> f64 {
        let same = if j == k { 1.0 } else { 0.0 };
        let (Self::Diagonal(values) | Self::Softmax(values)) = self;
        let (j, k) = (values[j - 1], values[k - 1]);
        match self {
            Self::Diagonal(_) => {
                if same == 1.0 {
                    j
                } else {
                    0.0
                }
            }
            Self::Softmax(_) => j * (same - k),
        }
    }

    /// The product with a vector, in place: `v ← (∂h/∂a) v`, which is `(∂h/∂a)ᵀ v` too.
    ///
    /// # Panics
    /// If `v` has another length.
    pub fn apply(&self, v: &mut [f64]) {
        match self {
            Self::Diagonal(d) => {
                assert_eq!(d.len(), v.len(), "lengths differ");
                v.iter_mut().zip(d).for_each(|(v, d)| *v *= d);
            }
            Self::Softmax(h) => {
                assert_eq!(h.len(), v.len(), "lengths differ");
                let mean = dot(v, h);
                v.iter_mut().zip(h).for_each(|(v, h)| *v = h * (*v - mean));
            }
        }
    }
}

/// `Σ_j u_j v_j`.
pub(crate) fn dot(u: &[f64], v: &[f64]) -> f64 {
    u.iter().zip(v).map(|(u, v)| u * v).sum()
}

/// A row as `f64`.
pub(crate) fn widen<S: Scalar>(row: &[S]) -> Vec<f64> {
    row.iter().map(|x| x.as_f64()).collect()
}

fn config<S: Scalar>(network: &Network<S>, m: usize) -> Result<LayerConfig, ExplainError> {
    let layer = &network.layers()[m - 1];
    let unknown = || ExplainError::Layer { layer: m, name: layer.name() };
    layer.config().ok_or_else(unknown)
}

/// `∂h_m/∂a_m` of the example `row`.
pub(crate) fn activation<S: Scalar>(
    backward: &Backward<'_, '_, S>,
    m: usize,
    row: usize,
) -> Result<Derivative, ExplainError> {
    let (network, forward) = (backward.network(), backward.forward());
    let a = || widen(forward.a(m).row(row));
    Ok(match config(network, m)? {
        LayerConfig::Dense(dense) => {
            let a = a();
            let mut derivative = vec![0.0; a.len()];
            let ones = vec![1.0; a.len()];
            dense.activation().backward(&a, &ones, &mut derivative, &Threads::one());
            Derivative::Diagonal(derivative)
        }
        // The mask stands where others keep their pre-activation.
        LayerConfig::Dropout(_) => Derivative::Diagonal(a()),
        LayerConfig::Softmax(_) => Derivative::Softmax(widen(forward.h(m).row(row))),
        _ => return Err(ExplainError::Layer { layer: m, name: network.layers()[m - 1].name() }),
    })
}

/// `∂a_m/∂h_{m−1} = W_m`, or `None` for the identity of a layer without weights.
pub(crate) fn weights<S: Scalar>(
    network: &Network<S>,
    m: usize,
) -> Result<Option<MatrixView<'_, S>>, ExplainError> {
    let unknown = || ExplainError::Layer { layer: m, name: network.layers()[m - 1].name() };
    match config(network, m)? {
        LayerConfig::Dense(_) => network.weights(m).map(Some).ok_or_else(unknown),
        LayerConfig::Dropout(_) | LayerConfig::Softmax(_) => Ok(None),
        _ => Err(unknown()),
    }
}

/// The talk to the weights, `∂a_{ij}/∂W_{ijk} = h_{i−1,k}` or `∂a_{ij}/∂b_{ij} = 1`.
pub(crate) fn parameter<S: Scalar>(
    backward: &Backward<'_, '_, S>,
    param: Param,
    row: usize,
) -> Result<Factor, ExplainError> {
    let (i, j) = (param.layer(), param.neuron());
    if weights(backward.network(), i)?.is_none() {
        let name = backward.network().layers()[i - 1].name();
        return Err(ExplainError::Layer { layer: i, name });
    }
    let value = match param {
        Param::Weight { input, .. } => backward.forward().h(i - 1).row(row)[input - 1].as_f64(),
        Param::Bias { .. } => 1.0,
    };
    Ok(Factor { name: format!("∂{}/∂{param}", text::unit('a', i, j)), value })
}

/// The talk to the hidden layers, `∂a_L/∂a_{ij}`: the unit vector of `a_{ij}` pushed upward, one
/// product with a Jacobian a layer, `∂a_{m+1} = W_{m+1} (g'(a_m) ⊙ ∂a_m)`.
pub(crate) fn push_upward<S: Scalar>(
    backward: &Backward<'_, '_, S>,
    i: usize,
    j: usize,
    row: usize,
) -> Result<Vec<f64>, ExplainError> {
    let network = backward.network();
    let mut v = vec![0.0; network.layers()[i - 1].outputs()];
    v[j - 1] = 1.0;
    for m in i..network.depth() {
        activation(backward, m, row)?.apply(&mut v);
        if let Some(w) = weights(network, m + 1)? {
            let product = |w: &[S]| w.iter().zip(&v).map(|(w, v)| w.as_f64() * v).sum::<f64>();
            v = w.iter_rows().map(product).collect();
        }
    }
    Ok(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apply_is_the_product_with_the_entries() {
        let v = [0.5, -2.0, 3.0];
        for derivative in
            [Derivative::Diagonal(vec![0.1, 0.0, -4.0]), Derivative::Softmax(vec![0.2, 0.5, 0.3])]
        {
            let mut product = v;
            derivative.apply(&mut product);
            for j in 1..=3 {
                let row: Vec<f64> = (1..=3).map(|k| derivative.entry(j, k)).collect();
                assert!((product[j - 1] - dot(&row, &v)).abs() < 1e-15, "{derivative:?}");
                assert_eq!(row[j % 3], derivative.entry(j % 3 + 1, j));
            }
        }
    }
}
