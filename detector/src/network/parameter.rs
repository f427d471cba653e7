//! Stored tensors.

use std::fmt;
use std::sync::Arc;

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;

use crate::bundle::BundleError;

use super::refused;

/// Most dimensions of any tensor.
pub(super) const RANK_MAX: usize = 2;

/// Finite values that a network has learned or was made with, in row-major order.
#[derive(Clone, PartialEq)]
pub(super) struct Parameter(Arc<[f32]>);

// Values are finite, so each equals itself.
impl Eq for Parameter {}

impl fmt::Debug for Parameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Parameter({} values)", self.0.len())
    }
}

impl Parameter {
    pub(super) fn values(&self) -> &[f32] {
        &self.0
    }
}

/// A stored tensor.
pub(super) enum Stored {
    Floats(Parameter),
    /// One-dimensional: the axes of an operator.
    Integers(Vec<i64>),
}

impl Stored {
    /// Reads a tensor of this `shape`, see [`stored_shape`].
    pub(super) fn of(tensor: &pb::TensorProto, shape: &[usize]) -> Result<Self, BundleError> {
        let count = element_count(shape).unwrap_or(usize::MAX);
        let miscounted =
            || refused(format!("parameter {:?} does not hold as many values as its shape says", tensor.name));
        match DataType::try_from(tensor.data_type) {
            Ok(DataType::Float) => {
                let raw = tensor.raw_data.as_chunks::<4>();
                let values = one_of(tensor.float_data.clone(), raw, f32::from_le_bytes, count)
                    .filter(|_| tensor.int64_data.is_empty())
                    .ok_or_else(miscounted)?;
                if values.iter().any(|value| !value.is_finite()) {
                    return Err(refused(format!("parameter {:?} holds a value that is no finite number", tensor.name)));
                }
                Ok(Self::Floats(Parameter(values.into())))
            }
            Ok(DataType::Int64) if shape.len() == 1 => {
                let raw = tensor.raw_data.as_chunks::<8>();
                one_of(tensor.int64_data.clone(), raw, i64::from_le_bytes, count)
                    .filter(|_| tensor.float_data.is_empty())
                    .map(Self::Integers)
                    .ok_or_else(miscounted)
            }
            _ => Err(refused(format!(
                "parameter {:?} is neither 32-bit floats nor a list of 64-bit integers",
                tensor.name
            ))),
        }
    }
}

/// `count` values from either the typed field or the raw bytes, whichever is filled.
fn one_of<T, const BYTES: usize>(
    typed: Vec<T>,
    (raw, raw_rest): (&[[u8; BYTES]], &[u8]),
    decode: fn([u8; BYTES]) -> T,
    count: usize,
) -> Option<Vec<T>> {
    if !raw_rest.is_empty() {
        return None;
    }
    match (typed.len(), raw.len()) {
        (0, values) if values == count => Some(raw.iter().copied().map(decode).collect()),
        (values, 0) if values == count => Some(typed),
        _ => None,
    }
}

/// The tensor's shape, every dimension at least 1.
pub(super) fn stored_shape(tensor: &pb::TensorProto) -> Result<Vec<usize>, BundleError> {
    checked_shape(&tensor.name, tensor.dims.iter().map(|&dimension| Some(dimension)))
}

/// The shape of what is called `name`; dimensions that are `None` are not static.
pub(super) fn checked_shape(
    name: &str,
    dimensions: impl ExactSizeIterator<Item = Option<i64>>,
) -> Result<Vec<usize>, BundleError> {
    if dimensions.len() > RANK_MAX {
        return Err(refused(format!("{name:?} has {} dimensions, at most {RANK_MAX} are accepted", dimensions.len())));
    }
    let size = |dimension: Option<i64>| usize::try_from(dimension?).ok().filter(|&size| size > 0);
    dimensions
        .map(size)
        .collect::<Option<_>>()
        .ok_or_else(|| refused(format!("{name:?} has a dimension that is not static or below 1")))
}

/// Number of values; `None` when it overflows.
pub(super) fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |count, &dimension| count.checked_mul(dimension))
}
