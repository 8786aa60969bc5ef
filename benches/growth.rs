//! How the time of a training step grows with width, depth and batch, as a table and a drawing.
//!
//! `cargo run --release -q -p chainrule-benches --bin growth -- [FILE.svg]`
//!
//! ReLU networks with as many inputs as hidden units and 10 classes, cross-entropy, SGD, `f32`, one
//! thread; starting from width 256, two hidden layers and batches of 64, one of the three varies.
//! Each time is the least of several short runs.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::Instant;

use chainrule::autograd::Workspace;
use chainrule::layers::Activation;
use chainrule::loss::{CrossEntropy, Targets};
use chainrule::optim::{DecayOn, Sgd, SgdConfig};
use chainrule::tensor::Matrix;
use chainrule::train::step;
use chainrule::{NetworkBuilder, Result};
use chainrule_benches::program;

const RUNS: usize = 7;

/// One of the sizes varies, the others stay.
struct Series {
    name: &'static str,
    values: &'static [usize],
    sizes: fn(usize) -> Sizes,
}

/// Width, hidden layers, examples in a batch.
#[derive(Clone, Copy)]
struct Sizes {
    width: usize,
    depth: usize,
    batch: usize,
}

const USUAL: Sizes = Sizes { width: 256, depth: 2, batch: 64 };

const SERIES: [Series; 3] = [
    Series {
        name: "width",
        values: &[4, 8, 16, 32, 64, 128, 256, 512, 1024],
        sizes: |width| Sizes { width, ..USUAL },
    },
    Series {
        name: "hidden layers",
        values: &[1, 2, 4, 8, 16, 32],
        sizes: |depth| Sizes { depth, ..USUAL },
    },
    Series {
        name: "batch",
        values: &[1, 4, 16, 64, 256, 1024],
        sizes: |batch| Sizes { batch, ..USUAL },
    },
];

fn main() -> ExitCode {
    program::end("growth", run(std::env::args().nth(1)))
}

fn run(file: Option<String>) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut curves = Vec::new();
    for Series { name, values, sizes } in SERIES {
        let mut curve = Vec::new();
        for &value in values {
            let sizes = sizes(value);
            let micros = step_micros(sizes)?;
            let rate = sizes.operations() / micros / 1e3;
            writeln!(stdout(), "{name:<14}{value:>6}{micros:>14.2} us{rate:>10.1} GFLOP/s")?;
            curve.push((value as f64, micros));
        }
        curves.push((name, curve));
    }
    if let Some(file) = file {
        std::fs::write(file, drawing(&curves))?;
    }
    Ok(())
}

impl Sizes {
    /// Multiplications and additions of the products of a step.
    fn operations(self) -> f64 {
        let Self { width, depth, batch } = self;
        // Forward, ∇W, and the gradient of every layer's input but the first's.
        let hidden = (3 * depth - 1) * width * width + 3 * width * 10;
        (2 * batch * hidden) as f64
    }
}

fn step_micros(Sizes { width, depth, batch }: Sizes) -> Result<f64> {
    let mut builder = NetworkBuilder::<f32>::new(width).seed(1);
    for _ in 0..depth {
        builder = builder.dense(width, Activation::Relu);
    }
    let mut network = builder.dense(10, Activation::Identity).build()?;
    let mut workspace = Workspace::new(&network, batch)?;
    let mut gradient = vec![0.0; network.parameter_count()];
    let mut sgd = Sgd::new(SgdConfig::default(), network.parameter_count(), DecayOn::All)?;
    let x = Matrix::from_fn(batch, width, |i, j| ((i * 31 + j * 17) % 101) as f32 / 101.0);
    let labels: Vec<usize> = (0..batch).map(|i| i % 10).collect();
    let loss = CrossEntropy::new();
    let mut steps = |count: usize| -> Result<f64> {
        let start = Instant::now();
        for _ in 0..count {
            let forward = network.forward(x.view(), &mut workspace)?;
            let units = forward.output_units(&loss, Targets::Classes(&labels))?;
            let factors = units.hidden_units().into_factors();
            step(&mut network, factors, &mut sgd, &mut gradient)?;
        }
        Ok(start.elapsed().as_secs_f64())
    };
    let mut count = 1;
    while steps(count)? < 0.01 {
        count *= 2;
    }
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        least = least.min(steps(count)? / count as f64 * 1e6);
    }
    Ok(least)
}

/// Three panels side by side, both axes logarithmic.
fn drawing(curves: &[(&str, Vec<(f64, f64)>)]) -> String {
    const PANEL: f64 = 240.0;
    const SIDE: f64 = 54.0;
    const TOP: f64 = 16.0;
    const BOTTOM: f64 = 216.0;
    let times = || curves.iter().flat_map(|(_, curve)| curve.iter().map(|&(_, y)| y.log10()));
    let low = times().fold(f64::INFINITY, f64::min).floor();
    let high = times().fold(f64::NEG_INFINITY, f64::max).ceil();
    let y = |micros: f64| BOTTOM - (micros.log10() - low) / (high - low) * (BOTTOM - TOP);
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 260\" font-size=\"11\" \
         font-family=\"sans-serif\">\n<title>Microseconds a training step</title>\n\
         <rect width=\"760\" height=\"260\" fill=\"white\"/>\n",
    );
    for (panel, (name, curve)) in curves.iter().enumerate() {
        let left = SIDE + panel as f64 * PANEL;
        let last = curve.last().map_or(2.0, |&(x, _)| x);
        let first = curve.first().map_or(1.0, |&(x, _)| x);
        let x = |value: f64| left + (value / first).ln() / (last / first).ln() * (PANEL - 60.0);
        for power in low as i32..=high as i32 {
            let (at, right) = (y(10_f64.powi(power)), left + PANEL - 60.0);
            let _ = writeln!(
                svg,
                "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#ddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 6.0,
                at + 4.0,
                10_f64.powi(power)
            );
        }
        let points: Vec<String> =
            curve.iter().map(|&(at, micros)| format!("{:.1},{:.1}", x(at), y(micros))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f6feb\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        for &(at, micros) in curve {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"#1f6feb\"/>\
                 <text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{at}</text>",
                x(at),
                y(micros),
                x(at),
                BOTTOM + 16.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>",
            left + (PANEL - 60.0) / 2.0,
            BOTTOM + 34.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}
