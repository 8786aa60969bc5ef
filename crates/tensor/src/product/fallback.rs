//! faer's products, for processors without the instructions that the tiles are written for.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::{Begin, Operand};

/// faer's product of one element type.
pub(super) trait Gemm: Sized {
    /// Rows `first..first + c.rows()` of `begin + A B` into `c`, on the calling thread.
    fn gemm_rows(
        a: Operand<'_, Self>,
        b: Operand<'_, Self>,
        first: usize,
        c: &mut [Self],
        begin: Begin<'_, Self>,
    );
}

macro_rules! gemm {
    ($float:ty) => {
        impl Gemm for $float {
            fn gemm_rows(
                a: Operand<'_, Self>,
                b: Operand<'_, Self>,
                first: usize,
                c: &mut [Self],
                begin: Begin<'_, Self>,
            ) {
                fn view<'a>(m: Operand<'a, $float>) -> MatRef<'a, $float> {
                    let view = MatRef::from_row_major_slice(m.data, m.rows, m.cols);
                    if m.transposed { view.transpose() } else { view }
                }
                let b = view(b);
                let rows = c.len() / b.ncols();
                let accum = match begin {
                    Begin::Zero => Accum::Replace,
                    Begin::Destination => Accum::Add,
                    Begin::Row(row) => {
                        c.chunks_exact_mut(row.len()).for_each(|c| c.copy_from_slice(row));
                        Accum::Add
                    }
                };
                let c = MatMut::from_row_major_slice_mut(c, rows, b.ncols());
                matmul(c, accum, view(a).subrows(first, rows), b, 1.0, Par::Seq);
            }
        }
    };
}

gemm!(f32);
gemm!(f64);
