//! Which weight to ask about.

use chainrule_autograd_manual::{Network, Param};
use chainrule_layers::ParamKind;
use chainrule_tensor::Scalar;

/// The weight with the largest `|∂L/∂W|` of a layer (from 1), the first of equals, by the gradient
/// of θ that backpropagation wrote. NaN entries do not count.
///
/// `None` if the network has no such layer, the layer has no weights, all of their derivatives are
/// NaN, or `gradient` does not have one entry a parameter.
///
/// ```
/// use chainrule_autograd_manual::Network;
/// use chainrule_explain::largest_weight;
/// use chainrule_layers::{Activation, Dense};
/// let network = Network::new(vec![Box::new(Dense::new(3, 1, Activation::Identity)?)])?;
/// let largest = largest_weight(&[0.5, -2.0, 1.0, 7.0], &network, 1);
/// assert_eq!(largest, Some("W_112".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn largest_weight<S: Scalar>(
    gradient: &[S],
    network: &Network<S>,
    layer: usize,
) -> Option<Param> {
    let layout = network.layout();
    if gradient.len() != layout.len() {
        return None;
    }
    let own = |kind| kind == ParamKind::Weight;
    let blocks = layout.blocks().iter().filter(|block| block.layer == layer && own(block.kind));
    let mut largest: Option<(S, usize)> = None;
    for index in blocks.flat_map(|block| block.range.clone()) {
        let size = gradient[index].abs();
        if !size.is_nan() && largest.is_none_or(|(most, _)| size > most) {
            largest = Some((size, index));
        }
    }
    layout.param(largest?.1)
}

#[cfg(test)]
mod tests {
    use chainrule_layers::{Activation, Dense, Dropout};

    use super::*;

    fn network() -> Network<f32> {
        Network::new(vec![
            Box::new(Dense::new(2, 2, Activation::Tanh).unwrap()),
            Box::new(Dropout::new(2, 0.5).unwrap()),
            Box::new(Dense::new(2, 1, Activation::Identity).unwrap()),
        ])
        .unwrap()
    }

    #[test]
    fn the_first_of_the_largest_weights_is_found() {
        let network = network();
        let gradient = [f32::NAN, -1.0, 1.0, 0.5, 9.0, 9.0, 0.0, 0.0, 9.0];
        let name = |layer| largest_weight(&gradient, &network, layer).map(|p| p.to_string());
        assert_eq!(name(1).as_deref(), Some("W_112"));
        assert_eq!(name(3).as_deref(), Some("W_311"));
        for none in [0, 2, 4, 999] {
            assert_eq!(name(none), None);
        }
    }

    #[test]
    fn nothing_is_found_where_there_is_nothing_to_compare() {
        let network = network();
        assert_eq!(largest_weight(&[f32::NAN; 9], &network, 1), None);
        assert_eq!(largest_weight(&[1.0; 8], &network, 1), None);
        let mut gradient = [f32::NAN; 9];
        gradient[3] = f32::NEG_INFINITY;
        let largest = largest_weight(&gradient, &network, 1).unwrap();
        assert_eq!(largest.to_string(), "W_122");
    }
}
