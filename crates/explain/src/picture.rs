//! The network as a drawing: which units and edges it shows, and what flows through them.

mod build;
mod dot;
mod svg;

use chainrule_autograd_manual::Param;
use serde::Serialize;

use crate::text::as_text;

/// One unit of a drawing, or the units of a wide layer that it folds into one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PictureNode {
    /// The unit, from 1; `None` for folded units and for the 1 that a bias multiplies.
    pub unit: Option<usize>,
    /// `h_21`, `a_31`, `1`, or `+ 502 more`.
    pub name: String,
    /// What it is called outside: a feature, a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called: Option<String>,
    /// Its activation (in the last layer its pre-activation), the mean over the batch; `None` for
    /// folded units.
    pub activation: Option<f64>,
    /// The paths through it: its part in the derivative.
    pub part: f64,
    /// Their magnitudes over `Σ |paths|`.
    pub share: f64,
    /// How many units it stands for.
    pub units: usize,
    /// Whether the chosen parameter ends or begins here.
    pub chosen: bool,
}

/// One layer of a drawing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PictureLayer {
    /// The layer, from 1; 0 for the inputs.
    pub layer: usize,
    /// `x`, `h_1`, `a_3`.
    pub name: String,
    /// What the layer is: `dense 64 -> 16, tanh`.
    pub kind: String,
    /// Its units from the top.
    pub nodes: Vec<PictureNode>,
}

/// One edge of a drawing, from a node of a layer to a node of the layer above.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PictureEdge {
    /// The place of the upper layer in [`Picture::layers`]; one past the last is the loss.
    pub layer: usize,
    /// The node of the layer below.
    pub from: usize,
    /// The node of the upper layer; 0 for the loss.
    pub to: usize,
    /// The paths through it: its part in the derivative.
    pub part: f64,
    /// The best rank, from 1, of the strongest paths that take it.
    pub rank: Option<usize>,
    /// Whether it is the chosen weight or bias.
    pub chosen: bool,
}

/// The network drawn layer by layer for one weight or bias: how much of its derivative flows
/// through each unit and edge. Of a batch, parts and activations are means over its examples
/// (parts: the sum, if the loss sums).
///
/// Layers of more than eight units show those that the strongest paths take and those that carry
/// the most; the others are one node, with their number and share.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Picture {
    /// The weight or bias.
    #[serde(serialize_with = "as_text")]
    pub param: Param,
    /// The headline.
    pub title: String,
    /// The line below it.
    pub subtitle: String,
    /// The loss of the batch.
    pub loss: f64,
    /// The layers, from the inputs up.
    pub layers: Vec<PictureLayer>,
    /// The edges.
    pub edges: Vec<PictureEdge>,
    /// How many of the strongest paths are marked.
    pub marked: usize,
}
