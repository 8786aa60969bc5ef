//! Runs whose numbers leave the finite: the error names the place, good weights are put back.

use std::sync::atomic::{AtomicUsize, Ordering};

use chainrule::data::{Dataset, Target};
use chainrule::loss::{LossError, Reduction};
use chainrule::optim::OptimizerConfig;
use chainrule::prelude::*;
use chainrule::{Error, TrainingConfig};

use crate::common::{bits, blobs, config, names, surface};

fn diverge(rate: f64, setup: impl FnOnce(&mut TrainingConfig)) -> (Error, Model<f32>, Model<f32>) {
    let data = surface::<f32>(64, 9);
    let mut config = config(6);
    config.network.activation = Activation::Relu;
    config.training.optimizer = OptimizerConfig::from_name("sgd").unwrap();
    config.training.optimizer.set_learning_rate(rate);
    setup(&mut config.training);
    let fresh = Model::new(&config, &data).unwrap();
    let mut model = fresh.clone();
    let error = model.train(&config, &data, |trainer| trainer).unwrap_err();
    assert!(model.network().theta().iter().all(|weight| weight.is_finite()));
    (error, model, fresh)
}

#[test]
fn divergence_names_its_place_and_puts_good_weights_back() {
    for precision in [Precision::F32, Precision::Bf16] {
        let (error, model, fresh) = diverge(1e30, |config| config.precision = precision);
        let text = error.to_string();
        let Error::Diverged { epoch: 1, batch: 2.., loss, place: Some(place), .. } = error else {
            panic!("{precision}: {text}");
        };
        assert!(!loss.is_finite() && place.layer >= 1, "{precision}: {text}");
        for part in ["epoch 1", "layer", "initial weights", "smaller learning rate"] {
            assert!(text.contains(part) && !text.contains('\n'), "{precision}: {text}");
        }
        assert_eq!(bits(model.network()), bits(fresh.network()));
    }
}

#[test]
fn divergence_on_the_validation_examples_names_its_place_too() {
    let train = blobs::<f32>(32, 9);
    let target = Target::Classes { labels: vec![0, 1, 2], names: names(&["red", "green", "blue"]) };
    let x = Matrix::from_rows(&[[1.0, 1.0], [1.0, 1.0], [3e38, 3e38]]);
    let validation = Dataset::new("huge", x, names(&["x", "y"]), target).unwrap();
    let hidden = NetworkBuilder::<f32>::new(2).dense(2, Activation::Identity);
    let mut network = hidden.dense(3, Activation::Identity).build().unwrap();
    network.theta_mut().fill(4.0);
    let mut config = config(1).training;
    config.batch_size = 2;
    let trainer = Trainer::new(&config).unwrap().validation(&validation);
    let error = trainer.fit(&mut network, &CrossEntropy::new(), &train).unwrap_err();
    let Error::Diverged { epoch: 1, batch: 16, place: Some(place), .. } = error else {
        panic!("{error}");
    };
    // In the second batch of two.
    assert_eq!((place.layer, place.row), (1, 0));
}

/// Nothing after the last step would show what it did to the weights.
#[test]
fn the_last_step_may_not_break_the_weights_unseen() {
    for keep_best in [true, false] {
        let mut config = config(1).training;
        config.optimizer = OptimizerConfig::from_name("sgd").unwrap();
        config.optimizer.set_learning_rate(f64::from(f32::MAX));
        (config.batch_size, config.keep_best) = (64, keep_best);
        let hidden = NetworkBuilder::<f32>::new(2).dense(4, Activation::Tanh);
        let mut network = hidden.dense(2, Activation::Identity).build().unwrap();
        let before = bits(&network);
        // Values near 100, not scaled: the gradient is large enough for an infinite step.
        let trainer = Trainer::new(&config).unwrap();
        let done = trainer.fit(&mut network, &SquaredError::new(), &surface(64, 9));
        let error = done.unwrap_err();
        assert!(matches!(error, Error::Diverged { epoch: 1, batch: 1, .. }), "{error}");
        assert_eq!(bits(&network), before);
    }
}

#[test]
fn divergence_later_keeps_the_weights_of_the_best_epoch() {
    let data = blobs::<f32>(64, 10);
    let mut config = config(8);
    config.training.optimizer = OptimizerConfig::from_name("sgd").unwrap();
    config.training.optimizer.set_learning_rate(0.1);
    // The loss of the third epoch is not finite, whatever the weights.
    let mut model = Model::new(&config, &data).unwrap();
    let mut weights = Vec::new();
    let loss = Breaking { inner: CrossEntropy::new(), calls: Default::default(), at: 2 * 4 + 2 };
    let prepared = model.prepare(&data).unwrap();
    let trainer = Trainer::new(&config.training).unwrap().on_epoch(|_, network| {
        weights.push(bits(network));
        Flow::Continue(())
    });
    let error = trainer.fit(model.network_mut(), &loss, &prepared).unwrap_err();
    assert!(matches!(error, Error::Diverged { epoch: 3, batch: 2, place: None, .. }), "{error}");
    assert!(error.to_string().contains("weights of epoch 2"), "{error}");
    assert_eq!(bits(model.network()), weights[1]);
}

/// A loss that is NaN from one call on.
#[derive(Debug)]
struct Breaking {
    inner: CrossEntropy,
    calls: AtomicUsize,
    at: usize,
}

impl Loss<f32> for Breaking {
    fn name(&self) -> String {
        "breaking".to_owned()
    }

    fn reduction(&self) -> Reduction {
        Loss::<f32>::reduction(&self.inner)
    }

    fn value_and_gradient(
        &self,
        output: MatrixView<'_, f32>,
        targets: Targets<'_, f32>,
        gradient: chainrule::tensor::MatrixViewMut<'_, f32>,
    ) -> Result<f32, LossError> {
        let value = self.inner.value_and_gradient(output, targets, gradient)?;
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(if call >= self.at { f32::NAN } else { value })
    }

    fn value(
        &self,
        output: MatrixView<'_, f32>,
        targets: Targets<'_, f32>,
    ) -> Result<f32, LossError> {
        self.inner.value(output, targets)
    }
}
