//! A training step allocates nothing, seen through the whole trainer: more batches, the same
//! number of allocations. Alone in its file, in one test: the counter sees every thread.

mod common;

use std::alloc::System;

use chainrule::optim::{GradientClip, OptimizerConfig};
use chainrule::prelude::*;
use common::{blobs, config, surface};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn allocations(f: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    f();
    let change = region.change();
    change.allocations + change.reallocations
}

/// The fewest of three runs: what the test's harness allocates meanwhile is not the trainer's.
fn fewest(config: &Config, classes: bool, batches: usize, epochs: usize) -> usize {
    (0..3).map(|_| of_run(config, classes, batches, epochs)).min().unwrap_or(0)
}

/// Allocations of a whole run over `epochs` epochs of `batches` batches.
fn of_run(config: &Config, classes: bool, batches: usize, epochs: usize) -> usize {
    let mut config = config.clone();
    config.training.epochs = Some(epochs);
    let examples = batches * config.training.batch_size;
    let data = if classes { blobs::<f32>(examples, 1) } else { surface(examples, 1) };
    let model = Model::new(&config, &data).unwrap();
    let (mut network, loss) = (model.network().clone(), model.loss().unwrap());
    let data = model.prepare(&data).unwrap();
    let trainer = Trainer::new(&config.training).unwrap().test(&data).validation(&data);
    let trainer = trainer.on_batch(|_| Flow::Continue(()));
    allocations(|| {
        trainer.fit(&mut network, &*loss, &data).unwrap();
    })
}

#[test]
fn a_batch_allocates_nothing() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1_u8; 100]))), 1, "the counter");
    for classes in [true, false] {
        for (name, clip) in OptimizerConfig::NAMES
            .map(|name| (name, Some(GradientClip::Norm(1.0))))
            .into_iter()
            .chain([("sgd", None), ("adam", None)])
        {
            for threads in [1, 2] {
                let mut config = config(1);
                config.network.dropout = 0.2;
                config.training.optimizer = OptimizerConfig::from_name(name).unwrap();
                config.training.optimizer.set_learning_rate(1e-3);
                config.training.schedule = Schedule::one_cycle();
                config.training.clip = clip;
                config.training.threads = Some(threads);
                of_run(&config, classes, 2, 1);
                let place = format!("{name}, {clip:?}, {threads} threads, classes: {classes}");
                let few = fewest(&config, classes, 3, 1);
                assert_eq!(fewest(&config, classes, 50, 1), few, "{place}");
                // An epoch may keep its books, and no more of them for more batches.
                let epochs = |batches| {
                    fewest(&config, classes, batches, 3) - fewest(&config, classes, batches, 2)
                };
                assert_eq!(epochs(50), epochs(3), "{place}");
                assert!(epochs(3) < 20, "{} allocations an epoch, {place}", epochs(3));
            }
        }
    }
}
