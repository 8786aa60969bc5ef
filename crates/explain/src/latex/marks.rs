//! Names, numbers and words in LaTeX.

/// Text outside of formulas. A character that a plain pdfLaTeX may not know is written as its code.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '\\' => safe.push_str("\\textbackslash{}"),
            '~' => safe.push_str("\\textasciitilde{}"),
            '^' => safe.push_str("\\textasciicircum{}"),
            '<' => safe.push_str("\\textless{}"),
            '>' => safe.push_str("\\textgreater{}"),
            '|' => safe.push_str("\\textbar{}"),
            '"' => safe.push_str("\\textquotedbl{}"),
            '{' | '}' | '$' | '&' | '#' | '_' | '%' => safe.extend(['\\', c]),
            '’' => safe.push('\''),
            '×' => safe.push_str("$\\times$"),
            '−' => safe.push_str("$-$"),
            '…' => safe.push_str("\\dots{}"),
            // Two hyphens would be a dash, two backticks a quotation mark.
            '-' | '`' | '\'' | ',' => safe.extend(['{', c, '}']),
            ' '..='~' => safe.push(c),
            // The letters of Latin-1, in the T1 fonts of every installation.
            'À'..='ÿ' => safe.push(c),
            c => safe.push_str(&format!("[U+{:04X}]", u32::from(c))),
        }
    }
    safe
}

/// A name of the lecture such as `∂a_21/∂h_11`, `∇_{a_3} L` or `W_1,12,3` in a formula.
pub(crate) fn math(name: &str) -> String {
    match name.split_once('/') {
        Some((top, bottom)) => format!("\\frac{{{}}}{{{}}}", symbols(top), symbols(bottom)),
        None => symbols(name),
    }
}

/// A formula in the house's notation, such as `W_2ᵀ ∇_{a_2} L ⊙ g′(a_1)`.
pub(crate) fn formula(text: &str) -> String {
    if text.starts_with('∂') && text.contains("/∂") {
        return math(text);
    }
    symbols(&text.replace("softmax", "\\operatorname{softmax}").replace("ln ", "\\ln "))
}

fn symbols(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            'θ' => out.push_str("\\theta "),
            'η' => out.push_str("\\eta "),
            'ℓ' => out.push_str("\\ell "),
            '·' => out.push_str("\\cdot "),
            '⊙' => out.push_str("\\odot "),
            'ᵀ' => out.push_str("^{\\top}"),
            '′' => out.push('\''),
            '−' => out.push('-'),
            '∂' => out.push_str("\\partial "),
            '∇' => out.push_str("\\nabla"),
            'ŷ' => out.push_str("\\hat{y}"),
            '_' if rest.peek().is_some_and(char::is_ascii_digit) => {
                out.push_str("_{");
                while let Some(c) = rest.next_if(|c| c.is_ascii_digit() || *c == ',') {
                    out.push(c);
                }
                out.push('}');
            }
            c => out.push(c),
        }
    }
    out
}

/// A number in a formula: `1.5 \cdot 10^{-7}` in place of `1.5e-7`.
pub(crate) fn number(x: f64) -> String {
    // A negative zero is a zero to the reader.
    let text = crate::text::number(if x == 0.0 { 0.0 } else { x });
    match text.as_str() {
        "NaN" => "\\mathrm{NaN}".to_owned(),
        "inf" => "\\infty".to_owned(),
        "-inf" => "-\\infty".to_owned(),
        _ => match text.split_once('e') {
            Some((mantissa, exponent)) => format!("{mantissa} \\cdot 10^{{{exponent}}}"),
            None => text,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_formulas() {
        for (name, expected) in [
            ("W_112", "W_{112}"),
            ("W_1,12,3", "W_{1,12,3}"),
            ("∂L/∂ŷ_2", "\\frac{\\partial L}{\\partial \\hat{y}_{2}}"),
            ("∂a_2,10/∂h_11", "\\frac{\\partial a_{2,10}}{\\partial h_{11}}"),
            ("∇_{a_3} L", "\\nabla_{a_{3}} L"),
        ] {
            assert_eq!(math(name), expected);
        }
    }

    #[test]
    fn formulas_keep_their_shape() {
        for (text, expected) in [
            ("W_2ᵀ ∇_{a_2} L", "W_{2}^{\\top} \\nabla_{a_{2}} L"),
            ("∇_{h_1} L ⊙ g′(a_1)", "\\nabla_{h_{1}} L \\odot  g'(a_{1})"),
            ("−ln ŷ_ℓ", "-\\ln \\hat{y}_\\ell "),
            ("∂a_2/∂a_11", "\\frac{\\partial a_{2}}{\\partial a_{11}}"),
        ] {
            assert_eq!(formula(text), expected);
        }
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escape(r"a_b{50%}\end $&#~^"),
            "a\\_b\\{50\\%\\}\\textbackslash{}end \\$\\&\\#\\textasciitilde{}\\textasciicircum{}"
        );
        assert_eq!(escape("Größe 8×8 中\n"), "Größe 8$\\times$8 [U+4E2D][U+000A]");
        assert_eq!(escape("a--b"), "a{-}{-}b");
    }

    #[test]
    fn numbers_have_powers() {
        assert_eq!((number(-1.5e-7), number(0.25)), ("-1.5 \\cdot 10^{-7}".into(), "0.25".into()));
        assert_eq!(number(f64::NEG_INFINITY), "-\\infty");
    }
}
