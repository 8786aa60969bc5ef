//! Few sums of many terms, such as the gradient of a narrow layer over many examples: the terms are cut into
//! sections, which threads share, where the sums alone are too few for them.
//!
//! A thread's sections are the rows that it has in other loops over the same examples: where two processors
//! have no cache in common, a matrix whose rows change hands at every step costs more than its arithmetic.

use std::ops::Range;

use crate::product::MAX_WHOLE;
use crate::{MatrixViewMut, Scalar, Threads, scratch, vectorised};

/// Sums up to which long ones are cut.
pub(crate) const FEW_SUMS: usize = 4096;
/// Terms of a section, at least.
const SECTION: usize = 512;
/// So that the sums of all sections fit into a cache, however many terms there are.
const MAX_SECTIONS: usize = 64;
/// Sections begin at multiples of this many terms.
const UNIT: usize = 16;

/// Into how many sections so many terms of each of so many sums are cut, if they are. Threads do not count, or
/// bits would depend on them.
#[inline]
pub(crate) fn sections(sums: usize, terms: usize) -> Option<usize> {
    let cut = terms > MAX_WHOLE && (1..=FEW_SUMS).contains(&sums);
    // A power of two, of which threads mostly have the same number.
    cut.then(|| 1 << (terms / SECTION).min(MAX_SECTIONS).ilog2())
}

/// The sums of all terms, which `then` gets, from those of sections, which `sum_of` writes, on so many threads.
pub(crate) fn sum<S: Scalar>(
    (sums, terms, sections): (usize, usize, usize),
    threads: &Threads,
    members: usize,
    sum_of: impl Fn(Range<usize>, &mut [S]) + Sync,
    then: impl FnOnce(&[S]),
) {
    let cut = |at: usize| if at == sections { terms } else { at * terms / sections / UNIT * UNIT };
    scratch::with(&scratch::SECTIONS, [sections * sums * size_of::<S>()], |[room]| {
        // SAFETY: there is room for so many, at a multiple of 64 bytes, initialised, and all bits are a
        // number's; it is lent to nobody else.
        let room = unsafe { std::slice::from_raw_parts_mut(room.cast::<S>(), sections * sums) };
        let rows = MatrixViewMut::new(room, sections, sums).expect("a row for each section");
        threads.split_rows(rows, members.clamp(1, sections), |first, mut rows| {
            for (section, sums) in (first..).zip(rows.iter_rows_mut()) {
                sum_of(cut(section)..cut(section + 1), sums);
            }
        });
        let (sum, others) = room.split_at_mut(sums);
        for other in others.chunks_exact(sums) {
            add(other, sum);
        }
        then(sum);
    });
}

/// Adds each value to that in the same place.
pub(crate) fn add<S: Scalar>(x: &[S], to: &mut [S]) {
    vectorised(
        #[inline(always)]
        || {
            for (to, &x) in to.iter_mut().zip(x) {
                *to += x;
            }
        },
    );
}
