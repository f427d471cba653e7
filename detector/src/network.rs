//! The autoencoder through tract.

use std::fmt;
use std::io::Cursor;

use tract_onnx::prelude::*;

use crate::bundle::BundleError;
use crate::limits;

/// The operators a network may use; everything else is refused before tract sees it.
pub const OPERATORS: [&str; 8] = ["Add", "Concat", "Div", "MatMul", "Max", "Mul", "ReduceSum", "Relu"];

/// An operator that is allowed besides [`OPERATORS`] because subtraction is how the error is written.
const SUBTRACTION: &str = "Sub";

/// A denoising autoencoder over standardised features, for one exchange at a time.
pub struct Autoencoder {
    plan: Arc<TypedRunnableModel>,
    features: usize,
}

/// What it says of one exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconstruction {
    /// Mean squared error over the visible features.
    pub error: f32,
    /// Squared error of each feature; 0 where not visible.
    pub squared_error: Vec<f32>,
}

impl fmt::Debug for Autoencoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Autoencoder").field("features", &self.features).finish_non_exhaustive()
    }
}

impl Autoencoder {
    /// Checks the network against the caps and the operator allowlist, and optimises it.
    ///
    /// # Errors
    /// When it breaks a cap, uses another operator, or does not have the inputs and outputs of an autoencoder of this width.
    pub fn load(onnx: &[u8], features: usize) -> Result<Self, BundleError> {
        let refuse = |reason: String| BundleError::Network { network: "autoencoder".to_owned(), reason };
        if onnx.len() > limits::NETWORK_BYTES_MAX {
            return Err(BundleError::Limit { limit: "bytes of a network" });
        }
        let onnx_format = tract_onnx::onnx();
        let proto =
            onnx_format.proto_model_for_read(&mut Cursor::new(onnx)).map_err(|error| refuse(error.to_string()))?;
        check_caps(&proto)?;
        let model = onnx_format
            .model_for_proto_model(&proto)
            .and_then(|model| model.into_optimized())
            .map_err(|error| refuse(error.to_string()))?;
        let plan = model.into_runnable().map_err(|error| refuse(error.to_string()))?;
        let network = Self { plan, features };
        // One run shows that shapes and outputs are what they must be.
        network.reconstruct(&vec![0.0; features], &vec![1.0; features]).map_err(refuse)?;
        Ok(network)
    }

    /// Runs the network. `features` are standardised, `visible` is 1 for known features and 0 for others.
    ///
    /// # Errors
    /// When the lengths do not match the network, or its output is no finite number.
    pub fn reconstruct(&self, features: &[f32], visible: &[f32]) -> Result<Reconstruction, String> {
        let row = |values: &[f32]| -> Result<TValue, String> {
            if values.len() != self.features {
                return Err(format!("{} features given, {} expected", values.len(), self.features));
            }
            Tensor::from_shape(&[1, values.len()], values).map(Tensor::into_tvalue).map_err(|error| error.to_string())
        };
        let outputs = self.plan.run(tvec![row(features)?, row(visible)?]).map_err(|error| error.to_string())?;
        let [error, squared_error, ..] = outputs.as_slice() else {
            return Err("it has fewer than two outputs".to_owned());
        };
        let error = floats(error)?.first().copied().ok_or("its error is empty")?;
        let squared_error = floats(squared_error)?;
        if squared_error.len() != self.features {
            return Err(format!("{} squared errors, {} expected", squared_error.len(), self.features));
        }
        if !error.is_finite() {
            return Err("its error is no finite number".to_owned());
        }
        Ok(Reconstruction { error, squared_error })
    }
}

fn floats(tensor: &TValue) -> Result<Vec<f32>, String> {
    let view = tensor.to_plain_array_view::<f32>().map_err(|error| error.to_string())?;
    Ok(view.iter().copied().collect())
}

fn check_caps(proto: &tract_onnx::pb::ModelProto) -> Result<(), BundleError> {
    let refuse = |reason: &str| BundleError::Network { network: "autoencoder".to_owned(), reason: reason.to_owned() };
    let graph = proto.graph.as_ref().ok_or_else(|| refuse("it has no graph"))?;
    if graph.node.len() > limits::NETWORK_NODES_MAX {
        return Err(BundleError::Limit { limit: "operations of a network" });
    }
    for node in &graph.node {
        let allowed =
            node.domain.is_empty() && (OPERATORS.contains(&node.op_type.as_str()) || node.op_type == SUBTRACTION);
        if !allowed {
            return Err(BundleError::Operator { network: "autoencoder".to_owned(), operator: node.op_type.clone() });
        }
    }
    let mut parameters = 0_usize;
    for tensor in &graph.initializer {
        let size = tensor.dims.iter().try_fold(1_usize, |size, dim| size.checked_mul(usize::try_from(*dim).ok()?));
        parameters =
            size.and_then(|size| parameters.checked_add(size)).ok_or_else(|| refuse("a parameter has no size"))?;
    }
    if parameters > limits::NETWORK_PARAMETERS_MAX {
        return Err(BundleError::Limit { limit: "parameters of a network" });
    }
    Ok(())
}
