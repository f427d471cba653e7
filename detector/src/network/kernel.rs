//! The operators that run: ours, for rows of 32-bit floats.
//!
//! Sums are computed in the same order natively and in wasm. Loops run over slices of equal length, so that they
//! become vector instructions without bounds checks.

use tract_onnx::tract_core::internal::*;

use super::operator::Elementwise;
use super::parameter::Parameter;

/// Partial sums that are kept apart, to be added at once.
const LANES: usize = 8;

/// One node of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kernel {
    pub(super) computation: Computation,
    /// Shape of the result.
    pub(super) shape: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Computation {
    /// `rows` `[N, K]` times `weights` `[K, H]`, plus `bias` `[H]`, and no less than 0 when `rectified`.
    Dense {
        rows: Operand,
        weights: Parameter,
        bias: Option<Parameter>,
        rectified: bool,
    },
    Elementwise {
        operator: Elementwise,
        left: Operand,
        right: Operand,
    },
    Relu(Operand),
    Concat(Vec<Operand>),
    Sum(Operand),
}

/// What a computation works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operand {
    /// The node's input at this position.
    Input(usize),
    Stored(Parameter),
}

impl Op for Kernel {
    fn name(&self) -> StaticName {
        let name = match self.computation {
            Computation::Dense { .. } => "Dense",
            Computation::Elementwise { .. } => "Elementwise",
            Computation::Relu(_) => "Relu",
            Computation::Concat(_) => "Concat",
            Computation::Sum(_) => "Sum",
        };
        name.into()
    }

    fn as_typed(&self) -> Option<&dyn TypedOp> {
        Some(self)
    }
}

impl TypedOp for Kernel {
    fn as_op(&self) -> &dyn Op {
        self
    }

    fn as_op_mut(&mut self) -> &mut dyn Op {
        self
    }

    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(&self.shape)))
    }
}

impl EvalOp for Kernel {
    not_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let operand = |operand| values_of(operand, &inputs);
        let count: usize = self.shape.iter().product();
        let mut result = Vec::with_capacity(count);
        match &self.computation {
            Computation::Dense { rows, weights, bias, rectified } => {
                let columns = self.shape.last().copied().unwrap_or(1).max(1);
                match bias {
                    Some(bias) => (0..count / columns).for_each(|_| result.extend_from_slice(bias.values())),
                    None => result.resize(count, 0.0),
                }
                let weights = weights.values();
                let rows = operand(rows)?.chunks_exact((weights.len() / columns).max(1));
                for (row, result) in rows.zip(result.chunks_exact_mut(columns)) {
                    add_product(row, weights, result);
                }
                if *rectified {
                    result.iter_mut().for_each(|value| *value = rectify(*value));
                }
            }
            Computation::Elementwise { operator, left, right } => {
                let (left, right) = (operand(left)?, operand(right)?);
                match operator {
                    Elementwise::Add => combine(left, right, &mut result, |a, b| a + b),
                    Elementwise::Mul => combine(left, right, &mut result, |a, b| a * b),
                    Elementwise::Div => combine(left, right, &mut result, |a, b| a / b),
                }
            }
            Computation::Relu(input) => result.extend(operand(input)?.iter().copied().map(rectify)),
            Computation::Concat(parts) => {
                for part in parts {
                    result.extend_from_slice(operand(part)?);
                }
            }
            Computation::Sum(input) => result.push(sum(operand(input)?)),
        }
        Ok(tvec!(Tensor::from_shape(&self.shape, &result)?.into_tvalue()))
    }
}

fn values_of<'a>(operand: &'a Operand, inputs: &'a [TValue]) -> TractResult<&'a [f32]> {
    match operand {
        Operand::Stored(parameter) => Ok(parameter.values()),
        Operand::Input(position) => {
            let input = inputs.get(*position).context("an input is missing")?;
            input.try_as_plain_ram()?.as_slice::<f32>()
        }
    }
}

/// Adds `row` `[K]` times `weights` `[K, H]` to `result` `[H]`.
fn add_product(row: &[f32], weights: &[f32], result: &mut [f32]) {
    for (&value, weights) in row.iter().zip(weights.chunks_exact(result.len().max(1))) {
        // Rectified and invisible values: about half of a row. Weights are finite, so nothing would be added.
        if value == 0.0 {
            continue;
        }
        for (sum, &weight) in result.iter_mut().zip(weights) {
            *sum += value * weight;
        }
    }
}

/// Appends `operator` of each pair; a single value goes with all of the other side, a row with each row of it.
fn combine(left: &[f32], right: &[f32], result: &mut Vec<f32>, operator: impl Fn(f32, f32) -> f32) {
    match (left, right) {
        (left, &[right]) => result.extend(left.iter().map(|&left| operator(left, right))),
        (&[left], right) => result.extend(right.iter().map(|&right| operator(left, right))),
        (left, right) if left.len() >= right.len() => {
            result.extend(left.iter().zip(right.iter().cycle()).map(|(&left, &right)| operator(left, right)));
        }
        (left, right) => {
            result.extend(left.iter().cycle().zip(right).map(|(&left, &right)| operator(left, right)));
        }
    }
}

/// `max(value, 0)`, but NaN stays NaN, as in ONNX.
fn rectify(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

fn sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().chain(rest).sum()
}
