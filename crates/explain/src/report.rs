//! All answers about one weight or bias, together.

mod text;

use chainrule_autograd_manual::Param;
use chainrule_loss::Reduction;
use chainrule_tensor::Scalar;
use serde::Serialize;

use crate::text::as_text;
use crate::{
    BatchExplanation, Conversation, Depth, ExplainError, Explainer, Explanation, Paths,
    Responsibility, ThinFactors,
};

/// What the numbers stand for: names that the network does not know.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Context {
    /// The model, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The data, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The loss by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
    /// The names of the inputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// The names of the outputs: classes, or target columns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// The class of each example of the batch, from 0; empty if the targets are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<usize>,
}

/// Why a weight's or bias's gradient is what it is, on one example or a batch: what
/// `chainrule explain` prints.
///
/// On a batch, [`Report::explanation`] and [`Report::conversation`] are of its leading example, the
/// one with the largest `|∂L/∂W|`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The names around.
    pub context: Context,
    /// The weight or bias.
    #[serde(serialize_with = "as_text")]
    pub param: Param,
    /// The examples, as [`Explainer::labelled`] calls them.
    pub rows: Vec<usize>,
    /// How the examples become one value.
    pub reduction: Reduction,
    /// The loss of the batch.
    pub loss: f64,
    /// `∂L/∂W_{ijk}`: the mean (or, if the loss sums, the sum) of the examples' products.
    pub value: f64,
    /// The same by backpropagation, in the network's element type.
    pub gradient: f64,
    /// The leading example's conversation.
    pub conversation: Conversation,
    /// The leading example's three groups.
    pub explanation: Explanation,
    /// Every factor, expanded and compressed, where there is a single path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thin: Option<ThinFactors>,
    /// The strongest paths, over all examples.
    pub paths: Paths,
    /// Who is responsible.
    pub responsibility: Responsibility,
    /// How the gradient fares along the depth.
    pub depth: Depth,
}

impl<S: Scalar> Explainer<'_, S> {
    /// All answers about one weight or bias over the batch, with the `k` strongest paths.
    ///
    /// # Errors
    /// As [`Explainer::batch_paths`], and [`ExplainError::Labels`] if `context` has classes of
    /// another number of examples.
    pub fn report(&self, param: Param, k: usize, context: Context) -> Result<Report, ExplainError> {
        let paths = self.batch_paths(param, k)?;
        let BatchExplanation { reduction, value, gradient, examples, .. } = self.batch(param)?;
        let size = |(_, example): &(usize, &Explanation)| example.value.abs();
        let leading = examples.iter().enumerate().rev();
        let leading = leading.max_by(|a, b| size(a).total_cmp(&size(b))).map_or(0, |(row, _)| row);
        let classes = Some(&context.classes[..]).filter(|classes| !classes.is_empty());
        let mut responsibility = self.responsibility(param, classes)?;
        for class in &mut responsibility.classes {
            class.name = context.outputs.get(class.class).cloned();
        }
        let network = self.backward.network();
        let thin = network.layers()[param.layer() - 1..].iter().all(|layer| layer.outputs() == 1);
        Ok(Report {
            param,
            rows: paths.rows.clone(),
            reduction,
            loss: self.backward.loss().as_f64(),
            value,
            gradient,
            conversation: self.conversation(param, leading)?,
            explanation: examples[leading].clone(),
            thin: thin.then(|| self.thin(param, leading)).transpose()?,
            paths,
            responsibility,
            depth: self.depth(param)?,
            context,
        })
    }
}
