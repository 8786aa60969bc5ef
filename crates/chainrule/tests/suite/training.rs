//! The training loop: repeatable runs, learning rates, losses, scores.

use chainrule::autograd::{NetworkError, Workspace};
use chainrule::data::{Dataset, Target};
use chainrule::loss::{LossError, Reduction, parse};
use chainrule::optim::{DecayOn, GradientClip, OptimizerConfig, PlateauConfig};
use chainrule::prelude::*;
use chainrule::tensor::product::MAX_WHOLE;
use chainrule::train::{evaluate, step};
use chainrule::{Error, NetworkConfig, TrainingConfig};

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

/// Clipping that changes nothing needs the whole gradient; without it gradient descent stores none, but
/// for batches whose sums would be subtracted in parts.
#[test]
fn a_gradient_that_is_not_stored_gives_the_same_bits() {
    let data = blobs(3 * MAX_WHOLE + 100, 1);
    for (name, batch_size) in [("sgd", 100), ("sgd", 1000), ("sgd", MAX_WHOLE + 20), ("adam", 100)]
    {
        let mut config = config(3);
        // So wide that their sums are not cut into sections, which are subtracted as a whole.
        config.network.hidden = vec![40];
        config.training.batch_size = batch_size;
        config.training.optimizer = OptimizerConfig::from_name(name).unwrap();
        config.training.optimizer.set_learning_rate(0.05);
        for threads in [1, 2] {
            config.training.threads = Some(threads);
            config.training.clip = None;
            let free = run(&config, &data);
            config.training.clip = Some(GradientClip::Norm(1e30));
            assert_eq!(run(&config, &data), free, "{name}, batch {batch_size}");
            config.training.clip = Some(GradientClip::Norm(1e-3));
            assert_ne!(run(&config, &data), free, "{name}, batch {batch_size}");
        }
    }
}

#[test]
fn a_step_refuses_what_does_not_fit() {
    let build = |units| NetworkBuilder::<f32>::new(2).dense(units, Activation::Relu).build();
    let (mut network, mut other) = (build(3).unwrap(), build(4).unwrap());
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let before = (bits(&network), bits(&other));
    for name in ["sgd", "adamw"] {
        let optimizer = |network: &Network<f32>| {
            let config = OptimizerConfig::from_name(name).unwrap();
            config.build::<f32>(network.parameter_count(), DecayOn::All).unwrap()
        };
        let (mut own, mut others) = (optimizer(&network), optimizer(&other));
        let mut gradient = vec![0.0; network.parameter_count()];
        let mut longer = vec![0.0; other.parameter_count()];
        // Of the network; of another with all that fits it; with another's optimizer, and gradient.
        for case in 0..3 {
            let x = Matrix::from_rows(&[[0.5, -1.0]]);
            let forward = network.forward(x.view(), &mut workspace).unwrap();
            let targets = Targets::Classes(&[1]);
            let units = forward.output_units(&CrossEntropy::new(), targets).unwrap();
            let factors = units.hidden_units().into_factors();
            let refused = match case {
                0 => step(&mut other, factors, &mut *others, &mut longer),
                1 => step(&mut network, factors, &mut *others, &mut gradient),
                _ => step(&mut network, factors, &mut *own, &mut longer),
            };
            assert!(refused.is_err(), "{name}, case {case}");
        }
        assert_eq!((own.steps(), others.steps()), (0, 0), "{name}");
    }
    assert_eq!((bits(&network), bits(&other)), before);
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
    for name in ["adam", "sgd"] {
        config.training.optimizer = OptimizerConfig::from_name(name).unwrap();
        statistics_change_nothing(&config, &data);
    }
}

fn statistics_change_nothing(config: &Config, data: &Dataset<f32>) {
    let run = |watched: bool| {
        let (config, mut seen) = (config.clone(), Vec::new());
        let mut model = Model::new(&config, data).unwrap();
        let note = |epoch: usize, found: &chainrule::explain::NetworkStatistics| {
            let ratios = found.layers.iter().map(|layer| layer.update_ratio.unwrap());
            assert!(ratios.clone().all(|ratio| ratio.is_finite() && ratio > 0.0), "{found}");
            // Of a batch of full size, not of the smaller last one.
            assert_eq!(found.examples, 32);
            seen.push(epoch);
        };
        let trained = match watched {
            true => model.train(&config, data, |trainer| trainer.on_statistics(note)),
            false => model.train(&config, data, |trainer| trainer),
        };
        trained.unwrap();
        (bits(model.network()), seen)
    };
    let ((plain, none), (watched, epochs)) = (run(false), run(true));
    assert_eq!((none, epochs), (vec![], vec![1, 2, 3]));
    assert_eq!(plain, watched);
}
