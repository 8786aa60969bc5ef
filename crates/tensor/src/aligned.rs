//! Numbers at the start of a cache line.

use std::collections::TryReserveError;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::{Scalar, pages};

/// A cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Line(#[expect(dead_code, reason = "used through pointers")] [u8; 64]);

impl Line {
    pub(crate) const ZERO: Self = Self([0; 64]);
}

/// A slice of its own of fixed length, at a multiple of 64 bytes.
///
/// Where numbers are read once, as weights are for one example, it matters that vectors of them do not
/// straddle cache lines. Everything else is a slice's.
///
/// ```
/// use chainrule_tensor::AlignedVec;
/// let mut theta = AlignedVec::<f32>::zeros(5)?;
/// theta[2] = 1.5;
/// assert_eq!(*theta, [0.0, 0.0, 1.5, 0.0, 0.0]);
/// assert_eq!(theta.as_ptr() as usize % 64, 0);
/// # Ok::<(), std::collections::TryReserveError>(())
/// ```
#[derive(Clone)]
pub struct AlignedVec<S> {
    lines: Vec<Line>,
    len: usize,
    numbers: PhantomData<S>,
}

impl<S: Scalar> AlignedVec<S> {
    /// So many zeros. For 2 MiB and more Linux is asked for huge pages (for a clone it is not).
    ///
    /// # Errors
    /// If there is not that much memory.
    pub fn zeros(len: usize) -> Result<Self, TryReserveError> {
        let count = len.div_ceil(size_of::<Line>() / size_of::<S>());
        let mut lines = pages::with_capacity(count)?;
        lines.resize(count, Line::ZERO);
        Ok(Self { lines, len, numbers: PhantomData })
    }
}

impl<S: Scalar> Deref for AlignedVec<S> {
    type Target = [S];

    #[inline]
    fn deref(&self) -> &[S] {
        // SAFETY: the lines hold `len` numbers, all written: as zeros, then through the slice. Their
        // alignment is more than a number needs.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<S: Scalar> DerefMut for AlignedVec<S> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [S] {
        // SAFETY: as for `deref`; any number may be written over the bytes of lines.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl<S: Scalar> fmt::Debug for AlignedVec<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_its_numbers_from_a_line_on() {
        for len in [0, 1, 8, 16, 17, 100] {
            let mut numbers = AlignedVec::<f64>::zeros(len).unwrap();
            assert_eq!(numbers.as_ptr() as usize % 64, 0);
            assert_eq!(*numbers, vec![0.0; len]);
            numbers.iter_mut().enumerate().for_each(|(i, x)| *x = i as f64);
            let copy = numbers.clone();
            numbers.fill(-1.0);
            assert!(copy.len() == len && copy.iter().enumerate().all(|(i, &x)| x == i as f64));
            assert_eq!(format!("{copy:?}"), format!("{:?}", copy.to_vec()));
        }
    }

    #[test]
    fn more_than_there_is_is_refused() {
        assert!(AlignedVec::<f32>::zeros(usize::MAX).is_err());
    }
}
