//! Model files: what is written is read back, and named as PyTorch names it.

use std::fs;
use std::path::Path;

use chainrule::ModelInfo;
use chainrule::data::Scaling;
use chainrule::file::tensor_names;
use chainrule::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors};

use crate::common::{bits, blobs, config, surface, trained};

pub(super) fn small_model() -> Model<f32> {
    trained(&config(1), &blobs(30, 1))
}

/// What follows the header.
pub(super) fn data(bytes: &[u8]) -> &[u8] {
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    &rest[u64::from_le_bytes(*length) as usize..]
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
