//! Where each weight and bias stands in θ.

use std::ops::Range;

use chainrule_layers::{Layer, ParamKind};
use chainrule_tensor::Scalar;

use crate::{NetworkError, Param};

/// One weight matrix or bias in θ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The layer it belongs to, from 1.
    pub layer: usize,
    /// Weight or bias.
    pub kind: ParamKind,
    /// Its place in θ and in every slice of the same layout.
    pub range: Range<usize>,
    /// Rows: neurons of the layer.
    pub rows: usize,
    /// Columns: inputs of the layer; 1 for a bias.
    pub cols: usize,
}

/// The layout of `θ = [W_1, b_1, …, W_L, b_L]`, the same for the gradient and for the state of
/// optimizers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    blocks: Vec<Block>,
    /// The names of the layers, for messages.
    layers: Vec<String>,
    /// The slice of θ of every layer.
    ranges: Vec<Range<usize>>,
    len: usize,
}

impl Layout {
    pub(crate) fn of<S: Scalar>(layers: &[Box<dyn Layer<S>>]) -> Result<Self, NetworkError> {
        let too_large = || NetworkError::TooLarge { what: "the network's θ".to_owned() };
        let (mut blocks, mut ranges, mut len) = (Vec::new(), Vec::new(), 0_usize);
        for (i, layer) in layers.iter().enumerate() {
            let start = len;
            for shape in layer.params() {
                let count = shape.rows.checked_mul(shape.cols).ok_or_else(too_large)?;
                let end = len.checked_add(count).ok_or_else(too_large)?;
                let (kind, rows, cols) = (shape.kind, shape.rows, shape.cols);
                blocks.push(Block { layer: i + 1, kind, range: len..end, rows, cols });
                len = end;
            }
            ranges.push(if start == len { 0..0 } else { start..len });
        }
        let layers = layers.iter().map(|layer| layer.name()).collect();
        Ok(Self { blocks, layers, ranges, len })
    }

    /// Number of parameters, the length of θ.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no parameters at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The blocks in their order in θ.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The slice of θ that layer `layer`, from 1, owns (empty for a layer without parameters).
    #[inline]
    pub fn layer_range(&self, layer: usize) -> Range<usize> {
        self.ranges.get(layer.wrapping_sub(1)).cloned().unwrap_or_default()
    }

    /// The first block of a kind in layer `layer`, from 1.
    pub(crate) fn first_block(&self, layer: usize, kind: ParamKind) -> Option<&Block> {
        self.blocks.iter().find(|block| block.layer == layer && block.kind == kind)
    }

    /// The places of all weights, without the biases: where weight decay usually applies.
    pub fn weight_ranges(&self) -> Vec<Range<usize>> {
        let weights = self.blocks.iter().filter(|block| block.kind == ParamKind::Weight);
        weights.map(|block| block.range.clone()).collect()
    }

    /// The place of a parameter in θ and in the gradient. If a layer of one's own has several
    /// blocks of a kind, the first is meant.
    ///
    /// # Errors
    /// [`NetworkError::NoParam`] if the network does not have it; the message says what it has.
    pub fn index(&self, param: Param) -> Result<usize, NetworkError> {
        let refused = |reason| NetworkError::NoParam { param: param.to_string(), reason };
        let (kind, layer, neuron, input) = match param {
            Param::Weight { layer, neuron, input } => (ParamKind::Weight, layer, neuron, input),
            Param::Bias { layer, neuron } => (ParamKind::Bias, layer, neuron, 1),
        };
        let Some(name) = layer.checked_sub(1).and_then(|i| self.layers.get(i)) else {
            return Err(refused(format!("layers are 1 to {}", self.layers.len())));
        };
        let Some(block) = self.first_block(layer, kind) else {
            return Err(refused(format!("layer {layer} ({name}) has no {}", kind.name())));
        };
        if !(1..=block.rows).contains(&neuron) {
            return Err(refused(format!("neurons of layer {layer} are 1 to {}", block.rows)));
        }
        if !(1..=block.cols).contains(&input) {
            return Err(refused(format!("inputs of layer {layer} are 1 to {}", block.cols)));
        }
        Ok(block.range.start + (neuron - 1) * block.cols + input - 1)
    }

    /// The parameter at a place of θ, or `None` beyond its end and where the lecture has no name:
    /// in a second block of the same kind, which a layer of one's own may have.
    pub fn param(&self, index: usize) -> Option<Param> {
        let block = self.blocks.iter().find(|block| block.range.contains(&index))?;
        let offset = index - block.range.start;
        let (layer, neuron, input) =
            (block.layer, offset / block.cols + 1, offset % block.cols + 1);
        let param = match block.kind {
            ParamKind::Weight => Param::Weight { layer, neuron, input },
            ParamKind::Bias => Param::Bias { layer, neuron },
        };
        self.index(param).is_ok_and(|found| found == index).then_some(param)
    }
}
