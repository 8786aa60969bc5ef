//! The way backward.

use chainrule_autograd_manual::{Backward, Param};
use chainrule_layers::LayerConfig;
use chainrule_tensor::{MatrixView, Scalar};

use super::{NonFiniteFinding, first_non_finite_forward, largest, places_of_largest};
use crate::Factor;
use crate::text::unit;

/// The first quantity that is infinite or NaN, with what made it: on the way forward
/// ([`first_non_finite_forward`]), then the loss, then backward `∇_{h_L} L`, `∇_{a_L} L`, … and of
/// each layer, if the gradient is given, its derivatives by weights and biases. `None` if all are
/// finite.
///
/// The quantities are those of the pass, so of a batch with a mean they are the examples' divided
/// by their number.
///
/// # Panics
/// If `gradient` does not have one entry a parameter.
pub fn first_non_finite<S: Scalar>(
    backward: &Backward<'_, '_, S>,
    gradient: Option<&[S]>,
) -> Option<NonFiniteFinding> {
    let (network, forward) = (backward.network(), backward.forward());
    if let Some(gradient) = gradient {
        assert_eq!(gradient.len(), network.parameter_count(), "one entry a parameter");
    }
    first_non_finite_forward(network, forward).or_else(|| loss(backward)).or_else(|| {
        (1..=network.depth()).rev().find_map(|m| {
            grad_h(backward, m)
                .or_else(|| grad_a(backward, m))
                .or_else(|| by_params(backward, gradient?, m))
        })
    })
}

/// (example, unit), from 0, of the first value that is not finite.
fn find<S: Scalar>(values: MatrixView<'_, S>) -> Option<(usize, usize)> {
    let place = values.as_slice().iter().position(|x| !x.is_finite())?;
    Some((place / values.cols(), place % values.cols()))
}

fn loss<S: Scalar>(backward: &Backward<'_, '_, S>) -> Option<NonFiniteFinding> {
    let value = backward.loss().as_f64();
    if value.is_finite() {
        return None;
    }
    let depth = backward.network().depth();
    // The loss of the batch is one number; the gradient may tell the example.
    let row = find(backward.grad_h(depth)).map(|(row, _)| row);
    let outputs = |row: usize| {
        let outputs = backward.forward().output().row(row);
        largest(outputs.iter().map(|h| h.as_f64()), |n| unit('h', depth, n))
    };
    Some(NonFiniteFinding {
        name: "L".to_owned(),
        layer: depth,
        neuron: None,
        row,
        value,
        formula: String::new(),
        operands: row.map(outputs).unwrap_or_default(),
        reason: "the loss of finite outputs is not finite: they are too far from the targets"
            .to_owned(),
    })
}

fn grad_h<S: Scalar>(backward: &Backward<'_, '_, S>, m: usize) -> Option<NonFiniteFinding> {
    let (row, n) = find(backward.grad_h(m))?;
    let network = backward.network();
    let value = backward.grad_h(m).row(row)[n].as_f64();
    let name = format!("∂L/∂{}", unit('h', m, n + 1));
    let (formula, operands, reason) = if m == network.depth() {
        let h = backward.forward().h(m).row(row)[n].as_f64();
        let operands = vec![Factor { name: unit('h', m, n + 1), value: h }];
        (String::new(), operands, "the loss's derivative is not finite".to_owned())
    } else {
        let above = backward.grad_a(m + 1).row(row);
        match (network.layers()[m].config(), network.weights(m + 1)) {
            (Some(LayerConfig::Dense(_)), Some(w)) => {
                let terms = above.iter().enumerate().map(|(o, g)| w[(o, n)].as_f64() * g.as_f64());
                let operands = places_of_largest(terms).into_iter().flat_map(|o| {
                    let weight = Param::Weight { layer: m + 1, neuron: o + 1, input: n + 1 };
                    let asked = format!("∂L/∂{}", unit('a', m + 1, o + 1));
                    [(weight.to_string(), w[(o, n)]), (asked, above[o])]
                        .map(|(name, x)| Factor { name, value: x.as_f64() })
                });
                let formula = format!("Σ_o W_{},o,{} ∂L/∂a_{},o", m + 1, n + 1, m + 1);
                (formula, operands.collect(), "the sum overflows".to_owned())
            }
            _ => {
                let reason = format!("the layer {} made it", network.layers()[m].name());
                (String::new(), Vec::new(), reason)
            }
        }
    };
    let (neuron, row) = (Some(n + 1), Some(row));
    Some(NonFiniteFinding { name, layer: m, neuron, row, value, formula, operands, reason })
}

fn grad_a<S: Scalar>(backward: &Backward<'_, '_, S>, m: usize) -> Option<NonFiniteFinding> {
    let (row, n) = find(backward.grad_a(m))?;
    let at = |values: MatrixView<'_, S>| values.row(row)[n].as_f64();
    let (a, h) = (unit('a', m, n + 1), unit('h', m, n + 1));
    let operands = vec![
        Factor { name: format!("∂L/∂{h}"), value: at(backward.grad_h(m)) },
        Factor { name: a.clone(), value: at(backward.forward().a(m)) },
    ];
    Some(NonFiniteFinding {
        name: format!("∂L/∂{a}"),
        layer: m,
        neuron: Some(n + 1),
        row: Some(row),
        value: at(backward.grad_a(m)),
        formula: format!("∂L/∂{h} · g'({a})"),
        operands,
        reason: "the product with the slope is not finite".to_owned(),
    })
}

fn by_params<S: Scalar>(
    backward: &Backward<'_, '_, S>,
    gradient: &[S],
    m: usize,
) -> Option<NonFiniteFinding> {
    let layout = backward.network().layout();
    let mut own = layout.layer_range(m);
    let index = own.find(|&index| !gradient[index].is_finite())?;
    let value = gradient[index].as_f64();
    // A second block of a layer of one's own has no name in the lecture.
    let param = layout.param(index);
    let name = param.map_or(format!("∂L/∂θ_{index}"), |param| format!("∂L/∂{param}"));
    let mut operands = Vec::new();
    if let Some(Param::Weight { neuron, input, .. }) = param {
        let (g, h) = (backward.grad_a(m), backward.forward().h(m - 1));
        let term = |row: usize| g.row(row)[neuron - 1].as_f64() * h.row(row)[input - 1].as_f64();
        for row in places_of_largest((0..g.rows()).map(term)).into_iter().take(1) {
            let asked =
                (format!("∂L/∂{} of example {row}", unit('a', m, neuron)), g.row(row)[neuron - 1]);
            let below = (unit('h', m - 1, input), h.row(row)[input - 1]);
            operands = [asked, below].map(|(name, x)| Factor { name, value: x.as_f64() }).to_vec();
        }
    }
    Some(NonFiniteFinding {
        name,
        layer: m,
        neuron: param.map(Param::neuron),
        row: None,
        value,
        formula: String::new(),
        operands,
        reason: "the sum over the examples overflows".to_owned(),
    })
}
