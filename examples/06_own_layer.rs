//! A layer of one's own, in one file: its formulas, its hand-derived backward pass, the check
//! that they belong together, and training.
//!
//! `Wave` gives every unit a frequency and a phase to learn: `a_j = ω_j x_j + φ_j`, `h_j = sin a_j`.
//!
//! `cargo run -p chainrule-examples --example 06_own_layer`

use chainrule::autograd::CheckOptions;
use chainrule::layers::{Kept, ParamKind, ParamShape, Pass};
use chainrule::optim::{Adam, AdamConfig};
use chainrule::prelude::*;
use chainrule::rand::{Rng, RngExt};
use chainrule::tensor::{MatrixViewMut, product::Store};

/// `h = sin(ω ⊙ x + φ)`; θ is `[ω, φ]`.
#[derive(Debug)]
struct Wave {
    units: usize,
}

impl<S: Scalar> Layer<S> for Wave {
    fn name(&self) -> String {
        format!("wave {}", self.units)
    }

    fn inputs(&self) -> usize {
        self.units
    }

    fn outputs(&self) -> usize {
        self.units
    }

    fn params(&self) -> Vec<ParamShape> {
        let shape = |kind| ParamShape { kind, rows: self.units, cols: 1 };
        vec![shape(ParamKind::Weight), shape(ParamKind::Bias)]
    }

    fn initialise(&self, theta: &mut [S], rng: &mut dyn Rng) {
        let (omega, phi) = theta.split_at_mut(self.units);
        omega.fill_with(|| S::of(rng.random_range(2.0..10.0)));
        phi.fill_with(|| S::of(rng.random_range(0.0..1.0)));
    }

    /// `a = ω ⊙ x + φ`, `h = sin a`.
    fn forward(
        &self,
        theta: &[S],
        x: MatrixView<'_, S>,
        mut a: MatrixViewMut<'_, S>,
        mut h: MatrixViewMut<'_, S>,
        _pass: &mut Pass<'_>,
    ) {
        let (omega, phi) = theta.split_at(self.units);
        for ((x, a), h) in x.iter_rows().zip(a.iter_rows_mut()).zip(h.iter_rows_mut()) {
            for j in 0..self.units {
                a[j] = omega[j] * x[j] + phi[j];
                h[j] = a[j].sin();
            }
        }
    }

    /// `∇_a L = ∇_h L ⊙ cos a`.
    fn backward_activation(
        &self,
        kept: Kept<'_, S>,
        grad_h: MatrixView<'_, S>,
        mut grad_a: MatrixViewMut<'_, S>,
        _compute: &Compute,
    ) {
        let pairs = kept.a.as_slice().iter().zip(grad_h.as_slice());
        for (grad_a, (&a, &grad_h)) in grad_a.as_mut_slice().iter_mut().zip(pairs) {
            *grad_a = grad_h * a.cos();
        }
    }

    /// `∇_x L = ω ⊙ ∇_a L`.
    fn backward_input(
        &self,
        kept: Kept<'_, S>,
        grad_a: MatrixView<'_, S>,
        mut grad_x: MatrixViewMut<'_, S>,
        _compute: &Compute,
    ) {
        for (grad_a, grad_x) in grad_a.iter_rows().zip(grad_x.iter_rows_mut()) {
            for j in 0..self.units {
                grad_x[j] = kept.theta[j] * grad_a[j];
            }
        }
    }

    /// `∇_ω L = Σ ∇_a L ⊙ x` and `∇_φ L = Σ ∇_a L` over the examples.
    fn backward_params(
        &self,
        kept: Kept<'_, S>,
        grad_a: MatrixView<'_, S>,
        grad_theta: &mut [S],
        store: Store,
        _compute: &Compute,
    ) {
        if store == Store::Replace {
            grad_theta.fill(S::zero());
        }
        let (grad_omega, grad_phi) = grad_theta.split_at_mut(self.units);
        for (x, grad_a) in kept.x.iter_rows().zip(grad_a.iter_rows()) {
            for j in 0..self.units {
                grad_omega[j] += grad_a[j] * x[j];
                grad_phi[j] += grad_a[j];
            }
        }
    }
}

fn network<S: Scalar>() -> chainrule::Result<Network<S>> {
    NetworkBuilder::new(1)
        .dense(16, Activation::Identity)
        .layer(Wave { units: 16 })
        .dense(1, Activation::Identity)
        .seed(6)
        .build()
}

/// Two tones, 80 points on [−2, 2].
fn signal<S: Scalar>(points: usize) -> (Matrix<S>, Matrix<S>) {
    let x = Matrix::from_fn(points, 1, |i, _| 4.0 * i as f64 / (points - 1) as f64 - 2.0);
    let y =
        Matrix::from_fn(points, 1, |i, _| (3.0 * x[(i, 0)]).sin() + 0.5 * (7.0 * x[(i, 0)]).cos());
    (x.cast(), y.cast())
}

fn main() -> chainrule::Result<()> {
    // In f64 the check is sharp: any slip in the formulas above fails it.
    let (x, y) = signal::<f64>(6);
    let (loss, targets) = (SquaredError::new(), Targets::Values(y.view()));
    let report = check_gradient(&network()?, x.view(), &loss, targets, &CheckOptions::default())?;
    println!("{report}\n");
    assert!(report.passed());

    // The same layer in f32, in training.
    let (x, y) = signal::<f32>(80);
    let targets = Targets::Values(y.view());
    let mut network = network::<f32>()?;
    let mut workspace = Workspace::new(&network, x.rows())?;
    let mut gradient = vec![0.0; network.parameter_count()];
    let config = AdamConfig { learning_rate: 0.01, ..AdamConfig::default() };
    let mut adam = Adam::new(config, network.parameter_count(), DecayOn::All)?;
    let mut value = f32::INFINITY;
    for step in 1..=1000 {
        let forward = network.forward(x.view(), &mut workspace)?;
        value = forward.backward(&loss, targets, &mut gradient)?.loss();
        adam.step(network.theta_mut(), &gradient)?;
        if step == 1 || step % 200 == 0 {
            println!("step {step:4}: squared error {value:.6}");
        }
    }
    assert!(value < 1e-3, "{value}");

    println!("\n     x  sin 3x + ½ cos 7x       ŷ");
    for x in [-1.5, -0.5, 0.5, 1.5_f32] {
        let y_hat = network.predict_one(&[x], &mut workspace)?[0];
        println!("{x:6.2}  {:17.4}  {y_hat:6.3}", (3.0 * x).sin() + 0.5 * (7.0 * x).cos());
    }
    Ok(())
}
