use crate::{
    GraphError,
    initializer::Initializer,
    shape::{Shape, broadcast, element_count},
};

/// What a node computes. A new operator needs its output shape (here), its gradient (`gradient.rs`) and its ONNX
/// form (`export.rs`); the compiler names the missing ones.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operator {
    /// Given anew at each run.
    Input {
        name: String,
    },
    /// Learned; given at each training step, stored in an inference model.
    Parameter {
        name: String,
        initializer: Initializer,
    },
    /// Fixed values in row-major order.
    Constant {
        values: Vec<f32>,
    },
    MatMul,
    Add,
    Sub,
    Mul,
    Div,
    Relu,
    /// −1, 0 or 1; the derivative of `Relu` is the sign of its output.
    Sign,
    Sqrt,
    Exp,
    /// The natural logarithm.
    Log,
    /// Exchanges the two dimensions of a matrix.
    Transpose,
    Reshape,
    /// Repeats values along broadcast dimensions.
    Expand,
    Concat {
        axis: usize,
    },
    Slice {
        axis: usize,
        start: usize,
        end: usize,
    },
    /// Sums over `axes`, which stay in the shape as 1 when `keep_dimensions`.
    ReduceSum {
        axes: Vec<usize>,
        keep_dimensions: bool,
    },
    /// The largest value over `axes`, which stay in the shape as 1 when `keep_dimensions`.
    ReduceMax {
        axes: Vec<usize>,
        keep_dimensions: bool,
    },
}

impl Operator {
    /// The operator's name in the ONNX default domain; leaves have none of their own.
    pub(crate) fn onnx_name(&self) -> &'static str {
        match self {
            Self::Input { .. } => "input",
            Self::Parameter { .. } => "parameter",
            Self::Constant { .. } => "constant",
            Self::MatMul => "MatMul",
            Self::Add => "Add",
            Self::Sub => "Sub",
            Self::Mul => "Mul",
            Self::Div => "Div",
            Self::Relu => "Relu",
            Self::Sign => "Sign",
            Self::Sqrt => "Sqrt",
            Self::Exp => "Exp",
            Self::Log => "Log",
            Self::Transpose => "Transpose",
            Self::Reshape => "Reshape",
            Self::Expand => "Expand",
            Self::Concat { .. } => "Concat",
            Self::Slice { .. } => "Slice",
            Self::ReduceSum { .. } => "ReduceSum",
            Self::ReduceMax { .. } => "ReduceMax",
        }
    }

    /// True for nodes that are given instead of computed.
    pub(crate) fn is_leaf(&self) -> bool {
        matches!(self, Self::Input { .. } | Self::Parameter { .. } | Self::Constant { .. })
    }

    /// The result's shape for inputs of these shapes; `requested` is the shape asked for, of the operators (and
    /// leaves) that are told theirs.
    pub(crate) fn output_shape(&self, inputs: &[Shape], requested: Option<&Shape>) -> Result<Shape, GraphError> {
        let refuse = |reason: &'static str| GraphError::Shapes {
            operator: self.onnx_name(),
            shapes: inputs.iter().chain(requested).cloned().collect(),
            reason,
        };
        match (self, inputs, requested) {
            (Self::Input { .. } | Self::Parameter { .. } | Self::Constant { .. }, [], Some(shape)) => Ok(shape.clone()),
            (Self::MatMul, [left, right], None) => match (left.as_slice(), right.as_slice()) {
                ([rows, inner], [inner_right, columns]) if inner == inner_right => Ok(vec![*rows, *columns]),
                _ => Err(refuse("two matrices with the same inner dimension are needed")),
            },
            (Self::Add | Self::Sub | Self::Mul | Self::Div, [left, right], None) => {
                broadcast(left, right).ok_or_else(|| refuse("the shapes do not broadcast"))
            }
            (Self::Relu | Self::Sign | Self::Sqrt | Self::Exp | Self::Log, [input], None) => Ok(input.clone()),
            (Self::Transpose, [input], None) => match input.as_slice() {
                [rows, columns] => Ok(vec![*columns, *rows]),
                _ => Err(refuse("only matrices are transposed")),
            },
            (Self::Reshape, [input], Some(shape)) if element_count(input) == element_count(shape) => Ok(shape.clone()),
            (Self::Reshape, ..) => Err(refuse("the number of values would change")),
            (Self::Expand, [input], Some(shape)) if broadcast(input, shape).as_ref() == Some(shape) => {
                Ok(shape.clone())
            }
            (Self::Expand, ..) => Err(refuse("the shape cannot be broadcast to the one asked for")),
            (Self::Concat { axis }, inputs, None) => {
                concatenated(*axis, inputs).ok_or_else(|| refuse("all dimensions but that of the axis must be equal"))
            }
            (Self::Slice { axis, start, end }, [input], None) => match input.get(*axis) {
                Some(dimension) if start < end && end <= dimension => {
                    let mut shape = input.clone();
                    shape[*axis] = end - start;
                    Ok(shape)
                }
                _ => Err(refuse("the slice lies outside the tensor or is empty")),
            },
            (Self::ReduceSum { axes, keep_dimensions } | Self::ReduceMax { axes, keep_dimensions }, [input], None) => {
                let sorted = axes.windows(2).all(|pair| pair[0] < pair[1]);
                if axes.is_empty() || !sorted || axes.iter().any(|&axis| axis >= input.len()) {
                    return Err(refuse("the axes must be in the shape, ascending and not repeated"));
                }
                let dimensions = input.iter().enumerate();
                Ok(dimensions
                    .filter(|(axis, _)| *keep_dimensions || !axes.contains(axis))
                    .map(|(axis, &dimension)| if axes.contains(&axis) { 1 } else { dimension })
                    .collect())
            }
            _ => Err(refuse("wrong number of inputs")),
        }
    }
}

fn concatenated(axis: usize, inputs: &[Shape]) -> Option<Shape> {
    let (first, others) = inputs.split_first()?;
    let mut shape = first.clone();
    let total = shape.get_mut(axis)?;
    for other in others {
        *total += other.get(axis)?;
        let equal_elsewhere =
            other.len() == first.len() && other.iter().zip(first).enumerate().all(|(at, (a, b))| at == axis || a == b);
        if !equal_elsewhere {
            return None;
        }
    }
    Some(shape)
}
