//! Exponentials of rows, scaled, as the softmax and the gradient of its cross-entropy are.

use pulp::{Simd, WithSimd};

use super::short_rows::{ROWS, ShortRows};
use super::{RowSum, blocks_of_rows};
use crate::simd::{arch, is_fused};
use crate::{MatrixView, MatrixViewMut, Scalar};

/// [`exponential_rows`](super::exponential_rows), each times `factor(others)` ([`RowSum::others`]) but for one
/// place of each row, if `except(i, sum, e)` gives one, and what goes there; `e(j)` is an exponential. Short rows
/// are worked out together, down their columns; `factor` must take any number, as it may be asked for rows that
/// there are not. `a` and `out` are (examples × classes).
///
/// Mark the closures `#[inline(always)]`, as there.
///
/// # Panics
/// If the shapes differ, or a row does not have the place, or the `j` of `e(j)`.
///
/// ```
/// use chainrule_tensor::{Matrix, kernels::scaled_exponential_rows};
/// let a = Matrix::from_rows(&[[7.0_f32, 7.0, 7.0]]);
/// let mut y = Matrix::zeros(1, 3);
/// let factor = |others| 3.0 / (1.0 + others);
/// scaled_exponential_rows(a.view(), y.view_mut(), factor, |_, _, e| Some((1, e(1) - 3.0)));
/// assert_eq!(y.as_slice(), [1.0, -2.0, 1.0]);
/// ```
pub fn scaled_exponential_rows<S: Scalar>(
    a: MatrixView<'_, S>,
    out: MatrixViewMut<'_, S>,
    factor: impl Fn(S) -> S,
    except: impl FnMut(usize, RowSum<S>, &dyn Fn(usize) -> S) -> Option<(usize, S)>,
) {
    assert_eq!((a.rows(), a.cols()), (out.rows(), out.cols()), "shapes differ");
    arch().dispatch(ScaledRows { a, out, factor, except });
}

struct ScaledRows<'a, S, F, E> {
    a: MatrixView<'a, S>,
    out: MatrixViewMut<'a, S>,
    factor: F,
    except: E,
}

impl<S, F, E> WithSimd for ScaledRows<'_, S, F, E>
where
    S: Scalar,
    F: Fn(S) -> S,
    E: FnMut(usize, RowSum<S>, &dyn Fn(usize) -> S) -> Option<(usize, S)>,
{
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        let Self { a, mut out, factor, mut except } = self;
        let (cols, out) = (a.cols(), out.as_mut_slice());
        let Some(mut rows) = ShortRows::of(cols) else {
            return blocks_of_rows(
                is_fused::<V>(),
                a.as_slice(),
                out,
                cols.max(1),
                #[inline(always)]
                |i, out, sum| {
                    let (factor, exception) = (factor(sum.others), except(i, sum, &|j| out[j]));
                    for e in &mut *out {
                        *e *= factor;
                    }
                    if let Some((place, value)) = exception {
                        out[place] = value;
                    }
                },
            );
        };
        let blocks = a.as_slice().chunks(ROWS * cols).zip(out.chunks_mut(ROWS * cols));
        for (block, (a, out)) in blocks.enumerate() {
            rows.take(simd, a);
            rows.scale_into(
                simd,
                out,
                &factor,
                #[inline(always)]
                |i, sum, e| except(block * ROWS + i, sum, e),
            );
        }
    }
}
