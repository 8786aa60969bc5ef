//! Model files that are damaged or lie are refused in one line, whatever they hold.

use std::fs;

use chainrule::Error;
use chainrule::prelude::*;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::model_files::{data, small_model};

fn header(bytes: &[u8]) -> Value {
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    serde_json::from_slice(&rest[..u64::from_le_bytes(*length) as usize]).unwrap()
}

fn assemble(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

/// The file with its header changed.
fn with_header(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut header = header(bytes);
    change(&mut header);
    assemble(&header.to_string(), data(bytes))
}

/// The file with the model's description changed.
fn with_info(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    with_header(bytes, |header| {
        let text = header["__metadata__"]["chainrule"].as_str().unwrap();
        let mut info: Value = serde_json::from_str(text).unwrap();
        change(&mut info);
        header["__metadata__"]["chainrule"] = Value::from(info.to_string());
    })
}

/// The message of a file that must not be read: one line that names the file.
fn refusal(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.safetensors");
    fs::write(&path, bytes).unwrap();
    let error = Model::<f32>::load(&path).expect_err("a damaged file is refused");
    assert!(matches!(error, Error::ModelFile { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("bad.safetensors: ") && !text.contains('\n'), "{text}");
    text
}

#[test]
fn a_truncated_file_is_refused_wherever_it_ends() {
    let bytes = small_model().to_bytes().unwrap();
    let header = bytes.len() - data(&bytes).len();
    for length in [0, 1, 7, 8, 9, header - 1, header, header + 1, bytes.len() - 4, bytes.len() - 1]
    {
        refusal(&bytes[..length]);
    }
    let longer = [&bytes[..], &[0]].concat();
    refusal(&longer);
    assert!(Model::<f32>::from_bytes(&bytes).is_ok());
}

#[test]
fn a_large_file_that_is_no_model_is_not_read() {
    // Sparse, and more than the memory of most machines.
    let sparse = |start: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        fs::write(&path, start).unwrap();
        // A file system that has no such files cannot show it.
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(1 << 42).ok()?;
        Some(Model::<f32>::load(&path).unwrap_err().to_string())
    };
    let model = small_model().to_bytes().unwrap();
    let longer = format!("its tensors should have {} bytes, 4398", data(&model).len());
    for (start, part) in [
        (&b""[..], "header is damaged"),
        (&(1_u64 << 41).to_le_bytes(), "at most 100000000 are possible"),
        (&model, &longer),
    ] {
        let Some(error) = sparse(start) else { return };
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_damaged_header_is_refused() {
    let bytes = small_model().to_bytes().unwrap();
    let length = |n: u64| [&n.to_le_bytes(), &bytes[8..]].concat();
    assert!(refusal(&length(u64::MAX)).contains("18446744073709551615"));
    refusal(&length(1 << 40));
    refusal(&length(0));
    refusal(&length(2));
    refusal(&assemble("no json", &[]));
    refusal(&assemble("[1, 2]", &[]));
    refusal(&assemble("{}", &[]));
    refusal(&assemble(&"[".repeat(100_000), &[]));
    refusal(&assemble(&format!("{{\"a\":{}", "{\"b\":".repeat(100_000)), &[]));
    refusal(&assemble("{\"0.bias\": 3}", &[]));
    refusal(b"\x89PNG\r\n\x1a\n and so on, not a model at all");

    let text = header(&bytes).to_string();
    let twice = format!("{},{}", &text[..text.len() - 1], "\"0.bias\":{}}");
    let twice =
        twice.replace("\"0.bias\":{}}", &format!("\"0.bias\":{}}}", header(&bytes)["0.bias"]));
    assert!(refusal(&assemble(&twice, data(&bytes))).contains("`0.bias` twice"));
    let twice = text.replacen("\"__metadata__\":{", "\"__metadata__\":{\"chainrule\":\"{}\",", 1);
    assert!(refusal(&assemble(&twice, data(&bytes))).contains("`chainrule` twice"));
}

#[test]
fn tensors_that_lie_are_refused() {
    let bytes = small_model().to_bytes().unwrap();
    let change = |change: &dyn Fn(&mut Value)| refusal(&with_header(&bytes, change));
    change(&|h| h["0.bias"]["data_offsets"] = h["2.bias"]["data_offsets"].clone());
    change(&|h| h["0.bias"]["data_offsets"] = json!([0, 1_u64 << 60]));
    change(&|h| h["0.bias"]["data_offsets"] = json!([u64::MAX - 3, u64::MAX]));
    change(&|h| h["0.bias"]["data_offsets"] = json!([32, 0]));
    change(&|h| h["0.bias"]["data_offsets"] = json!([-1, 31]));
    change(&|h| h["0.bias"]["shape"] = json!([9]));
    change(&|h| h["0.bias"]["shape"] = json!([u64::MAX, u64::MAX]));
    change(&|h| h["0.bias"]["dtype"] = json!("F8"));
    change(&|h| h["0.bias"]["dtype"] = json!("F64"));
    change(&|h| h["0.weight"]["shape"] = json!([2, 8]));
    change(&|h| h["0.bias"] = Value::Null);
    change(&|h| drop(h.as_object_mut().unwrap().remove("0.bias")));
    change(&|h| {
        let bias = h.as_object_mut().unwrap().remove("0.bias").unwrap();
        h["1.bias"] = bias;
    });
    let mut nan = bytes.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(refusal(&nan).contains("NaN"));
}

#[test]
fn a_description_that_lies_is_refused() {
    let bytes = small_model().to_bytes().unwrap();
    let change = |change: &dyn Fn(&mut Value)| refusal(&with_info(&bytes, change));
    assert!(change(&|i| i["format_version"] = json!(2)).contains("format version 2"));
    change(&|i| i["format_version"] = json!("one"));
    change(&|i| *i = json!([]));
    change(&|i| *i = json!({}));
    assert!(change(&|i| i["layers"][0]["activation"] = json!("rleu")).contains("rleu"));
    change(&|i| i["layers"][0]["kind"] = json!("conv"));
    change(&|i| i["layers"] = json!([]));
    change(&|i| i["layers"][0]["outputs"] = json!(0));
    change(&|i| i["layers"][0]["outputs"] = json!(9));
    change(&|i| i["layers"][0]["outputs"] = json!(-1));
    change(&|i| i["layers"][0]["outputs"] = json!(u64::MAX));
    let text = change(&|i| {
        i["layers"][0]["outputs"] = json!(1_u64 << 40);
        i["layers"][1]["inputs"] = json!(1_u64 << 40);
    });
    assert!(text.contains("parameters"), "{text}");
    // Fits into the address space, but the numbers are not there: no memory may be taken for them.
    let text = change(&|i| {
        i["layers"][0]["outputs"] = json!(1_u64 << 31);
        i["layers"][1]["inputs"] = json!(1_u64 << 31);
    });
    assert!(text.contains("parameters"), "{text}");
    let text = change(&|i| {
        i["layers"].as_array_mut().unwrap().push(json!({"kind": "softmax", "units": 3}))
    });
    assert!(text.contains("softmax"), "{text}");
    // Another activation, another numbering of the tensors.
    change(&|i| i["layers"][1]["activation"] = json!("identity"));
    change(&|i| i["loss"] = json!("mse"));
    change(&|i| i["loss"] = json!("no_loss"));
    change(&|i| i["class_weights"] = json!([1.0]));
    change(&|i| i["features"] = json!(["x"]));
    change(&|i| i["target"]["classes"] = json!(["a", "b"]));
    assert!(change(&|i| i["features"] = json!(["x", "x"])).contains("feature `x` occurs twice"));
    let twice = change(&|i| i["target"]["classes"] = json!(["red", "blue", "red"]));
    assert!(twice.contains("class `red` occurs twice"), "{twice}");
    let record = change(&|i| i["training"]["config"]["training"]["batch_size"] = json!(0));
    assert!(record.contains("batch_size is 0"), "{record}");
    let record = change(&|i| i["training"]["test_fraction"] = json!(7.5));
    assert!(record.contains("holds out 7.5"), "{record}");
    change(&|i| i["scaler"]["shift"] = json!([0.0]));
    change(&|i| i["scaler"]["scale"] = json!([0.0, -1.0]));
    change(&|i| i["target"]["task"] = json!("both"));
    refusal(&with_header(&bytes, |h| h["__metadata__"]["chainrule"] = json!("{\"format_ver")));
    refusal(&with_header(&bytes, |h| h["__metadata__"]["chainrule"] = json!(3)));
    refusal(&with_header(&bytes, |h| drop(h.as_object_mut().unwrap().remove("__metadata__"))));
    assert!(Model::<f32>::from_bytes(&with_info(&bytes, |_| ())).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_damage_makes_the_reader_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        in_header: bool,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        thread_local!(static BYTES: Vec<u8> = small_model().to_bytes().unwrap());
        let mut bytes = BYTES.with(Vec::clone);
        let reach = if in_header { bytes.len() - data(&bytes).len() } else { bytes.len() };
        for (at, value) in flips {
            bytes[at.index(reach)] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        match Model::<f32>::from_bytes(&bytes) {
            Ok(model) => prop_assert!(model.network().theta().iter().all(|w| w.is_finite())),
            Err(error) => prop_assert!(!error.to_string().contains('\n'), "{error}"),
        }
    }
}
