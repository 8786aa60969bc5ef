//! Memory that each thread keeps, so that a product or sum allocates only while its thread has not yet met one
//! as large.

use std::cell::Cell;
use std::thread::LocalKey;

use crate::aligned::Line;
use crate::pages;

/// A thread's memory, for one user at a time.
type Lines = Cell<Vec<Line>>;

thread_local! {
    /// Of packed operands.
    pub(crate) static PACKED: Lines = const { Cell::new(Vec::new()) };
    /// Of the sums of sections, during which products pack.
    pub(crate) static SECTIONS: Lines = const { Cell::new(Vec::new()) };
}

/// Lends rooms of so many bytes each, initialised to whatever they hold, at multiples of 64 bytes.
pub(crate) fn with<const N: usize, R>(
    lines: &'static LocalKey<Lines>,
    bytes: [usize; N],
    f: impl FnOnce([*mut u8; N]) -> R,
) -> R {
    lines.with(|cell| {
        let mut lines = cell.take();
        let mut needed = 0;
        let starts = bytes.map(|bytes| {
            let start = needed;
            needed += bytes.div_ceil(size_of::<Line>());
            start
        });
        if lines.len() < needed {
            drop(lines);
            lines = pages::with_capacity(needed).expect("memory to work in");
            lines.resize(needed, Line::ZERO);
        }
        let base = lines.as_mut_ptr();
        // SAFETY: each room starts within the lines, or at their end if nothing is left for it.
        let result = f(starts.map(|start| unsafe { base.add(start) }.cast()));
        cell.set(lines);
        result
    })
}
