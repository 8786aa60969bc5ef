//! The layers' behaviour beyond their gradients: values, chance, sizes, descriptions.

use chainrule_layers::{
    Activation, Dense, Dropout, Init, Kept, Layer, LayerConfig, LayerError, ParamKind, ParamShape,
    Pass, Softmax,
};
use chainrule_tensor::product::Store;
use chainrule_tensor::{Compute, Matrix, Precision, Scalar, Threads};
use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};

fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

fn random(rows: usize, cols: usize, seed: u64) -> Matrix<f64> {
    let mut rng = rng(seed);
    Matrix::from_fn(rows, cols, |_, _| rng.random_range(-1.0..1.0))
}

/// `a` and `h` of a layer; in training if there is a seed.
fn forward<S: Scalar>(
    layer: &dyn Layer<S>,
    theta: &[S],
    x: &Matrix<S>,
    seed: Option<u64>,
    compute: &Compute,
) -> (Matrix<S>, Matrix<S>) {
    let shape = (x.rows(), layer.outputs());
    let (mut a, mut h) = (Matrix::zeros(shape.0, shape.1), Matrix::zeros(shape.0, shape.1));
    let mut rng = seed.map(rng);
    let rng = rng.as_mut().map(|rng| rng as &mut dyn Rng);
    let mut pass = Pass { rng, compute };
    layer.forward(theta, x.view(), a.view_mut(), h.view_mut(), &mut pass);
    (a, h)
}

#[test]
fn a_dense_layer_descends_along_its_gradient() {
    fn check<S: Scalar>(precision: Precision) {
        for (batch, inputs, outputs, bias) in
            [(5, 3, 4, true), (1, 1, 1, true), (33, 40, 2, false), (64, 100, 70, true)]
        {
            let dense = Dense::new(inputs, outputs, Activation::Relu).unwrap();
            let dense = if bias { dense } else { dense.without_bias() };
            let layer: &dyn Layer<S> = &dense;
            let theta: Matrix<S> = random(1, layer.parameter_count(), 1).cast();
            let (x, grad_a) = (random(batch, inputs, 2).cast(), random(batch, outputs, 3).cast());
            let compute = Compute::one().with_precision(precision);
            let kept = Kept {
                theta: theta.as_slice(),
                x: Matrix::view(&x),
                a: grad_a.view(),
                h: grad_a.view(),
            };
            let mut gradient = vec![S::zero(); theta.cols()];
            layer.backward_params(kept, grad_a.view(), &mut gradient, Store::Replace, &compute);
            let eta = S::of(0.2);
            let expected: Vec<S> =
                theta.as_slice().iter().zip(&gradient).map(|(&t, &g)| t - eta * g).collect();
            assert_ne!(expected, theta.as_slice());
            let mut theta = theta.as_slice().to_vec();
            let kept = Kept { theta: &[], ..kept };
            assert!(layer.descend(&mut theta, kept, grad_a.view(), eta, &compute));
            assert_eq!(theta, expected, "{inputs} {outputs} {batch} {precision}");
        }
    }
    check::<f32>(Precision::F32);
    check::<f32>(Precision::Bf16);
    check::<f64>(Precision::F32);
}

#[test]
fn dense_is_the_affine_map_and_then_the_activation() {
    let (batch, inputs, outputs) = (5, 3, 4);
    let (theta, x) = (random(1, inputs * outputs + outputs, 1), random(batch, inputs, 2));
    let (w, b) = theta.as_slice().split_at(inputs * outputs);
    for bias in [true, false] {
        let layer = Dense::new(inputs, outputs, Activation::Silu).unwrap();
        let layer = if bias { layer } else { layer.without_bias() };
        let length = Layer::<f64>::parameter_count(&layer);
        let (a, h) = forward(&layer, &theta.as_slice()[..length], &x, None, &Compute::one());
        for i in 0..batch {
            for j in 0..outputs {
                let products = (0..inputs).map(|k| w[j * inputs + k] * x[(i, k)]);
                let exact = products.sum::<f64>() + if bias { b[j] } else { 0.0 };
                assert!((a[(i, j)] - exact).abs() < 1e-15);
                assert!((h[(i, j)] - exact / (1.0 + (-exact).exp())).abs() < 1e-15);
            }
        }
    }
}

#[test]
fn dense_lays_out_its_parameters_weights_first() {
    let layer = Dense::new(3, 4, Activation::Relu).unwrap();
    let weight = ParamShape { kind: ParamKind::Weight, rows: 4, cols: 3 };
    let bias = ParamShape { kind: ParamKind::Bias, rows: 4, cols: 1 };
    assert_eq!(Layer::<f32>::params(&layer), [weight, bias]);
    assert_eq!(Layer::<f32>::parameter_count(&layer), 16);
    assert_eq!(Layer::<f32>::name(&layer), "dense 3 -> 4, relu");
    assert!(layer.has_bias());

    let layer = layer.with_init(Init::Constant(2.0), Init::Constant(3.0));
    let mut theta = [0.0_f64; 16];
    layer.initialise(&mut theta, &mut rng(1));
    assert!(theta[..12].iter().all(|&w| w == 2.0) && theta[12..].iter().all(|&b| b == 3.0));

    let layer = layer.without_bias();
    assert_eq!(Layer::<f32>::params(&layer), [weight]);
    assert_eq!(Layer::<f32>::parameter_count(&layer), 12);
    layer.initialise(&mut theta[..12], &mut rng(1));

    for layer in [&Softmax::new(3).unwrap() as &dyn Layer<f32>, &Dropout::new(3, 0.5).unwrap()] {
        assert_eq!((layer.inputs(), layer.outputs(), layer.parameter_count()), (3, 3, 0));
    }
}

#[test]
fn backward_params_replaces_or_adds() {
    for bias in [true, false] {
        let layer = Dense::new(3, 2, Activation::Identity).unwrap();
        let layer = if bias { layer } else { layer.without_bias() };
        let count = Layer::<f64>::parameter_count(&layer);
        let (theta, x, grad_a) = (random(1, count, 0), random(5, 3, 1), random(5, 2, 2));
        let theta = theta.as_slice();
        let (a, h) = forward(&layer, theta, &x, None, &Compute::one());
        let kept = Kept { theta, x: x.view(), a: a.view(), h: h.view() };
        let gradient = |start: f64, store| {
            let mut grad_theta = vec![start; count];
            let compute = Compute::one();
            layer.backward_params(kept, grad_a.view(), &mut grad_theta, store, &compute);
            grad_theta
        };
        let alone = gradient(f64::NAN, Store::Replace);
        for (sum, alone) in gradient(10.0, Store::Add).iter().zip(&alone) {
            assert!(alone.abs() > 1e-3 && (sum - 10.0 - alone).abs() < 1e-14);
        }
    }
}

/// Shapes large enough to be shared, and odd.
#[test]
fn the_number_of_threads_does_not_change_the_bits() {
    let (batch, inputs, outputs) = (131, 197, 163);
    let layer = Dense::new(inputs, outputs, Activation::Tanh).unwrap();
    let theta = random(1, (inputs + 1) * outputs, 1);
    let (x, grad_h) = (random(batch, inputs, 2), random(batch, outputs, 3));
    let run = |count: usize| {
        let compute = Threads::new(count).unwrap().into();
        let (a, h) = forward(&layer, theta.as_slice(), &x, None, &compute);
        let (mut grad_a, mut grad_x) =
            (Matrix::zeros(batch, outputs), Matrix::zeros(batch, inputs));
        let mut grad_theta = vec![0.0; theta.as_slice().len()];
        let kept = Kept { theta: theta.as_slice(), x: x.view(), a: a.view(), h: h.view() };
        layer.backward_activation(kept, grad_h.view(), grad_a.view_mut(), &Compute::one());
        layer.backward_input(kept, grad_a.view(), grad_x.view_mut(), &compute);
        let replace = Store::Replace;
        layer.backward_params(kept, grad_a.view(), &mut grad_theta, replace, &compute);
        let all = h.as_slice().iter().chain(grad_x.as_slice()).chain(&grad_theta);
        all.map(|value| value.to_bits()).collect::<Vec<_>>()
    };
    let one = run(1);
    for count in 2..=4 {
        assert!(run(count) == one, "{count} threads");
    }
}

proptest! {
    #[test]
    fn softmax_rows_sum_to_1_and_its_gradients_to_0(
        batch in 1..6_usize, units in 1..20_usize, scale in 0.0..50.0, seed: u64,
    ) {
        let layer = Softmax::new(units).unwrap();
        let mut x = random(batch, units, seed);
        x.as_mut_slice().iter_mut().for_each(|x| *x *= scale);
        let (a, h) = forward(&layer, &[], &x, None, &Compute::one());
        prop_assert_eq!(a.as_slice(), x.as_slice());
        let grad_h = random(batch, units, seed ^ 1);
        let mut grad_a = Matrix::zeros(batch, units);
        let kept = Kept { theta: &[], x: x.view(), a: a.view(), h: h.view() };
        layer.backward_activation(kept, grad_h.view(), grad_a.view_mut(), &Compute::one());
        for i in 0..batch {
            prop_assert!((h.row(i).iter().sum::<f64>() - 1.0).abs() < 1e-14);
            prop_assert!(grad_a.row(i).iter().sum::<f64>().abs() < 1e-14);
        }
        let mut grad_x = Matrix::zeros(batch, units);
        layer.backward_input(kept, grad_a.view(), grad_x.view_mut(), &Compute::one());
        prop_assert_eq!(grad_x.as_slice(), grad_a.as_slice());
    }

    #[test]
    fn dropout_drops_or_scales_and_in_evaluation_does_nothing(
        batch in 1..6_usize, units in 1..20_usize, rate in 0.0..0.99, seed: u64,
    ) {
        let layer = Dropout::new(units, rate).unwrap();
        let x = random(batch, units, seed);
        let (mask, h) = forward(&layer, &[], &x, Some(seed), &Compute::one());
        let kept = 1.0 / (1.0 - rate);
        for ((m, h), x) in mask.as_slice().iter().zip(h.as_slice()).zip(x.as_slice()) {
            prop_assert!(*m == 0.0 || *m == kept, "{m} in the mask");
            prop_assert_eq!(*h, m * x);
        }
        let again = forward(&layer, &[], &x, Some(seed), &Compute::one());
        prop_assert_eq!((&mask, &h), (&again.0, &again.1));

        let (mask, h) = forward(&layer, &[], &x, None, &Compute::one());
        prop_assert!(mask.as_slice().iter().all(|&m| m == 1.0));
        prop_assert_eq!(h.as_slice(), x.as_slice());
        let never = Dropout::new(units, 0.0).unwrap();
        prop_assert_eq!(forward(&never, &[], &x, Some(seed), &Compute::one()).1, x);
    }
}

/// The lecture's unfused route, `∇_ŷ L = −(1/ŷ_ℓ) e(ℓ)`, where `ŷ_ℓ` is nearly 1 and where it is
/// nearly 0: `∇_a L = −(e(ℓ) − ŷ)` to the last digits of the small entries.
#[test]
fn the_softmax_jacobian_keeps_its_digits_where_one_unit_has_nearly_all() {
    let layer = Softmax::new(3).unwrap();
    let x = Matrix::from_rows(&[[0.0, -40.0, -41.0]]);
    let (a, h) = forward(&layer, &[], &x, None, &Compute::one());
    let y = [1.0, (-40.0_f64).exp(), (-41.0_f64).exp()];
    for (class, exact) in [(0, [-(y[1] + y[2]), y[1], y[2]]), (1, [1.0, y[1] - 1.0, y[2]])] {
        let mut grad_h = Matrix::zeros(1, 3);
        grad_h[(0, class)] = -1.0 / h[(0, class)];
        let mut grad_a = Matrix::zeros(1, 3);
        let kept = Kept { theta: &[], x: x.view(), a: a.view(), h: h.view() };
        layer.backward_activation(kept, grad_h.view(), grad_a.view_mut(), &Compute::one());
        for (found, exact) in grad_a.as_slice().iter().zip(exact) {
            assert!((found / exact - 1.0).abs() < 2e-15, "{found:e} instead of {exact:e}");
        }
    }
}

#[test]
fn dropout_preserves_the_mean_and_drops_at_its_rate() {
    let ones = Matrix::from_fn(400, 250, |_, _| 1.0_f32);
    for rate in [0.1, 0.5, 0.9] {
        let layer = Dropout::new(250, rate).unwrap();
        let (mask, h) = forward(&layer, &[], &ones, Some(1), &Compute::one());
        let n = mask.as_slice().len() as f64;
        let dropped = mask.as_slice().iter().filter(|&&m| m == 0.0).count() as f64 / n;
        let mean = h.as_slice().iter().map(|&h| f64::from(h)).sum::<f64>() / n;
        // Five standard deviations.
        let deviation = (rate * (1.0 - rate) / n).sqrt();
        assert!((dropped - rate).abs() < 5.0 * deviation, "{dropped} dropped, not {rate}");
        assert!((mean - 1.0).abs() < 5.0 * deviation / (1.0 - rate), "mean {mean}");
        let other = forward(&layer, &[], &ones, Some(2), &Compute::one());
        assert_ne!(mask, other.0);
    }
}

#[test]
fn one_generator_gives_a_new_mask_in_every_pass() {
    let layer = Dropout::new(64, 0.5).unwrap();
    let x = Matrix::from_fn(2, 64, |_, _| 1.0_f64);
    let compute = Compute::one();
    let mut rng = rng(1);
    let mut mask = || {
        let (mut a, mut h) = (Matrix::zeros(2, 64), Matrix::zeros(2, 64));
        let mut pass = Pass { rng: Some(&mut rng), compute: &compute };
        layer.forward(&[], x.view(), a.view_mut(), h.view_mut(), &mut pass);
        a
    };
    assert_ne!(mask(), mask());
}

#[test]
fn impossible_sizes_and_numbers_are_refused() {
    let huge = usize::MAX / 2;
    for (inputs, outputs) in [(0, 3), (3, 0), (huge, 3), (3, huge), (1 << 31, 1 << 31), (1, huge)] {
        let error = Dense::new(inputs, outputs, Activation::Tanh).unwrap_err();
        assert_eq!(error, LayerError::Width { kind: "dense", inputs, outputs });
        assert!(error.to_string().contains(&format!("{inputs} inputs and {outputs} outputs")));
    }
    for units in [0, huge] {
        assert!(matches!(Softmax::new(units), Err(LayerError::Width { kind: "softmax", .. })));
        assert!(matches!(Dropout::new(units, 0.1), Err(LayerError::Width { .. })));
    }
    for rate in [1.0, 1.5, -0.1, f64::NAN, f64::INFINITY] {
        let error = Dropout::new(3, rate).unwrap_err();
        assert!(matches!(error, LayerError::Value { name: "the dropout rate", .. }), "{error}");
    }
    let slope = Activation::LeakyRelu { slope: f64::NAN };
    assert!(matches!(Dense::new(1, 1, slope), Err(LayerError::Value { .. })));
    let dense = Dense::new(1, 1, Activation::Tanh).unwrap();
    let negative = dense.with_init(Init::Normal(0.0, -1.0), Init::Zeros);
    assert!(matches!(LayerConfig::Dense(negative).build::<f64>(), Err(LayerError::Value { .. })));
}

#[test]
fn activation_names_round_trip_and_nonsense_is_refused() {
    for g in Activation::ALL {
        assert_eq!(g.to_string().parse(), Ok(g));
    }
    assert_eq!("leaky_relu".parse(), Ok(Activation::LeakyRelu { slope: 0.01 }));
    assert_eq!("elu(0.5)".parse(), Ok(Activation::Elu { alpha: 0.5 }));
    assert_eq!("elu(alpha=0.5)".parse(), Ok(Activation::Elu { alpha: 0.5 }));
    for name in ["slope", "negative_slope", " negative_slope "] {
        let text = format!("leaky_relu({name}= 0.2)");
        assert_eq!(text.parse(), Ok(Activation::LeakyRelu { slope: 0.2 }), "{text}");
    }
    for text in [
        "",
        "Relu",
        "relu(1)",
        "elu(",
        "elu()",
        "elu(1",
        "elu(1)x",
        "elu(a)",
        "sigmoi",
        "elu(slope=1)",
        "elu(alpha)",
        "elu(alpha=)",
        "elu(=1)",
        "elu(alpha=1,alpha=1)",
        "relu(alpha=1)",
    ] {
        let error = text.parse::<Activation>().unwrap_err();
        assert!(matches!(error, LayerError::UnknownActivation { .. }), "{text}");
        let message = error.to_string();
        assert!(message.contains(&format!("{text:?}")) && message.contains("hard_swish"));
    }
    let out_of_f32 = ["leaky_relu(1e-50)", "leaky_relu(-1e39)", "elu(1e300)"];
    for text in ["leaky_relu(nan)", "elu(inf)"].into_iter().chain(out_of_f32) {
        assert!(matches!(text.parse::<Activation>(), Err(LayerError::Value { .. })), "{text}");
    }
    for text in ["leaky_relu(0)", "leaky_relu(1e-44)", "leaky_relu(3e38)", "elu(0)", "elu(-3e38)"] {
        let g: Activation = text.parse().unwrap();
        for a in [f32::NEG_INFINITY, -1.0, 0.0, f32::INFINITY] {
            assert!(!g.value(a).is_nan() && !g.derivative(a).is_nan(), "{text} of {a}");
        }
    }
}

#[test]
fn configurations_survive_json() {
    let dense = Dense::new(2, 3, "leaky_relu(0.1)".parse().unwrap()).unwrap();
    let layers: [Box<dyn Layer<f32>>; 4] = [
        Box::new(dense.clone().with_init(Init::HeNormal, Init::Uniform(-1.0, 1.0))),
        Box::new(dense.without_bias()),
        Box::new(Softmax::new(3).unwrap()),
        Box::new(Dropout::new(3, 0.25).unwrap()),
    ];
    for layer in layers {
        let config = layer.config().expect("a layer of this crate");
        let text = serde_json::to_string(&config).unwrap();
        let read: LayerConfig = serde_json::from_str(&text).unwrap();
        assert_eq!(read, config, "{text}");
        let built = read.build::<f32>().unwrap();
        assert_eq!((built.name(), built.params()), (layer.name(), layer.params()), "{text}");
        assert_eq!(built.config(), Some(config));
    }
}

#[test]
fn a_short_configuration_takes_the_defaults() {
    let text = r#"{"kind": "dense", "inputs": 2, "outputs": 3, "activation": "leaky_relu(0.1)"}"#;
    let dense = Dense::new(2, 3, Activation::LeakyRelu { slope: 0.1 }).unwrap();
    assert_eq!(serde_json::from_str::<LayerConfig>(text).unwrap(), LayerConfig::Dense(dense));
}

#[test]
fn unknown_or_missing_parts_of_a_configuration_are_named() {
    for (text, named) in [
        (r#"{"kind": "conv", "units": 3}"#, "conv"),
        (r#"{"units": 3}"#, "kind"),
        (r#"{"kind": "softmax"}"#, "units"),
        (r#"{"kind": "softmax", "units": -3}"#, "-3"),
        (r#"{"kind": "softmax", "units": 3, "rate": 0.5}"#, "rate"),
        (r#"{"kind": "dropout", "units": 3, "rate": "half"}"#, "half"),
        (r#"{"kind": "dense", "inputs": 2, "outputs": 3, "activation": "than"}"#, "than"),
        (
            r#"{"kind": "dense", "inputs": 2, "outputs": 3, "activation": "tanh", "biass": true}"#,
            "biass",
        ),
        (
            r#"{"kind": "dense", "inputs": 2, "outputs": 3, "activation": "tanh",
                "weight_init": "he"}"#,
            "he_normal",
        ),
    ] {
        let error = serde_json::from_str::<LayerConfig>(text).unwrap_err().to_string();
        assert!(error.contains(named), "{text}: {error}");
    }
    for text in [
        r#"{"kind": "dense", "inputs": 0, "outputs": 3, "activation": "tanh"}"#,
        r#"{"kind": "dense", "inputs": 9223372036854775807, "outputs": 3, "activation": "tanh"}"#,
        r#"{"kind": "dropout", "units": 3, "rate": 1}"#,
        r#"{"kind": "softmax", "units": 0}"#,
    ] {
        let config: LayerConfig = serde_json::from_str(text).unwrap();
        assert!(config.build::<f64>().is_err(), "{text}");
    }
}
