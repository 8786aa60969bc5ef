//! A small network, a layer that is none, and what must be refused.

use chainrule_autograd_manual::Network;
use chainrule_layers::{Activation, Dense, Kept, Layer, ParamShape, Pass};
use chainrule_tensor::{Compute, MatrixView, MatrixViewMut};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

pub(crate) fn dense(inputs: usize, outputs: usize) -> Box<dyn Layer<f64>> {
    Box::new(Dense::new(inputs, outputs, Activation::Identity).unwrap())
}

pub(crate) fn network() -> Network<f64> {
    let mut network = Network::new(vec![dense(4, 3), dense(3, 2)]).unwrap();
    network.initialise(&mut Xoshiro256PlusPlus::seed_from_u64(1));
    network
}

/// A layer that only claims its sizes.
#[derive(Debug)]
pub(crate) struct Claim(pub(crate) Vec<ParamShape>);

impl Layer<f64> for Claim {
    fn name(&self) -> String {
        "claim".to_owned()
    }
    fn inputs(&self) -> usize {
        1
    }
    fn outputs(&self) -> usize {
        1
    }
    fn params(&self) -> Vec<ParamShape> {
        self.0.clone()
    }
    fn forward(
        &self,
        _: &[f64],
        _: MatrixView<'_, f64>,
        _: MatrixViewMut<'_, f64>,
        _: MatrixViewMut<'_, f64>,
        _: &mut Pass<'_>,
    ) {
    }
    fn backward_activation(
        &self,
        _: Kept<'_, f64>,
        _: MatrixView<'_, f64>,
        _: MatrixViewMut<'_, f64>,
        _: &Compute,
    ) {
    }
    fn backward_input(
        &self,
        _: Kept<'_, f64>,
        _: MatrixView<'_, f64>,
        _: MatrixViewMut<'_, f64>,
        _: &Compute,
    ) {
    }
}

/// Fails unless the result is this error, with a message that contains `part`.
macro_rules! refused {
    ($result:expr, $pattern:pat, $part:expr) => {
        let error = $result.map(|_| ()).unwrap_err();
        assert!(matches!(error, $pattern), "{error:?}");
        assert!(error.to_string().contains($part), "{error}");
    };
}
pub(crate) use refused;
