//! Splits into training and test rows.

use rand::Rng;
use rand::seq::SliceRandom;

use crate::DataError;
use crate::error::reserve;

/// The rows of the two parts of a split, each in ascending order; together every row once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows to train on.
    pub train: Vec<usize>,
    /// Rows held out.
    pub test: Vec<usize>,
}

/// Splits `rows` rows at random: the test part has `rows * test_fraction` of them, rounded, at
/// least one, and at least one stays for training.
///
/// # Errors
/// [`DataError::Setting`] unless `test_fraction` lies inside (0, 1), and [`DataError::TooFewRows`]
/// for fewer than two rows.
pub fn random_split(
    rows: usize,
    test_fraction: f64,
    rng: &mut dyn Rng,
) -> Result<Split, DataError> {
    let test = test_count(rows, test_fraction)?;
    if rows < 2 {
        return Err(DataError::TooFewRows { rows, test, needed: 1 });
    }
    let mut order = numbers(rows)?;
    order.shuffle(rng);
    divide(rows, order[..test].iter().copied())
}

/// Splits rows so that the classes have the same shares in both parts.
///
/// The test part has `labels.len() * test_fraction` rows, rounded, as in [`random_split`]. Each
/// class gives its share of them, rounded down; the rows still missing come from the classes with
/// the largest remainders (Hamilton's method), so that no class is off by a whole row. Every class
/// keeps at least one row for training, whatever its share; larger classes make up for it.
///
/// # Errors
/// [`DataError::Setting`] unless `test_fraction` lies inside (0, 1), and [`DataError::TooFewRows`]
/// where the test part cannot be filled without taking the last row of a class.
///
/// ```
/// use chainrule_data::stratified_split;
/// use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
///
/// let labels = [0, 0, 0, 0, 0, 0, 1, 1, 1];
/// let split = stratified_split(&labels, 1.0 / 3.0, &mut Xoshiro256PlusPlus::seed_from_u64(7))?;
/// assert_eq!(split.test.iter().filter(|&&i| labels[i] == 0).count(), 2);
/// assert_eq!(split.test.iter().filter(|&&i| labels[i] == 1).count(), 1);
/// # Ok::<(), chainrule_data::DataError>(())
/// ```
pub fn stratified_split(
    labels: &[usize],
    test_fraction: f64,
    rng: &mut dyn Rng,
) -> Result<Split, DataError> {
    let rows = labels.len();
    let test = test_count(rows, test_fraction)?;
    // Sorted by label, a class is a run, however large the labels are.
    let mut order = numbers(rows)?;
    order.sort_by_key(|&i| labels[i]);
    let counts: Vec<usize> =
        order.chunk_by(|&i, &j| labels[i] == labels[j]).map(<[_]>::len).collect();
    if rows < counts.len() + test || rows < 2 {
        return Err(DataError::TooFewRows { rows, test, needed: counts.len().max(1) });
    }
    let shares = shares(&counts, test);
    let mut start = 0;
    for &count in &counts {
        order[start..start + count].shuffle(rng);
        start += count;
    }
    let mut start = 0;
    let tested = counts.iter().zip(&shares).flat_map(|(&count, &share)| {
        let run = &order[start..start + share];
        start += count;
        run.iter().copied()
    });
    divide(rows, tested)
}

/// How many of the `test` rows each class gives; needs `Σ (count − 1) ≥ test`.
fn shares(counts: &[usize], test: usize) -> Vec<usize> {
    let rows: usize = counts.iter().sum();
    let exact = |count: usize| count as u128 * test as u128;
    let mut shares: Vec<usize> =
        counts.iter().map(|&count| (exact(count) / rows as u128) as usize).collect();
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by_key(|&c| std::cmp::Reverse(exact(counts[c]) % rows as u128));
    let mut missing = test - shares.iter().sum::<usize>();
    while missing > 0 {
        for &c in &by_remainder {
            if missing > 0 && shares[c] + 1 < counts[c] {
                shares[c] += 1;
                missing -= 1;
            }
        }
    }
    shares
}

fn test_count(rows: usize, test_fraction: f64) -> Result<usize, DataError> {
    if !(test_fraction > 0.0 && test_fraction < 1.0) {
        return Err(DataError::Setting {
            setting: "the test fraction",
            value: test_fraction.to_string(),
            expected: "a number between 0 and 1, such as 0.25",
        });
    }
    let count = (rows as f64 * test_fraction).round() as usize;
    Ok(count.min(rows.saturating_sub(1)).max(1))
}

fn numbers(rows: usize) -> Result<Vec<usize>, DataError> {
    let mut numbers = Vec::new();
    reserve(&mut numbers, rows, "row numbers")?;
    numbers.extend(0..rows);
    Ok(numbers)
}

fn divide(rows: usize, tested: impl Iterator<Item = usize>) -> Result<Split, DataError> {
    let mut is_test = Vec::new();
    reserve(&mut is_test, rows, "row numbers")?;
    is_test.resize(rows, false);
    tested.for_each(|i| is_test[i] = true);
    let (test, train) = numbers(rows)?.into_iter().partition(|&i| is_test[i]);
    Ok(Split { train, test })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    fn rng(seed: u64) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(seed)
    }

    fn assert_partition(split: &Split, rows: usize) {
        let mut all = [&split.train[..], &split.test[..]].concat();
        all.sort_unstable();
        assert_eq!(all, (0..rows).collect::<Vec<_>>());
        assert!(split.train.is_sorted() && split.test.is_sorted());
    }

    fn of_class(rows: &[usize], labels: &[usize], class: usize) -> usize {
        rows.iter().filter(|&&i| labels[i] == class).count()
    }

    proptest! {
        #[test]
        fn random_splits_are_partitions(rows in 2_usize..300, f in 0.01_f64..0.99, seed: u64) {
            let split = random_split(rows, f, &mut rng(seed)).unwrap();
            assert_partition(&split, rows);
            let wanted = (rows as f64 * f).round().clamp(1.0, rows as f64 - 1.0);
            prop_assert_eq!(split.test.len(), wanted as usize);
            prop_assert_eq!(&split, &random_split(rows, f, &mut rng(seed)).unwrap());
        }

        #[test]
        fn stratified_splits_keep_the_shares(
            mut labels in prop::collection::vec(0_usize..6, 2..300), f in 0.02_f64..0.5, seed: u64,
        ) {
            // With two rows of each class and at most half held out, no class is ever short.
            labels.extend(labels.clone());
            let split = stratified_split(&labels, f, &mut rng(seed)).unwrap();
            assert_partition(&split, labels.len());
            let wanted = (labels.len() as f64 * f).round().max(1.0);
            prop_assert_eq!(split.test.len(), wanted as usize);
            let share = wanted / labels.len() as f64;
            for class in 0..6 {
                let all = labels.iter().filter(|&&label| label == class).count() as f64;
                let test = of_class(&split.test, &labels, class) as f64;
                prop_assert!((test - all * share).abs() < 1.0);
            }
        }

        #[test]
        fn every_class_keeps_a_training_row(
            labels in prop::collection::vec(0_usize..9, 1..60), f in 0.01_f64..0.99, seed: u64,
        ) {
            let classes = (0..9).filter(|class| labels.contains(class)).count();
            let wanted = ((labels.len() as f64 * f).round() as usize)
                .min(labels.len() - 1).max(1);
            match stratified_split(&labels, f, &mut rng(seed)) {
                Ok(split) => {
                    assert_partition(&split, labels.len());
                    prop_assert_eq!(split.test.len(), wanted);
                    for class in (0..9).filter(|class| labels.contains(class)) {
                        prop_assert!(of_class(&split.train, &labels, class) > 0);
                    }
                }
                Err(error) => {
                    prop_assert!(matches!(error, DataError::TooFewRows { .. }), "{error}");
                    prop_assert!(labels.len() < classes + wanted);
                }
            }
        }
    }

    #[test]
    fn the_rows_held_out_depend_on_the_seed() {
        let labels: Vec<usize> = (0..100).map(|i| i % 3).collect();
        let split = |seed| stratified_split(&labels, 0.2, &mut rng(seed)).unwrap();
        assert_eq!(split(1), split(1));
        assert_ne!(split(1), split(2));
    }

    #[test]
    fn senseless_fractions_and_too_few_rows_are_errors() {
        for fraction in [0.0, 1.0, -0.5, 2.0, f64::NAN, f64::INFINITY] {
            let error = random_split(10, fraction, &mut rng(0)).unwrap_err();
            assert!(matches!(error, DataError::Setting { .. }), "{error}");
        }
        for rows in [0, 1] {
            let error = random_split(rows, 0.5, &mut rng(0)).unwrap_err();
            assert!(matches!(error, DataError::TooFewRows { .. }), "{error}");
            let error = stratified_split(&vec![0; rows], 0.5, &mut rng(0)).unwrap_err();
            assert!(matches!(error, DataError::TooFewRows { .. }), "{error}");
        }
        let error = stratified_split(&[0, 1, 2, 3], 0.25, &mut rng(0)).unwrap_err();
        assert!(error.to_string().contains("1 of 4 rows"), "{error}");
    }

    #[test]
    fn labels_may_be_any_number() {
        let labels = [usize::MAX, 3, usize::MAX, 3];
        let split = stratified_split(&labels, 0.5, &mut rng(0)).unwrap();
        assert_eq!(of_class(&split.test, &labels, usize::MAX), 1);
    }
}
