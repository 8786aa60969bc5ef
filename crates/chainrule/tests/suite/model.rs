//! Models on raw data: scaling, the output function, what does not fit.

use std::borrow::Cow;

use chainrule::data::{Dataset, Scaling, Target};
use chainrule::metrics::{Metric, accuracy, r_squared};
use chainrule::prelude::*;
use chainrule::{Answer, TargetInfo};

use crate::common::{blobs, config, names, surface, trained};

/// The outputs of a model's network, from features scaled by hand.
fn raw_outputs(model: &Model<f64>, data: &Dataset<f64>) -> Matrix<f64> {
    let scaler = &model.info().scaler;
    let x = data.features();
    let scaled = Matrix::from_fn(x.rows(), x.cols(), |i, j| {
        (x.row(i)[j] - scaler.shift()[j]) / scaler.scale()[j]
    });
    let mut workspace = Workspace::new(model.network(), x.rows()).unwrap();
    model.network().predict(scaled.view(), &mut workspace).unwrap().to_matrix()
}

#[test]
fn softmax_is_applied_exactly_once() {
    let data = blobs::<f64>(600, 1);
    for loss in ["cross_entropy", "probability_cross_entropy"] {
        let mut config = config(3);
        config.training.loss = Some(loss.to_owned());
        let model = trained(&config, &data);
        let mut expected = raw_outputs(&model, &data);
        if loss == "cross_entropy" {
            for i in 0..expected.rows() {
                let row = expected.row_mut(i);
                row.iter_mut().for_each(|a| *a = a.exp());
                let sum: f64 = row.iter().sum();
                row.iter_mut().for_each(|a| *a /= sum);
            }
        }
        let prediction = model.predict(data.features()).unwrap();
        for (y, expected) in prediction.outputs().as_slice().iter().zip(expected.as_slice()) {
            assert!((y - expected).abs() < 1e-14, "{loss}: {y} {expected}");
        }
        for row in prediction.outputs().iter_rows() {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        }
        let scores = model.evaluate(&data).unwrap();
        let labels = data.labels().unwrap();
        assert_eq!(scores.metric, Metric::Accuracy(accuracy(prediction.outputs(), labels)));
        let rows = prediction.outputs();
        let loss = labels.iter().enumerate().map(|(i, &l)| -rows.row(i)[l].ln()).sum::<f64>();
        assert!((scores.loss - loss / 600.0).abs() < 1e-12, "{}", scores.loss);
    }
}

#[test]
fn values_come_in_their_own_units() {
    let data = surface::<f64>(300, 1);
    let model = trained(&config(40), &data);
    let TargetInfo::Values { scaler, .. } = &model.info().target else { panic!("values") };
    let raw = raw_outputs(&model, &data);
    let prediction = model.predict(data.features()).unwrap();
    for (i, row) in prediction.outputs().iter_rows().enumerate() {
        for j in 0..2 {
            let expected = raw[(i, j)] * scaler.scale()[j] + scaler.shift()[j];
            assert!((row[j] - expected).abs() <= 1e-12 * expected.abs());
        }
    }
    let r2 = r_squared(prediction.outputs(), data.values().unwrap());
    let score = model.evaluate(&data).unwrap().metric.value();
    assert!(r2 > 0.95 && (r2 - score).abs() < 1e-9, "{r2} {score}");
}

#[test]
fn one_example_is_answered_as_a_row_of_many() {
    let data = blobs::<f32>(300, 1);
    let model = trained(&config(5), &data);
    let prediction = model.predict(data.features()).unwrap();
    let classes: Vec<_> = prediction.classes().collect();
    for i in [0, 1, 255, 256, 299] {
        let answer = model.predict_one(data.features().row(i)).unwrap();
        let Answer::Class { class, probabilities } = answer else { panic!("a class") };
        assert_eq!(class, data.class_names().unwrap()[classes[i].unwrap()]);
        let Answer::Class { class: same, probabilities: row } =
            model.answer(prediction.outputs().row(i))
        else {
            panic!("a class")
        };
        assert_eq!(class, same);
        // Sums over one row and over many are taken in other orders.
        for (found, expected) in probabilities.iter().zip(row) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
    let values = trained(&config(1), &surface::<f32>(40, 1));
    let answer = values.predict_one(&[0.1, 0.2]).unwrap();
    assert!(matches!(answer, Answer::Values { values } if values.len() == 2));
}

#[test]
fn no_rows_and_many_rows_are_predicted() {
    let model = trained(&config(1), &blobs::<f32>(30, 1));
    let none = model.predict(Matrix::zeros(0, 2).view()).unwrap();
    assert_eq!((none.outputs().rows(), none.outputs().cols()), (0, 3));
    let many = Matrix::from_fn(1000, 2, |i, _| i as f32 / 500.0);
    let all = model.predict(many.view()).unwrap();
    let part = model.predict(many.view().rows_range(990..1000)).unwrap();
    for (found, expected) in part.outputs().as_slice().iter().zip(&all.outputs().as_slice()[2970..])
    {
        assert!((found - expected).abs() < 1e-6);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let classes = trained(&config(1), &blobs::<f32>(30, 1));
    let values = trained(&config(1), &surface::<f32>(30, 1));
    let error = |model: &Model<f32>, data: &Dataset<f32>| {
        let text = model.prepare(data).unwrap_err().to_string();
        assert_eq!(text, model.evaluate(data).unwrap_err().to_string());
        assert!(!text.contains('\n'), "{text}");
        text
    };
    let x = || blobs::<f32>(2, 1).features().to_matrix();
    let labels = |names| Target::Classes { labels: vec![0, 1], names };
    let numbers = || Target::Values { values: Matrix::zeros(2, 1), names: names(&["y"]) };
    let data =
        |features: &[&str], target| Dataset::new("other", x(), names(features), target).unwrap();
    let rgb = names(&["red", "green", "blue"]);
    let swapped = data(&["y", "x"], labels(rgb.clone()));
    assert!(error(&classes, &swapped).contains("`x`, `y`, the data has `y`, `x`"));
    let other = data(&["x", "y"], labels(names(&["red", "blue", "green"])));
    assert!(error(&classes, &other).contains("classes `red`, `green`, `blue`"));
    assert!(error(&classes, &data(&["x", "y"], numbers())).contains("real values"));
    assert!(error(&values, &data(&["u", "v"], labels(rgb))).contains("classes"));
    error(&values, &data(&["u", "v"], numbers()));
    assert!(classes.evaluate(&blobs(30, 1).select(&[])).is_err());

    for x in [&[1.0][..], &[1.0, 2.0, 3.0], &[], &[f32::NAN, 0.0], &[0.0, f32::INFINITY]] {
        let text = classes.predict_one(x).unwrap_err().to_string();
        assert!(!text.contains('\n'), "{text}");
    }
}

#[test]
fn data_handed_over_is_prepared_where_it_stands() {
    let (data, config) = (blobs(60, 1), config(2));
    let model = Model::<f32>::new(&config, &data).unwrap();
    let lent = model.prepare(&data).unwrap();
    assert_ne!(lent, data);

    let copy = data.clone();
    let place = copy.features().as_slice().as_ptr();
    let handed_over = model.prepare(copy).unwrap();
    assert_eq!(handed_over.features().as_slice().as_ptr(), place);
    assert_eq!(handed_over, lent);

    let train = |data: Cow<'_, Dataset<f32>>| {
        let mut model = Model::<f32>::new(&config, &data).unwrap();
        model.train(&config, data, |trainer| trainer).unwrap();
        model.network().theta().to_vec()
    };
    assert_eq!(train(Cow::Borrowed(&data)), train(Cow::Owned(data.clone())));
}

#[test]
fn a_prediction_beyond_the_numbers_is_an_error_with_its_row() {
    let mut config = config(1);
    config.network.hidden = Vec::new();
    config.training.scaling = Scaling::None;
    let classes = trained(&config, &blobs::<f32>(30, 1));
    let values = trained(&config, &surface::<f32>(30, 1));
    for mut model in [classes, values] {
        // Finite weights, but their products with large features are not.
        let weights = model.network().layout().blocks()[0].range.clone();
        model.network_mut().theta_mut()[weights].fill(f32::MAX);
        let x = Matrix::from_fn(300, 2, |i, _| if i < 270 { 0.0 } else { 1e3 });
        model.predict(x.view().rows_range(0..270)).unwrap();
        let error = model.predict(x.view()).unwrap_err().to_string();
        assert!(error.contains("row 270 (counted from 0) is "), "{error}");
        assert!(model.predict_one(x.row(270)).is_err());
    }
}

#[test]
fn a_target_that_never_varies_is_refused() {
    let x = Matrix::from_fn(5, 1, |i, _| i as f32);
    let data = |values: [f32; 5]| {
        let values = Matrix::from_vec(5, 1, values.to_vec()).unwrap();
        let target = Target::Values { values, names: names(&["y"]) };
        Dataset::new("line", x.clone(), names(&["x"]), target).unwrap()
    };
    let error = Model::new(&config(1), &data([7.5; 5])).unwrap_err().to_string();
    assert!(error.contains("the target `y` is 7.5 in every training example"), "{error}");
    Model::new(&config(1), &data([7.5, 7.5, 7.5, 7.5, 7.0])).unwrap();
}

#[test]
fn a_loss_of_the_other_kind_is_refused() {
    let mut config = config(1);
    for (loss, classes, values) in [
        ("mse", false, true),
        ("squared_error", false, true),
        ("l1", false, true),
        ("huber(2)", false, true),
        ("cross_entropy", true, false),
        ("cross-entropy(label_smoothing=0.2)", true, false),
        ("probability-cross-entropy", true, false),
        ("bce_with_logits", false, false),
        ("nonsense", false, false),
    ] {
        config.training.loss = Some(loss.to_owned());
        assert_eq!(Model::new(&config, &blobs::<f32>(9, 1)).is_ok(), classes, "{loss}");
        assert_eq!(Model::new(&config, &surface::<f32>(9, 1)).is_ok(), values, "{loss}");
    }
    config.training.loss = Some("bce_with_logits".to_owned());
    for error in [
        Model::new(&config, &blobs::<f32>(9, 1)).unwrap_err().to_string(),
        Model::new(&config, &surface::<f32>(9, 1)).unwrap_err().to_string(),
    ] {
        assert!(error.contains("a value of 0 or 1 for each output"), "{error}");
        assert!(!error.contains("is for"), "{error}");
    }
    config.training.loss = None;
    for weights in [&[1.0, 1.0][..], &[1.0, -1.0, 1.0], &[f64::NAN; 3]] {
        config.training.class_weights = Some(weights.to_vec());
        assert!(Model::new(&config, &blobs::<f32>(9, 1)).is_err(), "{weights:?}");
    }
}

#[test]
fn scaling_is_fitted_on_the_training_data_alone() {
    let mut config = config(1);
    config.training.scaling = Scaling::MinMax;
    let model = trained(&config, &blobs::<f64>(60, 1));
    let before = model.info().scaler.clone();
    model.evaluate(&blobs(60, 2)).unwrap();
    assert_eq!(model.info().scaler, before);
    let prepared = model.prepare(blobs(60, 1)).unwrap();
    let largest = prepared.features().as_slice().iter().copied().fold(0.0, f64::max);
    assert_eq!(largest, 1.0);
}

#[test]
fn a_builder_names_the_layer_that_is_wrong() {
    let error = |builder: NetworkBuilder<f32>| builder.build().unwrap_err().to_string();
    let new = NetworkBuilder::new;
    let id = Activation::Identity;
    assert!(error(new(3)).contains("at least one layer"));
    assert!(error(new(0).dense(2, id)).contains("layer 1: a dense layer with 0 inputs"));
    assert!(error(new(3).dense(2, id).dense(0, id).dense(1, id)).contains("layer 2"));
    assert!(error(new(3).dense(2, id).dropout(1.0)).contains("layer 2: the dropout rate is 1"));
    assert!(error(new(3).dense(usize::MAX, id)).contains("layer 1"));
    assert!(error(new(1 << 30).dense(1 << 30, id)).contains("memory"));
    assert!(
        error(new(3).init(Init::Normal(0.0, -1.0), Init::Zeros).dense(2, id)).contains("layer 1")
    );
    assert!(error(new(3).dense(2, Activation::Elu { alpha: f64::NAN })).contains("layer 1"));
    let own = Dense::new(4, 2, id).unwrap();
    assert!(error(new(3).dense(2, id).layer(own)).contains("layer 2 takes 4 inputs"));
    let network = new(3).seed(5).dense(2, id).build().unwrap();
    assert_eq!(network.theta(), new(3).seed(5).dense(2, id).build().unwrap().theta());
    assert_ne!(network.theta(), new(3).seed(6).dense(2, id).build().unwrap().theta());
}

/// `f32` holds no 1e300: an error of the builder, and not a network of infinities.
#[test]
fn initial_parameters_that_are_not_finite_are_refused() {
    let build = |bias| {
        let normal = Init::Normal(0.0, 1.0);
        NetworkBuilder::<f32>::new(3)
            .dense(2, Activation::Relu)
            .dropout(0.5)
            .init(normal, bias)
            .dense(2, Activation::Relu)
            .build()
    };
    assert!(build(Init::Constant(1e30)).is_ok());
    let error = build(Init::Constant(1e300)).unwrap_err().to_string();
    assert_eq!(
        error,
        "layer 3: an initial parameter is inf; it must be finite; choose an initialiser with \
         smaller values"
    );
}
