//! What training tells of the network's inside: statistics, and what made it diverge. Nothing
//! without the feature `explain`.

use chainrule_autograd_manual::{Backward, Forward, Network};
use chainrule_tensor::Scalar;

#[cfg(feature = "explain")]
use chainrule_explain::{NetworkStatistics, first_non_finite, first_non_finite_forward};

/// Statistics of one batch an epoch, for whoever asked.
pub(super) struct Watch<'a, S> {
    #[cfg(feature = "explain")]
    asked: Option<Asked<'a, S>>,
    #[cfg(not(feature = "explain"))]
    nobody: std::marker::PhantomData<&'a S>,
}

#[cfg(feature = "explain")]
type Callback<'a> = Box<dyn FnMut(usize, &NetworkStatistics) + 'a>;

#[cfg(feature = "explain")]
struct Asked<'a, S> {
    callback: Callback<'a>,
    /// θ before the step.
    before: Vec<S>,
    statistics: Option<NetworkStatistics>,
}

impl<S> Default for Watch<'_, S> {
    fn default() -> Self {
        Self {
            #[cfg(feature = "explain")]
            asked: None,
            #[cfg(not(feature = "explain"))]
            nobody: std::marker::PhantomData,
        }
    }
}

#[cfg(feature = "explain")]
impl<'a, S: Scalar> Watch<'a, S> {
    pub(super) fn new(callback: impl FnMut(usize, &NetworkStatistics) + 'a) -> Self {
        let callback = Box::new(callback);
        Self { asked: Some(Asked { callback, before: Vec::new(), statistics: None }) }
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Before the step.
    pub(super) fn look(&mut self, backward: &Backward<'_, '_, S>, gradient: &[S]) {
        let Some(asked) = &mut self.asked else { return };
        asked.statistics = Some(NetworkStatistics::new(backward, gradient));
        asked.before.clear();
        asked.before.extend_from_slice(backward.network().theta());
    }

    /// After the step.
    pub(super) fn step(&mut self, epoch: usize, network: &Network<S>) {
        let Some(asked) = &mut self.asked else { return };
        let Some(mut statistics) = asked.statistics.take() else { return };
        statistics.set_update(network.layout(), &asked.before, network.theta());
        (asked.callback)(epoch, &statistics);
    }
}

#[cfg(not(feature = "explain"))]
impl<S: Scalar> Watch<'_, S> {
    pub(super) fn is_asked(&self) -> bool {
        false
    }

    pub(super) fn look(&mut self, _: &Backward<'_, '_, S>, _: &[S]) {}

    pub(super) fn step(&mut self, _: usize, _: &Network<S>) {}
}

/// What made the first value that is not finite, or made the loss not finite.
#[cfg(feature = "explain")]
pub(super) fn detail<S: Scalar>(backward: &Backward<'_, '_, S>) -> String {
    let finding = first_non_finite(backward, None);
    finding.map_or(String::new(), |finding| match finding.neuron {
        Some(_) => finding.why(),
        None => finding.to_string(),
    })
}

#[cfg(not(feature = "explain"))]
pub(super) fn detail<S: Scalar>(_: &Backward<'_, '_, S>) -> String {
    String::new()
}

/// What made the first value of a forward pass that is not finite.
#[cfg(feature = "explain")]
pub(super) fn detail_forward<S: Scalar>(
    network: &Network<S>,
    forward: &Forward<'_, '_, S>,
) -> String {
    first_non_finite_forward(network, forward).map_or(String::new(), |finding| finding.why())
}

#[cfg(not(feature = "explain"))]
pub(super) fn detail_forward<S: Scalar>(_: &Network<S>, _: &Forward<'_, '_, S>) -> String {
    String::new()
}
