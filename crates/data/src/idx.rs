//! IDX files: the format of MNIST.

mod directory;

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

pub use directory::read_idx_directory;

use crate::DataError;
use crate::error::reserve;

/// What a compressed file may unpack to at most. A plain file is bounded by its own size, a
/// compressed one could promise anything and keep it.
const MOST_UNPACKED: usize = 1 << 30;

/// The content of an IDX file with elements of type u8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdxArray {
    /// The size of each dimension; the first counts the examples.
    pub dims: Vec<usize>,
    /// All elements, the last dimension varying fastest; as many as the product of `dims`.
    pub data: Vec<u8>,
}

/// Reads an IDX file, gzipped or not; gzip is recognised by the content.
///
/// The format: two zero bytes, the element type (8 is u8), the number of dimensions, each dimension
/// as a big-endian u32, then the elements. Memory grows with what the file really holds, and never
/// beyond what the header promises.
///
/// # Errors
/// Other first bytes, elements that are not u8, dimensions whose product overflows, fewer or more
/// elements than promised, damaged gzip, more than 1 GiB out of gzip.
///
/// ```no_run
/// let images = chainrule_data::read_idx("train-images-idx3-ubyte.gz")?;
/// assert_eq!(images.dims, [60_000, 28, 28]);
/// # Ok::<(), chainrule_data::DataError>(())
/// ```
pub fn read_idx(path: impl AsRef<Path>) -> Result<IdxArray, DataError> {
    let file = path.as_ref().display().to_string();
    let input = File::open(path).map_err(|source| DataError::Io { file: file.clone(), source })?;
    read_idx_from(input, &file)
}

/// Reads IDX from any source, as [`read_idx`]; `name` names it in errors.
///
/// # Errors
/// As [`read_idx`].
///
/// ```
/// let bytes = [0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9];
/// let array = chainrule_data::read_idx_from(&bytes[..], "labels")?;
/// assert_eq!((array.dims, array.data), (vec![3], vec![7, 8, 9]));
/// # Ok::<(), chainrule_data::DataError>(())
/// ```
pub fn read_idx_from(input: impl Read, name: &str) -> Result<IdxArray, DataError> {
    let mut input = BufReader::new(input);
    let failed = |source| DataError::Io { file: name.to_owned(), source };
    if input.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]) {
        parse(MultiGzDecoder::new(input), name, MOST_UNPACKED)
    } else {
        parse(input, name, usize::MAX)
    }
}

fn parse(mut input: impl Read, name: &str, most: usize) -> Result<IdxArray, DataError> {
    let file = || name.to_owned();
    let magic = read_up_to(&mut input, 4, name)?;
    let (element, rank) = match magic[..] {
        [0, 0, element, rank] if rank > 0 => (element, rank),
        _ => {
            let bytes: Vec<String> = magic.iter().map(|byte| format!("{byte:02x}")).collect();
            let found = match &bytes[..] {
                [] => "no bytes (it is empty)".to_owned(),
                _ => format!("the bytes {}", bytes.join(" ")),
            };
            return Err(DataError::IdxMagic { file: file(), found });
        }
    };
    let unsupported = |element| Err(DataError::IdxElement { file: file(), element });
    match element {
        0x08 => {}
        0x09 => return unsupported("i8 (09)"),
        0x0b => return unsupported("i16 (0B)"),
        0x0c => return unsupported("i32 (0C)"),
        0x0d => return unsupported("f32 (0D)"),
        0x0e => return unsupported("f64 (0E)"),
        _ => {
            return Err(DataError::IdxMagic {
                file: file(),
                found: format!("the bytes 00 00 {element:02x}"),
            });
        }
    }

    let expected = 4 * usize::from(rank);
    let sizes = read_up_to(&mut input, expected, name)?;
    if sizes.len() < expected {
        let found = sizes.len();
        return Err(DataError::IdxShort {
            file: file(),
            part: " of its dimensions",
            expected,
            found,
        });
    }
    let dims: Vec<usize> = sizes
        .chunks_exact(4)
        .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize)
        .collect();
    let product = dims.iter().try_fold(1_usize, |product, &d| product.checked_mul(d));
    let too_large = |advice| DataError::IdxTooLarge { file: file(), found: dims.clone(), advice };
    let expected = product
        .filter(|&n| isize::try_from(n).is_ok())
        .ok_or_else(|| too_large("get the file again"))?;
    if expected > most {
        return Err(too_large("unpack the file with gunzip first"));
    }

    // One byte more than promised shows whether there is more.
    let mut data = read_up_to(&mut input, expected + 1, name)?;
    match data.len() {
        found if found < expected => {
            Err(DataError::IdxShort { file: file(), part: " of its elements", expected, found })
        }
        found if found > expected => Err(DataError::IdxLong { file: file(), dims, expected }),
        _ => {
            data.shrink_to_fit();
            Ok(IdxArray { dims, data })
        }
    }
}

/// The next `most` bytes, or as many as there are, in steps, so that memory follows what arrives.
fn read_up_to(input: &mut impl Read, most: usize, name: &str) -> Result<Vec<u8>, DataError> {
    const STEP: usize = 1 << 16;
    let failed = |source: io::Error| {
        let file = name.to_owned();
        match source.kind() {
            ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
                DataError::Gzip { file, source }
            }
            _ => DataError::Io { file, source },
        }
    };
    let mut data = Vec::new();
    while data.len() < most {
        let step = STEP.min(most - data.len());
        reserve(&mut data, step, name)?;
        let count = input.by_ref().take(step as u64).read_to_end(&mut data).map_err(failed)?;
        if count < step {
            break;
        }
    }
    Ok(data)
}
