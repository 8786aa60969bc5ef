//! Which part of a product each thread computes.

use super::part::Part;
use super::{Begin, MAX_WHOLE, Operand};
use crate::sections::Sections;
use crate::{MatrixViewMut, Scalar, Threads};

/// Multiplications below which a product is not worth a second thread.
const MIN_WORK_PER_THREAD: usize = 1 << 18;
/// A part of a product has at least as many rows or columns.
pub(super) const MIN_BLOCK: usize = 16;
/// Rows a thread from which `Aᵀ B` is shared by them: each packs all of B then, but has its part of C in one piece.
const MANY_ROWS: usize = 256;

/// The product by tiles, each part by `run`. Each thread takes a range of its columns; of its rows, if it has fewer
/// columns or if it is `Aᵀ B` and each gets many; or some sections of its sums.
pub(super) fn multiply_tiled<S: Scalar>(
    a: Operand<'_, S>,
    b: Operand<'_, S>,
    mut c: MatrixViewMut<'_, S>,
    begin: Begin<'_, S>,
    threads: &Threads,
    run: impl Fn(&Part<S>) + Sync,
) {
    if c.rows() == 0 || c.cols() == 0 {
        return;
    }
    let whole = Part::new(a, b, c.view_mut(), begin).along_longer_side();
    let (m, n) = (whole.rows.len(), whole.cols.len());
    let most_parts = m.max(n) / MIN_BLOCK;
    if whole.k > MAX_WHOLE
        && !whole.takes_dots()
        && let Some(sections) = Sections::of(m.saturating_mul(n), whole.k, most_parts)
    {
        return multiply_sections(whole, sections, c, begin, threads, run);
    }
    let parts = match threads.count() {
        1 => 1,
        count => {
            let work = m.saturating_mul(n).saturating_mul(whole.k);
            (work / MIN_WORK_PER_THREAD).min(most_parts).clamp(1, count)
        }
    };
    if parts == 1 {
        return run(&whole);
    }
    let is_tn = whole.a.row == 1 && whole.a.col != 1;
    let by_rows = m > n || is_tn && m / parts >= MANY_ROWS;
    let whole = Shared(whole);
    threads.for_each(parts, |part| {
        let Shared(whole) = &whole;
        // Whole vectors of columns.
        let cut = |at: usize, count: usize, unit: usize| {
            (at * count.div_ceil(unit) / parts * unit).min(count)
        };
        let (rows, cols) = if by_rows {
            (cut(part, m, 1)..cut(part + 1, m, 1), 0..n)
        } else {
            (0..m, cut(part, n, MIN_BLOCK)..cut(part + 1, n, MIN_BLOCK))
        };
        run(&whole.within(rows, cols));
    });
}

/// The product in sections of its sums, each by `run`. (Not inlined: others would take longer.)
#[inline(never)]
fn multiply_sections<S: Scalar>(
    whole: Part<S>,
    sections: Sections,
    mut c: MatrixViewMut<'_, S>,
    begin: Begin<'_, S>,
    threads: &Threads,
    run: impl Fn(&Part<S>) + Sync,
) {
    let members = threads.parts((c.rows() + c.cols()).saturating_mul(whole.k));
    let whole = Shared(whole);
    sections.sum(c.as_mut_slice(), begin, (threads, members), |inner, sums| {
        let Shared(whole) = &whole;
        run(&whole.over(inner, sums));
    });
}

/// A product that the members of a team share.
struct Shared<S>(Part<S>);

// SAFETY: the operands are only read, and each member writes to rows or columns of its own or, in sections, to
// sums of its own.
unsafe impl<S: Scalar> Sync for Shared<S> {}
