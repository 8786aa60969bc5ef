//! Lists on the command line, and numbers and names in messages.

use std::str::FromStr;

/// Widths of layers: `512,512` or `512-512`; `none` or nothing for no layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Widths(pub(crate) Vec<usize>);

impl FromStr for Widths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() || text == "none" {
            return Ok(Self(Vec::new()));
        }
        let width = |part: &str| {
            let part = part.trim();
            let number = part.parse::<usize>().ok().filter(|&width| width > 0);
            number.ok_or_else(|| {
                format!("`{part}` is no width; write whole numbers from 1 up, such as 512,512")
            })
        };
        // A minus sign is none of a width.
        let separator = if text.starts_with('-') { ',' } else { '-' };
        text.split([',', separator]).map(width).collect::<Result<_, _>>().map(Self)
    }
}

/// A whole number with commas at the thousands.
pub(crate) fn count(n: usize) -> String {
    chainrule::explain::thousands(n as u128)
}

/// `1 epoch`, `12 epochs`, `43 batches`.
pub(crate) fn plural(n: usize, word: &str) -> String {
    let ending = match n {
        1 => "",
        _ if word.ends_with("tch") => "es",
        _ => "s",
    };
    format!("{} {word}{ending}", count(n))
}

/// Names, shortened if they are many.
pub(crate) fn names(names: &[String], shown: usize) -> String {
    let first = names.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(shown) {
        0 => first,
        more => format!("{first}, … ({} in all)", count(shown + more)),
    }
}

/// A loss, a rate or an error, in a few digits.
pub(crate) fn short(x: f64) -> String {
    if x == 0.0 || (1e-3..1e5).contains(&x.abs()) || !x.is_finite() {
        format!("{x:.4}")
    } else {
        format!("{x:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_read_or_refused() {
        let read = |text: &str| text.parse::<Widths>();
        assert_eq!(read("512, 64"), Ok(Widths(vec![512, 64])));
        assert_eq!(read(""), Ok(Widths(Vec::new())));
        assert_eq!(read("none"), Ok(Widths(Vec::new())));
        assert_eq!(read("2-3-1"), Ok(Widths(vec![2, 3, 1])));
        for bad in ["0", "3,", "3-", "2--3", "a", "-1", "1.5", "99999999999999999999999"] {
            assert!(read(bad).unwrap_err().contains("no width"), "{bad}");
        }
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!((count(0), count(999), count(1000)), ("0".into(), "999".into(), "1,000".into()));
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(
            (plural(1, "epoch"), plural(12, "epoch")),
            ("1 epoch".into(), "12 epochs".into())
        );
        assert_eq!(
            (short(0.25), short(1e-9), short(f64::NAN)),
            ("0.2500".into(), "1.00e-9".into(), "NaN".into())
        );
    }
}
