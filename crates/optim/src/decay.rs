//! Where weight decay applies.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::OptimError;

/// The part of θ that weight decay shrinks.
///
/// Biases are usually left out: with a network's layout table, the ranges are those of the weights.
///
/// ```
/// use chainrule_optim::DecayOn;
/// // θ = [W_1 (6), b_1 (2), W_2 (2), b_2 (1)]: weights only.
/// let weights = DecayOn::Ranges(vec![0..6, 8..10]);
/// assert!(weights.validate(11).is_ok());
/// assert!(weights.validate(9).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecayOn {
    /// Every parameter, as PyTorch does with one parameter group.
    #[default]
    All,
    /// The union of these ranges of θ, in any order. An empty list decays nothing.
    Ranges(Vec<Range<usize>>),
}

/// Neighbouring parameters that are all decayed, or all not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) len: usize,
    pub(crate) decays: bool,
}

impl DecayOn {
    /// Checks that every range lies inside a θ of this length.
    ///
    /// # Errors
    /// [`OptimError::DecayRange`] for the first that does not.
    pub fn validate(&self, parameters: usize) -> Result<(), OptimError> {
        let Self::Ranges(ranges) = self else { return Ok(()) };
        match ranges.iter().enumerate().find(|(_, r)| r.start > r.end || r.end > parameters) {
            None => Ok(()),
            Some((i, &Range { start, end })) => {
                Err(OptimError::DecayRange { number: i + 1, start, end, parameters })
            }
        }
    }

    /// Segments that cover θ once, from its start to its end.
    pub(crate) fn segments(&self, parameters: usize) -> Result<Vec<Segment>, OptimError> {
        self.validate(parameters)?;
        let mut ranges = match self {
            Self::All => std::iter::once(0..parameters).collect(),
            Self::Ranges(ranges) => ranges.clone(),
        };
        ranges.sort_unstable_by_key(|r| r.start);
        let mut segments: Vec<Segment> = Vec::new();
        let mut push = |len: usize, decays: bool| match segments.last_mut() {
            _ if len == 0 => {}
            Some(last) if last.decays == decays => last.len += len,
            _ => segments.push(Segment { len, decays }),
        };
        let mut at = 0;
        for range in ranges {
            push(range.start.saturating_sub(at), false);
            push(range.end.saturating_sub(range.start.max(at)), true);
            at = at.max(range.end);
        }
        push(parameters - at, false);
        Ok(segments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn segments_merge_and_cover() {
        let segments = DecayOn::Ranges(vec![5..7, 0..2, 1..3, 7..8, 4..4]).segments(10).unwrap();
        let expected = [(3, true), (2, false), (3, true), (2, false)];
        assert_eq!(segments, expected.map(|(len, decays)| Segment { len, decays }));
        assert!(DecayOn::All.segments(0).unwrap().is_empty());
        assert_eq!(
            DecayOn::Ranges(vec![]).segments(3).unwrap(),
            [Segment { len: 3, decays: false }]
        );
    }

    #[test]
    fn a_range_outside_is_named() {
        let error = DecayOn::Ranges(vec![0..2, 3..6]).validate(5).unwrap_err().to_string();
        assert!(error.contains("range 2 is 3..6") && error.contains("5 values"), "{error}");
        let reversed = Range { start: 3, end: 1 };
        assert!(DecayOn::Ranges(vec![reversed]).validate(5).is_err());
    }

    proptest! {
        #[test]
        fn segments_say_for_each_parameter_whether_it_decays(
            ranges in prop::collection::vec((0_usize..30, 0_usize..10), 0..6)
        ) {
            let ranges: Vec<_> = ranges.into_iter().map(|(start, n)| start..start + n).collect();
            let segments = DecayOn::Ranges(ranges.clone()).segments(40).unwrap();
            let flags: Vec<bool> =
                segments.iter().flat_map(|s| std::iter::repeat_n(s.decays, s.len)).collect();
            let expected: Vec<bool> =
                (0..40).map(|i| ranges.iter().any(|r| r.contains(&i))).collect();
            prop_assert_eq!(flags, expected);
        }
    }
}
