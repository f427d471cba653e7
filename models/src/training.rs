//! A training step as one graph: forward, loss, gradients and the update by Adam (Kingma & Ba 2015).

use crate::{GraphError, ParameterSource, Tensor, graph::Graph, shape::Shape};

/// Output `f32[]`: the loss of the batch, before the update.
pub const LOSS: &str = "loss";
/// Output `f32[N]` of a loss model: the loss of each row.
pub const ROW_LOSS: &str = "row_loss";
/// Input `f32[]`: how far a step goes, for instance 0.001.
pub const LEARNING_RATE: &str = "learning_rate";
/// Input `f32[]`: the first of [`Adam::corrections`].
pub const MOMENT_CORRECTION: &str = "moment_correction";
/// Input `f32[]`: the second of [`Adam::corrections`].
pub const VARIANCE_CORRECTION: &str = "variance_correction";

/// Constants of the optimiser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Decay of the mean of gradients, 0..1.
    pub beta1: f32,
    /// Decay of the mean of squared gradients, 0..1.
    pub beta2: f32,
    /// Added to the root of the squared gradients' mean, so that nothing divides by zero.
    pub epsilon: f32,
}

impl Default for Adam {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl Adam {
    /// `1 / (1 − beta1^step)` and `1 / (1 − beta2^step)`, which undo the means' start at zero; `step` counts from 1.
    pub fn corrections(&self, step: u32) -> (f32, f32) {
        let correction = |beta: f32| (1.0 / (1.0 - f64::from(beta).powf(f64::from(step)))) as f32;
        (correction(self.beta1), correction(self.beta2))
    }
}

/// A tensor that one step hands to the next: a parameter or one of its two Adam moments.
#[derive(Debug, Clone, PartialEq)]
pub struct StateTensor {
    /// Name of the model's input.
    pub input: String,
    /// Name of the model's output that holds the next value.
    pub output: String,
    pub shape: Shape,
}

/// A parameter with its optimiser's state.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedParameter {
    pub parameter: StateTensor,
    /// Mean of gradients; starts at zero.
    pub moment: StateTensor,
    /// Mean of squared gradients; starts at zero.
    pub variance: StateTensor,
}

impl TrainedParameter {
    /// The parameter and its two moments.
    pub fn states(&self) -> [&StateTensor; 3] {
        [&self.parameter, &self.moment, &self.variance]
    }
}

/// A training step as an ONNX model. Its inputs are those of the graph, the three scalars of the optimiser and all
/// states; its outputs are [`LOSS`] and the next states.
#[derive(Debug, Clone)]
pub struct TrainingStep {
    pub onnx: Vec<u8>,
    /// In the order the parameters were added to the graph.
    pub parameters: Vec<TrainedParameter>,
}

impl TrainingStep {
    /// Extends a graph that computes `loss`, a scalar, by the update of all its parameters.
    pub fn new(name: &str, mut graph: Graph, loss: Tensor, adam: &Adam) -> Result<Self, GraphError> {
        let parameters: Vec<(Tensor, String)> =
            graph.parameters().into_iter().map(|(tensor, name, _)| (tensor, name.to_owned())).collect();
        let targets: Vec<Tensor> = parameters.iter().map(|&(tensor, _)| tensor).collect();
        let gradients = graph.gradients(loss, &targets)?;
        let update = AdamUpdate::new(&mut graph, adam)?;

        let mut outputs = vec![(LOSS.to_owned(), loss)];
        let mut trained = Vec::with_capacity(parameters.len());
        for ((parameter, name), gradient) in parameters.into_iter().zip(gradients) {
            let shape = graph.shape(parameter).clone();
            let state = |suffix: &str| StateTensor {
                input: format!("{name}{suffix}"),
                output: format!("{name}{suffix}.next"),
                shape: shape.clone(),
            };
            let states =
                TrainedParameter { parameter: state(""), moment: state(".moment"), variance: state(".variance") };
            let moment = graph.input(&states.moment.input, &shape)?;
            let variance = graph.input(&states.variance.input, &shape)?;
            let next = update.apply(&mut graph, parameter, moment, variance, gradient)?;
            outputs.extend(states.states().map(|state| state.output.clone()).into_iter().zip(next));
            trained.push(states);
        }
        let outputs: Vec<(&str, Tensor)> = outputs.iter().map(|(name, tensor)| (name.as_str(), *tensor)).collect();
        Ok(Self { onnx: graph.to_onnx(name, &outputs, ParameterSource::Inputs)?, parameters: trained })
    }
}

/// The values that the updates of all parameters share.
struct AdamUpdate {
    beta1: Tensor,
    beta2: Tensor,
    one_minus_beta1: Tensor,
    one_minus_beta2: Tensor,
    epsilon: Tensor,
    step_size: Tensor,
    variance_correction: Tensor,
}

impl AdamUpdate {
    fn new(graph: &mut Graph, adam: &Adam) -> Result<Self, GraphError> {
        let learning_rate = graph.input(LEARNING_RATE, &[])?;
        let moment_correction = graph.input(MOMENT_CORRECTION, &[])?;
        let variance_correction = graph.input(VARIANCE_CORRECTION, &[])?;
        Ok(Self {
            beta1: graph.scalar(adam.beta1)?,
            beta2: graph.scalar(adam.beta2)?,
            one_minus_beta1: graph.scalar(1.0 - adam.beta1)?,
            one_minus_beta2: graph.scalar(1.0 - adam.beta2)?,
            epsilon: graph.scalar(adam.epsilon)?,
            step_size: graph.mul(learning_rate, moment_correction)?,
            variance_correction,
        })
    }

    /// The next parameter, moment and variance.
    fn apply(
        &self,
        graph: &mut Graph,
        parameter: Tensor,
        moment: Tensor,
        variance: Tensor,
        gradient: Tensor,
    ) -> Result<[Tensor; 3], GraphError> {
        let squared = graph.mul(gradient, gradient)?;
        let next_moment = moving_mean(graph, moment, self.beta1, gradient, self.one_minus_beta1)?;
        let next_variance = moving_mean(graph, variance, self.beta2, squared, self.one_minus_beta2)?;

        let corrected_variance = graph.mul(next_variance, self.variance_correction)?;
        let deviation = graph.sqrt(corrected_variance)?;
        let divisor = graph.add(deviation, self.epsilon)?;
        let scaled_moment = graph.mul(next_moment, self.step_size)?;
        let change = graph.div(scaled_moment, divisor)?;
        let next_parameter = graph.sub(parameter, change)?;
        Ok([next_parameter, next_moment, next_variance])
    }
}

fn moving_mean(
    graph: &mut Graph,
    mean: Tensor,
    kept: Tensor,
    value: Tensor,
    added: Tensor,
) -> Result<Tensor, GraphError> {
    let decayed = graph.mul(mean, kept)?;
    let share = graph.mul(value, added)?;
    graph.add(decayed, share)
}
