//! Which weights a run keeps, and what ends it before its last epoch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chainrule::data::{Dataset, Target};
use chainrule::prelude::*;
use chainrule::rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use chainrule::train::StopReason;
use chainrule::{History, TrainingConfig};

use crate::common::{bits, blobs, config, names};

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
