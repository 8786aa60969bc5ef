#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod batch;
mod best;
mod certificate;
mod conversation;
mod count;
mod depth;
mod detective;
mod error;
mod explainer;
mod explanation;
mod flow;
mod graph;
mod html;
mod largest;
mod latex;
mod local;
mod page;
mod paths;
mod picture;
mod report;
mod responsibility;
mod statistics;
mod text;
mod thin;
mod unfused;
mod worksheet;

pub use batch::BatchExplanation;
pub use certificate::Certificate;
pub use conversation::{Conversation, Turn};
pub use count::{PathCount, thousands};
pub use depth::{Cause, Depth, DepthStage, Fate, Through};
pub use detective::{NonFiniteFinding, first_non_finite, first_non_finite_forward};
pub use error::ExplainError;
pub use explainer::{Explainer, explain};
pub use explanation::{Explanation, Group};
pub use graph::{Node, Quantity};
pub use largest::largest_weight;
pub use local::{Derivative, Factor};
pub use page::Page;
pub use paths::{Path, Paths};
pub use picture::{Picture, PictureEdge, PictureLayer, PictureNode};
pub use report::{Context, Report};
pub use responsibility::{
    ClassPart, ExamplePart, LayerPart, NeuronPart, NeuronState, Responsibility,
};
pub use statistics::{LayerStatistics, NetworkStatistics};
pub use thin::ThinFactors;
pub use unfused::Unfused;
pub use worksheet::{Worksheet, WorksheetOptions};
