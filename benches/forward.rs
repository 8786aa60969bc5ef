//! Forward propagation of a batch on one thread, without the loss:
//! `forward/mnist/784-512-512-10/128/f32`.
//!
//! `cargo bench -p chainrule-benches --bench forward`

use std::time::Duration;

use chainrule::autograd::Workspace;
use chainrule_benches::WORKLOADS;
use criterion::{Criterion, Throughput};

fn forward(c: &mut Criterion) -> chainrule::Result<()> {
    let mut group = c.benchmark_group("forward");
    for workload in WORKLOADS {
        let network = workload.network::<f32>()?;
        let mut workspace = Workspace::new(&network, workload.batch)?;
        let batch = workload.batches().swap_remove(0);
        group.throughput(Throughput::Elements(workload.batch as u64));
        group.bench_function(format!("{}/f32", workload.id()), |bencher| {
            bencher.iter(|| network.predict(batch.x.view(), &mut workspace).map(|y| y[(0, 0)]));
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
    forward(&mut c)?;
    c.final_summary();
    Ok(())
}
