//! IDX files as they come, good and bad.
#![cfg(feature = "idx")]

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use chainrule_data::{DataError, IdxArray, Task, read_idx, read_idx_directory, read_idx_from};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

fn idx(element: u8, dims: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, element, dims.len() as u8];
    dims.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<IdxArray, DataError> {
    read_idx_from(bytes, "t.idx")
}

fn error(bytes: &[u8]) -> String {
    let plain = read(bytes).unwrap_err().to_string();
    assert_eq!(read(&gzip(bytes)).unwrap_err().to_string(), plain);
    assert!(plain.contains("t.idx"), "{plain}");
    plain
}

#[test]
fn faults_of_the_header_are_named() {
    assert!(error(b"").contains("starts with no bytes (it is empty)"));
    assert!(error(b"\x00\x00").contains("starts with the bytes 00 00,"));
    assert!(error(b"a,b,c\n1,2,3\n").contains("61 2c 62 2c"));
    assert!(error(&idx(8, &[], &[])).contains("no IDX file"));
    assert!(error(&idx(0x0a, &[1], &[1])).contains("no IDX file"));
    for (element, name) in [(9, "i8"), (0x0b, "i16"), (0x0c, "i32"), (0x0d, "f32"), (0x0e, "f64")] {
        let message = error(&idx(element, &[1], &[0; 8]));
        assert!(message.contains(name) && message.contains("unsupported"), "{message}");
    }
    assert!(error(&idx(8, &[2, 2], &[])[..9]).contains("after 5 of 8 bytes of its dimensions"));
    let overflow = error(&idx(8, &[u32::MAX; 3], &[1, 2, 3]));
    assert!(overflow.contains("too large"), "{overflow}");
    assert!(error(&idx(8, &[u32::MAX; 255], &[1])).contains("too large"));
}

#[test]
fn counts_that_lie_are_named() {
    assert!(error(&idx(8, &[2, 3], &[0; 5])).contains("after 5 of 6 bytes of its elements"));
    assert!(error(&idx(8, &[2, 3], &[0; 7])).contains("more than the 6 bytes"));
    // Far more promised than there is: an error at once, without the memory.
    let promised = idx(8, &[u32::MAX, u32::MAX >> 2], &[0; 10]);
    assert!(read(&promised).unwrap_err().to_string().contains("after 10 of"));
    assert!(read(&gzip(&promised)).unwrap_err().to_string().contains("gunzip"));
}

/// Counts the bytes taken.
struct Counted<'a, R>(R, &'a mut usize);

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        *self.1 += count;
        Ok(count)
    }
}

#[test]
fn a_gzip_bomb_is_not_unpacked() {
    let mut bytes = idx(8, &[10], &[]);
    bytes.resize(200 << 20, 0);
    let bomb = gzip(&bytes);
    let mut taken = 0;
    let error = read_idx_from(Counted(&bomb[..], &mut taken), "bomb").unwrap_err();
    assert!(matches!(error, DataError::IdxLong { expected: 10, .. }), "{error}");
    assert!(taken < 1 << 15 && taken < bomb.len() / 4, "{taken} of {} bytes read", bomb.len());

    let endless = idx(8, &[4], &[]).into_iter();
    let endless: Vec<u8> = endless.chain([1; 4]).collect();
    let error = read_idx_from(endless.chain(io::repeat(7)), "endless").unwrap_err();
    assert!(matches!(error, DataError::IdxLong { .. }), "{error}");
}

#[test]
fn damaged_gzip_is_an_error() {
    let data: Vec<u8> = (0..5000_u32).map(|i| (i * i % 251) as u8).collect();
    let whole = gzip(&idx(8, &[5000], &data));
    assert_eq!(read(&whole).unwrap().data, data);
    for cut in [3, 12, whole.len() / 2, whole.len() - 9, whole.len() - 4] {
        let error = read(&whole[..cut]).unwrap_err();
        assert!(matches!(error, DataError::Gzip { .. }), "{cut}: {error}");
        assert!(error.to_string().contains("ends early"), "{error}");
    }
    let mut flipped = whole.clone();
    let checksum = flipped.len() - 8;
    flipped[checksum] ^= 1;
    let trailing = [&whole[..], b"and more"].concat();
    for bytes in [flipped, trailing] {
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.starts_with("t.idx: the gzip data is damaged"), "{error}");
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        dims in prop::collection::vec(0_u32..12, 1..4), seed: u8, zipped: bool,
    ) {
        let count: u32 = dims.iter().product();
        let data: Vec<u8> = (0..count).map(|i| (i as u8).wrapping_mul(37) ^ seed).collect();
        let bytes = idx(8, &dims, &data);
        let array = read(&if zipped { gzip(&bytes) } else { bytes }).unwrap();
        prop_assert_eq!(array.data, data);
        prop_assert_eq!(array.dims, dims.iter().map(|&d| d as usize).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        head in prop::sample::select(vec![&[0, 0, 8][..], &[0x1f, 0x8b, 8], &[]]),
        tail in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        if let Ok(array) = read(&[head, &tail].concat()) {
            prop_assert_eq!(array.data.len(), array.dims.iter().product::<usize>());
        }
    }
}

const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

fn contents() -> [Vec<u8>; 4] {
    [
        idx(8, &[3, 1, 2], &[0, 1, 2, 3, 4, 255]),
        idx(8, &[3], &[0, 2, 0]),
        idx(8, &[2, 1, 2], &[9, 8, 7, 6]),
        idx(8, &[2], &[3, 0]),
    ]
}

fn write(folder: &Path, names: [&str; 4], contents: &[Vec<u8>; 4]) {
    for (name, bytes) in names.iter().zip(contents) {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn a_folder_is_training_and_test_data() {
    let dotted = [
        "train-images.idx3-ubyte",
        "train-labels.idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels.idx1-ubyte",
    ];
    let plain = contents();
    let zipped = contents().map(|bytes| gzip(&bytes));
    // Neither the dot nor the ending decides what is in a file.
    for (names, contents) in
        [(FILES, &plain), (dotted, &plain), (FILES, &zipped), (dotted, &zipped)]
    {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), names, contents);
        let (train, test) = read_idx_directory::<f32>(folder.path()).unwrap();
        assert_eq!(train.features().as_slice(), [0.0, 1.0, 2.0, 3.0, 4.0, 255.0]);
        assert_eq!(
            (train.labels().unwrap(), test.labels().unwrap()),
            (&[0, 2, 0][..], &[3, 0][..])
        );
        assert_eq!(train.class_names().unwrap(), ["0", "1", "2", "3"]);
        assert_eq!(test.class_names(), train.class_names());
        assert_eq!(train.feature_names(), ["p0", "p1"]);
        assert_eq!((train.target_name(), train.task()), (Some("label"), Task::Classes));
        assert!(train.name().ends_with("(train)") && test.name().ends_with("(test)"));
    }
}

fn folder_error(change: impl FnOnce(&mut [Vec<u8>; 4])) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut contents = contents();
    change(&mut contents);
    write(folder.path(), FILES, &contents);
    read_idx_directory::<f32>(folder.path()).unwrap_err().to_string()
}

#[test]
fn files_that_do_not_belong_together_are_named() {
    let message = folder_error(|files| files[1] = idx(8, &[2], &[0, 2]));
    assert!(message.contains(FILES[1]) && message.contains("3 labels"), "{message}");
    let message = folder_error(|files| files[0] = idx(8, &[0, 1, 2], &[]));
    assert!(message.contains(FILES[0]) && message.contains("0 rows"), "{message}");
    let vast = [0, u32::MAX, u32::MAX, u32::MAX];
    let message = folder_error(|files| files[0] = idx(8, &vast, &[]));
    assert!(message.contains(FILES[0]) && message.contains("0 rows"), "{message}");
    let message = folder_error(|files| files[2] = idx(8, &[2, 1, 1], &[1, 2]));
    assert!(message.contains(FILES[2]) && message.contains("[1, 2]"), "{message}");
    let message = folder_error(|files| files.swap(0, 1));
    assert!(message.contains(FILES[1]) && message.contains("one dimension"), "{message}");
    let message = folder_error(|files| files[2] = idx(8, &[2], &[1, 2]));
    assert!(message.contains(FILES[2]) && message.contains("images"), "{message}");
    let message = folder_error(|files| {
        files[1] = idx(8, &[3], &[0; 3]);
        files[3] = idx(8, &[2], &[0; 2]);
    });
    assert!(message.contains("single class `0`"), "{message}");
    // The numbers below it are classes without an example.
    let message = folder_error(|files| files[1] = idx(8, &[3], &[3; 3]));
    assert!(message.contains("(train): the target has a single class `3`"), "{message}");
    let message = folder_error(|files| files[0] = gzip(&files[0])[..15].to_vec());
    assert!(message.contains(FILES[0]), "{message}");
}

#[test]
fn missing_files_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let message = read_idx_directory::<f32>(folder.path()).unwrap_err().to_string();
    assert!(message.contains("no training images"), "{message}");
    for name in ["train-images-idx3-ubyte", "train-images.idx3-ubyte", "train-images-idx3-ubyte.gz"]
    {
        assert!(message.contains(name), "{message}");
    }
    write(folder.path(), FILES, &contents());
    fs::remove_file(folder.path().join(FILES[3])).unwrap();
    let message = read_idx_directory::<f32>(folder.path()).unwrap_err().to_string();
    assert!(message.contains("no test labels") && message.contains(FILES[3]), "{message}");
    assert!(matches!(read_idx(folder.path().join(FILES[3])), Err(DataError::Io { .. })));
}

#[test]
fn the_real_mnist() {
    let Some(folder) =
        std::env::var_os("CHAINRULE_DATA").map(|data| Path::new(&data).join("mnist"))
    else {
        println!("skipped: CHAINRULE_DATA names no folder with mnist/ in it");
        return;
    };
    let (train, test) = read_idx_directory::<f32>(folder).unwrap();
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    assert_eq!((train.features().cols(), train.outputs()), (784, 10));
    assert_eq!(train.labels().unwrap()[..5], [5, 0, 4, 1, 9]);
    assert_eq!(
        test.class_counts().unwrap(),
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    );
    let pixels = train.features();
    assert_eq!(pixels.as_slice().iter().copied().fold(0.0, f32::max), 255.0);
}
