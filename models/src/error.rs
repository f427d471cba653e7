use thiserror::Error;

use crate::shape::Shape;

/// Why a graph, a gradient or an export was refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GraphError {
    /// The operator cannot be applied to tensors of these shapes.
    #[error("operator {operator} does not take shapes {shapes:?}: {reason}")]
    Shapes { operator: &'static str, shapes: Vec<Shape>, reason: &'static str },
    /// An input or parameter with this name already exists in the graph, or an output is named like one.
    #[error("the name {name:?} is used twice in the graph; give every input, parameter and output its own")]
    DuplicateName { name: String },
    /// The number of values is not the product of the shape's dimensions.
    #[error("{name} has {actual} values but its shape {shape:?} needs {expected}")]
    ValueCount { name: String, shape: Shape, actual: usize, expected: usize },
    /// Gradients start from a single number.
    #[error("a loss must be a scalar, but the tensor has shape {shape:?}; reduce it first")]
    LossNotScalar { shape: Shape },
    /// The loss is computed without this tensor, so training would never change it.
    #[error("the loss does not depend on {name}; remove it or use it")]
    NoGradient { name: String },
    /// The export was given no values for this parameter, or values of another shape.
    #[error("parameter {name} of shape {shape:?} has no values of that shape; pass all parameters of the network")]
    ParameterValues { name: String, shape: Shape },
    /// An output is an input, parameter or constant, or is listed twice; ONNX outputs must be computed once.
    #[error("output {name:?} is not a value computed for this output alone; apply an operator to it first")]
    OutputNotComputed { name: String },
    /// A size of the network is outside its limits.
    #[error("{what} is {actual}, it must be between {minimum} and {maximum}")]
    Size { what: &'static str, actual: usize, minimum: usize, maximum: usize },
}
