//! The loss of held-out rows under parameters that stay in ONNX Runtime's memory.

use apiward_models::ROW_LOSS;
use ort::{
    environment::Environment,
    memory::Allocator,
    session::{IoBinding, Session},
    value::Tensor,
};

use super::{FitError, runtime::open_session, training::HeldOut};

struct Chunk {
    inputs: Vec<(&'static str, Tensor<f32>)>,
    weights: Vec<f32>,
}

/// Evaluates the same rows again and again.
pub(super) struct Evaluation {
    session: Session,
    binding: IoBinding,
    row_loss: Tensor<f32>,
    chunks: Vec<Chunk>,
}

impl Evaluation {
    /// `loss_onnx` takes the inputs of the chunks and the parameters, and gives the loss of each row.
    pub fn new(environment: &Environment, loss_onnx: &[u8], held_out: HeldOut) -> Result<Self, FitError> {
        let session = open_session(environment, loss_onnx)?;
        let mut binding = session.create_binding()?;
        let mut row_loss = Tensor::new(&Allocator::default(), [held_out.chunk_rows])?;
        binding.bind_output(ROW_LOSS, &mut row_loss)?;
        let mut chunks = Vec::with_capacity(held_out.chunks.len());
        for chunk in held_out.chunks {
            let inputs = chunk.inputs.into_iter();
            let inputs = inputs.map(|input| Ok((input.name, Tensor::from_array((input.shape, input.values))?)));
            chunks.push(Chunk { inputs: inputs.collect::<ort::Result<_>>()?, weights: chunk.weights });
        }
        Ok(Self { session, binding, row_loss, chunks })
    }

    /// The weighted mean loss over all rows, of the parameters given by name.
    pub fn loss<'p>(&mut self, parameters: impl Iterator<Item = (&'p str, &'p Tensor<f32>)>) -> Result<f64, FitError> {
        for (name, tensor) in parameters {
            self.binding.bind_input(name, tensor)?;
        }
        let mut weighted_sum = 0.0;
        let mut weight_sum = 0.0;
        for chunk in &self.chunks {
            for (name, tensor) in &chunk.inputs {
                self.binding.bind_input(*name, tensor)?;
            }
            self.session.run_binding(&self.binding)?;
            let (_, losses) = self.row_loss.extract_tensor();
            for (&loss, &weight) in losses.iter().zip(&chunk.weights) {
                weighted_sum += f64::from(loss) * f64::from(weight);
                weight_sum += f64::from(weight);
            }
        }
        Ok(weighted_sum / weight_sum)
    }
}
