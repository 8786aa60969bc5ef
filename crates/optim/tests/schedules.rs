//! Schedules against their formulas, written out by hand.

use std::f64::consts::PI;

use chainrule_optim::{OptimError, Schedule};
use proptest::prelude::*;

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-14 * expected.abs().max(1e-3), "{found} {expected}");
}

#[test]
fn constant_step_and_exponential() {
    let step = Schedule::Step { every: 10, factor: 0.5 };
    let exponential = Schedule::Exponential { gamma: 0.9 };
    for (t, stairs) in [(0, 1.0), (9, 1.0), (10, 0.5), (19, 0.5), (20, 0.25), (35, 0.125)] {
        assert_eq!(Schedule::Constant.rate(0.2, t), 0.2);
        close(step.rate(0.2, t), 0.2 * stairs);
        let product = (0..t).fold(0.2, |rate, _| rate * 0.9);
        close(exponential.rate(0.2, t), product);
    }
    assert_eq!(step.rate(0.2, u64::MAX), 0.0);
}

#[test]
fn cosine_at_angles_known_by_heart() {
    let cosine = Schedule::Cosine { total: Some(12), min_rate: 0.02 };
    // cos 0 = 1, cos 60° = ½, cos 90° = 0, cos 120° = −½, cos 180° = −1; η − η_min = 0.08.
    for (t, cos) in [(0, 1.0), (4, 0.5), (6, 0.0), (8, -0.5), (12, -1.0), (13, -1.0), (24, -1.0)] {
        close(cosine.rate(0.1, t), 0.02 + 0.04 * (1.0 + cos));
    }
}

#[test]
fn warmup_ends_at_the_base_rate() {
    let warmup = Schedule::Constant.after_warmup(4);
    let rates: Vec<f64> = (0..6).map(|t| warmup.rate(0.8, t)).collect();
    rates.iter().zip([0.2, 0.4, 0.6, 0.8, 0.8, 0.8]).for_each(|(&rate, e)| close(rate, e));
    let warmup = Schedule::cosine().after_warmup(4).with_total_steps(16);
    close(warmup.rate(0.8, 3), 0.8);
    close(warmup.rate(0.8, 4), 0.8);
    close(warmup.rate(0.8, 10), 0.4);
    close(warmup.rate(0.8, 16), 0.0);
}

#[test]
fn one_cycle_goes_up_and_down() {
    // T = 20, 0.3·20 − 1 = 5: up over steps 0..5, down over 5..19, 14 steps.
    let cycle = Schedule::one_cycle().with_total_steps(20);
    let (start, top) = (1.0 / 25.0, 1.0);
    let end = start / 1e4;
    close(cycle.rate(1.0, 0), start);
    close(cycle.rate(1.0, 5), top);
    close(cycle.rate(1.0, 12), (top + end) / 2.0);
    close(cycle.rate(1.0, 19), end);
    close(cycle.rate(1.0, 500), end);
    for t in 1..5 {
        let part = f64::from(t) / 5.0;
        close(cycle.rate(1.0, t as u64), start + (top - start) * (1.0 - (PI * part).cos()) / 2.0);
    }
    for t in 6..19 {
        let part = f64::from(t - 5) / 14.0;
        close(cycle.rate(1.0, t as u64), end + (top - end) * (1.0 + (PI * part).cos()) / 2.0);
    }
    // The top does not depend on the base rate where it is given.
    let Schedule::OneCycle { total, pct_start, div_factor, final_div_factor, .. } = cycle else {
        unreachable!()
    };
    let max_rate = Some(0.5);
    let given = Schedule::OneCycle { total, max_rate, pct_start, div_factor, final_div_factor };
    close(given.rate(123.0, 5), 0.5);
}

#[test]
fn lengths_are_filled_in_only_where_they_are_missing() {
    assert!(Schedule::cosine().after_warmup(10).needs_total_steps());
    let given = Schedule::Cosine { total: Some(7), min_rate: 0.0 };
    assert_eq!(given.clone().with_total_steps(100), given);
    let filled = Schedule::cosine().after_warmup(10).with_total_steps(100);
    assert_eq!(filled.to_string(), "warmup:10+cosine:90");
    // A run shorter than its warm-up stays valid.
    let short = Schedule::one_cycle().after_warmup(10).with_total_steps(3);
    assert_eq!(short.to_string(), "warmup:10+one-cycle:1");
    short.validate(0.1).unwrap();
    assert!(!short.needs_total_steps());
}

#[test]
fn bad_schedules_are_named() {
    let missing = Schedule::cosine().after_warmup(2).validate(0.1).unwrap_err();
    assert_eq!(missing, OptimError::MissingTotal { schedule: "cosine" });
    let high = Schedule::Cosine { total: Some(5), min_rate: 0.2 };
    let error = high.validate(0.1).unwrap_err().to_string();
    assert_eq!(error, "cosine: min_rate must be at most the base rate 0.1, found 0.2");
    for bad in [
        Schedule::Step { every: 0, factor: 0.5 },
        Schedule::Step { every: 1, factor: -0.5 },
        Schedule::Step { every: 1, factor: f64::NAN },
        Schedule::Exponential { gamma: f64::INFINITY },
        Schedule::Cosine { total: Some(0), min_rate: 0.0 },
        Schedule::Constant.after_warmup(0),
        Schedule::Constant.after_warmup(1).after_warmup(1),
        Schedule::Step { every: 0, factor: 0.5 }.after_warmup(3),
    ] {
        assert!(matches!(bad.validate(0.1), Err(OptimError::Hyperparameter { .. })), "{bad:?}");
    }
    for base in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(Schedule::Constant.validate(base).is_err());
    }
}

#[test]
fn configuration_files_are_read_strictly() {
    let read = |text: &str| serde_json::from_str::<Schedule>(text);
    assert_eq!(read(r#"{"name": "constant"}"#).unwrap(), Schedule::Constant);
    assert_eq!(read(r#"{"name": "cosine"}"#).unwrap(), Schedule::cosine());
    assert_eq!(read(r#"{"name": "one-cycle"}"#).unwrap(), Schedule::one_cycle());
    let nested = r#"{"name": "warmup", "steps": 5, "then": {"name": "cosine", "total": 9}}"#;
    assert_eq!(read(nested).unwrap().to_string(), "warmup:5+cosine:9");
    for bad in [
        r#"{"name": "cosin"}"#,
        r#"{"name": "cosine", "totl": 4}"#,
        r#"{"name": "cosine", "total": -4}"#,
        r#"{"name": "step", "every": 4}"#,
        r#"{"name": "constant", "factor": 4}"#,
        r#"{}"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
    for text in ["constant", "step:3:0.5", "warmup:4+one-cycle:9", "exponential:0.3"] {
        let schedule: Schedule = text.parse().unwrap();
        let json = serde_json::to_string(&schedule).unwrap();
        assert_eq!(read(&json).unwrap(), schedule, "{json}");
    }
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let plain = prop_oneof![
        Just(Schedule::Constant),
        (1_u64..50, 0.0..=1.0).prop_map(|(every, factor)| Schedule::Step { every, factor }),
        (0.0..=1.0).prop_map(|gamma| Schedule::Exponential { gamma }),
        (prop::option::of(1_u64..50), 0.0..0.1)
            .prop_map(|(total, min_rate)| Schedule::Cosine { total, min_rate }),
        (prop::option::of(1_u64..50), prop::option::of(0.0..9.0), 0.0..=1.0, 1.0..50.0, 1.0..1e5)
            .prop_map(|(total, max_rate, pct_start, div_factor, final_div_factor)| {
                Schedule::OneCycle { total, max_rate, pct_start, div_factor, final_div_factor }
            }),
    ];
    (plain, prop::option::of(1_u64..50)).prop_map(|(schedule, warmup)| match warmup {
        Some(steps) => schedule.after_warmup(steps),
        None => schedule,
    })
}

proptest! {
    #[test]
    fn a_valid_schedule_gives_a_rate_at_every_step(
        schedule in any_schedule(), total in 0_u64..200, base in 0.1_f64..2.0
    ) {
        let again: Schedule = schedule.to_string().parse().unwrap();
        prop_assert_eq!(&again, &schedule);
        let schedule = schedule.with_total_steps(total);
        schedule.validate(base).unwrap();
        let top = match &schedule {
            Schedule::OneCycle { max_rate: Some(max), .. } => *max,
            Schedule::Warmup { then, .. } => match &**then {
                Schedule::OneCycle { max_rate: Some(max), .. } => *max,
                _ => base,
            },
            _ => base,
        };
        for t in (0..250).chain([u64::MAX]) {
            let rate = schedule.rate(base, t);
            prop_assert!((0.0..=top * (1.0 + 1e-14)).contains(&rate), "{rate} at {t} of {schedule}");
        }
    }
}
