//! The training step in ONNX Runtime, with parameters and optimiser state that stay where they are.

use apiward_models::{
    Adam, LEARNING_RATE, LOSS, MOMENT_CORRECTION, NamedTensor, TrainedParameter, TrainingStep, VARIANCE_CORRECTION,
};
use ort::{
    environment::Environment,
    memory::Allocator,
    session::{IoBinding, Session},
    value::Tensor,
};

use super::{FitError, runtime::open_session, training::ModelInput};

/// Two copies of every state: a step reads one and writes the other, the next step the other way round. Each
/// direction has a binding of its own, so that nothing is copied and nothing bound anew between steps.
pub(super) struct TrainingLoop {
    session: Session,
    bindings: [IoBinding; 2],
    states: [Vec<Tensor<f32>>; 2],
    loss: Tensor<f32>,
    parameters: Vec<TrainedParameter>,
    adam: Adam,
    steps: u32,
}

impl TrainingLoop {
    pub fn new(
        environment: &Environment,
        step: TrainingStep,
        adam: Adam,
        initial: &[NamedTensor],
    ) -> Result<Self, FitError> {
        let session = open_session(environment, &step.onnx)?;
        let states = [zero_states(&step.parameters)?, zero_states(&step.parameters)?];
        let mut training = Self {
            bindings: [session.create_binding()?, session.create_binding()?],
            session,
            states,
            loss: Tensor::new(&Allocator::default(), Vec::<i64>::new())?,
            parameters: step.parameters,
            adam,
            steps: 0,
        };
        training.store_parameters(initial);
        training.bind_states()?;
        Ok(training)
    }

    /// Number of steps taken.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Takes one step and returns the batch's loss before it.
    pub fn step(&mut self, batch: Vec<ModelInput>, learning_rate: f32) -> Result<f32, FitError> {
        let (moment_correction, variance_correction) = self.adam.corrections(self.steps + 1);
        let binding = &mut self.bindings[self.steps as usize % 2];
        for input in batch {
            binding.bind_input(input.name, &Tensor::from_array((input.shape, input.values))?)?;
        }
        for (name, value) in [
            (LEARNING_RATE, learning_rate),
            (MOMENT_CORRECTION, moment_correction),
            (VARIANCE_CORRECTION, variance_correction),
        ] {
            binding.bind_input(name, &Tensor::from_array((Vec::<i64>::new(), vec![value]))?)?;
        }
        self.session.run_binding(binding)?;
        self.steps += 1;
        let (_, loss) = self.loss.extract_tensor();
        loss.first().copied().ok_or(FitError::Output { name: LOSS })
    }

    /// The parameters as they are now, where ONNX Runtime has them, by name of input.
    pub fn bound_parameters(&self) -> impl Iterator<Item = (&str, &Tensor<f32>)> {
        let current = &self.states[self.steps as usize % 2];
        self.parameters
            .iter()
            .zip(current.chunks(3))
            .map(|(parameter, states)| (parameter.parameter.input.as_str(), &states[0]))
    }

    /// A copy of the parameters as they are now.
    pub fn parameters(&self) -> Vec<NamedTensor> {
        self.bound_parameters()
            .zip(&self.parameters)
            .map(|((name, tensor), parameter)| NamedTensor {
                name: name.to_owned(),
                shape: parameter.parameter.shape.clone(),
                values: tensor.extract_tensor().1.to_vec(),
            })
            .collect()
    }

    fn store_parameters(&mut self, initial: &[NamedTensor]) {
        for (states, given) in self.states[0].chunks_mut(3).zip(initial) {
            states[0].extract_tensor_mut().1.copy_from_slice(&given.values);
        }
    }

    fn bind_states(&mut self) -> Result<(), FitError> {
        let [even, odd] = &mut self.states;
        let [even_binding, odd_binding] = &mut self.bindings;
        let states = self.parameters.iter().flat_map(TrainedParameter::states);
        for ((state, even), odd) in states.zip(even).zip(odd) {
            even_binding.bind_input(&state.input, even)?;
            odd_binding.bind_input(&state.input, odd)?;
            even_binding.bind_output(&state.output, &mut *odd)?;
            odd_binding.bind_output(&state.output, &mut *even)?;
        }
        for binding in &mut self.bindings {
            binding.bind_output(LOSS, &mut self.loss)?;
        }
        Ok(())
    }
}

/// Every parameter, moment and variance in the order of the step's description, all zero.
fn zero_states(parameters: &[TrainedParameter]) -> ort::Result<Vec<Tensor<f32>>> {
    parameters
        .iter()
        .flat_map(TrainedParameter::states)
        .map(|state| {
            let mut tensor = Tensor::new(&Allocator::default(), state.shape.as_slice())?;
            tensor.extract_tensor_mut().1.fill(0.0);
            Ok(tensor)
        })
        .collect()
}
