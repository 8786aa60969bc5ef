//! Times one workload and prints one JSON object on one line.
//!
//! `cargo run --release -q -p chainrule-benches --bin step -- WORKLOAD THREADS [--precision bf16|f64]`
//!
//! ```text
//! {"contender":"chainrule","version":"0.1.0","workload":"mnist","threads":1,
//!  "us_per_step_median":4012.3,"us_per_step_min":3990.1,"rss_mb":17.2,"allocs_per_step":0}
//! ```
//!
//! Everything is in `f32`; with `--precision bf16` (products of bf16) or `f64` the contender is
//! `chainrule-bf16` or `chainrule-f64`. The workloads stand in `workloads.rs`. It warms up for at
//! least 20 steps and 1 s (`wide`: 3 steps) and times 7 repetitions of about 0.5 s. `us_per_step_*` are
//! median and minimum of the repetitions, `rss_mb` is the largest resident memory of the process in MiB (`null` where the
//! system does not tell), `allocs_per_step` counts allocations and reallocations of all threads
//! during one repetition. The process is not pinned; for one thread on one core, start it with
//! `taskset -c 0` or alike.

use std::alloc::System;
use std::fmt::Display;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Instant;

use chainrule::tensor::{Precision, instruction_set};
use chainrule_benches::{Step, WORKLOADS, Workload};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REPETITIONS: usize = 7;
const SECONDS_PER_REPETITION: f64 = 0.5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (workload, threads, precision) = match parse(&arguments) {
        Ok(parsed) => parsed,
        Err(message) => return fail(2, message),
    };
    if let Err(error) = instruction_set() {
        return fail(2, error);
    }
    let step = match precision {
        "f64" => workload.step::<f64>(threads, Precision::F32),
        "bf16" => workload.step::<f32>(threads, Precision::Bf16),
        _ => workload.step::<f32>(threads, Precision::F32),
    };
    let figures = step
        .map_err(|e| e.to_string())
        .and_then(|mut step| measure(&mut step, workload.name == "wide"));
    let Figures { median, min, allocations } = match figures {
        Ok(figures) => figures,
        Err(message) => return fail(1, message),
    };
    let rss = peak_rss_mib().map_or("null".to_owned(), |mib| format!("{mib:.1}"));
    let suffix = if precision == "f32" { String::new() } else { format!("-{precision}") };
    let said = writeln!(
        stdout(),
        "{{\"contender\":\"chainrule{suffix}\",\"version\":\"{}\",\"workload\":\"{}\",\
         \"threads\":{threads},\"us_per_step_median\":{median:.3},\"us_per_step_min\":{min:.3},\
         \"rss_mb\":{rss},\"allocs_per_step\":{allocations}}}",
        env!("CARGO_PKG_VERSION"),
        workload.name,
    );
    match said {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, error),
    }
}

fn fail(code: u8, message: impl Display) -> ExitCode {
    eprintln!("step: {message}");
    ExitCode::from(code)
}

fn parse(arguments: &[String]) -> Result<(&'static Workload, usize, &str), String> {
    let found = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    let (name, threads, precision) = match found[..] {
        [name, threads] => (name, threads, "f32"),
        [name, threads, "--precision", precision @ ("f32" | "bf16" | "f64")] => {
            (name, threads, precision)
        }
        _ => {
            return Err(format!(
                "expected WORKLOAD THREADS [--precision f32|bf16|f64], found `{}`",
                found.join(" ")
            ));
        }
    };
    let workload = Workload::find(name).ok_or_else(|| {
        let known = WORKLOADS.map(|workload| workload.name).join(", ");
        format!("unknown workload `{name}`; there are {known}")
    })?;
    match threads.parse() {
        Ok(threads @ 1..=1024) => Ok((workload, threads, precision)),
        _ => Err(format!("threads must be a number from 1 to 1024, found `{threads}`")),
    }
}

struct Figures {
    /// Microseconds a step, over the repetitions.
    median: f64,
    min: f64,
    /// Per step.
    allocations: f64,
}

fn measure(step: &mut Step, long: bool) -> Result<Figures, String> {
    let mut run = |steps: usize| {
        let start = Instant::now();
        for _ in 0..steps {
            let value = step().map_err(|error| error.to_string())?;
            if !value.is_finite() {
                return Err(format!("a step gave {value}"));
            }
        }
        Ok(start.elapsed().as_secs_f64())
    };
    let mut warm_up = if long { 3 } else { 20 };
    let mut seconds = run(warm_up)?;
    while !long && seconds < 1.0 {
        seconds += run(warm_up)?;
        warm_up *= 2;
    }
    // The warm-up's later steps run at full speed; one more run of them says how fast that is.
    let probe = if long { 1 } else { warm_up.div_ceil(8) };
    let per_step = run(probe)? / probe as f64;
    let steps = ((SECONDS_PER_REPETITION / per_step).round() as usize).max(1);

    let (mut micros, mut allocations) = ([0.0; REPETITIONS], 0.0);
    for micros in &mut micros {
        let region = Region::new(ALLOCATOR);
        *micros = run(steps)? / steps as f64 * 1e6;
        let change = region.change();
        allocations = (change.allocations + change.reallocations) as f64 / steps as f64;
    }
    micros.sort_by(f64::total_cmp);
    Ok(Figures { median: micros[REPETITIONS / 2], min: micros[0], allocations })
}

/// The most resident memory the process had so far, in MiB.
#[cfg(target_os = "linux")]
fn peak_rss_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(not(target_os = "linux"))]
fn peak_rss_mib() -> Option<f64> {
    None
}
