//! An epoch of shuffled mini-batches: `batches/1797x64/32/f32` draws the order of 1797 examples
//! and copies them, 32 at a time.
//!
//! `cargo bench -p chainrule-benches --bench data`

use std::hint::black_box;
use std::time::Duration;

use chainrule::data::{Batches, Dataset, Target};
use chainrule::rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
use chainrule::tensor::Matrix;
use criterion::{Criterion, Throughput};

fn epochs(c: &mut Criterion) -> chainrule::Result<()> {
    let mut group = c.benchmark_group("batches");
    for (rows, columns, batch) in [(1797, 64, 32), (10_000, 784, 128)] {
        let features = Matrix::<f32>::from_fn(rows, columns, |i, j| ((i + j) % 17) as f32);
        let names = (1..=columns).map(|column| format!("x{column}")).collect();
        let labels = (0..rows).map(|row| row % 10).collect();
        let classes = (0..10).map(|class| class.to_string()).collect();
        let target = Target::Classes { labels, names: classes };
        let data = Dataset::new("synthetic", features, names, target)?;

        let mut batches = Batches::new(&data, batch)?;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(format!("{rows}x{columns}/{batch}/f32"), |bencher| {
            bencher.iter(|| {
                batches.shuffle(&mut rng);
                while let Some(batch) = batches.next() {
                    black_box(batch);
                }
            });
        });
    }
    Ok(())
}

fn main() -> chainrule::Result<()> {
    let mut c = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    epochs(&mut c)?;
    c.final_summary();
    Ok(())
}
