//! Backpropagation of a batch on one thread, with the value and gradient of the loss, after a
//! forward pass that is not timed: `backward/mnist/784-512-512-10/128/f32`. Reading the clock
//! around each pass adds some tens of nanoseconds.
//!
//! `cargo bench -p chainrule-benches --bench backward`

use std::time::{Duration, Instant};

use chainrule::autograd::Workspace;
use chainrule::loss::{CrossEntropy, Targets};
use chainrule_benches::{Task, WORKLOADS};
use criterion::{Criterion, Throughput};

fn backward(c: &mut Criterion) -> chainrule::Result<()> {
    let mut group = c.benchmark_group("backward");
    for workload in WORKLOADS.into_iter().filter(|workload| workload.task == Task::Train) {
        let network = workload.network::<f32>()?;
        let mut workspace = Workspace::new(&network, workload.batch)?;
        let mut gradient = vec![0.0; network.parameter_count()];
        let batch = workload.batches().swap_remove(0);
        let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&batch.labels));
        group.throughput(Throughput::Elements(workload.batch as u64));
        group.bench_function(format!("{}/f32", workload.id()), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut time = Duration::ZERO;
                for _ in 0..iterations {
                    let forward =
                        network.forward(batch.x.view(), &mut workspace).expect("the batch fits");
                    let start = Instant::now();
                    forward.backward(&loss, targets, &mut gradient).expect("the targets fit");
                    time += start.elapsed();
                }
                time
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
    backward(&mut c)?;
    c.final_summary();
    Ok(())
}
