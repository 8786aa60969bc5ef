//! Model files: what is written is read back, what PyTorch writes is read, damage is told.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use chainrule::data::Scaling;
use chainrule::file::{read_weights, tensor_names};
use chainrule::prelude::*;
use chainrule::{Error, ModelInfo};
use proptest::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};

use crate::common::{bits, blobs, config, surface, trained};

fn small_model() -> Model<f32> {
    trained(&config(1), &blobs(30, 1))
}

fn header(bytes: &[u8]) -> Value {
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    serde_json::from_slice(&rest[..u64::from_le_bytes(*length) as usize]).unwrap()
}

fn data(bytes: &[u8]) -> &[u8] {
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    &rest[u64::from_le_bytes(*length) as usize..]
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

#[test]
fn a_model_goes_round_bit_by_bit() {
    fn check<S: Scalar>(model: &Model<S>, folder: &Path, x: &Matrix<S>) {
        let path = folder.join("model.safetensors");
        model.save(&path).unwrap();
        let read = Model::<S>::load(&path).unwrap();
        assert_eq!(read.info(), model.info());
        assert_eq!(bits(read.network()), bits(model.network()));
        assert_eq!(read.predict(x.view()).unwrap(), model.predict(x.view()).unwrap());
        assert_eq!(read.to_bytes().unwrap(), fs::read(&path).unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let x = Matrix::<f64>::from_fn(5, 2, |i, j| (i as f64 - 2.0) / (j + 1) as f64);
    let mut config = config(2);
    for (dropout, loss, scaling) in [
        (0.0, None, Scaling::Standardise),
        (0.3, Some("cross_entropy(label_smoothing=0.1)"), Scaling::MinMax),
        (0.0, Some("probability_cross_entropy"), Scaling::None),
    ] {
        config.network.dropout = dropout;
        config.training.loss = loss.map(str::to_owned);
        config.training.scaling = scaling;
        check::<f32>(&trained(&config, &blobs(40, 1)), folder.path(), &x.cast());
        check::<f64>(&trained(&config, &blobs(40, 1)), folder.path(), &x);
    }
    config.training.loss = Some("huber(0.5)".to_owned());
    check::<f32>(&trained(&config, &surface(40, 1)), folder.path(), &x.cast());
    check::<f64>(&trained(&config, &surface(40, 1)), folder.path(), &x);
    let untrained = Model::<f64>::new(&config, &surface(40, 1)).unwrap();
    assert!(untrained.info().training.is_none());
    check(&untrained, folder.path(), &x);
}

#[test]
fn a_score_that_is_not_a_number_does_not_make_the_file_unreadable() {
    let mut model = trained::<f32>(&config(1), &surface(40, 1));
    let constant = model.evaluate(&surface(1, 2)).unwrap();
    assert!(constant.metric.value().is_nan());
    model.training_mut().unwrap().test = Some(constant);
    let read = Model::<f32>::from_bytes(&model.to_bytes().unwrap()).unwrap();
    let test = read.info().training.as_ref().unwrap().test.unwrap();
    assert!(test.metric.value().is_nan() && test.loss == constant.loss);
}

#[test]
fn tensors_are_named_and_shaped_as_in_a_sequential() {
    let network = NetworkBuilder::<f32>::new(4)
        .dense(5, Activation::Relu)
        .dropout(0.5)
        .dense(3, Activation::Identity)
        .layer(Dense::new(3, 2, Activation::Tanh).unwrap().without_bias())
        .dense(2, Activation::Identity)
        .softmax()
        .build()
        .unwrap();
    // Linear, ReLU, Dropout, Linear, Linear (no bias), Tanh, Linear, Softmax.
    let names = ["0.weight", "0.bias", "3.weight", "3.bias", "4.weight", "6.weight", "6.bias"];
    assert_eq!(tensor_names(&network), names);

    let mut config = config(1);
    config.network.dropout = 0.1;
    let model = Model::<f64>::new(&config, &blobs(30, 1)).unwrap();
    let bytes = model.to_bytes().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for (name, shape) in [
        ("0.weight", [8, 2].as_slice()),
        ("0.bias", &[8]),
        ("3.weight", &[6, 8]),
        ("3.bias", &[6]),
        ("6.weight", &[3, 6]),
        ("6.bias", &[3]),
    ] {
        let tensor = file.tensor(name).unwrap();
        assert_eq!((tensor.shape(), tensor.dtype()), (shape, Dtype::F64), "{name}");
    }
    assert_eq!(file.len(), 6);
    // Row by row: the second row of W_1 begins at W_121.
    let w_121 = model.network().theta()[2];
    let weights = file.tensor("0.weight").unwrap().data();
    assert_eq!(weights[16..24], w_121.to_le_bytes());
    assert_eq!(data(&bytes).as_ptr() as usize % 8, bytes.as_ptr() as usize % 8, "alignment");
}

/// A file as `safetensors.torch.save_file(model.state_dict(), path)` writes it.
fn torch_file(tensors: &[(&str, &[usize], &[f64])], dtype: Dtype) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| match dtype {
            Dtype::F64 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Dtype::F32 => values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|_| [0, 0]).collect(),
        })
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (name.to_string(), TensorView::new(dtype, shape.to_vec(), bytes).unwrap())
    });
    let pt = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(pt)).unwrap()
}

const WEIGHTS: [(&str, &[usize], &[f64]); 4] = [
    ("0.weight", &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    ("0.bias", &[3], &[0.1, 0.2, 0.3]),
    ("2.weight", &[1, 3], &[-1.0, 0.5, 1e-3]),
    ("2.bias", &[1], &[7.0]),
];

fn receiver<S: Scalar>() -> Network<S> {
    NetworkBuilder::new(2)
        .dense(3, Activation::Relu)
        .dense(1, Activation::Identity)
        .build()
        .unwrap()
}

#[test]
fn what_pytorch_wrote_is_read() {
    fn check<S: Scalar>(path: &Path) {
        let mut network = receiver::<S>();
        read_weights(path, &mut network).unwrap();
        let expected = WEIGHTS.iter().flat_map(|(_, _, values)| *values);
        for (found, &expected) in network.theta().iter().zip(expected) {
            assert!((found.as_f64() - expected).abs() <= 1e-7 * expected.abs());
        }
        // By hand: x = (1, −1) gives a_1 = (−0.9, −0.8, −0.7), all cut off by ReLU.
        let x = [S::one(), -S::one()];
        let mut workspace = Workspace::new(&network, 1).unwrap();
        assert_eq!(network.predict_one(&x, &mut workspace).unwrap(), [S::of(7.0)]);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("torch.safetensors");
    for dtype in [Dtype::F32, Dtype::F64] {
        fs::write(&path, torch_file(&WEIGHTS, dtype)).unwrap();
        check::<f32>(&path);
        check::<f64>(&path);
    }
    // It is no model: nothing says what the layers are.
    let error = Model::<f32>::load(&path).unwrap_err().to_string();
    assert!(error.contains("read_weights") && error.contains("torch.safetensors"), "{error}");
}

#[test]
fn weights_of_another_network_leave_it_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let mut transposed = WEIGHTS;
    transposed[0].1 = &[2, 3];
    let mut renamed = WEIGHTS;
    renamed[2].0 = "4.weight";
    let mut huge = WEIGHTS;
    huge[3].2 = &[1e300];
    let mut nan = WEIGHTS;
    nan[1].2 = &[0.0, f64::NAN, 0.0];
    let more = [&WEIGHTS[..], &[("4.bias", &[1], &[0.0])]].concat();
    for (tensors, dtype, part) in [
        (&transposed[..], Dtype::F32, "shape [2, 3], layer 1 needs [3, 2]"),
        (&renamed, Dtype::F32, "`2.weight` of layer 2 is missing"),
        (&WEIGHTS[..3], Dtype::F32, "`2.bias` of layer 2 is missing"),
        (&more, Dtype::F32, "`4.bias` belongs to no layer"),
        (&nan, Dtype::F32, "`0.bias` holds NaN at place 1"),
        (&huge, Dtype::F64, "`2.bias` holds inf"),
        (&WEIGHTS, Dtype::F16, "F16"),
        (&WEIGHTS, Dtype::BF16, "BF16"),
        (&WEIGHTS, Dtype::I16, "I16"),
    ] {
        fs::write(&path, torch_file(tensors, dtype)).unwrap();
        let mut network = receiver::<f32>();
        let before = bits(&network);
        let error = read_weights(&path, &mut network).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("w.safetensors"), "{error}");
        assert!(!error.contains('\n'), "{error}");
        assert_eq!(bits(&network), before);
    }
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

#[test]
fn an_error_about_bytes_says_so() {
    let error = Model::<f32>::from_bytes(b"abc").unwrap_err().to_string();
    assert!(error.starts_with("bytes: "), "{error}");
}

#[test]
fn weights_that_cannot_be_read_back_are_not_written() {
    let mut model = small_model();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    let before = fs::read(&path).unwrap();
    model.network_mut().theta_mut()[1] = f32::NAN;
    let error = model.save(&path).unwrap_err().to_string();
    assert!(error.contains("W_112 is NaN"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn network_and_description_must_fit() {
    let model = small_model();
    let parts = |change: &dyn Fn(&mut ModelInfo)| {
        let mut info = model.info().clone();
        change(&mut info);
        Model::from_parts(model.network().clone(), info).unwrap_err().to_string()
    };
    assert!(parts(&|i| i.layers.truncate(1)).contains("layers"));
    assert!(parts(&|i| drop(i.features.pop())).contains("feature names"));
    assert!(parts(&|i| i.class_weights = Some(vec![1.0])).contains("class weights"));
    assert!(parts(&|i| i.loss = "mse".to_owned()).contains("real values"));
    assert!(parts(&|i| i.loss = "probability-cross-entropy".to_owned()).contains("softmax"));
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
