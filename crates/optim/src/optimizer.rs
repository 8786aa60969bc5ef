//! What an optimizer is: a rule on slices, and the flat state that the rule needs.

use std::fmt::{self, Debug};

use chainrule_tensor::{Scalar, Threads};

use crate::decay::Segment;
use crate::{Check, DecayOn, OptimError, OptimizerConfig, OptimizerState};

/// Moves θ against its gradient, one step at a time.
///
/// `theta` and `gradient` are flat and of the same layout; what a network is, an optimizer never
/// learns. A step reads the gradient, updates θ in place, takes one pass over both and its state,
/// and allocates nothing. (Whose step is plain gradient descent says so to those who can take it without
/// a stored gradient: [`Optimizer::plain_rate`].) Values that are not finite go through the arithmetic
/// as they are: a NaN in the gradient is a NaN in θ after the step and in all that follows, so look at
/// the gradient (its [norm](crate::norm) is enough) before the step.
///
/// ```
/// use chainrule_optim::{DecayOn, Optimizer, OptimizerConfig};
/// let mut sgd = OptimizerConfig::from_name("sgd")?.build::<f64>(2, DecayOn::All)?;
/// sgd.set_learning_rate(0.5);
/// let mut theta = [1.0, 2.0];
/// sgd.step(&mut theta, &[1.0, -1.0])?;
/// assert_eq!(theta, [0.5, 2.5]);
/// # Ok::<(), chainrule_optim::OptimError>(())
/// ```
pub trait Optimizer<S: Scalar>: Debug + Send + Sync {
    /// The rule's name, as in configurations: `sgd`, `adam`, ...
    fn name(&self) -> &'static str;

    /// One step: reads the gradient, updates θ in place.
    ///
    /// # Errors
    /// [`OptimError::Length`] if θ or the gradient is not as long as the optimizer was made for;
    /// θ and the state are then as before. Nothing else fails.
    fn step(&mut self, theta: &mut [S], gradient: &[S]) -> Result<(), OptimError>;

    /// If the next step is gradient descent, `θ ← θ − η∇θ` and nothing else, its η: whoever can take such a
    /// step without storing the gradient may do so, and then [counts](Optimizer::count_step) it.
    /// `None`, as provided, if it is more than that: then it is one for [`Optimizer::step`].
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    ///
    /// ```
    /// use chainrule_optim::{DecayOn, Optimizer, Sgd, SgdConfig};
    /// let config = SgdConfig { learning_rate: 0.5, ..SgdConfig::default() };
    /// let mut sgd = Sgd::<f64>::new(config, 2, DecayOn::All)?;
    /// assert_eq!(sgd.plain_rate(&[1.0, 2.0])?, Some(0.5));
    /// sgd.count_step();
    /// assert_eq!(sgd.steps(), 1);
    /// # Ok::<(), chainrule_optim::OptimError>(())
    /// ```
    fn plain_rate(&self, theta: &[S]) -> Result<Option<S>, OptimError> {
        let _ = theta;
        Ok(None)
    }

    /// Counts a step that somebody else took, for whom [`Optimizer::plain_rate`] had a rate.
    fn count_step(&mut self) {}

    /// The learning rate η of the next step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate of the steps to come: what a schedule calls.
    ///
    /// # Panics
    /// If the rate is negative, or not finite in `S`. A validated [`Schedule`](crate::Schedule)
    /// gives no such rate.
    fn set_learning_rate(&mut self, rate: f64);

    /// Gives the steps to come threads to share their work; without, they use the calling thread
    /// alone. No bit depends on it. A rule that ignores it stays on one thread.
    fn set_threads(&mut self, threads: &Threads) {
        let _ = threads;
    }

    /// The steps taken so far.
    fn steps(&self) -> u64;

    /// Everything needed to go on later with the same bits, or `None` for a rule from outside
    /// this crate that no [`OptimizerConfig`] describes.
    fn state(&self) -> Option<OptimizerState<S>> {
        None
    }
}

/// The most buffers as long as θ that a rule may keep.
pub const BUFFERS: usize = 3;

/// A buffer as long as θ that a rule keeps from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Buffer {
    /// Its name in saved states.
    pub name: &'static str,
    /// What it holds before the first step.
    pub initial: f64,
}

impl Buffer {
    /// A buffer that starts at 0.
    pub fn zeros(name: &'static str) -> Self {
        Self { name, initial: 0.0 }
    }
}

/// A stateless update rule: hyperparameters, and how a step uses them. Together with its state it
/// is a [`FlatOptimizer`]; implement this trait to write an optimizer of your own.
pub trait Rule: Clone + Debug + Send + Sync + 'static {
    /// The rule's name, as in configurations.
    const NAME: &'static str;

    /// Checks every hyperparameter, as it will be once rounded to `S`.
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] for the first that is out of its range.
    fn validate<S: Scalar>(&self) -> Result<(), OptimError>;

    /// The learning rate η.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate; the caller has checked it.
    fn set_learning_rate(&mut self, rate: f64);

    /// The buffers that these hyperparameters need. Each place keeps its meaning: a buffer that
    /// is not needed leaves its place empty, and [`Part::buffers`] then has an empty slice there.
    fn buffers(&self) -> [Option<Buffer>; BUFFERS];

    /// Whether a step is gradient descent, `θ ← θ − η∇θ` and nothing else. `false` as provided.
    fn is_plain(&self) -> bool {
        false
    }

    /// Step number `step` (from 1). `mu_product` is 1 before the first step and kept from step to
    /// step, for rules that need one number of state.
    fn step<S: Scalar>(&self, step: u64, mu_product: &mut f64, pass: Pass<'_, S>);

    /// The configuration that describes this rule, if there is one.
    fn to_config(&self) -> Option<OptimizerConfig> {
        None
    }
}

/// θ, its gradient and the buffers, for one pass over them.
#[derive(Debug)]
pub struct Pass<'a, S> {
    theta: &'a mut [S],
    gradient: &'a [S],
    buffers: [&'a mut [S]; BUFFERS],
    segments: &'a [Segment],
    threads: &'a Threads,
}

/// Neighbouring parameters that share their weight decay. All slices have the same length, but
/// for the buffers that the rule does not keep, which are empty.
#[derive(Debug)]
pub struct Part<'a, S> {
    /// This part of θ.
    pub theta: &'a mut [S],
    /// Its gradient.
    pub gradient: &'a [S],
    /// Its state.
    pub buffers: [&'a mut [S]; BUFFERS],
    /// Whether weight decay applies to it.
    pub decays: bool,
}

impl<S: Scalar> Part<'_, S> {
    /// `weight_decay` where it applies to this part, else 0.
    pub fn decay(&self, weight_decay: f64) -> S {
        S::of(if self.decays { weight_decay } else { 0.0 })
    }
}

impl<S: Scalar> Pass<'_, S> {
    /// Calls `update` for all parts, of which there are more where threads share the work;
    /// together they cover θ once.
    pub fn for_each(self, update: impl Fn(Part<'_, S>) + Sync) {
        let Self { mut theta, mut gradient, mut buffers, segments, threads } = self;
        for &Segment { len, decays } in segments {
            let theta = theta.split_off_mut(..len).expect("segments cover θ");
            let gradient = gradient.split_off(..len).expect("segments cover θ");
            let [first, second, third] =
                buffers.each_mut().map(|b| b.split_off_mut(..len).unwrap_or_default());
            threads.split([theta, first, second, third], |range, [theta, buffers @ ..]| {
                update(Part { theta, gradient: &gradient[range], buffers, decays });
            });
        }
    }
}

/// A [`Rule`] with its flat state: what all optimizers of this crate are.
#[derive(Clone)]
pub struct FlatOptimizer<R, S> {
    rule: R,
    decay_on: DecayOn,
    parameters: usize,
    segments: Vec<Segment>,
    steps: u64,
    mu_product: f64,
    buffers: [Vec<S>; BUFFERS],
    threads: Threads,
}

impl<R: Rule, S: Scalar> FlatOptimizer<R, S> {
    /// An optimizer for a θ of `parameters` values, with weight decay where `decay_on` says.
    ///
    /// # Errors
    /// If a hyperparameter or a range is out of bounds, or the state does not fit into memory.
    ///
    /// ```
    /// use chainrule_optim::{DecayOn, Optimizer, Sgd, SgdConfig};
    /// let config = SgdConfig { learning_rate: 0.1, momentum: 0.9, ..SgdConfig::default() };
    /// let mut sgd = Sgd::new(config, 3, DecayOn::All)?;
    /// let mut theta = [0.0_f32; 3];
    /// sgd.step(&mut theta, &[1.0, 2.0, 3.0])?;
    /// sgd.step(&mut theta, &[0.0; 3])?;
    /// assert!((theta[1] + 0.1 * 2.0 * 1.9).abs() < 1e-6);
    /// # Ok::<(), chainrule_optim::OptimError>(())
    /// ```
    pub fn new(rule: R, parameters: usize, decay_on: DecayOn) -> Result<Self, OptimError> {
        rule.validate::<S>()?;
        let segments = decay_on.segments(parameters)?;
        let mut buffers: [Vec<S>; BUFFERS] = Default::default();
        for (place, buffer) in buffers.iter_mut().zip(rule.buffers()) {
            let Some(Buffer { initial, .. }) = buffer else { continue };
            place
                .try_reserve_exact(parameters)
                .map_err(|_| OptimError::TooLarge { optimizer: R::NAME, parameters })?;
            place.resize(parameters, S::of(initial));
        }
        Ok(Self {
            rule,
            decay_on,
            parameters,
            segments,
            steps: 0,
            mu_product: 1.0,
            buffers,
            threads: Threads::one(),
        })
    }

    /// The hyperparameters, with the learning rate of the next step.
    pub fn rule(&self) -> &R {
        &self.rule
    }

    /// The number of parameters it was made for.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Puts a saved state's numbers under a rule. The buffers are taken as they are, so that a
    /// lying length is refused before anything is allocated.
    pub(crate) fn restore(rule: R, state: OptimizerState<S>) -> Result<Self, OptimError> {
        let OptimizerState { decay_on, parameters, steps, mu_product, buffers: mut saved, .. } =
            state;
        let problem = |problem| Err(OptimError::State { optimizer: R::NAME, problem });
        rule.validate::<S>()?;
        let segments = decay_on.segments(parameters)?;
        if !(0.0..=1.0).contains(&mu_product) {
            return problem(format!("mu_product must lie in [0, 1], found {mu_product}"));
        }
        let mut buffers: [Vec<S>; BUFFERS] = Default::default();
        for (place, buffer) in buffers.iter_mut().zip(rule.buffers()) {
            let Some(Buffer { name, .. }) = buffer else { continue };
            match saved.remove(name) {
                Some(values) if values.len() == parameters => *place = values,
                Some(values) => {
                    let n = values.len();
                    return problem(format!("{name} has {n} values, expected {parameters}"));
                }
                None => return problem(format!("the buffer {name} is missing")),
            }
        }
        match saved.keys().next() {
            Some(name) => problem(format!("it has no buffer {name} with this configuration")),
            None => Ok(Self {
                rule,
                decay_on,
                parameters,
                segments,
                steps,
                mu_product,
                buffers,
                threads: Threads::one(),
            }),
        }
    }

    fn check_length(&self, what: &'static str, found: usize) -> Result<(), OptimError> {
        let (optimizer, expected) = (R::NAME, self.parameters);
        if found == expected {
            return Ok(());
        }
        Err(OptimError::Length { optimizer, what, expected, found })
    }
}

impl<R: Rule, S: Scalar> Optimizer<S> for FlatOptimizer<R, S> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn step(&mut self, theta: &mut [S], gradient: &[S]) -> Result<(), OptimError> {
        self.check_length("theta", theta.len())?;
        self.check_length("gradient", gradient.len())?;
        self.count_step();
        let buffers = self.buffers.each_mut().map(Vec::as_mut_slice);
        let pass =
            Pass { theta, gradient, buffers, segments: &self.segments, threads: &self.threads };
        self.rule.step(self.steps, &mut self.mu_product, pass);
        Ok(())
    }

    fn plain_rate(&self, theta: &[S]) -> Result<Option<S>, OptimError> {
        self.check_length("theta", theta.len())?;
        Ok(self.rule.is_plain().then(|| S::of(self.rule.learning_rate())))
    }

    fn count_step(&mut self) {
        // A count that was read from a file may be at its end.
        self.steps = self.steps.saturating_add(1);
    }

    fn learning_rate(&self) -> f64 {
        self.rule.learning_rate()
    }

    fn set_learning_rate(&mut self, rate: f64) {
        if let Err(error) = Check::<S>::of(R::NAME).non_negative("learning_rate", rate) {
            panic!("{error}");
        }
        self.rule.set_learning_rate(rate);
    }

    fn set_threads(&mut self, threads: &Threads) {
        self.threads = threads.clone();
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn state(&self) -> Option<OptimizerState<S>> {
        let config = self.rule.to_config()?;
        let named = self.rule.buffers().into_iter().zip(&self.buffers);
        Some(OptimizerState {
            config,
            scalar: S::NAME.to_owned(),
            decay_on: self.decay_on.clone(),
            parameters: self.parameters,
            steps: self.steps,
            mu_product: self.mu_product,
            buffers: named
                .filter_map(|(buffer, values)| Some((buffer?.name.to_owned(), values.clone())))
                .collect(),
        })
    }
}

impl<R: Rule, S: Scalar> Debug for FlatOptimizer<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlatOptimizer")
            .field("rule", &self.rule)
            .field("parameters", &self.parameters)
            .field("decay_on", &self.decay_on)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}
