//! What the function under check returns.

/// One evaluation of the function: its value, and the smooth piece the point lies on.
///
/// A plain `f64` converts into a sample of a function without kinks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// `L(θ)`.
    pub value: f64,
    /// A signature of the smooth piece that `θ` lies on; 0 for smooth functions.
    pub piece: u64,
}

impl From<f64> for Sample {
    fn from(value: f64) -> Self {
        Self { value, piece: 0 }
    }
}

/// Hashes the pieces of many kinked units, one at a time, into one signature (64-bit FNV-1a).
///
/// ```
/// use chainrule_gradcheck::Pieces;
/// let signature = |xs: &[f64]| {
///     let mut pieces = Pieces::new();
///     xs.iter().for_each(|&x| pieces.note(u8::from(x > 0.0)));
///     pieces.finish()
/// };
/// assert_eq!(signature(&[1.0, -2.0]), signature(&[3.0, -0.5]));
/// assert_ne!(signature(&[1.0, -2.0]), signature(&[-1.0, 2.0]));
/// ```
#[derive(Clone, Debug)]
pub struct Pieces(u64);

impl Pieces {
    /// No piece noted yet.
    pub fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds the piece that the next unit is on, such as `0` left of its kink and `1` right of it.
    ///
    /// The order counts: note the units in the same order in every evaluation.
    #[inline]
    pub fn note(&mut self, piece: u8) {
        self.0 = (self.0 ^ u64::from(piece)).wrapping_mul(0x0000_0100_0000_01b3);
    }

    /// The signature of everything noted.
    pub fn finish(&self) -> u64 {
        self.0
    }
}

impl Default for Pieces {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_fnv_1a() {
        let mut pieces = Pieces::default();
        b"foobar".iter().for_each(|&b| pieces.note(b));
        // The published test vector.
        assert_eq!(pieces.finish(), 0x8594_4171_f739_67e8);
    }
}
