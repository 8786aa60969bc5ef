//! The training loop: repeatable runs, the best weights, stopping, divergence.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chainrule::autograd::{NetworkError, Workspace};
use chainrule::data::{Dataset, Target};
use chainrule::loss::{LossError, Reduction, parse};
use chainrule::optim::{GradientClip, OptimizerConfig, PlateauConfig};
use chainrule::prelude::*;
use chainrule::rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use chainrule::train::{StopReason, evaluate};
use chainrule::{Error, History, NetworkConfig, TrainingConfig};

use crate::common::{bits, blobs, config, names, surface, trained};

/// Trains a fresh model; the bits of its weights and its history without the times.
fn run(config: &Config, data: &Dataset<f32>) -> (Vec<u64>, Vec<(f64, f64)>) {
    let mut model = Model::new(config, data).unwrap();
    let history = model.train(config, data, |trainer| trainer).unwrap();
    let scores = history.epochs.iter().map(|e| (e.train.loss, e.train.metric.value()));
    (bits(model.network()), scores.collect())
}

#[test]
fn one_seed_gives_the_same_bits_on_any_number_of_threads() {
    let data = blobs(400, 1);
    let mut config = config(2);
    // Large enough for the work to be shared.
    config.network = NetworkConfig { hidden: vec![129, 65], dropout: 0.2, ..config.network };
    config.training.batch_size = 130;
    let first = run(&config, &data);
    assert_eq!(run(&config, &data), first);
    for threads in [2, 3, 4] {
        config.training.threads = Some(threads);
        assert_eq!(run(&config, &data), first, "{threads} threads");
    }
    config.training.seed += 1;
    assert!(run(&config, &data).0 != first.0, "another seed, the same bits");
}

#[test]
fn every_optimizer_learns() {
    let data = blobs::<f32>(300, 2);
    for name in OptimizerConfig::NAMES {
        let mut config = config(30);
        let mut optimizer = OptimizerConfig::from_name(name).unwrap();
        let rate = match name {
            "sgd" => 0.1,
            "adadelta" => 1.0,
            _ => 0.01,
        };
        optimizer.set_learning_rate(rate);
        config.training.optimizer = optimizer;
        let scores = trained(&config, &data).evaluate(&data).unwrap();
        assert!(scores.metric.value() > 0.95, "{name}: {}", scores.metric);
    }
}

#[test]
fn schedules_clipping_smoothing_and_weights_reach_the_step() {
    let data = blobs::<f32>(100, 3);
    let mut bit_patterns = vec![run(&config(3), &data).0];
    let changes: [fn(&mut TrainingConfig); 8] = [
        |c| c.schedule = Schedule::cosine(),
        |c| c.schedule = Schedule::one_cycle(),
        |c| c.schedule = Schedule::Exponential { gamma: 0.9 },
        |c| c.clip = Some(GradientClip::Norm(0.1)),
        |c| c.clip = Some(GradientClip::Value(0.01)),
        |c| c.loss = Some("cross_entropy(label_smoothing=0.1)".to_owned()),
        |c| c.class_weights = Some(vec![1.0, 5.0, 1.0]),
        |c| c.loss = Some("probability_cross_entropy".to_owned()),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut config = config(3);
        change(&mut config.training);
        let (bits, scores) = run(&config, &data);
        assert!(scores[2].0 < scores[0].0, "change {i}: {scores:?}");
        if i < 7 {
            assert!(!bit_patterns.contains(&bits), "change {i} changes nothing");
        }
        bit_patterns.push(bits);
    }
}

#[test]
fn the_learning_rate_follows_the_schedule() {
    let data = blobs::<f32>(64, 4);
    let mut config = config(4);
    config.training.schedule = Schedule::Step { every: 4, factor: 0.5 };
    let mut model = Model::new(&config, &data).unwrap();
    let history = model.train(&config, &data, |trainer| trainer).unwrap();
    let rates: Vec<f64> = history.epochs.iter().map(|e| e.learning_rate).collect();
    assert_eq!(rates, [0.01, 0.005, 0.0025, 0.00125]);
}

/// A loss never below `best · (1 − 2)` is no progress: every epoch after the first halves the rate.
#[test]
fn a_plateau_multiplies_the_schedule() {
    let data = blobs::<f32>(64, 4);
    let top = Schedule::OneCycle {
        total: None,
        max_rate: Some(0.04),
        pct_start: 0.3,
        div_factor: 25.0,
        final_div_factor: 1e4,
    };
    for schedule in [Schedule::Constant, Schedule::Step { every: 4, factor: 0.5 }, top] {
        let mut config = config(5);
        config.training.schedule = schedule.clone();
        let rates = |config: &Config| -> Vec<f64> {
            let mut model = Model::new(config, &data).unwrap();
            let history = model.train(config, &data, |trainer| trainer).unwrap();
            history.epochs.iter().map(|epoch| epoch.learning_rate).collect()
        };
        let plain = rates(&config);
        let plateau =
            PlateauConfig { factor: 0.5, patience: 0, threshold: 2.0, ..Default::default() };
        config.training.plateau = Some(plateau);
        let halved: Vec<f64> = plain
            .iter()
            .zip([1.0, 1.0, 0.5, 0.25, 0.125])
            .map(|(rate, part)| rate * part)
            .collect();
        assert_eq!(rates(&config), halved, "{schedule}");
        // One that bears it for longer than the run changes nothing.
        config.training.plateau = Some(PlateauConfig { threshold: 2.0, ..Default::default() });
        assert_eq!(rates(&config), plain, "{schedule}");
    }
}

#[test]
fn scores_do_not_depend_on_the_batch_size() {
    let data = blobs::<f64>(50, 12);
    let mut network = NetworkBuilder::new(2).dense(3, Activation::Identity).build().unwrap();
    network.theta_mut().copy_from_slice(&[0.3, -0.2, 0.5, 0.1, -0.4, 0.6, 0.1, 0.0, -0.1]);
    let scores = |loss: &dyn Loss<f64>, batch| {
        let mut workspace = Workspace::new(&network, batch).unwrap();
        evaluate(&network, loss, &data, &mut workspace).unwrap()
    };
    let weighted = |weights: [f64; 3]| CrossEntropy::new().with_class_weights(weights.to_vec());
    for loss in [
        CrossEntropy::new(),
        weighted([1.0, 5.0, 0.5]).unwrap(),
        weighted([0.0, 5.0, 0.5]).unwrap(),
        CrossEntropy::new().with_ignore_index(2),
        weighted([1.0, 5.0, 0.5]).unwrap().with_ignore_index(0),
    ] {
        let whole = scores(&loss, 50);
        let sum = loss.clone().with_reduction(Reduction::Sum);
        for batch in [1, 2, 7, 49, 64] {
            for part in [scores(&loss, batch), scores(&sum, batch)] {
                assert!((part.loss - whole.loss).abs() < 1e-12, "{loss:?}, {batch}: {part:?}");
                assert_eq!(part.metric, whole.metric, "{loss:?}, {batch}");
            }
        }
    }
    // The accuracy is that of the other examples.
    let rows: Vec<usize> = (0..50).filter(|i| i % 3 != 2).collect();
    let mut workspace = Workspace::new(&network, 8).unwrap();
    let others = data.select(&rows);
    let expected = evaluate(&network, &CrossEntropy::new(), &others, &mut workspace).unwrap();
    let found = scores(&CrossEntropy::new().with_ignore_index(2), 8);
    assert_eq!(found.metric, expected.metric);
    assert!((found.loss - expected.loss).abs() < 1e-12);
    assert_ne!(found.metric, scores(&CrossEntropy::new(), 8).metric);
}

/// With batches of one, every third has only the ignored class, or only the class of weight 0.
#[test]
fn batches_without_weight_are_skipped() {
    let data = blobs::<f32>(30, 13);
    let blue: Vec<usize> = (0..30).filter(|i| i % 3 == 2).collect();
    let (blue, config) =
        (data.select(&blue), TrainingConfig { batch_size: 1, ..config(2).training });
    let ignoring = CrossEntropy::new().with_ignore_index(2);
    let weighted = CrossEntropy::new().with_class_weights(vec![1.0, 1.0, 0.0]).unwrap();
    let fresh = || NetworkBuilder::new(2).dense(3, Activation::Identity).build().unwrap();
    for loss in [ignoring, weighted] {
        let mut network = fresh();
        let mut steps = 0;
        let trainer = Trainer::new(&config).unwrap().validation(&data).on_batch(|report| {
            assert!(report.loss.is_finite());
            steps += 1;
            Flow::Continue(())
        });
        let history = trainer.fit(&mut network, &loss, &data).unwrap();
        assert!(history.epochs.iter().all(|epoch| epoch.monitored().is_finite()));
        assert_eq!((history.epochs.len(), steps), (2, 40));

        let no_weight = |error: Error| {
            let Error::Network(NetworkError::Loss(error)) = error else { panic!("{error}") };
            assert!(matches!(error, LossError::AllIgnored { .. } | LossError::ZeroWeight { .. }));
        };
        let mut network = fresh();
        let before = bits(&network);
        no_weight(Trainer::new(&config).unwrap().fit(&mut network, &loss, &blue).unwrap_err());
        assert_eq!(bits(&network), before);
        let trainer = Trainer::new(&config).unwrap().validation(&blue);
        no_weight(trainer.fit(&mut network, &loss, &data).unwrap_err());
    }
}

#[test]
fn weight_decay_leaves_the_biases_alone_unless_told() {
    // Inputs that are all 0 leave the first layer's weights without a gradient: only decay moves
    // them.
    let x = Matrix::from_fn(4, 2, |_, _| 0.0_f64);
    let target = Target::Values { values: Matrix::zeros(4, 1), names: names(&["y"]) };
    let data = Dataset::new("zeros", x, names(&["a", "b"]), target).unwrap();
    let fit = |decay_biases| {
        let mut config = config(1).training;
        config.optimizer = OptimizerConfig::from_name("sgd").unwrap();
        config.optimizer.set_learning_rate(0.1);
        config.optimizer.set_weight_decay(0.5);
        config.decay_biases = decay_biases;
        let mut network = NetworkBuilder::new(2).dense(1, Activation::Identity).build().unwrap();
        network.theta_mut().copy_from_slice(&[1.0, -1.0, 2.0]);
        let loss = SquaredError::new();
        Trainer::new(&config).unwrap().fit(&mut network, &loss, &data).unwrap();
        network.theta().to_vec()
    };
    let (weights_only, all) = (fit(false), fit(true));
    assert_eq!(weights_only[..2], [0.95, -0.95]);
    assert_eq!(all[..2], [0.95, -0.95]);
    assert!((weights_only[2] - all[2] - 0.1 * 0.5 * 2.0).abs() < 1e-15);
}

#[test]
fn a_known_function_is_learnt() {
    let (train, test) = (surface::<f32>(600, 5), surface::<f32>(200, 6));
    let scores = trained(&config(60), &train).evaluate(&test).unwrap();
    assert!(scores.metric.value() > 0.99, "{}", scores.metric);
}

#[test]
fn a_batch_may_be_larger_than_the_data() {
    let data = blobs::<f32>(30, 7);
    let mut config = config(3);
    config.training.batch_size = 1 << 40;
    let mut model = Model::new(&config, &data).unwrap();
    let mut reports = Vec::new();
    let history = model.train(&config, &data, |trainer| {
        trainer.on_batch(|report| {
            reports.push((report.epoch, report.batch, report.batches));
            Flow::Continue(())
        })
    });
    assert_eq!(history.unwrap().epochs.len(), 3);
    assert_eq!(reports, [(1, 1, 1), (2, 1, 1), (3, 1, 1)]);
}

/// Trains on few examples with many weights, so that validation gets worse again.
fn overfit(change: impl FnOnce(&mut TrainingConfig)) -> (Vec<Vec<u64>>, Model<f32>, History) {
    let (train, validation) = (noise(24, 1), noise(60, 2));
    let mut config = config(40);
    config.network.hidden = vec![32];
    change(&mut config.training);
    let mut model = Model::new(&config, &train).unwrap();
    let validation = model.prepare(&validation).unwrap();
    let mut weights = Vec::new();
    let history = model.train(&config, &train, |trainer| {
        trainer.validation(&validation).on_epoch(|_, network| {
            weights.push(bits(network));
            Flow::Continue(())
        })
    });
    let history = history.unwrap();
    (weights, model, history)
}

/// Points whose class is as good as chance.
fn noise(examples: usize, seed: u64) -> Dataset<f32> {
    let points = blobs::<f32>(examples, seed);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let labels = (0..examples).map(|_| rng.random_range(0..2)).collect();
    let target = Target::Classes { labels, names: names(&["no", "yes"]) };
    Dataset::new("noise", points.features().to_matrix(), names(&["x", "y"]), target).unwrap()
}

#[test]
fn the_best_epoch_by_validation_is_kept() {
    let (weights, model, history) = overfit(|_| ());
    let losses: Vec<f64> =
        history.epochs.iter().map(|epoch| epoch.validation.unwrap().loss).collect();
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let best = losses.iter().position(|&loss| loss == lowest).unwrap();
    assert!(best + 1 < losses.len(), "validation never got worse: {losses:?}");
    assert_eq!(history.best().unwrap().epoch, best + 1);
    assert_eq!(bits(model.network()), weights[best]);
    assert_eq!(model.info().training.as_ref().unwrap().best_epoch, Some(best + 1));

    let (weights, model, history) = overfit(|training| training.keep_best = false);
    assert_eq!(&bits(model.network()), weights.last().unwrap());
    assert_eq!(history.best().unwrap().epoch, best + 1);
    assert_eq!(model.info().training.as_ref().unwrap().best_epoch, None);
    assert_ne!(weights[best], *weights.last().unwrap());
}

#[test]
fn patience_counts_the_epochs_without_a_better_loss() {
    for patience in [1, 3] {
        let (_, _, history) = overfit(|training| training.patience = Some(patience));
        assert_eq!(history.stop, StopReason::EarlyStopping);
        let flags: Vec<bool> = history.epochs.iter().map(|epoch| epoch.best).collect();
        let (before, last) = flags.split_at(flags.len() - patience);
        assert_eq!(last, vec![false; patience]);
        assert!(before.ends_with(&[true]));
        let longest = flags.split(|&best| best).map(<[bool]>::len).max().unwrap();
        assert_eq!(longest, patience);
    }
}

#[test]
fn the_test_set_influences_nothing() {
    let (train, test) = (noise(40, 1), noise(30, 3));
    let mut config = config(10);
    config.network.dropout = 0.3;
    config.training.patience = Some(2);
    let fit = |with_test: bool| {
        let mut model = Model::new(&config, &train).unwrap();
        let test = model.prepare(&test).unwrap();
        let history =
            model.train(
                &config,
                &train,
                |trainer| {
                    if with_test { trainer.test(&test) } else { trainer }
                },
            );
        let history = history.unwrap();
        assert!(history.epochs.iter().all(|epoch| epoch.test.is_some() == with_test));
        (bits(model.network()), history.epochs.len(), history.stop)
    };
    assert_eq!(fit(true), fit(false));
}

#[test]
fn callbacks_and_the_flag_stop_training() {
    let data = blobs::<f32>(64, 8);
    let config = config(10);
    let fit = |setup: &dyn Fn(Trainer<'static, f32>) -> Trainer<'static, f32>| {
        let config: &'static Config = Box::leak(Box::new(config.clone()));
        let mut model = Model::new(config, &data).unwrap();
        let start = bits(model.network());
        let history = model.train(config, &data, setup).unwrap();
        assert_eq!(history.stop, StopReason::Cancelled);
        (history.epochs.len(), bits(model.network()) != start)
    };
    let at_epoch = |epoch| {
        move |t: Trainer<'static, f32>| {
            t.on_epoch(
                move |report, _| {
                    if report.epoch == epoch { Flow::Break(()) } else { Flow::Continue(()) }
                },
            )
        }
    };
    assert_eq!(fit(&at_epoch(3)), (3, true));
    let at_batch = |epoch, batch| {
        move |t: Trainer<'static, f32>| {
            t.on_batch(move |report| {
                let here = (report.epoch, report.batch) == (epoch, batch);
                if here { Flow::Break(()) } else { Flow::Continue(()) }
            })
        }
    };
    assert_eq!(fit(&at_batch(2, 3)), (1, true));
    // No epoch has ended: the weights of the last step stay.
    assert_eq!(fit(&at_batch(1, 2)), (0, true));
    let flag = Arc::new(AtomicBool::new(false));
    let by_flag = |t: Trainer<'static, f32>| {
        let (set, seen) = (Arc::clone(&flag), Arc::clone(&flag));
        t.cancel_flag(seen).on_batch(move |report| {
            set.store(report.epoch == 3, Ordering::Relaxed);
            Flow::Continue(())
        })
    };
    assert_eq!(fit(&by_flag), (2, true));
}

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
    let (error, model, fresh) = diverge(1e30, |_| ());
    let text = error.to_string();
    let Error::Diverged { epoch: 1, batch: 2.., loss, place: Some(place), .. } = error else {
        panic!("{text}");
    };
    assert!(!loss.is_finite() && place.layer >= 1, "{text}");
    for part in ["epoch 1", "layer", "initial weights", "smaller learning rate"] {
        assert!(text.contains(part) && !text.contains('\n'), "{text}");
    }
    assert_eq!(bits(model.network()), bits(fresh.network()));
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
    calls: std::sync::atomic::AtomicUsize,
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

#[test]
fn data_that_does_not_fit_is_refused_before_training() {
    let train = blobs::<f32>(30, 11);
    let config = config(1);
    let mut network = NetworkBuilder::new(2).dense(3, Activation::Identity).build().unwrap();
    let loss = parse::<f32>("cross_entropy", None, Default::default()).unwrap();
    let wide = chainrule::data::digits::<f32>();
    let (empty, values) = (train.select(&[]), surface(10, 1));
    for (data, part) in [
        (&wide, "64 features, the network has 2 inputs"),
        (&empty, "are none"),
        (&values, "another kind of target"),
    ] {
        for (what, trainer) in [
            ("validation", Trainer::new(&config.training).unwrap().validation(data)),
            ("test", Trainer::new(&config.training).unwrap().test(data)),
        ] {
            let before = bits(&network);
            let error = trainer.fit(&mut network, &*loss, &train).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(what), "{error}");
            assert_eq!(bits(&network), before);
        }
    }
    let trainer = Trainer::new(&config.training).unwrap();
    let error = trainer.fit(&mut network, &*loss, &wide).unwrap_err().to_string();
    assert!(error.contains("training examples have 64 features"), "{error}");
}

#[cfg(feature = "explain")]
#[test]
fn statistics_come_once_an_epoch_and_change_nothing() {
    let data: Dataset<f32> = blobs(90, 1);
    let mut config = config(3);
    config.training.batch_size = 32;
    let run = |watched: bool| {
        let (config, mut seen) = (config.clone(), Vec::new());
        let mut model = Model::new(&config, &data).unwrap();
        let note = |epoch: usize, found: &chainrule::explain::NetworkStatistics| {
            let ratios = found.layers.iter().map(|layer| layer.update_ratio.unwrap());
            assert!(ratios.clone().all(|ratio| ratio.is_finite() && ratio > 0.0), "{found}");
            // Of a batch of full size, not of the smaller last one.
            assert_eq!(found.examples, 32);
            seen.push(epoch);
        };
        let trained = match watched {
            true => model.train(&config, &data, |trainer| trainer.on_statistics(note)),
            false => model.train(&config, &data, |trainer| trainer),
        };
        trained.unwrap();
        (bits(model.network()), seen)
    };
    let ((plain, none), (watched, epochs)) = (run(false), run(true));
    assert_eq!((none, epochs), (vec![], vec![1, 2, 3]));
    assert_eq!(plain, watched);
}
