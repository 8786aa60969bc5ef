//! A step, clipping and a schedule allocate nothing.

use std::alloc::System;

use chainrule_optim::{DecayOn, OptimizerConfig, Schedule, clip_by_norm, clip_by_value};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_step_allocates_nothing() {
    let (n, schedule) = (1000, Schedule::one_cycle().after_warmup(3).with_total_steps(50));
    for name in OptimizerConfig::NAMES {
        let mut config = OptimizerConfig::from_name(name).unwrap();
        config.set_weight_decay(0.1);
        let mut optimizer =
            config.build::<f32>(n, DecayOn::Ranges(vec![0..300, 500..900])).unwrap();
        let (mut theta, mut gradient) = (vec![1.0_f32; n], vec![0.5_f32; n]);
        let mut allocations = || {
            let region = Region::new(ALLOCATOR);
            for step in 0..50 {
                clip_by_norm(&mut gradient, 1.0);
                clip_by_value(&mut gradient, 0.1);
                optimizer.set_learning_rate(schedule.rate(0.01, step));
                optimizer.step(&mut theta, &gradient).unwrap();
            }
            let stats = region.change();
            stats.allocations + stats.reallocations
        };
        // The test harness's own thread may allocate beside one try, not beside each.
        let fewest = (0..5).map(|_| allocations()).min().unwrap();
        assert_eq!(fewest, 0, "{name}");
    }
}
