//! Properties of every rule: convergence, resuming, weight decay, errors.

// One range of weights is what is meant.
#![allow(clippy::single_range_in_vec_init)]

use std::ops::Range;

use chainrule_optim::{
    AdamWConfig, DecayOn, FlatOptimizer, OptimError, Optimizer, OptimizerConfig, OptimizerState,
    Sgd, SgdConfig,
};
use chainrule_tensor::{Scalar, Threads};
use proptest::prelude::*;
use serde_json::json;

fn read(config: serde_json::Value) -> OptimizerConfig {
    serde_json::from_value(config).unwrap()
}

/// Every rule and every branch of it.
fn configs() -> Vec<OptimizerConfig> {
    [
        json!({"name": "sgd", "learning_rate": 0.1}),
        json!({"name": "sgd", "learning_rate": 0.05, "momentum": 0.8, "dampening": 0.1}),
        json!({"name": "sgd", "learning_rate": 0.05, "momentum": 0.8, "nesterov": true}),
        json!({"name": "adagrad", "learning_rate": 0.5, "learning_rate_decay": 1e-4,
            "initial_accumulator_value": 0.1}),
        json!({"name": "rmsprop", "learning_rate": 0.005}),
        json!({"name": "rmsprop", "learning_rate": 0.002, "centered": true}),
        json!({"name": "rmsprop", "learning_rate": 0.001, "momentum": 0.5}),
        json!({"name": "rmsprop", "learning_rate": 0.001, "momentum": 0.5, "centered": true}),
        json!({"name": "adadelta", "eps": 1e-4}),
        json!({"name": "adam", "learning_rate": 0.02}),
        json!({"name": "adam", "learning_rate": 0.02, "amsgrad": true}),
        json!({"name": "adamw", "learning_rate": 0.02, "weight_decay": 0.0}),
        json!({"name": "adamw", "learning_rate": 0.02, "weight_decay": 0.0, "amsgrad": true}),
        json!({"name": "nadam", "learning_rate": 0.02}),
        json!({"name": "nadam", "learning_rate": 0.02, "decoupled_weight_decay": true}),
    ]
    .map(read)
    .to_vec()
}

/// ∇ of `½ Σ λ_i (θ_i − c_i)²`.
fn gradient<S: Scalar>(theta: &[S], lambda: &[f64], c: &[f64]) -> Vec<S> {
    let terms = theta.iter().zip(lambda).zip(c);
    terms.map(|((&theta, &lambda), &c)| S::of(lambda) * (theta - S::of(c))).collect()
}

/// Saves and restores through JSON.
fn reload<S: Scalar>(optimizer: &dyn Optimizer<S>) -> Box<dyn Optimizer<S>> {
    let text = serde_json::to_string(&optimizer.state().unwrap()).unwrap();
    serde_json::from_str::<OptimizerState<S>>(&text).unwrap().restore().unwrap()
}

fn bits<S: Scalar>(values: &[S]) -> Vec<u64> {
    values.iter().map(|x| x.as_f64().to_bits()).collect()
}

/// Where the optimizer says so, its step is `θ − η∇θ` to the bit, and counts.
#[test]
fn a_plain_step_is_gradient_descent() {
    let mut plain = 0;
    for config in configs() {
        let (theta, gradient) = ([1.0_f32, -2.0, 0.3], [0.1, 0.7, -0.9]);
        let mut optimizer = config.build::<f32>(3, DecayOn::All).unwrap();
        let eta = optimizer.plain_rate(&theta).unwrap();
        let mut stepped = theta;
        optimizer.step(&mut stepped, &gradient).unwrap();
        if let Some(eta) = eta {
            plain += 1;
            assert!(optimizer.plain_rate(&theta[1..]).is_err());
            optimizer.count_step();
            assert_eq!(optimizer.steps(), 2);
            let expected: Vec<f32> = (0..3).map(|i| theta[i] - eta * gradient[i]).collect();
            assert_eq!(bits(&stepped), bits(&expected));
        }
    }
    assert_eq!(plain, 1, "SGD without momentum");
    let decaying = json!({"name": "sgd", "learning_rate": 0.1, "weight_decay": 0.1});
    let decaying = read(decaying).build::<f32>(1, DecayOn::All).unwrap();
    assert_eq!(decaying.plain_rate(&[1.0]), Ok(None));
}

/// Two runs, one saved and restored in the middle, end in the same bits.
fn resumes<S: Scalar>(config: &OptimizerConfig, gradients: &[Vec<f64>], cut: usize) {
    let n = gradients[0].len();
    let mut config = config.clone();
    config.set_weight_decay(0.03);
    let decay_on = DecayOn::Ranges(vec![0..n / 2]);
    let mut optimizer = config.build::<S>(n, decay_on).unwrap();
    let mut resumed = config.build::<S>(n, DecayOn::Ranges(vec![0..n / 2])).unwrap();
    let mut theta: Vec<S> = (0..n).map(|i| S::of(0.3 + i as f64)).collect();
    let mut same = theta.clone();
    for (t, gradient) in gradients.iter().enumerate() {
        if t == cut {
            resumed = reload(&*resumed);
            assert_eq!(resumed.steps(), cut as u64);
        }
        let gradient: Vec<S> = gradient.iter().map(|&g| S::of(g)).collect();
        let rate = config.learning_rate() / (1 + t) as f64;
        for (optimizer, theta) in [(&mut optimizer, &mut theta), (&mut resumed, &mut same)] {
            // Set after some steps only, so that a rate that was set is restored too.
            if t % 3 == 1 {
                optimizer.set_learning_rate(rate);
            }
            optimizer.step(theta, &gradient).unwrap();
        }
    }
    assert_eq!(bits(&theta), bits(&same), "{}", config.name());
    assert_eq!(optimizer.state(), resumed.state());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_rule_finds_the_bottom_of_a_convex_quadratic(
        points in prop::collection::vec((0.5_f64..2.0, -1.0_f64..1.0, -1.0_f64..1.0), 1..20)
    ) {
        let lambda: Vec<f64> = points.iter().map(|p| p.0).collect();
        let c: Vec<f64> = points.iter().map(|p| p.1).collect();
        for config in configs() {
            let mut theta: Vec<f64> = points.iter().map(|p| p.2).collect();
            let mut optimizer = config.build::<f64>(theta.len(), DecayOn::All).unwrap();
            for _ in 0..3000 {
                let gradient = gradient(&theta, &lambda, &c);
                optimizer.step(&mut theta, &gradient).unwrap();
            }
            let far = theta.iter().zip(&c).fold(0.0_f64, |far, (t, c)| far.max((t - c).abs()));
            // The adaptive rules go on circling at a distance of a few learning rates.
            prop_assert!(far < 0.1, "{config:?} ends {far} away");
        }
    }

    #[test]
    fn a_resumed_run_gives_the_same_bits(
        gradients in (1_usize..40).prop_flat_map(|n| {
            prop::collection::vec(prop::collection::vec(-3.0_f64..3.0, n), 12)
        }),
        cut in 0_usize..12,
    ) {
        for config in configs() {
            resumes::<f64>(&config, &gradients, cut);
            resumes::<f32>(&config, &gradients, cut);
        }
    }

    #[test]
    fn weight_decay_touches_its_ranges_only(
        n in 1_usize..60, start in 0_usize..60, len in 0_usize..60, seed in 0.1_f64..1.0
    ) {
        let start = start.min(n);
        let range: Range<usize> = start..(start + len).min(n);
        let theta0: Vec<f64> = (0..n).map(|i| (i as f64 + seed).sin() + 2.0).collect();
        let gradient: Vec<f64> = (0..n).map(|i| (i as f64 * seed).cos() + 1.5).collect();
        for mut config in configs() {
            let run = |config: &OptimizerConfig, decay_on| {
                let mut theta = theta0.clone();
                let mut optimizer = config.build(n, decay_on).unwrap();
                // Adaptive rules divide a constant gradient out of their first step.
                for scale in [1.0, 0.5, 2.0] {
                    let gradient: Vec<f64> = gradient.iter().map(|g| g * scale).collect();
                    optimizer.step(&mut theta, &gradient).unwrap();
                }
                theta
            };
            config.set_weight_decay(0.0);
            let none = run(&config, DecayOn::All);
            config.set_weight_decay(0.7);
            let all = run(&config, DecayOn::All);
            let ranges = run(&config, DecayOn::Ranges(vec![range.clone()]));
            for i in 0..n {
                let expected = if range.contains(&i) { all[i] } else { none[i] };
                prop_assert_eq!(ranges[i], expected, "{} at {}", config.name(), i);
                prop_assert_ne!(all[i], none[i], "{} at {}", config.name(), i);
            }
        }
    }
}

/// Momentum on ½λθ²: θ_{t+1} = (1 + μ − ηλ)θ_t − μθ_{t−1} with θ_{−1} = θ_0, so that
/// θ_t = A r₁ᵗ + B r₂ᵗ with the roots of r² − (1 + μ − ηλ)r + μ = 0.
#[test]
fn momentum_follows_its_closed_form() {
    let (lambda, learning_rate, momentum) = (2.0, 0.05, 0.25);
    let sum: f64 = 1.0 + momentum - learning_rate * lambda;
    let root = (sum * sum - 4.0 * momentum).sqrt();
    let (r1, r2) = ((sum + root) / 2.0, (sum - root) / 2.0);
    let (theta0, theta1) = (3.0, 3.0 * (1.0 - learning_rate * lambda));
    let a = (theta1 - r2 * theta0) / (r1 - r2);
    let b = theta0 - a;
    let config = SgdConfig { learning_rate, momentum, ..SgdConfig::default() };
    let mut sgd = Sgd::new(config, 1, DecayOn::All).unwrap();
    let mut theta = [theta0];
    for t in 1..=60 {
        let gradient = [lambda * theta[0]];
        sgd.step(&mut theta, &gradient).unwrap();
        let exact = a * r1.powi(t) + b * r2.powi(t);
        assert!((theta[0] - exact).abs() < 1e-14, "step {t}: {} {exact}", theta[0]);
    }
}

#[test]
fn adamw_decays_by_the_rate_times_lambda() {
    let rule = AdamWConfig { learning_rate: 0.1, weight_decay: 0.5, ..AdamWConfig::default() };
    let mut adamw = FlatOptimizer::new(rule, 2, DecayOn::Ranges(vec![1..2])).unwrap();
    let mut theta = [4.0_f64, 4.0];
    adamw.step(&mut theta, &[0.0, 0.0]).unwrap();
    assert_eq!(theta, [4.0, 4.0 * 0.95]);
}

/// Where nothing has moved yet, ε alone keeps 0 from being divided by 0: the least there is, too.
#[test]
fn the_least_epsilon_does_for_a_gradient_of_zero() {
    for name in ["adam", "adamw", "nadam", "rmsprop", "adadelta", "adagrad"] {
        let config = read(json!({"name": name, "eps": f32::from_bits(1)}));
        let mut optimizer = config.build::<f32>(1, DecayOn::Ranges(vec![])).unwrap();
        let mut theta = [1.5];
        optimizer.step(&mut theta, &[0.0]).unwrap();
        assert_eq!(theta, [1.5], "{name}");
    }
}

#[test]
fn wrong_lengths_change_nothing() {
    for config in configs() {
        let mut optimizer = config.build::<f64>(3, DecayOn::All).unwrap();
        let before = optimizer.state();
        let mut theta = [1.0; 3];
        let error = optimizer.step(&mut theta, &[1.0; 2]).unwrap_err().to_string();
        assert!(
            error.contains("gradient has 2 values") && error.contains("built for 3"),
            "{error}"
        );
        let error = optimizer.step(&mut theta[..1], &[1.0; 3]).unwrap_err().to_string();
        assert!(error.contains("theta has 1 values"), "{error}");
        assert_eq!((theta, optimizer.steps()), ([1.0; 3], 0));
        assert_eq!(optimizer.state(), before);
        let mut empty = config.build::<f32>(0, DecayOn::All).unwrap();
        empty.step(&mut [], &[]).unwrap();
    }
}

#[test]
fn a_nan_stays_where_it_is_and_is_not_hidden() {
    for config in configs() {
        let mut optimizer = config.build::<f32>(20, DecayOn::All).unwrap();
        let mut theta = [1.0; 20];
        let mut gradient = [0.5; 20];
        optimizer.step(&mut theta, &gradient).unwrap();
        gradient[7] = f32::NAN;
        optimizer.step(&mut theta, &gradient).unwrap();
        gradient[7] = 0.5;
        optimizer.step(&mut theta, &gradient).unwrap();
        for (i, theta) in theta.iter().enumerate() {
            assert_eq!(theta.is_nan(), i == 7, "{}: {theta} at {i}", config.name());
        }
        // NaN and infinity survive being saved.
        let reloaded = reload(&*optimizer);
        let (now, then) = (reloaded.state().unwrap(), optimizer.state().unwrap());
        for (name, values) in &then.buffers {
            for (a, b) in values.iter().zip(&now.buffers[name]) {
                assert!(a == b || (a.is_nan() && b.is_nan()));
            }
        }
    }
}

#[test]
fn hyperparameters_out_of_range_are_named() {
    for (config, part) in [
        (json!({"name": "sgd", "learning_rate": -0.1}), "sgd: learning_rate must be finite"),
        (json!({"name": "sgd", "momentum": 1.0}), "momentum must be at least 0 and below 1"),
        (json!({"name": "sgd", "nesterov": true}), "momentum must be above 0 with nesterov"),
        (
            json!({"name": "sgd", "nesterov": true, "momentum": 0.9, "dampening": 0.1}),
            "dampening must be 0 with nesterov",
        ),
        (json!({"name": "adagrad", "eps": 0.0}), "adagrad: eps must be finite and above 0"),
        (json!({"name": "rmsprop", "alpha": 1.0}), "alpha must be"),
        (json!({"name": "adadelta", "rho": -0.1}), "rho must be"),
        (json!({"name": "adam", "betas": [0.9, 1.0]}), "betas[1] must be"),
        (json!({"name": "adamw", "weight_decay": -1.0}), "adamw: weight_decay must be"),
        (json!({"name": "nadam", "momentum_decay": -1.0}), "momentum_decay must be"),
    ] {
        let config = read(config);
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(config.build::<f64>(3, DecayOn::All).is_err());
    }
    for mut config in configs() {
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            config.set_learning_rate(bad);
            assert!(config.build::<f64>(1, DecayOn::All).is_err(), "{config:?}");
        }
    }
    // In range for f64, but 0 or infinite in f32.
    let tiny = read(json!({"name": "adam", "eps": 1e-60}));
    assert!(tiny.build::<f64>(1, DecayOn::All).is_ok());
    let error = tiny.build::<f32>(1, DecayOn::All).unwrap_err().to_string();
    assert!(error.contains("in f32"), "{error}");
    assert!(
        read(json!({"name": "sgd", "learning_rate": 1e60})).build::<f32>(1, DecayOn::All).is_err()
    );
}

#[test]
#[should_panic(expected = "sgd: learning_rate must be finite and at least 0, found NaN")]
fn a_rate_that_is_no_number_is_refused() {
    let mut sgd = Sgd::<f64>::new(SgdConfig::default(), 1, DecayOn::All).unwrap();
    sgd.set_learning_rate(f64::NAN);
}

#[test]
fn names_setters_and_configuration_files() {
    for name in OptimizerConfig::NAMES {
        let mut config = OptimizerConfig::from_name(name).unwrap();
        assert_eq!(config.name(), name);
        assert_eq!(read(json!({"name": name})), config);
        config.set_learning_rate(0.25);
        config.set_weight_decay(0.125);
        assert_eq!((config.learning_rate(), config.weight_decay()), (0.25, 0.125));
        let has_momentum = config.momentum().is_some();
        assert_eq!(config.set_momentum(0.5).is_ok(), has_momentum);
        assert_eq!(config.momentum(), has_momentum.then_some(0.5));
        assert_eq!(config.set_nesterov(true).is_ok(), name == "sgd");
        assert_eq!(config.set_amsgrad(true).is_ok(), name == "adam" || name == "adamw");
        config.validate().unwrap();
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<OptimizerConfig>(&json).unwrap(), config);
        assert_eq!(config.build::<f32>(1, DecayOn::All).unwrap().name(), name);
        let unknown = json!({"name": name, "lerning_rate": 0.1});
        let error = serde_json::from_value::<OptimizerConfig>(unknown).unwrap_err().to_string();
        assert!(error.contains("lerning_rate"), "{error}");
    }
    let error = "adm".parse::<OptimizerConfig>().unwrap_err().to_string();
    for name in OptimizerConfig::NAMES {
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn states_that_do_not_belong_together_are_refused() {
    let adam = OptimizerConfig::from_name("adam").unwrap();
    let state = adam.build::<f32>(3, DecayOn::All).unwrap().state().unwrap();
    let refused = |state: &OptimizerState<f32>, part: &str| {
        let error = state.clone().restore().unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    let mut bad = state.clone();
    bad.buffers.get_mut("exp_avg").unwrap().pop();
    refused(&bad, "exp_avg has 2 values, expected 3");
    let mut bad = state.clone();
    bad.buffers.remove("exp_avg_sq");
    refused(&bad, "the buffer exp_avg_sq is missing");
    let mut bad = state.clone();
    bad.buffers.insert("max_exp_avg_sq".to_owned(), vec![0.0; 3]);
    refused(&bad, "no buffer max_exp_avg_sq");
    let bad = OptimizerState { parameters: usize::MAX, ..state.clone() };
    refused(&bad, "expected 18446744073709551615");
    let bad = OptimizerState { decay_on: DecayOn::Ranges(vec![0..4]), ..state.clone() };
    refused(&bad, "range 1 is 0..4");
    let bad = OptimizerState { mu_product: f64::NAN, ..state.clone() };
    refused(&bad, "mu_product");
    let mut bad = state.clone();
    bad.config.set_learning_rate(f64::NAN);
    refused(&bad, "learning_rate");
    let text = serde_json::to_string(&state).unwrap();
    let wider: OptimizerState<f64> = serde_json::from_str(&text).unwrap();
    let error = wider.restore().unwrap_err().to_string();
    assert!(error.contains("saved in f32, expected f64"), "{error}");
    let large = text.replace("[0.0,0.0,0.0]", "[0.0,1e60,0.0]");
    assert_ne!(large, text);
    let error = serde_json::from_str::<OptimizerState<f32>>(&large).unwrap_err().to_string();
    assert!(error.contains("range of f32"), "{error}");
}

/// Of a state that lies about its steps; a sum would overflow.
#[test]
fn a_count_of_steps_at_its_end_stays_there() {
    for config in configs() {
        let state = config.build::<f64>(2, DecayOn::All).unwrap().state().unwrap();
        let mut optimizer = OptimizerState { steps: u64::MAX, ..state }.restore().unwrap();
        let mut theta = [1.0, 2.0];
        optimizer.step(&mut theta, &[0.5, -0.5]).unwrap();
        assert_eq!(optimizer.steps(), u64::MAX, "{}", config.name());
        assert!(theta.iter().all(|x| x.is_finite()), "{}: {theta:?}", config.name());
    }
}

#[test]
fn too_many_parameters_are_an_error() {
    let adam = OptimizerConfig::from_name("adam").unwrap();
    let error = adam.build::<f64>(usize::MAX / 4, DecayOn::All).unwrap_err();
    assert!(matches!(error, OptimError::TooLarge { optimizer: "adam", .. }), "{error}");
}

#[test]
fn threads_do_not_change_a_bit() {
    let n = 70_003;
    let gradient: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
    for mut config in configs() {
        config.set_weight_decay(0.01);
        let run = |threads: &Threads| {
            let decay_on = DecayOn::Ranges(vec![5..40_000, 60_000..n]);
            let mut optimizer = config.build::<f32>(n, decay_on).unwrap();
            optimizer.set_threads(threads);
            let mut theta: Vec<f32> = (0..n).map(|i| (i as f32 * 0.11).cos()).collect();
            for _ in 0..3 {
                optimizer.step(&mut theta, &gradient).unwrap();
            }
            (bits(&theta), optimizer.state())
        };
        let alone = run(&Threads::one());
        for count in [2, 3] {
            assert!(run(&Threads::new(count).unwrap()) == alone, "{} {count}", config.name());
        }
    }
}
