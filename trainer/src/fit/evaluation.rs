//! The loss of held-out rows under parameters that stay in ONNX Runtime's memory.

use apiward_models::{
    Autoencoder,
    autoencoder::{FEATURES, ROW_LOSS, VISIBLE},
};
use ort::{
    environment::Environment,
    memory::Allocator,
    session::{IoBinding, Session},
    value::Tensor,
};

use super::{
    FitError,
    data::{FeatureMatrix, PhaseMasks},
    runtime::open_session,
};

/// Rows evaluated at once.
const EVALUATION_ROWS: usize = 512;

/// A chunk of rows as one phase sees them.
struct Chunk {
    features: Tensor<f32>,
    visible: Tensor<f32>,
    /// Weights of the rows; fewer than the chunk has where it is filled up.
    weights: Vec<f32>,
}

/// Evaluates the same rows, in all phases, again and again.
pub(super) struct Evaluation {
    session: Session,
    binding: IoBinding,
    row_loss: Tensor<f32>,
    chunks: Vec<Chunk>,
}

impl Evaluation {
    pub fn new(
        environment: &Environment,
        network: &Autoencoder,
        rows: &FeatureMatrix,
        phases: &PhaseMasks,
        huber_delta: f32,
    ) -> Result<Self, FitError> {
        let chunk_rows = rows.rows().min(EVALUATION_ROWS);
        let session = open_session(environment, &network.loss_onnx(chunk_rows, huber_delta)?)?;
        let mut binding = session.create_binding()?;
        let mut row_loss = Tensor::new(&Allocator::default(), [chunk_rows])?;
        binding.bind_output(ROW_LOSS, &mut row_loss)?;
        Ok(Self { session, binding, row_loss, chunks: chunks(rows, phases, chunk_rows)? })
    }

    /// The weighted mean loss over all rows and phases, of the parameters given by name.
    pub fn loss<'p>(&mut self, parameters: impl Iterator<Item = (&'p str, &'p Tensor<f32>)>) -> Result<f64, FitError> {
        for (name, tensor) in parameters {
            self.binding.bind_input(name, tensor)?;
        }
        let mut weighted_sum = 0.0;
        let mut weight_sum = 0.0;
        for chunk in &self.chunks {
            self.binding.bind_input(FEATURES, &chunk.features)?;
            self.binding.bind_input(VISIBLE, &chunk.visible)?;
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

fn chunks(rows: &FeatureMatrix, phases: &PhaseMasks, chunk_rows: usize) -> ort::Result<Vec<Chunk>> {
    let shape = [chunk_rows, rows.features()];
    let mut chunks = Vec::new();
    for mask in phases.masks() {
        for start in (0..rows.rows()).step_by(chunk_rows) {
            let end = (start + chunk_rows).min(rows.rows());
            let mut features: Vec<f32> = (start..end).flat_map(|row| rows.row(row)).copied().collect();
            features.resize(chunk_rows * rows.features(), 0.0);
            let known = (start..end).flat_map(|row| mask.iter().zip(rows.known(row)).map(|(mask, known)| mask * known));
            let mut visible: Vec<f32> = known.collect();
            visible.resize(chunk_rows * rows.features(), 1.0);
            chunks.push(Chunk {
                features: Tensor::from_array((shape, features))?,
                visible: Tensor::from_array((shape, visible))?,
                weights: rows.weights()[start..end].to_vec(),
            });
        }
    }
    Ok(chunks)
}
