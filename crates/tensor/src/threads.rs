//! Threads as an explicit argument: a team that waits between the jobs of a step.

mod team;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::{MatrixViewMut, Scalar, TensorError};
use team::Team;

/// The most threads a team may have.
const MAX_THREADS: usize = 1024;

/// How many threads a computation may use, and the threads themselves.
///
/// The calling thread is one of them; the others are started by [`Threads::new`] and wait for
/// work until the last clone is dropped. Clones share the team. Nothing is computed differently:
/// every function of the workspace gives the same bits for any number of threads. If two callers
/// use one team at the same time, the second does its work alone.
///
/// ```
/// use chainrule_tensor::Threads;
/// let threads = Threads::new(2)?;
/// assert_eq!(threads.count(), 2);
/// # Ok::<(), chainrule_tensor::TensorError>(())
/// ```
#[derive(Clone)]
pub struct Threads {
    team: Option<Arc<Team>>,
}

impl Threads {
    /// The calling thread alone.
    pub fn one() -> Self {
        Self { team: None }
    }

    /// A team of `count` threads, the calling one included.
    ///
    /// # Errors
    /// [`TensorError::Threads`] if `count` is 0 or above 1024, or the system refuses a thread.
    pub fn new(count: usize) -> Result<Self, TensorError> {
        match count {
            0 => Err(TensorError::Threads { count, reason: "none at all".to_owned() }),
            1 => Ok(Self::one()),
            2..=MAX_THREADS => match Team::new(count) {
                Ok(team) => Ok(Self { team: Some(Arc::new(team)) }),
                Err(error) => Err(TensorError::Threads { count, reason: error.to_string() }),
            },
            _ => Err(TensorError::Threads { count, reason: "too many".to_owned() }),
        }
    }

    /// As many threads as the process may run at once; one if that is unknown or refused.
    pub fn available() -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(count.min(MAX_THREADS)).unwrap_or_else(|_| Self::one())
    }

    /// How many threads there are, the calling one included.
    pub fn count(&self) -> usize {
        self.team.as_ref().map_or(1, |team| team.count())
    }

    /// Runs `task(0)` to `task(parts - 1)`, each once, spread over the threads, and waits.
    ///
    /// Part `i` runs on thread `i % count`. Nothing is allocated.
    ///
    /// # Panics
    /// If a task does.
    pub fn for_each(&self, parts: usize, task: impl Fn(usize) + Sync) {
        match &self.team {
            Some(team) if parts > 1 => team.run(&|member| {
                (member..parts).step_by(team.count()).for_each(&task);
            }),
            _ => (0..parts).for_each(task),
        }
    }

    /// Cuts the rows of `matrix` into `parts` blocks of nearly equal height and runs
    /// `task(first_row, block)` on each, spread over the threads.
    ///
    /// # Panics
    /// If a task does, or there are rows but no parts.
    pub fn split_rows<S: Scalar>(
        &self,
        matrix: MatrixViewMut<'_, S>,
        parts: usize,
        task: impl Fn(usize, MatrixViewMut<'_, S>) + Sync,
    ) {
        let (rows, cols) = (matrix.rows(), matrix.cols());
        assert!(parts > 0 || rows == 0, "{rows} rows cut into no parts");
        let base = Shared(matrix.into_slice().as_mut_ptr(), false);
        self.for_each(parts, |part| {
            let first = part * rows / parts;
            let height = (part + 1) * rows / parts - first;
            let base = &base;
            // SAFETY: the borrow of `matrix` lasts until `for_each` returns; the rows
            // `first..first + height` lie within it; they are those of no other part, since the
            // parts' bounds are monotone in `part`, and `for_each` runs each part once.
            let block =
                unsafe { std::slice::from_raw_parts_mut(base.0.add(first * cols), height * cols) };
            task(first, MatrixViewMut::new(block, height, cols).expect("whole rows"));
        });
    }
}

/// Values that a thread must have at least to be worth waking.
const MIN_VALUES: usize = if cfg!(miri) { 1 << 7 } else { 1 << 14 };

impl Threads {
    /// Into how many parts it pays to cut work on so many values that goes through memory once: at
    /// least one, at most as many as there are threads.
    #[inline]
    pub fn parts(&self, values: usize) -> usize {
        (values / MIN_VALUES).clamp(1, self.count())
    }

    /// Cuts slices of one length, and empty ones, at the same places and runs `task` on the parts:
    /// `task(range, parts)`, where `range` is the part's place in the slices. Short slices stay
    /// whole, on the calling thread.
    ///
    /// # Panics
    /// If two slices that are not empty differ in length.
    ///
    /// ```
    /// use chainrule_tensor::Threads;
    /// let x = vec![2.0_f32; 100_000];
    /// let mut y = x.clone();
    /// Threads::new(2)?.split([&mut y], |range, [y]| {
    ///     y.iter_mut().zip(&x[range]).for_each(|(y, x)| *y *= x);
    /// });
    /// assert!(y.iter().all(|&y| y == 4.0));
    /// # Ok::<(), chainrule_tensor::TensorError>(())
    /// ```
    #[inline]
    pub fn split<S: Scalar, const N: usize>(
        &self,
        slices: [&mut [S]; N],
        task: impl Fn(Range<usize>, [&mut [S]; N]) + Sync,
    ) {
        let len = slices.iter().map(|slice| slice.len()).max().unwrap_or(0);
        let fit = slices.iter().all(|slice| slice.is_empty() || slice.len() == len);
        assert!(fit, "slices to split differ in length");
        let parts = self.parts(len);
        if parts == 1 {
            return task(0..len, slices);
        }
        let bases = slices.map(|slice| Shared(slice.as_mut_ptr(), slice.is_empty()));
        self.for_each(parts, |part| {
            // Whole cache lines, but for the ends.
            let cut = |part: usize| if part == parts { len } else { part * len / parts / 64 * 64 };
            let range = cut(part)..cut(part + 1);
            let slices = bases.each_ref().map(|&Shared(base, empty)| {
                let range = if empty { 0..0 } else { range.clone() };
                // SAFETY: the borrows of the slices last until `for_each` returns; the range lies
                // within them; it is that of no other part, since the cuts are monotone in
                // `part`, and `for_each` runs each part once.
                unsafe { std::slice::from_raw_parts_mut(base.add(range.start), range.len()) }
            });
            task(range, slices);
        });
    }
}

/// The start of a slice that threads share, and whether the slice is empty.
struct Shared<S>(*mut S, bool);

// SAFETY: only disjoint slices are derived from it, and `Scalar`s may be sent to any thread.
unsafe impl<S: Scalar> Sync for Shared<S> {}

impl Default for Threads {
    /// As many threads as the process may run at once.
    fn default() -> Self {
        Self::available()
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Threads").field(&self.count()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::Matrix;

    #[test]
    fn every_part_runs_once() {
        for count in 1..=4 {
            let threads = Threads::new(count).unwrap();
            for parts in [0, 1, 2, 3, 7, 16] {
                let hits: Vec<_> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                threads.for_each(parts, |part| {
                    hits[part].fetch_add(1, Ordering::Relaxed);
                });
                assert!(hits.iter().all(|hit| hit.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn rows_are_split_without_gap_or_overlap() {
        let threads = Threads::new(3).unwrap();
        for (rows, cols, parts) in [(7, 3, 3), (16, 1, 5), (2, 4, 3), (3, 0, 2)] {
            let mut matrix = Matrix::<f32>::zeros(rows, cols);
            threads.split_rows(matrix.view_mut(), parts, |first, mut block| {
                for (i, row) in block.iter_rows_mut().enumerate() {
                    row.iter_mut().for_each(|x| *x += (first + i + 1) as f32);
                }
            });
            assert_eq!(matrix, Matrix::from_fn(rows, cols, |i, _| (i + 1) as f32));
        }
    }

    #[test]
    fn slices_are_split_at_the_same_places() {
        for (count, len) in [(1, 10), (2, 2 * MIN_VALUES + 5), (3, 3 * MIN_VALUES), (2, 0)] {
            let threads = Threads::new(count).unwrap();
            let (mut x, mut y) = (vec![0.0_f32; len], vec![0.0_f32; len]);
            threads.split([&mut x, &mut [], &mut y], |range, [x, none, y]| {
                assert!(none.is_empty() && x.len() == y.len() && x.len() == range.len());
                for (i, (x, y)) in range.zip(x.iter_mut().zip(y)) {
                    *x += i as f32;
                    *y -= i as f32;
                }
            });
            assert!(x.iter().enumerate().all(|(i, &x)| x == i as f32));
            assert!(y.iter().enumerate().all(|(i, &y)| y == -(i as f32)));
        }
    }

    #[test]
    #[should_panic(expected = "differ in length")]
    fn slices_of_two_lengths_are_refused() {
        Threads::one().split([&mut [0.0_f32; 2][..], &mut [0.0; 3]], |_, _| ());
    }

    #[test]
    fn a_team_in_use_leaves_the_second_caller_its_own_thread() {
        let threads = Threads::new(2).unwrap();
        let total = AtomicUsize::new(0);
        threads.for_each(2, |_| {
            threads.for_each(3, |_| {
                total.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert_eq!(total.into_inner(), 6);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_lives_on() {
        let threads = Threads::new(2).unwrap();
        for panicking in 0..2 {
            let run = || threads.for_each(2, |part| assert_ne!(part, panicking));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
        }
        let total = AtomicUsize::new(0);
        threads.for_each(2, |part| {
            total.fetch_add(part + 1, Ordering::Relaxed);
        });
        assert_eq!(total.into_inner(), 3);
    }

    #[test]
    fn impossible_counts_are_refused() {
        assert!(matches!(Threads::new(0), Err(TensorError::Threads { count: 0, .. })));
        assert!(matches!(Threads::new(2000), Err(TensorError::Threads { count: 2000, .. })));
    }
}
