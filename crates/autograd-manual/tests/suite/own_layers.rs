//! Layers and losses written outside of the library: right ones pass the gradient check, and each
//! usual mistake fails it.

use chainrule_autograd_manual::{CheckOptions, Network, NetworkReport, Param, check_gradient};
use chainrule_layers::{Activation, Dense, Kept, Layer, ParamKind, ParamShape, Pass};
use chainrule_loss::{Loss, LossError, Reduction, SquaredError, Targets};
use chainrule_tensor::product::Store;
use chainrule_tensor::{Compute, Matrix, MatrixView, MatrixViewMut};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mistake {
    None,
    SignOfActivation,
    SignOfInput,
    SignOfParams,
    NoBiasGradient,
    NoMean,
}

/// `a_j = w_j x_j + b_j`, `h_j = sin a_j`.
#[derive(Debug)]
struct Sine {
    units: usize,
    mistake: Mistake,
}

impl Sine {
    fn sign(&self, mistake: Mistake) -> f64 {
        if self.mistake == mistake { -1.0 } else { 1.0 }
    }
}

impl Layer<f64> for Sine {
    fn name(&self) -> String {
        format!("sine {}", self.units)
    }

    fn inputs(&self) -> usize {
        self.units
    }

    fn outputs(&self) -> usize {
        self.units
    }

    fn params(&self) -> Vec<ParamShape> {
        let kinds = [ParamKind::Weight, ParamKind::Bias];
        kinds.map(|kind| ParamShape { kind, rows: self.units, cols: 1 }).to_vec()
    }

    fn initialise(&self, theta: &mut [f64], rng: &mut dyn Rng) {
        theta.iter_mut().for_each(|theta| *theta = rng.random_range(0.5..1.5));
    }

    fn forward(
        &self,
        theta: &[f64],
        x: MatrixView<'_, f64>,
        mut a: MatrixViewMut<'_, f64>,
        mut h: MatrixViewMut<'_, f64>,
        _pass: &mut Pass<'_>,
    ) {
        let (w, b) = theta.split_at(self.units);
        for ((x, a), h) in x.iter_rows().zip(a.iter_rows_mut()).zip(h.iter_rows_mut()) {
            for j in 0..self.units {
                a[j] = w[j] * x[j] + b[j];
                h[j] = a[j].sin();
            }
        }
    }

    fn backward_activation(
        &self,
        kept: Kept<'_, f64>,
        grad_h: MatrixView<'_, f64>,
        mut grad_a: MatrixViewMut<'_, f64>,
        _: &Compute,
    ) {
        let sign = self.sign(Mistake::SignOfActivation);
        let pairs = kept.a.as_slice().iter().zip(grad_h.as_slice());
        for (grad_a, (a, grad_h)) in grad_a.as_mut_slice().iter_mut().zip(pairs) {
            *grad_a = sign * grad_h * a.cos();
        }
    }

    fn backward_input(
        &self,
        kept: Kept<'_, f64>,
        grad_a: MatrixView<'_, f64>,
        mut grad_x: MatrixViewMut<'_, f64>,
        _compute: &Compute,
    ) {
        let sign = self.sign(Mistake::SignOfInput);
        for (grad_a, grad_x) in grad_a.iter_rows().zip(grad_x.iter_rows_mut()) {
            for j in 0..self.units {
                grad_x[j] = sign * kept.theta[j] * grad_a[j];
            }
        }
    }

    fn backward_params(
        &self,
        kept: Kept<'_, f64>,
        grad_a: MatrixView<'_, f64>,
        grad_theta: &mut [f64],
        store: Store,
        _compute: &Compute,
    ) {
        if store == Store::Replace {
            grad_theta.fill(0.0);
        }
        let (grad_w, grad_b) = grad_theta.split_at_mut(self.units);
        let sign = self.sign(Mistake::SignOfParams);
        for (x, grad_a) in kept.x.iter_rows().zip(grad_a.iter_rows()) {
            for j in 0..self.units {
                grad_w[j] += sign * grad_a[j] * x[j];
                if self.mistake != Mistake::NoBiasGradient {
                    grad_b[j] += grad_a[j];
                }
            }
        }
    }
}

/// A `Dense` layer that forgets `∇_b L`.
#[derive(Debug)]
struct Forgetful(Dense);

impl Layer<f64> for Forgetful {
    fn name(&self) -> String {
        "forgetful".to_owned()
    }

    fn inputs(&self) -> usize {
        Layer::<f64>::inputs(&self.0)
    }

    fn outputs(&self) -> usize {
        Layer::<f64>::outputs(&self.0)
    }

    fn params(&self) -> Vec<ParamShape> {
        Layer::<f64>::params(&self.0)
    }

    fn initialise(&self, theta: &mut [f64], rng: &mut dyn Rng) {
        self.0.initialise(theta, rng);
    }

    fn forward(
        &self,
        theta: &[f64],
        x: MatrixView<'_, f64>,
        a: MatrixViewMut<'_, f64>,
        h: MatrixViewMut<'_, f64>,
        pass: &mut Pass<'_>,
    ) {
        self.0.forward(theta, x, a, h, pass);
    }

    fn backward_activation(
        &self,
        kept: Kept<'_, f64>,
        grad_h: MatrixView<'_, f64>,
        grad_a: MatrixViewMut<'_, f64>,
        compute: &Compute,
    ) {
        self.0.backward_activation(kept, grad_h, grad_a, compute);
    }

    fn backward_input(
        &self,
        kept: Kept<'_, f64>,
        grad_a: MatrixView<'_, f64>,
        grad_x: MatrixViewMut<'_, f64>,
        compute: &Compute,
    ) {
        self.0.backward_input(kept, grad_a, grad_x, compute);
    }

    fn backward_params(
        &self,
        kept: Kept<'_, f64>,
        grad_a: MatrixView<'_, f64>,
        grad_theta: &mut [f64],
        store: Store,
        compute: &Compute,
    ) {
        self.0.backward_params(kept, grad_a, grad_theta, store, compute);
        let biases = grad_theta.len() - Layer::<f64>::outputs(&self.0);
        grad_theta[biases..].fill(0.0);
    }
}

/// The squared error's mean, with the gradient of the mean or, by mistake, of the sum.
#[derive(Debug)]
struct OwnLoss(Mistake);

impl Loss<f64> for OwnLoss {
    fn name(&self) -> String {
        "own".to_owned()
    }

    fn reduction(&self) -> Reduction {
        Reduction::Mean
    }

    fn value_and_gradient(
        &self,
        output: MatrixView<'_, f64>,
        targets: Targets<'_, f64>,
        mut gradient: MatrixViewMut<'_, f64>,
    ) -> Result<f64, LossError> {
        let sum = SquaredError::new().with_reduction(Reduction::Sum);
        let value = sum.value_and_gradient(output, targets, gradient.view_mut())?;
        let n = output.rows() as f64;
        if self.0 != Mistake::NoMean {
            gradient.as_mut_slice().iter_mut().for_each(|g| *g /= n);
        }
        Ok(value / n)
    }

    fn value(
        &self,
        output: MatrixView<'_, f64>,
        targets: Targets<'_, f64>,
    ) -> Result<f64, LossError> {
        let sum = SquaredError::new().with_reduction(Reduction::Sum);
        Ok(sum.value(output, targets)? / output.rows() as f64)
    }
}

fn dense(inputs: usize, outputs: usize) -> Dense {
    Dense::new(inputs, outputs, Activation::Tanh).unwrap()
}

fn sine(mistake: Mistake) -> Box<dyn Layer<f64>> {
    Box::new(Sine { units: 4, mistake })
}

fn report(middle: Box<dyn Layer<f64>>, loss: &dyn Loss<f64>) -> NetworkReport {
    let layers: Vec<Box<dyn Layer<f64>>> =
        vec![Box::new(dense(3, 4)), middle, Box::new(dense(4, 2))];
    let mut network = Network::new(layers).unwrap();
    network.initialise(&mut Xoshiro256PlusPlus::seed_from_u64(3));
    let x = Matrix::from_rows(&[[0.2, -0.7, 0.5], [-0.3, 0.9, 0.1], [0.8, 0.4, -0.6]]);
    let y = Matrix::from_rows(&[[0.1, -0.4], [0.7, 0.3], [-0.2, 0.5]]);
    let targets = Targets::Values(y.view());
    check_gradient(&network, x.view(), loss, targets, &CheckOptions::default()).unwrap()
}

#[test]
fn a_right_layer_and_a_right_loss_pass() {
    let report = report(sine(Mistake::None), &OwnLoss(Mistake::None));
    assert!(report.passed(), "{report}");
}

#[test]
fn a_wrong_sign_fails() {
    for mistake in [Mistake::SignOfActivation, Mistake::SignOfInput, Mistake::SignOfParams] {
        let report = report(sine(mistake), &OwnLoss(Mistake::None));
        assert!(!report.passed(), "{mistake:?}: {report}");
        if mistake == Mistake::SignOfParams {
            let worst = report.worst.expect("a worst entry");
            assert!(matches!(worst, Param::Weight { layer: 2, .. }), "{worst}");
            assert!(report.to_string().contains(&worst.to_string()), "{report}");
        }
    }
}

#[test]
fn a_missing_mean_fails() {
    let report = report(sine(Mistake::None), &OwnLoss(Mistake::NoMean));
    assert!(!report.passed(), "{report}");
}

#[test]
fn a_missing_bias_gradient_fails() {
    let right = report(Box::new(dense(4, 4)), &OwnLoss(Mistake::None));
    assert!(right.passed(), "{right}");
    for middle in [Box::new(Forgetful(dense(4, 4))), sine(Mistake::NoBiasGradient)] {
        let report = report(middle, &OwnLoss(Mistake::None));
        assert!(!report.passed(), "{report}");
        let worst = report.worst.expect("a worst entry");
        assert!(matches!(worst, Param::Bias { layer: 2, .. }), "{worst}");
    }
}
