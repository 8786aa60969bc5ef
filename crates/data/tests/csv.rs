//! CSV files as they come, good and bad.
#![cfg(feature = "csv")]

use std::fmt::Write as _;
use std::fs;

use chainrule_data::{
    CsvOptions, DataError, Dataset, Task, read_csv, read_csv_from, read_features,
    read_features_from,
};
use proptest::prelude::*;

fn read(text: impl AsRef<[u8]>) -> Result<Dataset<f64>, DataError> {
    read_csv_from(text.as_ref(), "t.csv", &CsvOptions::default())
}

fn read_target(text: &str, target: &str) -> Result<Dataset<f64>, DataError> {
    let options = CsvOptions { target: Some(target.to_owned()), ..CsvOptions::default() };
    read_csv_from(text.as_bytes(), "t.csv", &options)
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

#[test]
fn marks_line_ends_quotes_spaces_and_blank_lines_do_not_matter() {
    let plain = "a,b,kind\n1,2,x\n3,4,y\n";
    let wanted = read(plain).unwrap();
    assert_eq!(wanted.features().as_slice(), [1.0, 2.0, 3.0, 4.0]);
    for text in [
        "\u{feff}a,b,kind\n1,2,x\n3,4,y\n",
        "a,b,kind\r\n1,2,x\r\n3,4,y\r\n",
        "\u{feff}a,b,kind\r\n1,2,x\r\n3,4,y",
        "a,b,kind\n1,2,x\n3,4,y\n\n\r\n\n",
        "a,b,kind\n1,2,x\n3,4,y\n   \n",
        "\"a\",\"b\",\"kind\"\n\"1\",2,\"x\"\n3,4,y\n",
        "a, b, kind\n 1,\t2 , x\n3,4,y\n",
        "a;b;kind\n1;2;x\n3;4;y\n",
        "a\tb\tkind\n1\t2\tx\n3\t4\ty\n",
    ] {
        assert_eq!(read(text).unwrap(), wanted, "{text:?}");
    }
    let quoted = read("a,b,kind\n1,2,\"x, \"\"y\"\"\nz\"\n3,4,w\n").unwrap();
    assert_eq!(quoted.class_names().unwrap(), ["w", "x, \"y\"\nz"]);
}

#[test]
fn the_target_is_the_last_column_or_the_one_named() {
    let text = "a,b,c\n0,1.5,1\n1,2.5,2\n0,3.5,3\n1,4.5,4\n";
    let last = read(text).unwrap();
    assert_eq!((last.target_name(), last.task()), (Some("c"), Task::Values));
    let first = read_target(text, "a").unwrap();
    assert_eq!((first.target_name(), first.task()), (Some("a"), Task::Classes));
    assert_eq!(first.feature_names(), ["b", "c"]);
    assert_eq!(first.features().row(1), [2.5, 2.0]);
    assert_eq!(first.labels().unwrap(), [0, 1, 0, 1]);
    let options =
        CsvOptions { task: Some(Task::Values), target: Some("a".into()), ..Default::default() };
    let values = read_csv_from::<f32>(text.as_bytes(), "t", &options).unwrap();
    assert_eq!(values.values().unwrap().as_slice(), [0.0, 1.0, 0.0, 1.0]);
}

#[test]
fn without_a_header_columns_are_numbered() {
    let data = read("1,2,0\n3,4,1\n5,6,0\n").unwrap();
    assert_eq!(data.len(), 3);
    assert_eq!(data.feature_names(), ["c1", "c2"]);
    assert_eq!(data.target_name(), Some("c3"));
    let middle = read_target("1,0,2\n3,1,4\n", "c2").unwrap();
    assert_eq!(middle.features().as_slice(), [1.0, 2.0, 3.0, 4.0]);

    let iris = "5.1,3.5,setosa\n4.9,3.0,setosa\n6.1,2.8,virginica\n";
    let error = read(iris).unwrap_err();
    assert!(matches!(error, DataError::HeaderIsExample { .. }), "{error}");
    let options = CsvOptions { header: Some(false), ..CsvOptions::default() };
    let data = read_csv_from::<f64>(iris.as_bytes(), "iris", &options).unwrap();
    assert_eq!(data.len(), 3);
    let pixels = read("0,1,label\n5,6,a\n7,8,b\n").unwrap();
    assert_eq!(pixels.feature_names(), ["0", "1"]);
}

#[test]
fn each_fault_is_named_with_its_place() {
    let cases: &[(&str, &str)] = &[
        ("", "t.csv is empty"),
        ("\n\r\n\n", "t.csv is empty"),
        ("\u{feff}", "t.csv is empty"),
        ("a,b,kind\n", "t.csv holds a header but no examples"),
        ("a,b,kind\n1,2,x\n3,4\n", "t.csv, line 3: found 2 fields, expected 3"),
        ("a,b,kind\n1,2,x\n3,4,5,y\n", "t.csv, line 3: found 4 fields, expected 3"),
        ("1,2,3\n4,5\n", "t.csv, line 2: found 2 fields, expected 3"),
        (
            "a,b,kind\n1,2,x\n3,high,y\n",
            "t.csv, line 3, column 2 (`b`): expected a number, found `high`",
        ),
        ("a,b,kind\r\n\r\n1,2,x\r\n\r\n3,high,y\r\n", "t.csv, line 5, column 2 (`b`)"),
        ("a,b,kind\r\n1,2,x\r\n3,high,y", "t.csv, line 3, column 2 (`b`)"),
        ("\u{feff}a,b,kind\n1,2,x\n\n\n3,high,y", "t.csv, line 5, column 2 (`b`)"),
        ("a,b,kind\n1,2,\"x\n\n\"\n3,\"high\n\",y\n", "t.csv, line 5, column 2 (`b`)"),
        ("a,b,kind\r\n1,2,\"x\r\n\"\r\n3,high,y\r\n", "t.csv, line 4, column 2 (`b`)"),
        ("a,b,kind\n1,\"2\n\",x\n3,high,y\n", "t.csv, line 4, column 2 (`b`)"),
        ("a,b,kind\n1,2,x\n3,,y\n", "t.csv, line 3, column 2 (`b`): the field is empty"),
        ("a,b,kind\n1,2,x\n3,4,\n", "t.csv, line 3, column 3 (`kind`): the field is empty"),
        ("a,b,kind\n1,NaN,x\n3,4,y\n", "t.csv, line 2, column 2 (`b`): `NaN` is not a finite f64"),
        ("a,b,kind\n1,2,x\n-inf,4,y\n", "t.csv, line 3, column 1 (`a`): `-inf` is not a finite"),
        ("a,b,kind\n1e999,2,x\n3,4,y\n", "line 2, column 1 (`a`): `1e999` is not a finite"),
        ("a,b,y\n1,2,0\n3,4,nan\n", "t.csv, line 3, column 3 (`y`): `nan` is not a finite"),
        ("1,2,nan\n3,4,5\n", "t.csv, line 1, column 3 (`c3`): `nan` is not a finite"),
        ("a,b,a\n1,2,x\n", "t.csv, line 1, column 3 (`a`): column 1 has the same name"),
        ("a,,kind\n1,2,x\n", "t.csv, line 1, column 2: the column has no name"),
        ("a,b,kind\n1,2,x\n3,4,x\n", "t.csv: the target has a single class `x`"),
        ("a,b,y\n1,2,7\n3,4,7\n", "t.csv: the target has a single class `7`"),
        ("kind\nx\ny\n", "t.csv: `kind` is the only column"),
        ("a,b,kind\r1,2,x\r3,high,y\r", "t.csv, line 3, column 2 (`b`)"),
        ("a,b,kind\r1,2,\"x\r\"\r3,high,y\r", "t.csv, line 4, column 2 (`b`)"),
        ("a,\"b,kind\n1,2,x\n3,4,y\n", "t.csv, line 1: a quote opens a field and is never closed"),
        ("a,b,kind\n1,2,x\n3,4,\"y\n5,6,x\n7,8,y\n", "t.csv, line 3: a quote opens"),
        ("a,b,kind\r\n1,2,x\r\n\"3,4,y\r\n5,6,x\r\n", "t.csv, line 3: a quote opens"),
        ("a,b,kind\n1,2,x\n3,4,\"y\"\"", "t.csv, line 3: a quote opens"),
    ];
    for (text, part) in cases {
        let message = read(text).unwrap_err().to_string();
        assert!(message.contains(part), "{text:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    let error = read_target("a,b,kind\n1,2,x\n", "species").unwrap_err().to_string();
    assert!(error.contains("no column `species`") && error.contains("`a`, `b`, `kind`"), "{error}");
    let options = CsvOptions { delimiter: Some(b'1'), ..CsvOptions::default() };
    assert!(read_csv_from::<f64>(&b"a,b\n1,2\n"[..], "t", &options).is_err());
}

#[test]
fn bytes_that_are_no_text_are_named_with_their_place() {
    let error = read(b"a,b,kind\n1,2,x\n3,\xff,y\n").unwrap_err().to_string();
    assert!(error.contains("line 3, column 2 (`b`): the field is not UTF-8"), "{error}");
    let error = read(b"a,b,kind\n1,2,x\n3,4,\xe9t\xe9\n").unwrap_err().to_string();
    assert!(error.contains("line 3, column 3 (`kind`): the field is not UTF-8"), "{error}");
    let error = read(b"a,\xff,kind\n1,2,x\n").unwrap_err().to_string();
    assert!(error.contains("line 1, column 2: the field is not UTF-8"), "{error}");
    let utf16: Vec<u8> = "\u{feff}a,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(matches!(read(utf16), Err(DataError::NotUtf8 { .. })));
}

#[test]
fn a_number_too_large_for_f32_is_an_error_there() {
    let text = "a,kind\n1e39,x\n2,y\n";
    assert!(read(text).is_ok());
    let error = read_csv_from::<f32>(text.as_bytes(), "t", &CsvOptions::default()).unwrap_err();
    assert!(error.to_string().contains("`1e39` is not a finite f32"), "{error}");
}

#[test]
fn numbers_that_f32_does_not_tell_apart_are_an_error_there() {
    let column = |start: f64, step: f64| {
        let rows =
            (0..9).map(|i| format!("{},{}\n", start + step * f64::from(i), [0, 7][i as usize % 2]));
        rows.collect::<String>()
    };
    let narrow =
        |text: &str| read_csv_from::<f32>(text.as_bytes(), "t.csv", &CsvOptions::default());
    // Seconds since 1970: within a minute, and within months.
    let minute = format!("time,y\n{}", column(1.7e9, 7.0));
    assert!(read(&minute).is_ok());
    let error = narrow(&minute).unwrap_err().to_string();
    let part = "t.csv, column 1 (`time`): the numbers from 1700000000 to 1700000056 are too close";
    assert!(error.starts_with(part) && error.contains("f32"), "{error}");
    narrow(&format!("time,y\n{}", column(1.7e9, 1e6))).unwrap();
    let target = format!("y,x\n{}", column(1e9, 0.5)).replace("y,x", "x,y");
    let options = CsvOptions { target: Some("x".to_owned()), ..CsvOptions::default() };
    let error = read_csv_from::<f32>(target.as_bytes(), "t.csv", &options).unwrap_err();
    assert!(matches!(&error, DataError::Precision { name, .. } if name == "x"), "{error}");
    // Constants, also but for the rounding of whoever computed them, and small numbers are fine.
    for column in [column(0.1, 0.0), column(0.3, 6e-17), column(0.0, 1e-30), column(1e30, 1e29)] {
        narrow(&format!("a,y\n{column}")).unwrap();
    }
}

#[test]
fn files_are_named_as_they_were_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pets.csv");
    fs::write(&path, "a,kind\n1,x\n2,y\n").unwrap();
    let data = read_csv::<f32>(&path, &CsvOptions::default()).unwrap();
    assert_eq!(data.name(), "pets.csv");
    fs::write(&path, "a,kind\n1,x\nz,y\n").unwrap();
    let error = read_csv::<f32>(&path, &CsvOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}, line 3", path.display())), "{error}");
    for path in [folder.path().join("none.csv"), folder.path().to_owned()] {
        let error = read_csv::<f32>(&path, &CsvOptions::default()).unwrap_err();
        assert!(matches!(error, DataError::Io { .. }), "{error}");
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    }
}

#[test]
fn columns_to_predict_from_are_matched_by_name() {
    let expected = names(["a", "b"]);
    let read =
        |text: &str| read_features_from::<f64>(text.as_bytes(), "p.csv", &expected, Some("y"));
    let with_target = read("y,b,a\nx,2,1\nz,4,3\n").unwrap();
    assert_eq!(with_target.features().as_slice(), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(with_target.target().unwrap(), ["x", "z"]);
    assert_eq!(with_target.lines(), [2, 3]);
    assert_eq!(with_target.labels(&names(["z", "x"])).unwrap(), [1, 0]);
    let error = with_target.labels(&names(["z", "w"])).unwrap_err().to_string();
    assert!(error.contains("line 2, column 1 (`y`): unknown class `x`"), "{error}");
    assert!(with_target.values().unwrap_err().to_string().contains("expected a number"));

    let without = read("b,a\n2,1\n").unwrap();
    assert_eq!((without.features().as_slice(), without.target()), (&[1.0, 2.0][..], None));
    let error = without.labels(&names(["x", "y"])).unwrap_err().to_string();
    assert!(error.contains("no target column `y`"), "{error}");

    let cases = [
        ("a,c\n1,2\n", "p.csv: unknown column `c`"),
        ("a,b,c\n1,2,3\n", "p.csv: unknown column `c`"),
        ("a,y\n1,2\n", "p.csv: missing column `b`"),
        ("a,b\n", "holds a header but no examples"),
        ("", "p.csv is empty"),
        ("a,b\n1,high\n", "line 2, column 2 (`b`): expected a number"),
        ("a,b\n1,\n", "line 2, column 2 (`b`): the field is empty"),
        ("a,b\n1,inf\n", "line 2, column 2 (`b`): `inf` is not a finite"),
        ("a,b\n1\n", "line 2: found 1 fields, expected 2"),
    ];
    for (text, part) in cases {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text:?}: {error}");
    }
    let empty = read("a,b,y\n1,2,\n").unwrap();
    assert_eq!(empty.target().unwrap(), [""]);
    let error = empty.labels(&names(["x", "y"])).unwrap_err();
    assert!(matches!(error, DataError::MissingField { .. }), "{error}");
    let unknown = read_features_from::<f64>(&b"a,b,y\n1,2,x\n"[..], "p", &expected, None);
    assert!(matches!(unknown, Err(DataError::UnknownColumn { .. })));
}

#[test]
fn columns_without_a_header_are_matched_by_position() {
    let expected = names(["a", "b"]);
    let read =
        |text: &str, target| read_features_from::<f64>(text.as_bytes(), "p.csv", &expected, target);
    let plain = read("1,2\n3,4\n", Some("y")).unwrap();
    assert_eq!((plain.len(), plain.target()), (2, None));
    for (text, target) in [("1,2,0\n3,4,1\n", ["0", "1"]), ("1,2,x\n3,4,z\n", ["x", "z"])] {
        let data = read(text, Some("y")).unwrap();
        assert_eq!(data.features().as_slice(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(data.target().unwrap(), target);
    }
    assert_eq!(read("1,2,7\n", Some("y")).unwrap().values().unwrap().as_slice(), [7.0]);
    for (text, target) in [("1\n", Some("y")), ("1,2,3,4\n", Some("y")), ("1,2,3\n", None)] {
        let error = read(text, target).unwrap_err();
        assert!(matches!(error, DataError::ColumnCount { expected: 2, .. }), "{error}");
    }

    // Numbered columns remember where the target stood; numbers may be names.
    let middle = names(["c1", "c3"]);
    let data = read_features_from::<f64>(&b"1,0,2\n"[..], "p", &middle, Some("c2")).unwrap();
    assert_eq!(data.features().as_slice(), [1.0, 2.0]);
    assert_eq!(data.target().unwrap(), ["0"]);
    let pixels = names(["0", "1"]);
    let data = read_features_from::<f64>(&b"1,0\n5,6\n"[..], "p", &pixels, None).unwrap();
    assert_eq!(data.features().as_slice(), [6.0, 5.0]);
}

#[test]
fn features_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.csv");
    fs::write(&path, "b,a\n2,1\n").unwrap();
    let data = read_features::<f32>(&path, &names(["a", "b"]), None).unwrap();
    assert_eq!(data.into_features().as_slice(), [1.0, 2.0]);
    assert!(read_features::<f32>(folder.path().join("none"), &[], None).is_err());
}

fn field() -> impl Strategy<Value = f64> {
    prop_oneof![-1e6..1e6, prop::num::f64::NORMAL, Just(0.0)]
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        rows in prop::collection::vec((field(), field(), 0_usize..3), 3..40),
        classes in prop::sample::subsequence(
            vec!["a", "b c", "d,e", "f\"g", "h\ni", "é", "-"], 3),
        crlf: bool,
        unfinished: bool,
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let mut text = format!("x1,x 2,\"the, class\"{end}");
        for (i, (a, b, class)) in rows.iter().enumerate() {
            let class = if i < 3 { i } else { *class };
            let quoted = classes[class].replace('"', "\"\"");
            write!(text, "{a:e},{b},\"{quoted}\"{end}").unwrap();
        }
        if unfinished {
            text.truncate(text.len() - end.len());
        }
        let data = read(&text).unwrap();
        prop_assert_eq!(data.len(), rows.len());
        prop_assert_eq!(data.target_name(), Some("the, class"));
        let mut sorted = classes.clone();
        sorted.sort_unstable();
        prop_assert_eq!(data.class_names().unwrap(), &sorted);
        for (i, (a, b, class)) in rows.iter().enumerate() {
            prop_assert_eq!(data.features().row(i), [*a, *b]);
            let class = if i < 3 { i } else { *class };
            prop_assert_eq!(sorted[data.labels().unwrap()[i]], classes[class]);
        }
    }

    #[test]
    fn lines_are_counted_across_buffers(
        rows in 3_usize..4000,
        bad in 0_usize..4000,
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let bad = bad % rows;
        let mut text = format!("a,kind{end}");
        for i in 0..rows {
            let blank = if i % 7 == 0 { end } else { "" };
            if i == bad {
                let line = text.matches(end).count() + 1;
                write!(text, "\"high\",x{end}").unwrap();
                let error = read(&text).unwrap_err().to_string();
                prop_assert!(error.contains(&format!("line {line}, column 1")), "{error} {line}");
                // The same place, its quote open.
                text.truncate(text.len() - end.len() - "\",x".len());
                text += &format!(",x{end}1,y{end}").repeat(rows);
                let error = read(&text).unwrap_err().to_string();
                prop_assert!(error.contains(&format!("line {line}: a quote opens")), "{error}");
                return Ok(());
            }
            write!(text, "{i},\"x{blank}\"{end}{blank}").unwrap();
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(
        prop_oneof![prop::sample::select(&b"1,.\n\r\"e-; \tax\xff"[..]), any::<u8>()], 0..80))
    {
        if let Ok(data) = read(&bytes) {
            prop_assert!(data.features().as_slice().iter().all(|x| x.is_finite()));
        }
        let _ = read_features_from::<f32>(&bytes[..], "p", &names(["a", "x"]), Some("e"));
    }
}
