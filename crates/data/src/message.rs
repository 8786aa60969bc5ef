//! Parts of error messages: one line each, however long the data.

/// At most 40 characters of `text`, so that an error stays one line.
pub(crate) fn shorten(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(40).map(clean).collect();
    if text.chars().nth(40).is_some() {
        short.push('…');
    }
    short
}

/// The first names of a list, quoted, and how many more there are.
#[cfg(feature = "csv")]
pub(crate) fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let quoted: Vec<String> =
        names.iter().take(SHOWN).map(|name| format!("`{}`", shorten(name))).collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n > SHOWN => format!("{} and {} more", quoted.join(", "), n - SHOWN),
        _ => quoted.join(", "),
    }
}

#[cfg(all(test, feature = "csv"))]
mod tests {
    use super::*;

    #[test]
    fn lists_and_texts_stay_short() {
        let names: Vec<String> = (0..100).map(|i| format!("p{i}")).collect();
        assert!(list(&names).ends_with("`p11` and 88 more"));
        assert_eq!(list(&names[..2]), "`p0`, `p1`");
        assert_eq!(shorten(&"é".repeat(100)).chars().count(), 41);
        assert_eq!(shorten("a\nb"), "a\u{fffd}b");
    }
}
