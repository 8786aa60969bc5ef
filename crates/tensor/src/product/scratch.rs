//! Memory that each thread keeps for packed operands, so that a product allocates only while its
//! thread has not yet met one as large.

use std::cell::Cell;

/// A cache line, the alignment of the packed operands.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "written and read through pointers")] [u8; 64]);

thread_local! {
    static LINES: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Lends room for `count` values, whatever they hold, at a multiple of 64 bytes.
pub(super) fn with<T: Copy, R>(count: usize, f: impl FnOnce(*mut T) -> R) -> R {
    LINES.with(|cell| {
        let mut lines = cell.take();
        let needed = (count * size_of::<T>()).div_ceil(size_of::<Line>());
        if lines.len() < needed {
            lines.resize(needed, Line([0; 64]));
        }
        let result = f(lines.as_mut_ptr().cast());
        cell.set(lines);
        result
    })
}
