//! Nothing is allocated once a loss exists. Alone in its file: the counter sees the whole process.

use std::alloc::System;

use chainrule_loss::{NAMES, Reduction, Targets, parse};
use chainrule_tensor::{Matrix, vectorised};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn nothing_is_allocated() {
    let output = Matrix::from_fn(64, 40, |i, j| ((i + j) % 5) as f32 / 5.0);
    let values = Matrix::from_fn(64, 40, |_, _| 1.0 / 40.0);
    let labels: Vec<usize> = (0..64).map(|i| i % 40).collect();
    let mut gradient = Matrix::zeros(64, 40);
    let weights = [0.5; 40];
    // The first loop of a process reads CHAINRULE_SIMD.
    vectorised(|| ());
    let full = "cross_entropy(label_smoothing=0.1,ignore_index=3,class_weights)";
    for name in NAMES.into_iter().chain([full]) {
        let weights = (name == full).then_some(weights.as_slice());
        let loss = parse::<f32>(name, weights, Reduction::Mean).unwrap();
        let targets: &[Targets<'_, f32>] = match name {
            "cross_entropy" | "probability_cross_entropy" => {
                &[Targets::Classes(&labels), Targets::Values(values.view())]
            }
            name if name == full => &[Targets::Classes(&labels)],
            _ => &[Targets::Values(values.view())],
        };
        for &targets in targets {
            let region = Region::new(ALLOCATOR);
            loss.value_and_gradient(output.view(), targets, gradient.view_mut()).unwrap();
            loss.value(output.view(), targets).unwrap();
            loss.pieces(output.view(), targets, &mut |_| {});
            let change = region.change();
            assert_eq!(change.allocations + change.reallocations, 0, "{name}");
        }
    }
    let region = Region::new(ALLOCATOR);
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert_eq!(region.change().allocations, 1, "the counter does not count");
}
