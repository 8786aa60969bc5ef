//! Schedules as text, for command lines.

use std::fmt::{self, Display};
use std::str::FromStr;

use super::{Schedule, div_factor, final_div_factor, pct_start};
use crate::OptimError;

const KNOWN: &str = "constant, step:EVERY:FACTOR, exponential:GAMMA, cosine[:TOTAL[:MIN_RATE]], \
    warmup:STEPS[+SCHEDULE], \
    one-cycle[:TOTAL[:MAX_RATE[:PCT_START[:DIV_FACTOR[:FINAL_DIV_FACTOR]]]]]";

/// What stands for a value that is left out.
const AUTO: &str = "auto";

impl FromStr for Schedule {
    type Err = OptimError;

    fn from_str(text: &str) -> Result<Self, OptimError> {
        let failed =
            |problem| OptimError::ScheduleText { text: text.to_owned(), problem, known: KNOWN };
        // Without recursion: the text may be long.
        let mut parts = text.split('+').rev();
        let mut schedule = parse_one(parts.next().unwrap_or(""), None).map_err(failed)?;
        for part in parts {
            schedule = parse_one(part, Some(schedule)).map_err(failed)?;
        }
        schedule.check_own().map_err(|error| failed(error.to_string()))?;
        Ok(schedule)
    }
}

/// One schedule, with the one that follows it.
fn parse_one(text: &str, then: Option<Schedule>) -> Result<Schedule, String> {
    let mut values = text.split(':').map(str::trim);
    let name = values.next().unwrap_or("");
    let mut values = Values { name, values };
    let schedule = match name {
        "constant" => Schedule::Constant,
        "step" => {
            Schedule::Step { every: values.required("EVERY")?, factor: values.required("FACTOR")? }
        }
        "exponential" => Schedule::Exponential { gamma: values.required("GAMMA")? },
        "cosine" => Schedule::Cosine {
            total: values.optional("TOTAL")?,
            min_rate: values.optional("MIN_RATE")?.unwrap_or(0.0),
        },
        "warmup" => {
            let steps = values.required("STEPS")?;
            values.end()?;
            if matches!(then, Some(Schedule::Warmup { .. })) {
                return Err("a warm-up cannot follow a warm-up".to_owned());
            }
            return Ok(then.unwrap_or_default().after_warmup(steps));
        }
        "one-cycle" => Schedule::OneCycle {
            total: values.optional("TOTAL")?,
            max_rate: values.optional("MAX_RATE")?,
            pct_start: values.optional("PCT_START")?.unwrap_or_else(pct_start),
            div_factor: values.optional("DIV_FACTOR")?.unwrap_or_else(div_factor),
            final_div_factor: values.optional("FINAL_DIV_FACTOR")?.unwrap_or_else(final_div_factor),
        },
        _ => return Err(format!("`{name}` is not known")),
    };
    values.end()?;
    match then {
        None => Ok(schedule),
        Some(_) => Err(format!("nothing can follow {name}; `+` stands after warmup only")),
    }
}

struct Values<'a, I> {
    name: &'a str,
    values: I,
}

impl<'a, I: Iterator<Item = &'a str>> Values<'a, I> {
    fn optional<T: FromStr>(&mut self, what: &str) -> Result<Option<T>, String> {
        match self.values.next() {
            None | Some(AUTO) => Ok(None),
            Some(text) => match text.parse() {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(format!("{what} of {} is no number: `{text}`", self.name)),
            },
        }
    }

    fn required<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        self.optional(what)?.ok_or_else(|| format!("{} needs {what}", self.name))
    }

    fn end(&mut self) -> Result<(), String> {
        match self.values.next() {
            None => Ok(()),
            Some(text) => Err(format!("{} takes no further value `{text}`", self.name)),
        }
    }
}

impl Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A value given as `None` is the one that is assumed where it is left out.
        let list = |f: &mut fmt::Formatter<'_>, values: &[Option<String>]| {
            let last = values.iter().rposition(Option::is_some).map_or(0, |i| i + 1);
            f.write_str(self.name())?;
            let mut values = values[..last].iter();
            values.try_for_each(|value| write!(f, ":{}", value.as_deref().unwrap_or(AUTO)))
        };
        let unless = |value: f64, default: f64| (value != default).then(|| value.to_string());
        match self {
            Self::Constant => list(f, &[]),
            Self::Step { every, factor } => {
                list(f, &[Some(every.to_string()), Some(factor.to_string())])
            }
            Self::Exponential { gamma } => list(f, &[Some(gamma.to_string())]),
            Self::Cosine { total, min_rate } => {
                list(f, &[total.map(|n| n.to_string()), unless(*min_rate, 0.0)])
            }
            Self::Warmup { steps, then } => {
                list(f, &[Some(steps.to_string())])?;
                match **then {
                    Self::Constant => Ok(()),
                    ref then => write!(f, "+{then}"),
                }
            }
            Self::OneCycle {
                total,
                max_rate,
                pct_start: pct,
                div_factor: div,
                final_div_factor: last,
            } => {
                let values = [
                    total.map(|n| n.to_string()),
                    max_rate.map(|rate| rate.to_string()),
                    unless(*pct, pct_start()),
                    unless(*div, div_factor()),
                    unless(*last, final_div_factor()),
                ];
                list(f, &values)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_schedule_are_one_to_one() {
        for text in [
            "constant",
            "step:10:0.5",
            "exponential:0.95",
            "cosine",
            "cosine:100",
            "cosine:auto:0.00001",
            "warmup:100",
            "warmup:100+cosine",
            "warmup:5+one-cycle:50",
            "one-cycle",
            "one-cycle:1000",
            "one-cycle:auto:0.5:auto:10:auto",
            "one-cycle:auto:auto:auto:auto:100",
        ] {
            let schedule: Schedule = text.parse().unwrap();
            let again = schedule.to_string();
            assert_eq!(again.parse::<Schedule>().unwrap(), schedule, "{text} became {again}");
            assert_eq!(again, text.trim_end_matches(":auto"));
        }
        assert_eq!("warmup:3+constant".parse::<Schedule>().unwrap().to_string(), "warmup:3");
        assert_eq!("one-cycle".parse::<Schedule>().unwrap(), Schedule::one_cycle());
    }

    #[test]
    fn bad_text_gets_a_line_that_lists_what_is_known() {
        for (text, part) in [
            ("", "`` is not known"),
            ("linear", "`linear` is not known"),
            ("step", "step needs EVERY"),
            ("step:10", "step needs FACTOR"),
            ("step:auto:0.5", "step needs EVERY"),
            ("step:0:0.5", "every must be at least 1"),
            ("step:-3:0.5", "EVERY of step is no number: `-3`"),
            ("step:3:nan", "factor must be between 0 and 1"),
            ("exponential:1.5", "gamma must be between 0 and 1"),
            ("exponential:0.9:2", "takes no further value `2`"),
            ("cosine:0", "total must be at least 1"),
            ("cosine:5:inf", "min_rate must be finite"),
            ("warmup:0", "steps must be at least 1"),
            ("warmup:3+", "`` is not known"),
            ("warmup:3+warmup:3", "cannot follow a warm-up"),
            ("cosine+warmup:3", "nothing can follow cosine"),
            ("one-cycle:10:0.1:2", "pct_start must be between 0 and 1"),
        ] {
            let error = text.parse::<Schedule>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert!(error.contains("one-cycle") && error.contains("step:EVERY:FACTOR"), "{error}");
            assert!(!error.contains('\n'));
        }
        let long = "warmup:1+".repeat(100_000);
        assert!(long.parse::<Schedule>().is_err());
    }
}
