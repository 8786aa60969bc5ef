//! What this machine can do at best, and how long the workloads take at that rate.
//!
//! `cargo run --release -q -p chainrule-benches --bin limit`
//!
//! It measures fused multiply-adds on registers alone and reading and copying memory of several
//! sizes, on one thread and on all, as the best of several short runs; then it counts each
//! workload's multiplications and additions in its matrix products and says how long they take at
//! the measured peak. A step's share of the limit is that time divided by the step's.

use std::hint::black_box;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Instant;

use chainrule::tensor::{Threads, kernels};
use chainrule_benches::{Task, WORKLOADS, Workload, program};
use pulp::{Arch, Simd, WithSimd};

/// Runs of which the best counts.
const RUNS: usize = 20;
/// Sums kept in registers: enough to hide the latency of a fused multiply-add.
const SUMS: usize = 12;
/// Fused multiply-adds of each sum in a run.
const STEPS: usize = 1 << 20;

/// Fused multiply-adds on registers: `SUMS × STEPS` vectors of them; the operations done.
struct Peak<const F64: bool>;

impl<const F64: bool> WithSimd for Peak<F64> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        // Multiplied by something below 1 and added to: the sums settle, and stay normal numbers.
        let lanes = if F64 {
            let (x, y) = (simd.splat_f64s(black_box(0.5)), simd.splat_f64s(black_box(1.0)));
            let mut sums = [y; SUMS];
            for _ in 0..STEPS {
                for sum in &mut sums {
                    *sum = simd.mul_add_f64s(*sum, x, y);
                }
            }
            black_box(sums);
            S::F64_LANES
        } else {
            let (x, y) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(1.0)));
            let mut sums = [y; SUMS];
            for _ in 0..STEPS {
                for sum in &mut sums {
                    *sum = simd.mul_add_f32s(*sum, x, y);
                }
            }
            black_box(sums);
            S::F32_LANES
        };
        (2 * lanes * SUMS * STEPS) as f64
    }
}

/// The most that `work`, which returns how much it did, does in a nanosecond, on all threads
/// together.
fn best(threads: &Threads, work: impl Fn(usize) -> f64 + Sync) -> f64 {
    let run = || {
        let start = Instant::now();
        let done = std::sync::Mutex::new(0.0);
        threads.for_each(threads.count(), |thread| {
            let own = work(thread);
            *done.lock().expect("no thread panics") += own;
        });
        done.into_inner().expect("no thread panics") / start.elapsed().as_nanos() as f64
    };
    (0..RUNS).map(|_| run()).fold(0.0, f64::max)
}

/// Multiplications and additions in the matrix products of a step.
fn operations(workload: &Workload) -> f64 {
    let products = workload.sizes.windows(2).enumerate().map(|(i, pair)| {
        let product = 2.0 * (workload.batch * pair[0] * pair[1]) as f64;
        match workload.task {
            Task::Probabilities | Task::Outputs => product,
            // Forward and ∇W; below the first layer nothing asks for ∇x.
            _ if i == 0 => 2.0 * product,
            _ => 3.0 * product,
        }
    });
    products.sum()
}

fn main() -> ExitCode {
    program::end("limit", run())
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let all = Threads::available();
    let mut counts = vec![Threads::one()];
    if all.count() > 1 {
        counts.push(all);
    }
    let mut peaks = Vec::new();
    for threads in &counts {
        let count = threads.count();
        let arch = Arch::new();
        let single = best(threads, |_| arch.dispatch(Peak::<false>));
        let double = best(threads, |_| arch.dispatch(Peak::<true>));
        writeln!(
            stdout(),
            "fused multiply-add  {count} threads  f32 {single:7.1} GFLOP/s  f64 {double:7.1} GFLOP/s"
        )?;
        peaks.push((count, single));
        for (name, kib) in [("256 KiB", 256), ("8 MiB", 8 << 10), ("256 MiB", 256 << 10)] {
            let values = kib * 1024 / size_of::<f32>();
            let passes = ((64 << 10) / kib).max(1);
            let bytes = (passes * values * size_of::<f32>()) as f64;
            let sources: Vec<_> = (0..count).map(|_| vec![1.0_f32; values]).collect();
            let read = best(threads, |thread| {
                for _ in 0..passes {
                    black_box(kernels::sum_map(black_box(&sources[thread]), |x| x));
                }
                bytes
            });
            writeln!(stdout(), "read {name:<14} {count} threads  {read:7.1} GB/s")?;
        }
    }
    writeln!(stdout())?;
    for workload in &WORKLOADS {
        let operations = operations(workload);
        write!(stdout(), "{:<28} {:12.0} operations", workload.id(), operations)?;
        for (count, peak) in &peaks {
            write!(stdout(), "  at the peak of {count}: {:11.3} us", operations / peak / 1e3)?;
        }
        writeln!(stdout())?;
    }
    Ok(())
}
