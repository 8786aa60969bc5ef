//! Filling HTML templates.

use std::fmt::{self, Formatter};

/// Up to the body, of every file.
const HEAD: &str = include_str!("../assets/head.html");

/// Writes the head of a file with its title and style.
pub(crate) fn head(f: &mut Formatter<'_>, title: &str, style: &str) -> fmt::Result {
    // The template that it is filled into ends the line.
    fill(f, HEAD.trim_end(), |f, mark| match mark {
        "version" => f.write_str(env!("CARGO_PKG_VERSION")),
        "title" => f.write_str(&text(title)),
        "style" => f.write_str(style),
        _ => Err(fmt::Error),
    })
}

/// Writes a template with every `{{mark}}` replaced by what `write` writes for it. What is filled
/// in is never read for marks again.
pub(crate) fn fill(
    f: &mut Formatter<'_>,
    template: &str,
    mut write: impl FnMut(&mut Formatter<'_>, &str) -> fmt::Result,
) -> fmt::Result {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (mark, after) = after.split_once("}}").ok_or(fmt::Error)?;
        f.write_str(before)?;
        write(f, mark)?;
        rest = after;
    }
    f.write_str(rest)
}

/// Text for an element or an attribute: what could be markup is escaped, what XML forbids left out.
pub(crate) fn text(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '"' => safe.push_str("&quot;"),
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// JSON for a script element, where `</script>` would end it: markup as escapes of JSON strings,
/// outside of which these characters do not occur.
pub(crate) fn script_data(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<'
            | '>'
            | '&'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{fffe}'
            | '\u{ffff}'
            | '\u{7f}'..='\u{9f}' => {
                safe.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_data_stays_data() {
        let json = serde_json::to_string("</script><!-- & \u{2028}").unwrap();
        let safe = script_data(&json);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}']), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), "</script><!-- & \u{2028}");
        assert_eq!(text("a<b>&\u{0}\""), "a&lt;b&gt;&amp; &quot;");
    }
}
