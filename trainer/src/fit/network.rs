//! A finished network in ONNX Runtime: what the filter's results are compared with.

use apiward_models::autoencoder::{ERROR, FEATURES, RECONSTRUCTION, SQUARED_ERROR, VISIBLE};
use ort::{session::Session, value::TensorRef};

use super::{
    FitError,
    runtime::{self, open_session},
};

/// The results for n rows in row-major order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reconstructions {
    /// `[n]`: mean squared error over the visible features.
    pub errors: Vec<f32>,
    /// `[n, F]`: squared error of each feature, 0 where not visible.
    pub squared_errors: Vec<f32>,
    /// `[n, F]`: what the network makes of the features.
    pub reconstructions: Vec<f32>,
}

/// An autoencoder's inference model, opened in ONNX Runtime on one thread.
#[derive(Debug)]
pub struct OrtNetwork {
    session: Session,
    batch_rows: usize,
    features: usize,
}

impl OrtNetwork {
    /// Opens an inference model with static shapes; ONNX Runtime is loaded if it is not yet.
    pub fn open(onnx: &[u8]) -> Result<Self, FitError> {
        let session = open_session(runtime::load(None)?, onnx)?;
        let input = session.inputs().iter().find(|input| input.name() == FEATURES);
        let shape = input.and_then(|input| input.dtype().tensor_shape()).map(|shape| shape.to_vec());
        match shape.as_deref() {
            Some(&[batch_rows, features]) if batch_rows > 0 && features > 0 => {
                Ok(Self { session, batch_rows: batch_rows as usize, features: features as usize })
            }
            _ => Err(FitError::NotAnAutoencoder),
        }
    }

    /// Number of features, F.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Evaluates rows of `features` and `visible`, both `[n, F]` in row-major order, as many at once as the model
    /// takes.
    pub fn run(&mut self, features: &[f32], visible: &[f32]) -> Result<Reconstructions, FitError> {
        if features.len() != visible.len() || !features.len().is_multiple_of(self.features) {
            return Err(FitError::RowShape { features: self.features, values: features.len(), visible: visible.len() });
        }
        let chunk_values = self.batch_rows * self.features;
        let mut results = Reconstructions::default();
        for (features, visible) in features.chunks(chunk_values).zip(visible.chunks(chunk_values)) {
            if features.len() == chunk_values {
                self.run_chunk(features, visible, &mut results)?;
                continue;
            }
            let mut padded = [features.to_vec(), visible.to_vec()];
            for values in &mut padded {
                values.resize(chunk_values, 0.0);
            }
            let rows = features.len() / self.features;
            let mut filled_up = Reconstructions::default();
            self.run_chunk(&padded[0], &padded[1], &mut filled_up)?;
            results.errors.extend_from_slice(&filled_up.errors[..rows]);
            results.squared_errors.extend_from_slice(&filled_up.squared_errors[..features.len()]);
            results.reconstructions.extend_from_slice(&filled_up.reconstructions[..features.len()]);
        }
        Ok(results)
    }

    fn run_chunk(&mut self, features: &[f32], visible: &[f32], results: &mut Reconstructions) -> Result<(), FitError> {
        let shape = [self.batch_rows, self.features];
        let outputs = self.session.run(ort::inputs! {
            FEATURES => TensorRef::from_array_view((shape, features))?,
            VISIBLE => TensorRef::from_array_view((shape, visible))?,
        })?;
        for (name, expected, result) in [
            (ERROR, self.batch_rows, &mut results.errors),
            (SQUARED_ERROR, features.len(), &mut results.squared_errors),
            (RECONSTRUCTION, features.len(), &mut results.reconstructions),
        ] {
            let output = outputs.get(name).ok_or(FitError::Output { name })?;
            let (_, values) = output.try_extract_tensor::<f32>()?;
            if values.len() != expected {
                return Err(FitError::Output { name });
            }
            result.extend_from_slice(values);
        }
        Ok(())
    }
}
