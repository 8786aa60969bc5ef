//! Products of few elements with long sums, such as the weights' gradient of a narrow layer over many examples:
//! sums are cut into sections, which threads can share, where the elements alone are too few for them.

use super::destination::{Destination, Start};
use super::part::Part;
use super::{Begin, MAX_WHOLE, MIN_WORK_PER_THREAD, Shared, scratch};
use crate::{Scalar, Threads, vectorised};

/// Elements of C up to which sums longer than [`MAX_WHOLE`] are cut.
pub(super) const FEW_ELEMENTS: usize = 4096;
/// Terms of a section, at least.
const SECTION: usize = 512;
/// So that the sums of all sections of a C fit into a cache, however many terms there are.
const MAX_SECTIONS: usize = 64;
/// Sections begin at multiples of this many terms.
const UNIT: usize = 16;

/// Into how many sections the sums are cut, if they are, which depends on the shape alone.
#[inline(never)]
pub(super) fn sections<S: Scalar>(whole: &Part<S>) -> Option<usize> {
    let elements = whole.rows.len().saturating_mul(whole.cols.len());
    let cut = whole.k > MAX_WHOLE && elements <= FEW_ELEMENTS && !whole.takes_dots();
    cut.then(|| (whole.k / SECTION).min(MAX_SECTIONS))
}

/// The product in so many sections, each by `run`; their sums are added in order, then to what the product
/// starts from. `c` is what `whole` writes. (Not inlined: short products would be longer.)
#[inline(never)]
pub(super) fn multiply<S: Scalar>(
    whole: &Part<S>,
    sections: usize,
    c: &mut [S],
    begin: Begin<'_, S>,
    threads: &Threads,
    run: impl Fn(&Part<S>) + Sync,
) {
    let (elements, k) = (c.len(), whole.k);
    let room = sections * elements * size_of::<S>();
    scratch::with(&scratch::SECTIONS, [room], |[room]| {
        let room = room.cast::<S>();
        let work = elements.saturating_mul(k) / MIN_WORK_PER_THREAD;
        let members = work.min(sections).clamp(1, threads.count());
        let c_of_first = Destination { data: room, ..whole.c };
        let whole = Shared(Part { c: c_of_first, start: Start::Zero, ..whole.clone() });
        threads.for_each(members, |member| {
            let Shared(whole) = &whole;
            let cut = |at: usize| if at == sections { k } else { at * k / sections / UNIT * UNIT };
            for section in member * sections / members..(member + 1) * sections / members {
                let data = whole.c.data.wrapping_add(section * elements);
                let part = whole.over(cut(section)..cut(section + 1));
                run(&Part { c: Destination { data, ..whole.c }, ..part });
            }
        });
        // SAFETY: the room is initialised, as all of the scratch; nobody writes there any more.
        let sums = unsafe { std::slice::from_raw_parts_mut(room, sections * elements) };
        finish(sums, c, begin);
    });
}

/// Adds the sums of all sections, one after the other, and puts the whole where the product goes.
fn finish<S: Scalar>(sums: &mut [S], c: &mut [S], begin: Begin<'_, S>) {
    vectorised(
        #[inline(always)]
        || {
            let (sum, others) = sums.split_at_mut(c.len());
            for other in others.chunks_exact(c.len()) {
                add(other, sum);
            }
            match begin {
                Begin::Zero => c.copy_from_slice(sum),
                Begin::Destination => add(sum, c),
                Begin::Row(row) => {
                    let rows = c.chunks_exact_mut(row.len());
                    for (c, sum) in rows.zip(sum.chunks_exact(row.len())) {
                        c.copy_from_slice(row);
                        add(sum, c);
                    }
                }
                Begin::Subtract(eta) => {
                    for (c, &sum) in c.iter_mut().zip(&*sum) {
                        *c -= eta * sum;
                    }
                }
            }
        },
    );
}

#[inline(always)]
fn add<S: Scalar>(x: &[S], to: &mut [S]) {
    for (to, &x) in to.iter_mut().zip(x) {
        *to += x;
    }
}
