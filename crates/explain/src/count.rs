//! How many paths there are, and large numbers as text.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};

/// A number of paths: exact as long as it fits into 128 bits, and always approximately.
///
/// In JSON the exact number is text, since readers of JSON round whole numbers above 2⁵³, and
/// `null` beyond 128 bits.
///
/// ```
/// use chainrule_explain::PathCount;
/// let paths = PathCount::ONE.times(512).times(512).times(10);
/// assert_eq!(paths.to_string(), "2,621,440");
/// let deep = (0..40).fold(PathCount::ONE, |count, _| count.times(1000));
/// assert_eq!((deep.exact(), deep.to_string().as_str()), (None, "about 1e120"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathCount {
    exact: Option<u128>,
    approximate: f64,
}

impl PathCount {
    /// No path.
    pub const ZERO: Self = Self { exact: Some(0), approximate: 0.0 };
    /// One path.
    pub const ONE: Self = Self { exact: Some(1), approximate: 1.0 };

    /// The number, unless it is beyond 128 bits.
    pub fn exact(self) -> Option<u128> {
        self.exact
    }

    /// The number rounded to the nearest `f64`, infinite beyond its range.
    pub fn approximate(self) -> f64 {
        self.exact.map_or(self.approximate, |exact| exact as f64)
    }

    /// The number for `n` times as many ways.
    #[must_use]
    pub fn times(self, n: usize) -> Self {
        Self {
            exact: self.exact.and_then(|exact| exact.checked_mul(n as u128)),
            approximate: self.approximate * n as f64,
        }
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = self.exact.zip(other.exact).and_then(|(a, b)| a.checked_add(b));
        Self { exact: sum, approximate: self.approximate + other.approximate }
    }

    /// The number, or `most` if it is larger.
    pub(crate) fn at_most(self, most: usize) -> usize {
        self.exact.and_then(|exact| usize::try_from(exact).ok()).map_or(most, |n| n.min(most))
    }
}

impl fmt::Display for PathCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exact {
            Some(exact) if exact < 1_000_000_000_000 => f.pad(&thousands(exact)),
            Some(exact) => write!(f, "{exact}"),
            None if self.approximate.is_finite() => {
                write!(f, "about {}", crate::text::number(self.approximate))
            }
            None => f.write_str("more than 1e308"),
        }
    }
}

/// A whole number with commas at the thousands.
///
/// ```
/// assert_eq!(chainrule_explain::thousands(1_234_567), "1,234,567");
/// ```
pub fn thousands(n: u128) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Serialize for PathCount {
    fn serialize<Z: Serializer>(&self, to: Z) -> Result<Z::Ok, Z::Error> {
        let mut fields = to.serialize_struct("PathCount", 2)?;
        fields.serialize_field("exact", &self.exact.map(|exact| exact.to_string()))?;
        fields.serialize_field("approximate", &self.approximate())?;
        fields.end()
    }
}
