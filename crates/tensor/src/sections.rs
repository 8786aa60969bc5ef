//! Few sums of many terms, such as the gradient of a narrow layer over many examples: the terms are cut into
//! sections, which threads share, where the sums alone are too few for them.
//!
//! With a power of two of threads a thread's sections are the rows, but for a few, that it has in other loops over
//! the same examples: where two processors have no cache in common, a matrix whose rows change hands at every
//! step costs more than its arithmetic.

use std::ops::Range;

use crate::product::{Begin, MAX_WHOLE};
use crate::{MatrixViewMut, Scalar, Threads, scratch, vectorised};

/// The most sums that are cut.
pub(crate) const FEW_SUMS: usize = 4096;
/// Terms of a section, at least.
const SECTION: usize = 512;
/// So that the sums of all sections fit into a cache, however many terms there are.
const MAX_SECTIONS: usize = 64;
/// Sections begin at multiples of this many terms.
const UNIT: usize = 16;

/// How sums are cut. Threads have no say in it, or bits would depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sections {
    sums: usize,
    terms: usize,
    count: usize,
}

impl Sections {
    /// Of so many sums of so many terms, which could be shared as they are by `parts` threads: `None` if they
    /// are better not cut.
    pub(crate) fn of(sums: usize, terms: usize, parts: usize) -> Option<Self> {
        if terms <= MAX_WHOLE || !(1..=FEW_SUMS).contains(&sums) {
            return None;
        }
        // A power of two, of which threads mostly have the same number.
        let count = 1 << (terms / SECTION).min(MAX_SECTIONS).ilog2();
        (count > parts).then_some(Self { sums, terms, count })
    }

    /// Where section `at` begins, or the last one ends.
    fn cut(self, at: usize) -> usize {
        if at == self.count {
            return self.terms;
        }
        let place = at as u128 * self.terms as u128 / self.count as u128;
        place as usize / UNIT * UNIT
    }

    /// Adds the sums of sections, which `sum_of` writes, shared by so many threads, in order, and then to what
    /// `begin` says.
    pub(crate) fn sum<S: Scalar>(
        self,
        to: &mut [S],
        begin: Begin<'_, S>,
        (threads, members): (&Threads, usize),
        sum_of: impl Fn(Range<usize>, &mut [S]) + Sync,
    ) {
        let Self { sums, count, .. } = self;
        scratch::with(&scratch::SECTIONS, [count * sums * size_of::<S>()], |[room]| {
            // SAFETY: there is room for so many, at a multiple of 64 bytes, initialised, and all bits are a
            // number's; it is lent to nobody else.
            let room = unsafe { std::slice::from_raw_parts_mut(room.cast::<S>(), count * sums) };
            let rows = MatrixViewMut::new(room, count, sums).expect("a row for each section");
            threads.split_rows(rows, members.clamp(1, count), |first, mut rows| {
                for (section, sums) in (first..).zip(rows.iter_rows_mut()) {
                    sum_of(self.cut(section)..self.cut(section + 1), sums);
                }
            });
            vectorised(
                #[inline(always)]
                || {
                    let (sum, others) = room.split_at_mut(sums);
                    for other in others.chunks_exact(sums) {
                        add(other, sum);
                    }
                    finish(sum, to, begin);
                },
            );
        });
    }
}

/// Puts sums where `begin` says.
#[inline(always)]
fn finish<S: Scalar>(sums: &[S], to: &mut [S], begin: Begin<'_, S>) {
    match begin {
        Begin::Zero => to.copy_from_slice(sums),
        Begin::Destination => add(sums, to),
        Begin::Row(row) => {
            for to in to.chunks_exact_mut(row.len()) {
                to.copy_from_slice(row);
            }
            add(sums, to);
        }
        Begin::Subtract(eta) => {
            for (to, &sum) in to.iter_mut().zip(sums) {
                *to -= eta * sum;
            }
        }
    }
}

/// Adds each value to that in the same place.
#[inline(always)]
fn add<S: Scalar>(x: &[S], to: &mut [S]) {
    for (to, &x) in to.iter_mut().zip(x) {
        *to += x;
    }
}
