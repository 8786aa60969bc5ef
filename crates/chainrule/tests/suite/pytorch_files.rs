//! Files of weights as PyTorch writes them.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use chainrule::file::read_weights;
use chainrule::prelude::*;
use safetensors::tensor::{Dtype, TensorView};

use crate::common::bits;

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
