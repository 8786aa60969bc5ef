//! Mini-batches.

use std::ops::Range;

use chainrule_tensor::{Matrix, MatrixView, Scalar, Threads};
use rand::Rng;
use rand::seq::SliceRandom;

use crate::error::reserve;
use crate::{DataError, Dataset, Target};

/// Some examples: features and targets, row by row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Batch<'a, S> {
    /// The features, (examples × columns).
    pub features: MatrixView<'a, S>,
    /// The target of each example.
    pub target: BatchTarget<'a, S>,
}

impl<S: Scalar> Batch<'_, S> {
    /// Number of examples.
    pub fn len(&self) -> usize {
        self.features.rows()
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The targets of some examples, borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BatchTarget<'a, S> {
    /// The class of each example.
    Classes(&'a [usize]),
    /// The values, (examples × outputs).
    Values(MatrixView<'a, S>),
}

impl<S: Scalar> BatchTarget<'_, S> {
    pub(crate) fn rows_range(self, rows: Range<usize>) -> Self {
        match self {
            Self::Classes(labels) => Self::Classes(&labels[rows]),
            Self::Values(values) => Self::Values(values.rows_range(rows)),
        }
    }
}

/// Walks a data set in mini-batches; the last one is smaller where the rows do not divide evenly.
///
/// [`shuffle`](Self::shuffle) starts an epoch in a random order that depends on the generator
/// alone, [`restart`](Self::restart) one in the data's own order. Everything is allocated here:
/// later calls allocate nothing. In the data's own order, and where one batch holds all rows, the
/// batches are views of the data set itself.
///
/// ```
/// use chainrule_data::{Batches, Dataset, Target};
/// use chainrule_tensor::Matrix;
/// use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
///
/// let features = Matrix::from_fn(5, 1, |i, _| i as f64);
/// let target = Target::Values { values: features.clone(), names: vec!["y".to_owned()] };
/// let data = Dataset::new("line", features, vec!["x".to_owned()], target)?;
///
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let mut batches = Batches::new(&data, 2)?;
/// batches.shuffle(&mut rng);
/// let mut sizes = Vec::new();
/// while let Some(batch) = batches.next() {
///     sizes.push(batch.len());
/// }
/// assert_eq!(sizes, [2, 2, 1]);
/// # Ok::<(), chainrule_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Batches<'d, S> {
    data: &'d Dataset<S>,
    batch_size: usize,
    /// The next row of the epoch.
    next: usize,
    shuffled: bool,
    /// The permutation; it and the buffers are empty where one batch holds all rows.
    order: Vec<usize>,
    features: Matrix<S>,
    labels: Vec<usize>,
    values: Matrix<S>,
    threads: Threads,
}

impl<'d, S: Scalar> Batches<'d, S> {
    /// Batches of `batch_size` rows, in the data's own order until shuffled.
    ///
    /// # Errors
    /// A batch size of 0, a data set without rows, buffers that do not fit into memory.
    pub fn new(data: &'d Dataset<S>, batch_size: usize) -> Result<Self, DataError> {
        if batch_size == 0 {
            return Err(DataError::Setting {
                setting: "the batch size",
                value: "0".to_owned(),
                expected: "at least 1",
            });
        }
        let (rows, columns) = (data.len(), data.features().cols());
        if rows == 0 {
            return Err(DataError::Empty { name: data.name().to_owned(), rows, columns });
        }
        let mut batches = Self {
            data,
            batch_size: batch_size.min(rows),
            next: 0,
            shuffled: false,
            order: Vec::new(),
            features: Matrix::default(),
            labels: Vec::new(),
            values: Matrix::default(),
            threads: Threads::one(),
        };
        if batch_size < rows {
            reserve(&mut batches.order, rows, "row numbers")?;
            batches.order.extend(0..rows);
            batches.features = Matrix::try_zeros(batch_size, columns)?;
            match data.target() {
                Target::Classes { .. } => {
                    reserve(&mut batches.labels, batch_size, "labels")?;
                    batches.labels.resize(batch_size, 0);
                }
                Target::Values { values, .. } => {
                    batches.values = Matrix::try_zeros(batch_size, values.cols())?;
                }
            }
        }
        Ok(batches)
    }

    /// The most rows that a batch has: the batch size asked for, or all rows if they are fewer.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Number of batches in an epoch.
    pub fn len(&self) -> usize {
        self.data.len().div_ceil(self.batch_size)
    }

    /// Always false: a data set with rows has batches.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Gives the batches to come threads to share the copying of shuffled rows; without, they use
    /// the calling thread alone.
    pub fn set_threads(&mut self, threads: &Threads) {
        self.threads = threads.clone();
    }

    /// Starts an epoch in the data's own order.
    pub fn restart(&mut self) {
        self.next = 0;
        self.shuffled = false;
    }

    /// Starts an epoch in a random order, every order equally likely.
    ///
    /// The order depends on the generator's state alone, not on earlier epochs, so that a run can
    /// be resumed. One batch of all rows stays in the data's own order and takes nothing from the
    /// generator.
    pub fn shuffle(&mut self, rng: &mut dyn Rng) {
        self.next = 0;
        self.shuffled = !self.order.is_empty();
        for (i, row) in self.order.iter_mut().enumerate() {
            *row = i;
        }
        self.order.shuffle(rng);
    }

    /// The next batch of the epoch, or none at its end.
    #[allow(clippy::should_implement_trait, reason = "it lends its buffers, an Iterator cannot")]
    pub fn next(&mut self) -> Option<Batch<'_, S>> {
        let start = self.next;
        let end = self.data.len().min(start + self.batch_size);
        if start == end {
            return None;
        }
        self.next = end;
        if !self.shuffled {
            return Some(self.data.batch(start..end));
        }
        let (rows, count) = (&self.order[start..end], end - start);
        gather(self.data.features(), rows, &mut self.features, &self.threads);
        let target = match self.data.target() {
            Target::Classes { labels, .. } => {
                for (to, &row) in self.labels.iter_mut().zip(rows) {
                    *to = labels[row];
                }
                BatchTarget::Classes(&self.labels[..count])
            }
            Target::Values { values, .. } => {
                gather(values.view(), rows, &mut self.values, &self.threads);
                BatchTarget::Values(self.values.first_rows(count))
            }
        };
        Some(Batch { features: self.features.first_rows(count), target })
    }
}

/// Copies the given rows to the first ones of `to`.
fn gather<S: Scalar>(
    from: MatrixView<'_, S>,
    rows: &[usize],
    to: &mut Matrix<S>,
    threads: &Threads,
) {
    let parts = threads.parts(rows.len() * from.cols());
    threads.split_rows(to.first_rows_mut(rows.len()), parts, |first, mut to| {
        for (&row, to) in rows[first..].iter().zip(to.iter_rows_mut()) {
            to.copy_from_slice(from.row(row));
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    /// Row i has the features (i, −i), and i again as its target.
    fn data(rows: usize, classes: bool) -> Dataset<f64> {
        let features = Matrix::from_fn(rows, 2, |i, j| if j == 0 { i as f64 } else { -(i as f64) });
        let target = if classes {
            let names = (0..rows.max(2)).map(|i| i.to_string()).collect();
            Target::Classes { labels: (0..rows).collect(), names }
        } else {
            let values = Matrix::from_fn(rows, 1, |i, _| i as f64);
            Target::Values { values, names: vec!["y".to_owned()] }
        };
        Dataset::new("rows", features, vec!["a".to_owned(), "b".to_owned()], target).unwrap()
    }

    fn epoch(batches: &mut Batches<'_, f64>) -> (Vec<usize>, Vec<usize>) {
        let (mut rows, mut sizes) = (Vec::new(), Vec::new());
        while let Some(batch) = batches.next() {
            sizes.push(batch.len());
            for (i, x) in batch.features.iter_rows().enumerate() {
                assert_eq!(x[1], -x[0]);
                match batch.target {
                    BatchTarget::Classes(labels) => {
                        assert_eq!(labels.len(), batch.len());
                        assert_eq!(labels[i] as f64, x[0]);
                    }
                    BatchTarget::Values(values) => {
                        assert_eq!(values.rows(), batch.len());
                        assert_eq!(values.row(i), [x[0]]);
                    }
                }
                rows.push(x[0] as usize);
            }
        }
        assert_eq!(batches.next(), None);
        (rows, sizes)
    }

    proptest! {
        #[test]
        fn every_row_comes_once_with_its_target(
            rows in 1_usize..80, batch_size in 1_usize..100, classes: bool, seed: u64,
        ) {
            let data = data(rows, classes);
            let mut batches = Batches::new(&data, batch_size).unwrap();
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            prop_assert_eq!(epoch(&mut batches).0, (0..rows).collect::<Vec<_>>());
            for _ in 0..2 {
                batches.shuffle(&mut rng);
                let (mut seen, sizes) = epoch(&mut batches);
                prop_assert_eq!(sizes.len(), batches.len());
                let (last, full) = sizes.split_last().unwrap();
                prop_assert!(full.iter().all(|&size| size == batch_size));
                prop_assert_eq!(*last, rows - full.len() * batch_size);
                seen.sort_unstable();
                prop_assert_eq!(seen, (0..rows).collect::<Vec<_>>());
            }
            batches.restart();
            prop_assert_eq!(epoch(&mut batches).0, (0..rows).collect::<Vec<_>>());
        }
    }

    #[test]
    fn threads_change_no_row() {
        let features = Matrix::from_fn(100, 1000, |i, j| (i * 1000 + j) as f64);
        let names = (0..1000).map(|j| j.to_string()).collect();
        let target = Target::Values { values: features.clone(), names };
        let names = (0..1000).map(|j| j.to_string()).collect();
        let data = Dataset::new("wide", features, names, target).unwrap();
        let epoch = |count| {
            let mut batches = Batches::new(&data, 70).unwrap();
            batches.set_threads(&Threads::new(count).unwrap());
            batches.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(3));
            let mut rows = Vec::new();
            while let Some(batch) = batches.next() {
                let BatchTarget::Values(values) = batch.target else { panic!("values") };
                assert_eq!(batch.features, values);
                rows.extend_from_slice(batch.features.as_slice());
            }
            rows
        };
        let one = epoch(1);
        assert_eq!(one.len(), 100 * 1000);
        for count in [2, 3] {
            assert_eq!(epoch(count), one);
        }
    }

    #[test]
    fn the_order_depends_on_the_generator_alone() {
        let data = data(50, true);
        let mut batches = Batches::new(&data, 8).unwrap();
        let mut shuffled = |seed| {
            batches.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
            epoch(&mut batches).0
        };
        let first = shuffled(1);
        assert_ne!(first, shuffled(2));
        assert_eq!(first, shuffled(1));
        assert_ne!(first, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn batches_in_order_and_of_all_rows_are_not_copied() {
        let data = data(10, false);
        let at = |row: usize| data.features().row(row).as_ptr();
        let mut batches = Batches::new(&data, 4).unwrap();
        batches.next();
        assert_eq!(batches.next().unwrap().features.as_slice().as_ptr(), at(4));
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for size in [10, 11, usize::MAX] {
            let mut all = Batches::new(&data, size).unwrap();
            all.shuffle(&mut rng);
            let batch = all.next().unwrap();
            assert_eq!((batch.len(), batch.features.as_slice().as_ptr()), (10, at(0)));
        }
    }

    #[test]
    fn a_batch_of_nothing_is_refused() {
        let data = data(3, true);
        let error = Batches::new(&data, 0).unwrap_err();
        assert!(error.to_string().contains("batch size cannot be 0"), "{error}");
        assert!(Batches::new(&data.select(&[]), 2).is_err());
    }
}
