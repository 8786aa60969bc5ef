//! Layers written outside of the library that a linear pre-activation and a fixed activation do not
//! cover: an activation with parameters, and a pre-activation that is not linear in `x`.

use chainrule_autograd_manual::{CheckOptions, Network, Workspace, check_gradient};
use chainrule_layers::{Activation, Dense, Kept, Layer, ParamKind, ParamShape, Pass};
use chainrule_loss::{SquaredError, Targets};
use chainrule_tensor::product::Store;
use chainrule_tensor::{Compute, Matrix, MatrixView, MatrixViewMut};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};

const UNITS: usize = 4;

/// Whether a layer is right, or which of its derivatives is not.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mistake {
    None,
    Activation,
    Input,
    Params,
}

impl Mistake {
    /// A factor that spoils the derivative with the mistake.
    fn at(self, place: Mistake) -> f64 {
        if self == place { 0.5 } else { 1.0 }
    }
}

fn shape(kind: ParamKind) -> ParamShape {
    ParamShape { kind, rows: UNITS, cols: 1 }
}

/// PReLU (He et al. 2015) with a slope `p_j` a unit: `h_j = x_j` if `x_j > 0`, else `p_j x_j`.
///
/// The gradient for `p` needs `∇_h L`, so `∇_h L` is what `grad_a` carries.
#[derive(Debug)]
struct PRelu(Mistake);

impl Layer<f64> for PRelu {
    fn name(&self) -> String {
        "prelu".to_owned()
    }

    fn inputs(&self) -> usize {
        UNITS
    }

    fn outputs(&self) -> usize {
        UNITS
    }

    fn params(&self) -> Vec<ParamShape> {
        vec![shape(ParamKind::Weight)]
    }

    fn initialise(&self, theta: &mut [f64], rng: &mut dyn Rng) {
        theta.fill_with(|| rng.random_range(0.1..0.4));
    }

    fn forward(
        &self,
        p: &[f64],
        x: MatrixView<'_, f64>,
        mut a: MatrixViewMut<'_, f64>,
        mut h: MatrixViewMut<'_, f64>,
        _: &mut Pass<'_>,
    ) {
        a.copy_from(x);
        for (x, h) in x.iter_rows().zip(h.iter_rows_mut()) {
            for j in 0..UNITS {
                h[j] = if x[j] > 0.0 { x[j] } else { p[j] * x[j] };
            }
        }
    }

    fn backward_activation(
        &self,
        _: Kept<'_, f64>,
        grad_h: MatrixView<'_, f64>,
        mut grad_a: MatrixViewMut<'_, f64>,
        _: &Compute,
    ) {
        grad_a.copy_from(grad_h);
        grad_a.as_mut_slice().iter_mut().for_each(|g| *g *= self.0.at(Mistake::Activation));
    }

    fn backward_input(
        &self,
        kept: Kept<'_, f64>,
        grad_h: MatrixView<'_, f64>,
        mut grad_x: MatrixViewMut<'_, f64>,
        _: &Compute,
    ) {
        let p = kept.theta;
        let rows = kept.x.iter_rows().zip(grad_h.iter_rows()).zip(grad_x.iter_rows_mut());
        for ((x, grad_h), grad_x) in rows {
            for j in 0..UNITS {
                let slope = if x[j] > 0.0 { 1.0 } else { p[j] };
                grad_x[j] = self.0.at(Mistake::Input) * slope * grad_h[j];
            }
        }
    }

    fn backward_params(
        &self,
        kept: Kept<'_, f64>,
        grad_h: MatrixView<'_, f64>,
        grad_p: &mut [f64],
        store: Store,
        _: &Compute,
    ) {
        if store == Store::Replace {
            grad_p.fill(0.0);
        }
        for (x, grad_h) in kept.x.iter_rows().zip(grad_h.iter_rows()) {
            for j in 0..UNITS {
                grad_p[j] += self.0.at(Mistake::Params) * grad_h[j] * x[j].min(0.0);
            }
        }
    }

    fn pieces(&self, x: MatrixView<'_, f64>, note: &mut dyn FnMut(u8)) {
        x.as_slice().iter().for_each(|&x| note(u8::from(x > 0.0)));
    }
}

/// `a_j = (w_j x_j)²`, `h_j = e^{s_j} a_j`; θ is `[w, s]`.
#[derive(Debug)]
struct Square(Mistake);

impl Layer<f64> for Square {
    fn name(&self) -> String {
        "square".to_owned()
    }

    fn inputs(&self) -> usize {
        UNITS
    }

    fn outputs(&self) -> usize {
        UNITS
    }

    fn params(&self) -> Vec<ParamShape> {
        vec![shape(ParamKind::Weight), shape(ParamKind::Bias)]
    }

    fn initialise(&self, theta: &mut [f64], rng: &mut dyn Rng) {
        theta.fill_with(|| rng.random_range(0.5..1.5));
    }

    fn forward(
        &self,
        theta: &[f64],
        x: MatrixView<'_, f64>,
        mut a: MatrixViewMut<'_, f64>,
        mut h: MatrixViewMut<'_, f64>,
        _: &mut Pass<'_>,
    ) {
        let (w, s) = theta.split_at(UNITS);
        for ((x, a), h) in x.iter_rows().zip(a.iter_rows_mut()).zip(h.iter_rows_mut()) {
            for j in 0..UNITS {
                a[j] = (w[j] * x[j]).powi(2);
                h[j] = s[j].exp() * a[j];
            }
        }
    }

    /// `∇_a L = e^s ⊙ ∇_h L`.
    fn backward_activation(
        &self,
        kept: Kept<'_, f64>,
        grad_h: MatrixView<'_, f64>,
        mut grad_a: MatrixViewMut<'_, f64>,
        _: &Compute,
    ) {
        let s = &kept.theta[UNITS..];
        for (grad_h, grad_a) in grad_h.iter_rows().zip(grad_a.iter_rows_mut()) {
            for j in 0..UNITS {
                grad_a[j] = self.0.at(Mistake::Activation) * s[j].exp() * grad_h[j];
            }
        }
    }

    /// `∇_x L = 2 w² ⊙ x ⊙ ∇_a L`.
    fn backward_input(
        &self,
        kept: Kept<'_, f64>,
        grad_a: MatrixView<'_, f64>,
        mut grad_x: MatrixViewMut<'_, f64>,
        _: &Compute,
    ) {
        let w = kept.theta;
        let rows = kept.x.iter_rows().zip(grad_a.iter_rows()).zip(grad_x.iter_rows_mut());
        for ((x, grad_a), grad_x) in rows {
            for j in 0..UNITS {
                grad_x[j] = self.0.at(Mistake::Input) * 2.0 * w[j] * w[j] * x[j] * grad_a[j];
            }
        }
    }

    /// `∇_w L = Σ 2 w ⊙ x² ⊙ ∇_a L`, and `∇_s L = Σ ∇_h L ⊙ e^s ⊙ a = Σ ∇_a L ⊙ a`.
    fn backward_params(
        &self,
        kept: Kept<'_, f64>,
        grad_a: MatrixView<'_, f64>,
        grad_theta: &mut [f64],
        store: Store,
        _: &Compute,
    ) {
        if store == Store::Replace {
            grad_theta.fill(0.0);
        }
        let (grad_w, grad_s) = grad_theta.split_at_mut(UNITS);
        let rows = kept.x.iter_rows().zip(kept.a.iter_rows()).zip(grad_a.iter_rows());
        for ((x, a), grad_a) in rows {
            for j in 0..UNITS {
                let slope = 2.0 * kept.theta[j] * x[j] * x[j];
                grad_w[j] += self.0.at(Mistake::Params) * slope * grad_a[j];
                grad_s[j] += grad_a[j] * a[j];
            }
        }
    }
}

fn network(layers: Vec<Box<dyn Layer<f64>>>) -> Network<f64> {
    let mut network = Network::new(layers).unwrap();
    network.initialise(&mut Xoshiro256PlusPlus::seed_from_u64(4));
    network
}

fn dense(inputs: usize, outputs: usize) -> Box<dyn Layer<f64>> {
    Box::new(Dense::new(inputs, outputs, Activation::Tanh).unwrap())
}

fn examples() -> (Matrix<f64>, Matrix<f64>) {
    let x = [[0.2, -0.7, 0.5, 0.9], [-0.3, 0.9, 0.1, -0.8], [0.8, 0.4, -0.6, 0.3]];
    (Matrix::from_rows(&x), Matrix::from_rows(&[[0.1, -0.4], [0.7, 0.3], [-0.2, 0.5]]))
}

type Make = fn(Mistake) -> Box<dyn Layer<f64>>;

#[test]
fn right_layers_pass_and_wrong_ones_fail() {
    let kinds: [Make; 2] =
        [|mistake| Box::new(PRelu(mistake)), |mistake| Box::new(Square(mistake))];
    let (x, y) = examples();
    for kind in kinds {
        for mistake in [Mistake::None, Mistake::Activation, Mistake::Input, Mistake::Params] {
            let network = network(vec![dense(UNITS, UNITS), kind(mistake), dense(UNITS, 2)]);
            let (loss, targets) = (SquaredError::new(), Targets::Values(y.view()));
            let options = CheckOptions::default();
            let report = check_gradient(&network, x.view(), &loss, targets, &options).unwrap();
            let name = network.layers()[1].name();
            assert_eq!(report.passed(), mistake == Mistake::None, "{name}, {mistake:?}: {report}");
        }
    }
}

#[test]
fn the_gradients_of_single_examples_add_up() {
    let layers: Vec<Box<dyn Layer<f64>>> =
        vec![Box::new(PRelu(Mistake::None)), Box::new(Square(Mistake::None)), dense(UNITS, 2)];
    let network = network(layers);
    let (x, y) = examples();
    let mut workspace = Workspace::new(&network, x.rows() + 2).unwrap();
    let mut gradient = vec![0.0; network.parameter_count()];
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let (loss, targets) = (SquaredError::new(), Targets::Values(y.view()));
    let backward = forward.backward(&loss, targets, &mut gradient).unwrap();

    let (mut own, mut mean) = (gradient.clone(), vec![0.0; gradient.len()]);
    for row in 0..x.rows() {
        backward.example_gradient(row, &mut own).unwrap();
        mean.iter_mut().zip(&own).for_each(|(mean, own)| *mean += own / x.rows() as f64);
    }
    for (mean, batch) in mean.iter().zip(&gradient) {
        assert!((mean - batch).abs() < 1e-14, "{mean} and {batch}");
    }
}

/// `∇_x L` of a network whose first layer is not linear.
#[test]
fn the_gradient_of_the_input_is_that_of_central_differences() {
    let network = network(vec![Box::new(Square(Mistake::None)), dense(UNITS, 2)]);
    let (mut x, y) = examples();
    let (loss, targets) = (SquaredError::new(), Targets::Values(y.view()));
    let mut workspace = Workspace::new(&network, x.rows()).unwrap();
    let mut gradient = vec![0.0; network.parameter_count()];
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let mut backward = forward.backward(&loss, targets, &mut gradient).unwrap();
    let grad_x = backward.input_gradient().to_matrix();
    let step = 1e-5;
    for i in 0..x.as_slice().len() {
        let mut loss_at = |shift: f64| {
            x.as_mut_slice()[i] += shift;
            let forward = network.forward(x.view(), &mut workspace).unwrap();
            let value = forward.loss(&loss, targets).unwrap();
            x.as_mut_slice()[i] -= shift;
            value
        };
        let difference = (loss_at(step) - loss_at(-step)) / (2.0 * step);
        let found = grad_x.as_slice()[i];
        assert!((found - difference).abs() < 1e-8, "entry {i}: {found} and {difference}");
    }
}

/// Layers that do not descend by themselves, one of which needs θ for its gradient, between such that do.
#[test]
fn a_step_of_gradient_descent_takes_every_layer_along_its_gradient() {
    let layers: Vec<Box<dyn Layer<f64>>> = vec![
        dense(UNITS, UNITS),
        Box::new(PRelu(Mistake::None)),
        Box::new(Square(Mistake::None)),
        dense(UNITS, 2),
    ];
    let mut network = network(layers);
    let (x, y) = examples();
    let (loss, targets) = (SquaredError::new(), Targets::Values(y.view()));
    let mut workspace = Workspace::new(&network, x.rows()).unwrap();
    let mut gradient = vec![0.0; network.parameter_count()];
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    forward.backward(&loss, targets, &mut gradient).unwrap();
    let moved = network.theta().iter().zip(&gradient).map(|(theta, g)| theta - 0.1 * g);
    let expected: Vec<f64> = moved.collect();

    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let factors = forward.output_units(&loss, targets).unwrap().hidden_units().into_factors();
    let mut stored = vec![f64::NAN; gradient.len()];
    network.descend(factors, 0.1, &mut stored).unwrap();
    assert_eq!(network.theta(), expected);
    // What a layer of one's own stores is its gradient, in its place.
    for layer in [2, 3] {
        let own = network.layout().layer_range(layer);
        assert_eq!(stored[own.clone()], gradient[own]);
    }
}
