//! Losses that are a sum of one term an output, and the sums over rows that others need.

use chainrule_tensor::{MatrixView, MatrixViewMut, Scalar, vectorised};

use crate::{LossError, Reduction, Targets, check};

/// Partial sums kept side by side.
const LANES: usize = 16;

/// Terms summed in `S` before they join the total in `f64`; a multiple of [`LANES`].
const BLOCK: usize = 256;

/// A loss `Σ_ij f(z_ij, y_ij)`, or its mean over `count(rows, cols)`.
pub(crate) struct Elementwise {
    pub(crate) name: &'static str,
    pub(crate) reduction: Reduction,
    pub(crate) count: fn(usize, usize) -> usize,
}

/// The mean over examples and outputs.
pub(crate) fn all_elements(rows: usize, cols: usize) -> usize {
    rows * cols
}

/// The mean over examples.
pub(crate) fn examples(rows: usize, _cols: usize) -> usize {
    rows
}

impl Elementwise {
    /// The value by `f(z, y, scale) = (term, scale · ∂term/∂z)`, and the gradient if asked for.
    pub(crate) fn evaluate<S: Scalar>(
        &self,
        output: MatrixView<'_, S>,
        targets: Targets<'_, S>,
        gradient: Option<MatrixViewMut<'_, S>>,
        f: impl Fn(S, S, S) -> (S, S),
    ) -> Result<S, LossError> {
        let values = check::only_values(self.name, output, targets)?;
        if let Some(gradient) = &gradient {
            check::gradient(output, gradient)?;
        }
        let scale = self.reduction.scale((self.count)(output.rows(), output.cols()));
        let gradient = gradient.map(MatrixViewMut::into_slice);
        let (z, y) = (output.as_slice(), values.as_slice());
        let total = sum_terms(z, y, S::of(scale), gradient, f);
        Ok(S::of(total * scale))
    }
}

/// `Σ term` and each derivative into `gradient`, where `f(z, y, scale) = (term, derivative)`. The
/// order of the sum depends on the length alone.
///
/// An `f` that is large is a function marked `#[inline(always)]`, not a closure: the compiler
/// leaves a large closure outside of the loop, which then is not vectorised.
pub(crate) fn sum_terms<S: Scalar>(
    z: &[S],
    y: &[S],
    scale: S,
    mut gradient: Option<&mut [S]>,
    f: impl Fn(S, S, S) -> (S, S),
) -> f64 {
    vectorised(|| {
        let (mut terms, mut unused) = ([S::zero(); BLOCK], [S::zero(); BLOCK]);
        let mut total = 0.0;
        for (i, (z, y)) in z.chunks(BLOCK).zip(y.chunks(BLOCK)).enumerate() {
            let terms = &mut terms[..z.len()];
            let gradient = match &mut gradient {
                Some(gradient) => &mut gradient[i * BLOCK..][..z.len()],
                None => &mut unused[..z.len()],
            };
            // The terms are stored first: together with their sum the loop would not vectorise.
            for (((&z, &y), term), derivative) in z.iter().zip(y).zip(&mut *terms).zip(gradient) {
                (*term, *derivative) = f(z, y, scale);
            }
            total += sum_triples(terms, terms, terms, |term, _, _| term).as_f64();
        }
        total
    })
}

/// `Σ_j f(a_j, b_j, c_j)` of slices of one length.
#[inline(always)]
pub(crate) fn sum_triples<S: Scalar, C: Copy>(
    a: &[S],
    b: &[S],
    c: &[C],
    f: impl Fn(S, S, C) -> S,
) -> S {
    let (a, a_tail) = a.as_chunks::<LANES>();
    let (b, b_tail) = b.as_chunks::<LANES>();
    let (c, c_tail) = c.as_chunks::<LANES>();
    let mut lanes = [S::zero(); LANES];
    for ((a, b), c) in a.iter().zip(b).zip(c) {
        for k in 0..LANES {
            lanes[k] += f(a[k], b[k], c[k]);
        }
    }
    let tail = a_tail.iter().zip(b_tail).zip(c_tail);
    sum_lanes(lanes) + tail.fold(S::zero(), |sum, ((&a, &b), &c)| sum + f(a, b, c))
}

#[inline(always)]
fn sum_lanes<S: Scalar>(mut lanes: [S; LANES]) -> S {
    let mut half = LANES / 2;
    while half > 0 {
        for k in 0..half {
            lanes[k] += lanes[k + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_counts_once_at_any_length() {
        for n in [1, 15, 16, 17, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 19] {
            let z: Vec<f64> = (0..n).map(|i| i as f64).collect();
            let y = vec![1.0; n];
            let mut gradient = vec![f64::NAN; n];
            let f = |z, y, scale| (z + y, scale * z);
            let expected = (n * (n + 1) / 2) as f64;
            assert_eq!(sum_terms(&z, &y, 2.0, Some(&mut gradient), f), expected);
            assert_eq!(sum_terms(&z, &y, 2.0, None, f), expected);
            assert!(gradient.iter().zip(&z).all(|(&g, &z)| g == 2.0 * z));
            assert_eq!(sum_triples(&z, &y, &z, |a, b, c| a * 2.0 - c + b), expected);
        }
    }

    #[test]
    fn a_long_f32_sum_keeps_its_digits() {
        let (z, y) = (vec![0.1_f32; 1 << 20], vec![0.0; 1 << 20]);
        let mean = sum_terms(&z, &y, 1.0, None, |z, _, _| (z, z)) / f64::from(1 << 20);
        assert!((mean - 0.1).abs() < 2e-7, "{mean}");
    }
}
