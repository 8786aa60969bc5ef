//! Every hand-derived gradient against central differences, and proof that a wrong one fails.

use std::cell::Cell;

use chainrule_gradcheck::{Options, Pieces, Report, Sample, check};
use chainrule_layers::{Activation, Dense, Dropout, Kept, Layer, Pass, Softmax};
use chainrule_tensor::product::Store;
use chainrule_tensor::{Compute, Matrix, MatrixView, MatrixViewMut};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// A layer at a point, and the loss `L = Σ c ⊙ h` over its outputs.
struct Point<'a> {
    layer: &'a dyn Layer<f64>,
    theta: Vec<f64>,
    x: Matrix<f64>,
    weights: Matrix<f64>,
    /// The generator of every pass starts here, so that every pass draws the same mask.
    seed: u64,
    compute: Compute,
}

impl<'a> Point<'a> {
    fn random(layer: &'a dyn Layer<f64>, batch: usize, seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut draw = |_, _| rng.random_range(-1.5..1.5);
        let theta = (0..layer.parameter_count()).map(|i| draw(i, 0)).collect();
        let x = Matrix::from_fn(batch, layer.inputs(), &mut draw);
        let weights = Matrix::from_fn(batch, layer.outputs(), &mut draw);
        Self { layer, theta, x, weights, seed, compute: Compute::one() }
    }

    fn forward(&self, theta: &[f64], x: &Matrix<f64>) -> (Matrix<f64>, Matrix<f64>) {
        let (rows, cols) = (self.weights.rows(), self.weights.cols());
        let (mut a, mut h) = (Matrix::zeros(rows, cols), Matrix::zeros(rows, cols));
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let mut pass = Pass { rng: Some(&mut rng), compute: &self.compute };
        self.layer.forward(theta, x.view(), a.view_mut(), h.view_mut(), &mut pass);
        (a, h)
    }

    fn loss(&self, theta: &[f64], x: &Matrix<f64>) -> Sample {
        let (a, h) = self.forward(theta, x);
        let mut pieces = Pieces::new();
        self.layer.pieces(a.view(), &mut |piece| pieces.note(piece));
        let products = h.as_slice().iter().zip(self.weights.as_slice());
        Sample { value: products.map(|(h, c)| h * c).sum(), piece: pieces.finish() }
    }

    /// `∇_θ L` and `∇_x L` by the layer's own backward pass.
    fn gradient(&self) -> (Vec<f64>, Matrix<f64>) {
        let (a, h) = self.forward(&self.theta, &self.x);
        // NaN where a value must be written.
        let mut grad_a = Matrix::from_fn(a.rows(), a.cols(), |_, _| f64::NAN);
        let mut grad_x = Matrix::from_fn(self.x.rows(), self.x.cols(), |_, _| f64::NAN);
        let mut grad_theta = vec![f64::NAN; self.theta.len()];
        let kept = Kept { theta: &self.theta, x: self.x.view(), a: a.view(), h: h.view() };
        self.layer.backward_activation(
            kept,
            self.weights.view(),
            grad_a.view_mut(),
            &Compute::one(),
        );
        self.layer.backward_input(kept, grad_a.view(), grad_x.view_mut(), &self.compute);
        self.layer.backward_params(
            kept,
            grad_a.view(),
            &mut grad_theta,
            Store::Replace,
            &self.compute,
        );
        (grad_theta, grad_x)
    }

    /// The reports on `∇_x L` and, where there are parameters, `∇_θ L`.
    fn check(&self) -> Vec<Report> {
        let (grad_theta, grad_x) = self.gradient();
        let options = Options::default();
        let mut x = self.x.as_slice().to_vec();
        let at = |x: &[f64]| Matrix::from_vec(self.x.rows(), self.x.cols(), x.to_vec()).unwrap();
        let of_x = |x: &[f64]| self.loss(&self.theta, &at(x));
        let mut reports = vec![check(&mut x, grad_x.as_slice(), of_x, &options).unwrap()];
        if !self.theta.is_empty() {
            let of_theta = |theta: &[f64]| self.loss(theta, &self.x);
            let mut theta = self.theta.clone();
            reports.push(check(&mut theta, &grad_theta, of_theta, &options).unwrap());
        }
        reports
    }
}

fn activations() -> impl Strategy<Value = Activation> {
    prop_oneof![
        8 => proptest::sample::select(&Activation::ALL[..]),
        1 => (-1.0..1.0).prop_map(|slope| Activation::LeakyRelu { slope }),
        1 => (-2.0..2.0).prop_map(|alpha| Activation::Elu { alpha }),
    ]
}

fn layers() -> impl Strategy<Value = Box<dyn Layer<f64>>> {
    let dense = (1..=6_usize, 1..=6_usize, activations(), any::<bool>()).prop_map(
        |(inputs, outputs, activation, bias)| {
            let layer = Dense::new(inputs, outputs, activation).unwrap();
            let layer = if bias { layer } else { layer.without_bias() };
            Box::new(layer) as Box<dyn Layer<f64>>
        },
    );
    let softmax = (1..=6_usize)
        .prop_map(|units| Box::new(Softmax::new(units).unwrap()) as Box<dyn Layer<f64>>);
    let dropout = (1..=6_usize, 0.0..0.9).prop_map(|(units, rate)| {
        Box::new(Dropout::new(units, rate).unwrap()) as Box<dyn Layer<f64>>
    });
    prop_oneof![10 => dense, 1 => softmax, 1 => dropout]
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..Default::default() })
}

/// The shapes are so small that one entry at a kink is more than 1 % of its case, so that the
/// share is taken over all cases.
#[test]
fn gradients_are_those_of_central_differences() {
    let (entries, kinks) = (Cell::new(0), Cell::new(0));
    runner(3000)
        .run(&(layers(), 1..=6_usize, any::<u64>()), |(layer, batch, seed)| {
            for report in Point::random(&*layer, batch, seed).check() {
                entries.set(entries.get() + report.entries);
                kinks.set(kinks.get() + report.kinks);
                // Near a stationary point the differences' own error, h² times a third derivative,
                // exceeds a bound relative to the gradient.
                let own = Options::default().step.powi(2) * (report.entries as f64).sqrt();
                let within = report.difference <= report.bound + own;
                prop_assert!(within, "{}: {report}", layer.name());
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    println!("{} entries, {} at kinks", entries.get(), kinks.get());
    assert!(kinks.get() * 100 <= entries.get());
}

#[test]
fn a_step_across_a_kink_is_noticed() {
    for g in ["relu", "leaky_relu(0.1)", "elu(1)", "selu", "softsign"] {
        let layer = Dense::new(1, 1, g.parse().unwrap()).unwrap();
        let mut point = Point::random(&layer, 1, 1);
        point.theta = vec![0.0, 0.0];
        for report in point.check() {
            // At W = 0 no step of x reaches the kink; every step of W and b does.
            let crossed = report.entries == 2;
            assert_eq!(report.kinks, if crossed { 2 } else { 0 }, "{g}: {report}");
        }
    }
}

/// One mistake in a backward pass.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mistake {
    WrongSign,
    NoBiasGradient,
    /// `∇_a L = ∇_h L`, without `g'(a)`, the mask, or softmax's Jacobian.
    NoActivationFactor,
    /// `∇_W L` summed over all examples but the last.
    OneExampleShort,
    /// `∇_x L` with the weights of a layer whose first one is 0.
    OneWeightShort,
}

#[derive(Debug)]
struct Broken {
    layer: Box<dyn Layer<f64>>,
    mistake: Mistake,
}

impl Layer<f64> for Broken {
    fn name(&self) -> String {
        format!("{} with {:?}", self.layer.name(), self.mistake)
    }

    fn inputs(&self) -> usize {
        self.layer.inputs()
    }

    fn outputs(&self) -> usize {
        self.layer.outputs()
    }

    fn params(&self) -> Vec<chainrule_layers::ParamShape> {
        self.layer.params()
    }

    fn forward(
        &self,
        theta: &[f64],
        x: MatrixView<'_, f64>,
        a: MatrixViewMut<'_, f64>,
        h: MatrixViewMut<'_, f64>,
        pass: &mut Pass<'_>,
    ) {
        self.layer.forward(theta, x, a, h, pass);
    }

    fn backward_activation(
        &self,
        kept: Kept<'_, f64>,
        grad_h: MatrixView<'_, f64>,
        mut grad_a: MatrixViewMut<'_, f64>,
        compute: &Compute,
    ) {
        self.layer.backward_activation(kept, grad_h, grad_a.view_mut(), compute);
        match self.mistake {
            Mistake::WrongSign => grad_a.as_mut_slice().iter_mut().for_each(|g| *g = -*g),
            Mistake::NoActivationFactor => grad_a.copy_from(grad_h),
            _ => {}
        }
    }

    fn backward_input(
        &self,
        kept: Kept<'_, f64>,
        grad_a: MatrixView<'_, f64>,
        grad_x: MatrixViewMut<'_, f64>,
        compute: &Compute,
    ) {
        let mut theta = kept.theta.to_vec();
        if self.mistake == Mistake::OneWeightShort {
            theta[0] = 0.0;
        }
        self.layer.backward_input(Kept { theta: &theta, ..kept }, grad_a, grad_x, compute);
    }

    fn backward_params(
        &self,
        kept: Kept<'_, f64>,
        grad_a: MatrixView<'_, f64>,
        grad_theta: &mut [f64],
        store: Store,
        compute: &Compute,
    ) {
        let rows = 0..kept.x.rows() - usize::from(self.mistake == Mistake::OneExampleShort);
        let (kept, grad_a) = (kept.rows(rows.clone()), grad_a.rows_range(rows));
        self.layer.backward_params(kept, grad_a, grad_theta, store, compute);
        if self.mistake == Mistake::NoBiasGradient {
            grad_theta[self.inputs() * self.outputs()..].fill(0.0);
        }
    }

    fn pieces(&self, a: MatrixView<'_, f64>, note: &mut dyn FnMut(u8)) {
        self.layer.pieces(a, note);
    }
}

/// Every mistake fails at every point, and without it the same point passes.
fn must_fail(make: impl Fn() -> Box<dyn Layer<f64>>, mistakes: &[Mistake]) {
    runner(30)
        .run(&(2..=6_usize, any::<u64>()), |(batch, seed)| {
            let right = make();
            let point = Point::random(&*right, batch, seed);
            prop_assert!(point.check().iter().all(Report::passed));
            for &mistake in mistakes {
                let broken = Broken { layer: make(), mistake };
                let reports = Point { layer: &broken, ..Point::random(&*right, batch, seed) };
                let failed = reports.check().iter().any(|report| !report.passed());
                prop_assert!(failed, "{} passes", broken.name());
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_wrong_dense_layer_fails() {
    use Mistake::*;
    let mistakes = [WrongSign, NoBiasGradient, NoActivationFactor, OneExampleShort, OneWeightShort];
    for g in [Activation::Tanh, Activation::Sigmoid, Activation::Gelu, Activation::Mish] {
        must_fail(|| Box::new(Dense::new(3, 4, g).unwrap()), &mistakes);
    }
}

#[test]
fn a_wrong_softmax_or_dropout_fails() {
    let mistakes = [Mistake::WrongSign, Mistake::NoActivationFactor];
    must_fail(|| Box::new(Softmax::new(5).unwrap()), &mistakes);
    // So many units that no mask drops them all.
    must_fail(|| Box::new(Dropout::new(40, 0.5).unwrap()), &mistakes);
}
