//! Mini-batches allocate when they are made, and never again.

use std::alloc::System;

use chainrule_data::{Batches, Dataset, Scaler, Scaling, Target};
use chainrule_tensor::Matrix;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn epochs_and_scaled_rows_allocate_nothing() {
    let features = Matrix::from_fn(103, 7, |i, j| (i * j) as f32);
    let names: Vec<String> = (0..7).map(|j| format!("x{j}")).collect();
    let classes = Target::Classes {
        labels: (0..103).map(|i| i % 2).collect(),
        names: vec!["even".to_owned(), "odd".to_owned()],
    };
    let values = Target::Values {
        values: Matrix::from_fn(103, 2, |i, j| (i + j) as f32),
        names: vec!["y1".to_owned(), "y2".to_owned()],
    };
    let scaler = Scaler::fit(Scaling::Standardise, features.view()).unwrap();
    let mut row = features.row(3).to_vec();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    for target in [classes, values] {
        let data = Dataset::new("numbers", features.clone(), names.clone(), target).unwrap();
        let region = Region::new(ALLOCATOR);
        let mut batches = Batches::new(&data, 10).unwrap();
        assert!(region.change().allocations > 0, "the buffers are not counted");

        // Something else in the process may allocate meanwhile, but not every time.
        let epochs = |_| {
            let region = Region::new(ALLOCATOR);
            let mut rows = 0;
            for _ in 0..3 {
                batches.shuffle(&mut rng);
                while let Some(batch) = batches.next() {
                    rows += batch.len();
                }
                batches.restart();
                while let Some(batch) = batches.next() {
                    rows += batch.len();
                }
            }
            scaler.transform_row(&mut row).unwrap();
            assert_eq!(rows, 6 * 103);
            let change = region.change();
            change.allocations + change.reallocations
        };
        assert_eq!((0..5).map(epochs).min(), Some(0));
    }
}
