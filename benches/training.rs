//! One step of every workload, as the binary `step` times it, on one thread and on two:
//! `step/mnist/784-512-512-10/128/f32/1-thread`.
//!
//! `cargo bench -p chainrule-benches --bench training`

use std::time::Duration;

use chainrule::tensor::Precision;
use chainrule_benches::WORKLOADS;
use criterion::{Criterion, Throughput};

fn steps(c: &mut Criterion) -> chainrule::Result<()> {
    let mut group = c.benchmark_group("step");
    for workload in WORKLOADS {
        group.throughput(Throughput::Elements(workload.batch as u64));
        for threads in [1, 2] {
            let plural = if threads == 1 { "" } else { "s" };
            let elements = [
                ("f32", workload.step::<f32>(threads, Precision::F32)?),
                ("f64", workload.step::<f64>(threads, Precision::F32)?),
            ];
            for (element, mut step) in elements {
                let id = format!("{}/{element}/{threads}-thread{plural}", workload.id());
                group.bench_function(id, |bencher| bencher.iter(|| step().expect("a step")));
            }
        }
    }
    Ok(())
}

fn main() -> chainrule::Result<()> {
    let mut c = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    steps(&mut c)?;
    c.final_summary();
    Ok(())
}
