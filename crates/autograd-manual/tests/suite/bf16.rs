//! Networks with products in bf16: near the gradient in f64, and not equal to that in f32.

use chainrule_autograd_manual::{Network, NetworkError, Workspace};
use chainrule_layers::{Activation, Dense, Layer};
use chainrule_loss::{CrossEntropy, Targets};
use chainrule_tensor::{Matrix, Precision, Scalar};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

fn network(sizes: &[usize], activation: Activation, seed: u64) -> Network<f64> {
    let last = sizes.len() - 2;
    let dense = |(i, pair): (usize, &[usize])| -> Box<dyn Layer<f64>> {
        let g = if i < last { activation } else { Activation::Identity };
        Box::new(Dense::new(pair[0], pair[1], g).unwrap())
    };
    let mut network = Network::new(sizes.windows(2).enumerate().map(dense).collect()).unwrap();
    network.initialise(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
    network
}

/// The examples in `S`, and a workspace for them.
fn setup<S: Scalar>(
    network: &Network<S>,
    x: &Matrix<f64>,
    precision: Precision,
) -> (Matrix<S>, Workspace<S>) {
    let mut workspace = Workspace::new(network, x.rows()).unwrap();
    workspace.set_precision(precision).unwrap();
    (Matrix::from_fn(x.rows(), x.cols(), |i, j| S::of(x[(i, j)])), workspace)
}

fn gradient<S: Scalar>(
    network: &Network<S>,
    x: &Matrix<f64>,
    labels: &[usize],
    precision: Precision,
) -> Vec<f64> {
    let (x, mut workspace) = setup(network, x, precision);
    let mut gradient = vec![S::zero(); network.parameter_count()];
    network
        .forward(x.view(), &mut workspace)
        .unwrap()
        .backward(&CrossEntropy::new(), Targets::Classes(labels), &mut gradient)
        .unwrap();
    gradient.iter().map(|g| g.as_f64()).collect()
}

/// Of every example, which hidden pre-activations are positive.
fn signs<S: Scalar>(network: &Network<S>, x: &Matrix<f64>, precision: Precision) -> Vec<Vec<bool>> {
    let (x, mut workspace) = setup(network, x, precision);
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let hidden = 1..network.layers().len();
    let positive = |i| {
        let row =
            |layer| forward.a(layer).row(i).iter().map(|&a| a > S::zero()).collect::<Vec<_>>();
        hidden.clone().flat_map(row).collect()
    };
    (0..x.rows()).map(positive).collect()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Relative distance by norm, and cosine.
fn distance(found: &[f64], exact: &[f64]) -> (f64, f64) {
    let difference: Vec<f64> = found.iter().zip(exact).map(|(x, y)| x - y).collect();
    let norm = |x: &[f64]| dot(x, x).sqrt();
    (norm(&difference) / norm(exact), dot(found, exact) / (norm(found) * norm(exact)))
}

#[test]
fn the_gradient_is_near_that_in_f64() {
    for (sizes, activation, batch) in [
        ([64, 32, 10].as_slice(), Activation::Relu, 32),
        (&[33, 65, 17, 5], Activation::Tanh, 19),
        (&[784, 128, 10], Activation::Relu, 64),
        (&[784, 128, 10], Activation::Tanh, 64),
        (&[784, 512, 512, 10], Activation::Gelu, 16),
        (&[100, 200, 200, 10], Activation::Silu, 50),
        (&[7, 3], Activation::Identity, 1),
    ] {
        for seed in 1..4 {
            let exact_network = network(sizes, activation, seed);
            let network = exact_network.cast::<f32>().unwrap();
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed + 100);
            let mut x = Matrix::from_fn(batch, sizes[0], |_, _| rng.random_range(-1.0..1.0));
            let outputs = sizes[sizes.len() - 1];
            let mut labels: Vec<usize> = (0..batch).map(|_| rng.random_range(0..outputs)).collect();
            if activation == Activation::Relu {
                // The derivative jumps at 0: where rounding moves a pre-activation across it, the
                // gradients are those of two functions. PyTorch's autocast is as far off there.
                let exact = signs(&exact_network, &x, Precision::F32);
                let rounded = signs(&network, &x, Precision::Bf16);
                let same: Vec<usize> = (0..batch).filter(|&i| exact[i] == rounded[i]).collect();
                assert!(2 * same.len() > batch, "{sizes:?} {seed}: {} left", same.len());
                x = Matrix::from_fn(same.len(), x.cols(), |i, j| x[(same[i], j)]);
                labels = same.iter().map(|&i| labels[i]).collect();
            }

            let exact = gradient(&exact_network, &x, &labels, Precision::F32);
            let (f32_error, _) = distance(&gradient(&network, &x, &labels, Precision::F32), &exact);
            let (error, cosine) =
                distance(&gradient(&network, &x, &labels, Precision::Bf16), &exact);
            assert!(error <= 2e-2 && cosine >= 0.9995, "{sizes:?} {seed}: {error} {cosine}");
            // The control: products that are not rounded are far nearer.
            assert!(f32_error < 1e-5 && error > 1e-4, "{sizes:?} {seed}: {f32_error} {error}");
        }
    }
}

#[test]
fn a_network_of_f64_refuses_bf16() {
    let network = network(&[3, 2], Activation::Relu, 1);
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let error = workspace.set_precision(Precision::Bf16).unwrap_err();
    assert!(matches!(error, NetworkError::Precision { element: "f64", .. }));
    assert_eq!(error.to_string(), "products of bf16 are for networks of f32, this one is of f64");
    assert_eq!(workspace.precision(), Precision::F32);
}
