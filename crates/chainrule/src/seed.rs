//! One seed, several independent streams of chance.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

/// What a stream of random numbers is for. Each has its own, so that a change in one place (no
/// dropout, other batches) leaves the others as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Splitting data into training and test examples.
    Split,
    /// Initial parameters.
    Init,
    /// The order of examples in training.
    Shuffle,
    /// Dropout masks.
    Dropout,
}

/// The generator (xoshiro256++, the same on every platform) of one stream of a seed.
///
/// ```
/// use chainrule::rand::Rng;
/// use chainrule::{Stream, rng};
/// assert_eq!(rng(7, Stream::Init).next_u64(), rng(7, Stream::Init).next_u64());
/// assert_ne!(rng(7, Stream::Init).next_u64(), rng(7, Stream::Split).next_u64());
/// ```
pub fn rng(seed: u64, stream: Stream) -> Xoshiro256PlusPlus {
    let mut seeds = Xoshiro256PlusPlus::seed_from_u64(seed);
    for _ in 0..stream as u8 {
        seeds.next_u64();
    }
    Xoshiro256PlusPlus::seed_from_u64(seeds.next_u64())
}
