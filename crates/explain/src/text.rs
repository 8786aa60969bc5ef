//! The lecture's names and numbers as readable text.

use std::fmt::Display;

use chainrule_loss::Reduction;
use serde::Serializer;

/// A vector of more entries is shortened in the text.
const SHOWN_WHOLE: usize = 8;
/// To so many.
const SHOWN: usize = 6;

/// `a_21`, with commas where an index has more than one digit: `a_2,10`, as `Param` writes names.
pub(crate) fn unit(letter: char, layer: usize, unit: usize) -> String {
    let comma = if layer < 10 && unit < 10 { "" } else { "," };
    format!("{letter}_{layer}{comma}{unit}")
}

/// The vector of a layer: `a_3`.
pub(crate) fn vector(letter: char, layer: usize) -> String {
    format!("{letter}_{layer}")
}

/// For serde: a value as its text.
pub(crate) fn as_text<T: Display, Z: Serializer>(value: &T, to: Z) -> Result<Z::Ok, Z::Error> {
    to.collect_str(value)
}

/// Six significant digits, without an exponent where that stays short.
pub(crate) fn number(x: f64) -> String {
    if x == 0.0 {
        // Without the sign of −0.
        return "0".to_owned();
    }
    if !x.is_finite() {
        return x.to_string();
    }
    let exponent = x.abs().log10().floor() as i32;
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..6).contains(&exponent) {
        return trim(&format!("{x:.*}", (5 - exponent) as usize));
    }
    let text = format!("{x:.5e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", trim(mantissa)),
        None => text,
    }
}

/// A share with its sign, in per cent: `+41.2 %`, and `<0.1 %` where there is a little.
pub(crate) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent.abs() {
        0.0 => "0 %".to_owned(),
        x if x < 0.05 => format!("{}<0.1 %", if share < 0.0 { '−' } else { '+' }),
        _ => format!("{}{:.1} %", if share < 0.0 { '−' } else { '+' }, percent.abs()),
    }
}

/// How a batch's value is made: `, the mean over 8 examples`; nothing for one.
pub(crate) fn examples(count: usize, reduction: Reduction) -> String {
    match count {
        1 => String::new(),
        _ => format!(", the {reduction} over {count} examples"),
    }
}

/// The entries of long vectors that the text shows: the largest by `|weight|`, a NaN before all,
/// the first of equals first. `None` where all are shown.
pub(crate) fn selection(weight: &[f64]) -> Option<Vec<usize>> {
    if weight.len() <= SHOWN_WHOLE {
        return None;
    }
    let mut order: Vec<usize> = (0..weight.len()).collect();
    // `total_cmp` puts a positive NaN above infinity.
    order.sort_by(|&i, &j| weight[j].abs().total_cmp(&weight[i].abs()));
    order.truncate(SHOWN);
    Some(order)
}

/// `[0.5, -1]`, or of a long vector the selected entries with their places from 1.
pub(crate) fn list(values: &[f64], selection: Option<&[usize]>) -> String {
    let entries: Vec<String> = match selection {
        None => values.iter().copied().map(number).collect(),
        Some(places) => places
            .iter()
            .map(|&i| format!("{}: {}", i + 1, number(values[i])))
            .chain([format!("… {} in all", values.len())])
            .collect(),
    };
    format!("[{}]", entries.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_keep_six_digits() {
        for (x, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-0.25, "-0.25"),
            (0.012_345_678, "0.0123457"),
            (123_456.7, "123457"),
            (100_000.0, "100000"),
            (1.5e6, "1.5e6"),
            (-1.234_567_8e-7, "-1.23457e-7"),
            (1e-300, "1e-300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(number(x), expected);
        }
    }

    #[test]
    fn names_take_commas_beyond_nine() {
        assert_eq!(unit('a', 2, 9), "a_29");
        assert_eq!(unit('h', 2, 10), "h_2,10");
        assert_eq!(unit('h', 12, 1), "h_12,1");
    }

    #[test]
    fn long_vectors_show_the_largest() {
        let mut values = vec![0.0; 9];
        values[4] = -3.0;
        values[8] = 2.0;
        values[2] = f64::NAN;
        let selection = selection(&values).unwrap();
        assert_eq!(selection[..3], [2, 4, 8]);
        let text = list(&values, Some(&selection));
        assert_eq!(text, "[3: NaN, 5: -3, 9: 2, 1: 0, 2: 0, 4: 0, … 9 in all]");
        assert_eq!(super::selection(&[1.0; 8]), None);
        assert_eq!(list(&[1.0, -0.5], None), "[1, -0.5]");
    }
}
