//! Losses by name.

use std::str::FromStr;

use chainrule_tensor::Scalar;

use crate::{
    BinaryCrossEntropy, CrossEntropy, Huber, L1, Loss, LossError, MeanSquaredError,
    ProbabilityCrossEntropy, Reduction, SquaredError,
};

/// The names that [`parse`] knows, without their options.
pub const NAMES: [&str; 8] = [
    CrossEntropy::NAME,
    SOFT_CROSS_ENTROPY,
    BinaryCrossEntropy::NAME,
    ProbabilityCrossEntropy::NAME,
    SquaredError::NAME,
    MeanSquaredError::NAME,
    L1::NAME,
    Huber::NAME,
];

const SOFT_CROSS_ENTROPY: &str = "soft_cross_entropy";

/// The loss that a name like `cross_entropy(label_smoothing=0.1,class_weights)` describes.
///
/// | name | options |
/// | --- | --- |
/// | `cross_entropy` | `ignore_index=CLASS`, `label_smoothing=SHARE`, `class_weights` |
/// | `soft_cross_entropy` | `label_smoothing=SHARE`, `class_weights` |
/// | `huber` | `DELTA` or `delta=DELTA`, 1 if left out |
/// | `bce_with_logits`, `probability_cross_entropy`, `squared_error`, `mse`, `l1` | |
///
/// `soft_cross_entropy` is the [`CrossEntropy`] against probabilities; the targets decide, so the
/// loss calls itself `cross_entropy`. The weights themselves stand beside the name; given to
/// `cross_entropy`, they count with or without the option `class_weights`. Hyphens may stand for
/// underscores. Reading a loss's [`Loss::name`], [`Loss::class_weights`] and [`Loss::reduction`]
/// gives the same loss.
///
/// # Errors
/// An unknown name or option (the message lists the known ones), a value out of range, class
/// weights that are missing or not wanted.
///
/// ```
/// use chainrule_loss::{Loss, Reduction, parse};
/// let loss = parse::<f32>("cross_entropy(label_smoothing=0.1)", None, Reduction::Mean)?;
/// assert_eq!(loss.name(), "cross_entropy(label_smoothing=0.1)");
/// assert!(parse::<f32>("cross_entropy(smoothing=0.1)", None, Reduction::Mean).is_err());
/// # Ok::<(), chainrule_loss::LossError>(())
/// ```
pub fn parse<S: Scalar>(
    name: &str,
    class_weights: Option<&[f64]>,
    reduction: Reduction,
) -> Result<Box<dyn Loss<S>>, LossError> {
    let (base, options) = split(name)?;
    let normal = base.replace('-', "_");
    let Some(&loss) = NAMES.iter().find(|known| **known == normal) else {
        return Err(LossError::UnknownLoss { name: base.to_owned() });
    };
    let mut options = Options::read(loss, options)?;
    if matches!(loss, CrossEntropy::NAME | SOFT_CROSS_ENTROPY) {
        return Ok(Box::new(cross_entropy(options, class_weights)?.with_reduction(reduction)));
    }
    if let Some(weights) = class_weights {
        return Err(LossError::UnusedClassWeights { loss, found: weights.len() });
    }
    if loss == Huber::NAME {
        let delta = options.number("delta", "a number, as in huber(1)")?.unwrap_or(1.0);
        options.end(&["delta"])?;
        return Ok(Box::new(Huber::new(delta)?.with_reduction(reduction)));
    }
    options.end(&[])?;
    Ok(match loss {
        BinaryCrossEntropy::NAME => Box::new(BinaryCrossEntropy::new().with_reduction(reduction)),
        ProbabilityCrossEntropy::NAME => {
            Box::new(ProbabilityCrossEntropy::new().with_reduction(reduction))
        }
        SquaredError::NAME => Box::new(SquaredError::new().with_reduction(reduction)),
        MeanSquaredError::NAME => Box::new(MeanSquaredError::new().with_reduction(reduction)),
        L1::NAME => Box::new(L1::new().with_reduction(reduction)),
        _ => return Err(LossError::UnknownLoss { name: base.to_owned() }),
    })
}

fn cross_entropy(
    mut options: Options<'_>,
    class_weights: Option<&[f64]>,
) -> Result<CrossEntropy, LossError> {
    let soft = options.loss == SOFT_CROSS_ENTROPY;
    let mut loss = CrossEntropy::new();
    // A class of probabilities cannot be ignored.
    if !soft && let Some(class) = options.number("ignore_index", "a class number, from 0")? {
        loss = loss.with_ignore_index(class);
    }
    if let Some(share) = options.number("label_smoothing", "a number from 0 to 1")? {
        loss = loss.with_label_smoothing(share)?;
    }
    let weighted = options.flag("class_weights")?;
    let known = ["ignore_index", "label_smoothing", "class_weights"];
    options.end(if soft { &known[1..] } else { &known })?;
    match class_weights {
        Some(weights) => loss.with_class_weights(weights.to_vec()),
        None if weighted => Err(LossError::MissingClassWeights { loss: options.loss }),
        None => Ok(loss),
    }
}

/// The base and what stands in the parentheses.
fn split(text: &str) -> Result<(&str, Option<&str>), LossError> {
    let text = text.trim();
    let Some((base, rest)) = text.split_once('(') else { return Ok((text, None)) };
    match rest.strip_suffix(')') {
        Some(options) if !options.contains(['(', ')']) => Ok((base.trim(), Some(options))),
        _ => Err(LossError::Syntax { text: text.to_owned() }),
    }
}

/// The options of a loss; those that are read are taken out.
struct Options<'a> {
    loss: &'static str,
    pairs: Vec<(String, Option<&'a str>)>,
}

impl<'a> Options<'a> {
    fn read(loss: &'static str, text: Option<&'a str>) -> Result<Self, LossError> {
        let mut pairs = Vec::<(String, Option<&str>)>::new();
        for option in text.into_iter().flat_map(|text| text.split(',')).map(str::trim) {
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name.trim().replace('-', "_"), Some(value.trim())),
                // The only value without a name.
                None if loss == Huber::NAME => ("delta".to_owned(), Some(option)),
                None => (option.replace('-', "_"), None),
            };
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(LossError::RepeatedOption { loss, option: name });
            }
            pairs.push((name, value));
        }
        Ok(Self { loss, pairs })
    }

    fn take(&mut self, option: &str) -> Option<Option<&'a str>> {
        let at = self.pairs.iter().position(|(name, _)| name == option)?;
        Some(self.pairs.remove(at).1)
    }

    fn number<T: FromStr>(
        &mut self,
        option: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, LossError> {
        let Some(value) = self.take(option) else { return Ok(None) };
        let found = value.unwrap_or_default();
        let error =
            LossError::OptionValue { loss: self.loss, option, expected, found: found.to_owned() };
        found.parse().map(Some).map_err(|_| error)
    }

    fn flag(&mut self, option: &'static str) -> Result<bool, LossError> {
        match self.take(option) {
            None => Ok(false),
            Some(None) => Ok(true),
            Some(Some(found)) => Err(LossError::OptionValue {
                loss: self.loss,
                option,
                expected: "no value (the weights are given beside the name)",
                found: found.to_owned(),
            }),
        }
    }

    /// Refuses what nobody took.
    fn end(&self, known: &[&str]) -> Result<(), LossError> {
        let Some((option, _)) = self.pairs.first() else { return Ok(()) };
        let known = match known {
            [] => "it takes none".to_owned(),
            known => format!("it takes {}", known.join(", ")),
        };
        Err(LossError::UnknownOption { loss: self.loss, option: option.clone(), known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, weights: Option<&[f64]>) -> Result<Box<dyn Loss<f64>>, LossError> {
        parse(name, weights, Reduction::Sum)
    }

    #[test]
    fn names_go_round() {
        let weights: &[f64] = &[1.0, 0.5];
        for (name, weights) in [
            ("cross_entropy", None),
            ("cross_entropy(ignore_index=3)", None),
            ("cross_entropy(label_smoothing=0.1,class_weights)", Some(weights)),
            ("cross_entropy(ignore_index=255,label_smoothing=0.25,class_weights)", Some(weights)),
            ("bce_with_logits", None),
            ("probability_cross_entropy", None),
            ("squared_error", None),
            ("mse", None),
            ("l1", None),
            ("huber(1)", None),
            ("huber(0.30000000000000004)", None),
        ] {
            let loss = read(name, weights).unwrap();
            assert_eq!(loss.name(), name);
            assert_eq!((loss.class_weights(), loss.reduction()), (weights, Reduction::Sum));
        }
    }

    #[test]
    fn other_spellings_mean_the_same() {
        for (name, same) in [
            ("soft_cross_entropy(label_smoothing=0.5)", "cross_entropy(label_smoothing=0.5)"),
            (" cross-entropy( label-smoothing = 0.5 ) ", "cross_entropy(label_smoothing=0.5)"),
            ("huber", "huber(1)"),
            ("huber(delta=2)", "huber(2)"),
        ] {
            assert_eq!(read(name, None).unwrap().name(), same);
        }
        let weighted = read("cross_entropy", Some(&[1.0])).unwrap();
        assert_eq!(weighted.name(), "cross_entropy(class_weights)");
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (name, weights, part) in [
            ("crossentropy", None, "the known ones are cross_entropy, soft_cross_entropy"),
            ("", None, "unknown loss ``"),
            ("cross_entropy(smoothing=1)", None, "it takes ignore_index, label_smoothing, class"),
            ("soft_cross_entropy(ignore_index=1)", None, "it takes label_smoothing, class_weights"),
            ("mse(1)", None, "mse has no option `1`; it takes none"),
            ("mse()", None, "mse has no option ``"),
            ("huber(x)", None, "option `delta` of huber needs a number"),
            ("huber(1,2)", None, "given twice"),
            ("huber(-1)", None, "positive"),
            ("huber(nan)", None, "positive"),
            ("huber(1", None, "cannot read"),
            ("huber(1))", None, "cannot read"),
            ("cross_entropy(ignore_index=first)", None, "a class number, from 0, found `first`"),
            ("cross_entropy(ignore_index)", None, "found ``"),
            ("cross_entropy(label_smoothing=1.5)", None, "from 0 (none) to 1"),
            ("cross_entropy(class_weights)", None, "none were given"),
            ("cross_entropy(class_weights=1)", None, "needs no value"),
            ("cross_entropy", Some([1.0, -1.0].as_slice()), "weight of class 1 is -1"),
            ("mse", Some(&[1.0]), "takes no class weights"),
        ] {
            let message = read(name, weights).unwrap_err().to_string();
            assert!(message.contains(part), "{name}: {message}");
        }
    }
}
