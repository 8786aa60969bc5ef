//! The workloads that all benchmarks share, each written as a user of the library would write it.
//!
//! | name | layers | batch | one step |
//! | --- | --- | --- | --- |
//! | tiny | 2-16-16-2 | 8 | training |
//! | digits | 64-32-10 | 32 | training |
//! | keras | 784-128-10 | 64 | training |
//! | mnist | 784-512-512-10 | 128 | training |
//! | wide | 1024-2048-2048-1000 | 512 | training |
//! | infer1 | 784-512-512-10 | 1 | forward and softmax |
//! | forward1 | 6-64-8-4 | 1 | forward |
//! | chains | 24-8-2, tanh | 200 | value and gradient of `½ Σ (ŷ − y)²` |
//! | matexp | 4-32-16-4, tanh | 10,000 | full batch, squared error, Adam |
//!
//! All in `f32` unless asked for in `f64`; hidden layers are ReLU unless the table names another
//! activation, output layers have none. A training step is forward, mean cross-entropy with its
//! value, backward and SGD with the rate 0.01, by `chainrule::train::step`. Weights and biases start
//! uniform on ±1/√fan_in. The data are 8 batches (of matexp, whose batch is the whole data, one) of
//! uniform numbers from `[0, 1)`, with labels or target values as random, held in memory and cycled.

pub mod program;

use chainrule::autograd::{Network, Workspace};
use chainrule::layers::{Activation, Init};
use chainrule::loss::{CrossEntropy, Loss, OutputFunction, Reduction, SquaredError, Targets};
use chainrule::optim::{Adam, AdamConfig, DecayOn, Optimizer, Sgd, SgdConfig};
use chainrule::rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use chainrule::tensor::{Compute, Matrix, Precision, Scalar, Threads};
use chainrule::train::step;
use chainrule::{NetworkBuilder, Result};

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Forward, cross-entropy, backward, SGD.
    Train,
    /// Forward and softmax.
    Probabilities,
    /// Forward.
    Outputs,
    /// Forward, half the sum of squared errors, backward.
    Gradient,
    /// Forward, squared error, backward, Adam.
    TrainAdam,
}

/// A network, a batch and what is done with them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    /// The name.
    pub name: &'static str,
    /// The widths, from the inputs to the outputs.
    pub sizes: &'static [usize],
    /// Examples in a batch.
    pub batch: usize,
    /// Activation of the hidden layers.
    pub activation: Activation,
    /// What a step does.
    pub task: Task,
}

const fn workload(
    name: &'static str,
    sizes: &'static [usize],
    batch: usize,
    activation: Activation,
    task: Task,
) -> Workload {
    Workload { name, sizes, batch, activation, task }
}

/// Every workload once.
pub const WORKLOADS: [Workload; 9] = [
    workload("tiny", &[2, 16, 16, 2], 8, Activation::Relu, Task::Train),
    workload("digits", &[64, 32, 10], 32, Activation::Relu, Task::Train),
    workload("keras", &[784, 128, 10], 64, Activation::Relu, Task::Train),
    workload("mnist", &[784, 512, 512, 10], 128, Activation::Relu, Task::Train),
    workload("wide", &[1024, 2048, 2048, 1000], 512, Activation::Relu, Task::Train),
    workload("infer1", &[784, 512, 512, 10], 1, Activation::Relu, Task::Probabilities),
    workload("forward1", &[6, 64, 8, 4], 1, Activation::Relu, Task::Outputs),
    workload("chains", &[24, 8, 2], 200, Activation::Tanh, Task::Gradient),
    workload("matexp", &[4, 32, 16, 4], 10_000, Activation::Tanh, Task::TrainAdam),
];

/// One step on the next batch; it returns the loss or, where there is none, the first output.
pub type Step = Box<dyn FnMut() -> Result<f64>>;

/// Inputs and what the outputs are compared with.
#[derive(Debug, Clone)]
pub struct Batch<S> {
    /// (batch × inputs).
    pub x: Matrix<S>,
    /// A class for each example.
    pub labels: Vec<usize>,
    /// (batch × outputs).
    pub values: Matrix<S>,
}

impl Workload {
    /// The workload of that name.
    pub fn find(name: &str) -> Option<&'static Workload> {
        WORKLOADS.iter().find(|workload| workload.name == name)
    }

    /// Name and sizes, `mnist/784-512-512-10/128`.
    pub fn id(&self) -> String {
        let sizes = self.sizes.iter().map(ToString::to_string).collect::<Vec<_>>();
        format!("{}/{}/{}", self.name, sizes.join("-"), self.batch)
    }

    /// The network with its initial weights.
    ///
    /// # Errors
    /// None for the workloads of this crate.
    pub fn network<S: Scalar>(&self) -> Result<Network<S>> {
        let (inputs, rest) = self.sizes.split_first().expect("inputs");
        let (outputs, hidden) = rest.split_last().expect("outputs");
        let mut builder = NetworkBuilder::new(*inputs).init(Init::PyTorch, Init::PyTorch).seed(2);
        for units in hidden {
            builder = builder.dense(*units, self.activation);
        }
        builder.dense(*outputs, Activation::Identity).build()
    }

    /// The batches to cycle through.
    pub fn batches<S: Scalar>(&self) -> Vec<Batch<S>> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let (inputs, outputs) = (self.sizes[0], self.sizes[self.sizes.len() - 1]);
        let count = if self.task == Task::TrainAdam { 1 } else { 8 };
        let batch = |_| Batch {
            x: Matrix::from_fn(self.batch, inputs, |_, _| number(&mut rng)),
            labels: (0..self.batch).map(|_| rng.random_range(0..outputs)).collect(),
            values: Matrix::from_fn(self.batch, outputs, |_, _| number(&mut rng)),
        };
        (0..count).map(batch).collect()
    }

    /// Everything set up for so many threads and products of this precision (in `f64` the precision
    /// is [`Precision::F32`]); each call of what it returns is one step.
    ///
    /// # Errors
    /// [`Error`](enum@chainrule::Error) if the threads are refused.
    pub fn step<S: Scalar>(&self, threads: usize, precision: Precision) -> Result<Step> {
        let compute = &Compute::from(Threads::new(threads)?).with_precision(precision);
        match self.task {
            Task::Train => {
                let rule = SgdConfig { learning_rate: 0.01, ..SgdConfig::default() };
                let parameters = self.network::<S>()?.parameter_count();
                let sgd = Sgd::<S>::new(rule, parameters, DecayOn::All)?;
                self.train(compute, CrossEntropy::new(), sgd, |batch| {
                    Targets::Classes(&batch.labels)
                })
            }
            Task::TrainAdam => {
                let parameters = self.network::<S>()?.parameter_count();
                let adam = Adam::<S>::new(AdamConfig::default(), parameters, DecayOn::All)?;
                self.train(compute, SquaredError::new(), adam, |batch| {
                    Targets::Values(batch.values.view())
                })
            }
            Task::Gradient => self.gradient::<S>(compute),
            Task::Probabilities => self.predict::<S>(compute, OutputFunction::Softmax),
            Task::Outputs => self.predict::<S>(compute, OutputFunction::Identity),
        }
    }

    fn workspace<S: Scalar>(
        &self,
        network: &Network<S>,
        compute: &Compute,
    ) -> Result<Workspace<S>> {
        let threads = compute.threads().clone();
        let mut workspace = Workspace::with_threads(network, self.batch, threads)?;
        workspace.set_precision(compute.precision())?;
        Ok(workspace)
    }

    fn train<S: Scalar>(
        &self,
        compute: &Compute,
        loss: impl Loss<S> + 'static,
        mut optimizer: impl Optimizer<S> + 'static,
        targets: fn(&Batch<S>) -> Targets<'_, S>,
    ) -> Result<Step> {
        let mut network = self.network::<S>()?;
        let mut workspace = self.workspace(&network, compute)?;
        optimizer.set_threads(workspace.threads());
        let mut gradient = vec![S::zero(); network.parameter_count()];
        let mut batches = Cycle { batches: self.batches(), at: 0 };
        Ok(Box::new(move || {
            let batch = batches.next();
            let forward = network.forward(batch.x.view(), &mut workspace)?;
            let units = forward.output_units(&loss, targets(batch))?;
            let factors = units.hidden_units().into_factors();
            Ok(step(&mut network, factors, &mut optimizer, &mut gradient)?.as_f64())
        }))
    }

    /// The library's squared error has no factor ½, so the value and the finished gradient are
    /// multiplied with it.
    fn gradient<S: Scalar>(&self, compute: &Compute) -> Result<Step> {
        let network = self.network::<S>()?;
        let mut workspace = self.workspace(&network, compute)?;
        let mut gradient = vec![S::zero(); network.parameter_count()];
        let loss = SquaredError::new().with_reduction(Reduction::Sum);
        let mut batches = Cycle { batches: self.batches(), at: 0 };
        Ok(Box::new(move || {
            let batch = batches.next();
            let targets = Targets::Values(batch.values.view());
            let forward = network.forward(batch.x.view(), &mut workspace)?;
            let value = forward.backward(&loss, targets, &mut gradient)?.loss();
            gradient.iter_mut().for_each(|g| *g *= S::of(0.5));
            Ok(0.5 * value.as_f64())
        }))
    }

    fn predict<S: Scalar>(&self, compute: &Compute, function: OutputFunction) -> Result<Step> {
        let network = self.network::<S>()?;
        let mut workspace = self.workspace(&network, compute)?;
        let mut outputs = Matrix::zeros(self.batch, network.outputs());
        let mut batches = Cycle { batches: self.batches(), at: 0 };
        Ok(Box::new(move || {
            let a = network.predict(batches.next().x.view(), &mut workspace)?;
            function.apply(a, outputs.view_mut());
            Ok(outputs[(0, 0)].as_f64())
        }))
    }
}

/// Uniform from `[0, 1)`, the same in `f32` and `f64`.
fn number<S: Scalar>(rng: &mut Xoshiro256PlusPlus) -> S {
    S::of(rng.random::<f32>().into())
}

/// The batches in turn, again and again.
struct Cycle<S> {
    batches: Vec<Batch<S>>,
    at: usize,
}

impl<S> Cycle<S> {
    fn next(&mut self) -> &Batch<S> {
        self.at = (self.at + 1) % self.batches.len();
        &self.batches[self.at]
    }
}
