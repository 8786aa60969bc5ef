//! Memory that each thread keeps for packed operands, so that a product allocates only while its
//! thread has not yet met one as large.

use std::cell::Cell;

use crate::aligned::Line;

thread_local! {
    static LINES: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Lends rooms of so many bytes each, whatever they hold, at multiples of 64 bytes.
pub(super) fn with<const N: usize, R>(bytes: [usize; N], f: impl FnOnce([*mut u8; N]) -> R) -> R {
    LINES.with(|cell| {
        let mut lines = cell.take();
        let mut needed = 0;
        let starts = bytes.map(|bytes| {
            let start = needed;
            needed += bytes.div_ceil(size_of::<Line>());
            start
        });
        if lines.len() < needed {
            lines.resize(needed, Line::ZERO);
        }
        let base = lines.as_mut_ptr();
        // SAFETY: each room starts within the lines, or at their end if nothing is left for it.
        let result = f(starts.map(|start| unsafe { base.add(start) }.cast()));
        cell.set(lines);
        result
    })
}
