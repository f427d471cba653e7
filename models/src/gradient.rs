//! Reverse-mode differentiation: the gradient of a scalar is built as more nodes of the same graph.

use crate::{
    GraphError, Tensor,
    graph::Graph,
    operator::Operator,
    shape::{broadcast_axes, element_count},
};

impl Graph {
    /// Adds the nodes that compute the gradient of `loss`, a scalar, with respect to each of `targets`.
    ///
    /// The results have the shapes of their targets.
    pub fn gradients(&mut self, loss: Tensor, targets: &[Tensor]) -> Result<Vec<Tensor>, GraphError> {
        if !self.shape(loss).is_empty() {
            return Err(GraphError::LossNotScalar { shape: self.shape(loss).clone() });
        }
        let depends = self.depends_on(targets, loss);
        let mut gradients: Vec<Option<Tensor>> = vec![None; loss.0 + 1];
        gradients[loss.0] = Some(self.scalar(1.0)?);
        for index in (0..=loss.0).rev() {
            let (true, Some(gradient)) = (depends[index], gradients[index]) else {
                continue;
            };
            let inputs = self.node(Tensor(index)).inputs.clone();
            for (position, input) in inputs.into_iter().enumerate() {
                if !depends[input.0] {
                    continue;
                }
                let Some(contribution) = self.input_gradient(Tensor(index), position, gradient)? else {
                    continue;
                };
                gradients[input.0] = Some(match gradients[input.0] {
                    Some(sum) => self.add(sum, contribution)?,
                    None => contribution,
                });
            }
        }
        targets
            .iter()
            .map(|target| {
                gradients
                    .get(target.0)
                    .copied()
                    .flatten()
                    .ok_or_else(|| GraphError::NoGradient { name: self.describe(*target) })
            })
            .collect()
    }

    /// For each node up to `last`, whether it is computed from any of `targets`.
    fn depends_on(&self, targets: &[Tensor], last: Tensor) -> Vec<bool> {
        let mut depends = vec![false; last.0 + 1];
        for index in 0..=last.0 {
            let computed_from_one = self.node(Tensor(index)).inputs.iter().any(|input| depends[input.0]);
            depends[index] = computed_from_one || targets.contains(&Tensor(index));
        }
        depends
    }

    /// The gradient that `node`, whose own gradient is `gradient`, passes to its input at `position`; `None` when
    /// it is zero everywhere.
    fn input_gradient(
        &mut self,
        node: Tensor,
        position: usize,
        gradient: Tensor,
    ) -> Result<Option<Tensor>, GraphError> {
        let operator = self.node(node).operator.clone();
        let inputs = self.node(node).inputs.clone();
        let input = inputs[position];
        let input_shape = self.shape(input).clone();
        let passed = match operator {
            Operator::Input { .. } | Operator::Parameter { .. } | Operator::Constant { .. } | Operator::Sign => {
                return Ok(None);
            }
            Operator::MatMul if position == 0 => {
                let right = self.transpose(inputs[1])?;
                self.matmul(gradient, right)?
            }
            Operator::MatMul => {
                let left = self.transpose(inputs[0])?;
                self.matmul(left, gradient)?
            }
            Operator::Add => gradient,
            Operator::Sub if position == 0 => gradient,
            Operator::Sub => self.negated(gradient)?,
            Operator::Mul => self.mul(gradient, inputs[1 - position])?,
            Operator::Div if position == 0 => self.div(gradient, inputs[1])?,
            Operator::Div => {
                let quotient = self.mul(gradient, node)?;
                let slope = self.div(quotient, inputs[1])?;
                self.negated(slope)?
            }
            Operator::Relu => {
                let passes = self.sign(node)?;
                self.mul(gradient, passes)?
            }
            Operator::Sqrt => {
                let half = self.scalar(0.5)?;
                let halved = self.mul(gradient, half)?;
                self.div(halved, node)?
            }
            Operator::Exp => self.mul(gradient, node)?,
            Operator::Log => self.div(gradient, input)?,
            Operator::Transpose => self.transpose(gradient)?,
            Operator::Reshape => self.reshape(gradient, &input_shape)?,
            Operator::Expand => gradient,
            Operator::Concat { axis } => {
                let lengths = inputs.iter().map(|&part| self.shape(part)[axis]);
                let start: usize = lengths.take(position).sum();
                self.slice(gradient, axis, start, start + input_shape[axis])?
            }
            Operator::Slice { axis, start, end } => {
                let mut parts = Vec::new();
                for (length, part) in [(start, None), (end - start, Some(gradient)), (input_shape[axis] - end, None)] {
                    match part {
                        Some(part) => parts.push(part),
                        None if length > 0 => parts.push(self.zeros_along(&input_shape, axis, length)?),
                        None => {}
                    }
                }
                self.concat(&parts, axis)?
            }
            Operator::ReduceSum { axes, .. } => self.expanded_along(gradient, &axes, &input_shape)?,
            Operator::ReduceMax { axes, .. } => {
                // The largest values are those whose distance from the largest has no sign.
                let largest = self.expanded_along(node, &axes, &input_shape)?;
                let distance = self.sub(largest, input)?;
                let is_smaller = self.sign(distance)?;
                let one = self.scalar(1.0)?;
                let is_largest = self.sub(one, is_smaller)?;
                let gradient = self.expanded_along(gradient, &axes, &input_shape)?;
                self.mul(gradient, is_largest)?
            }
        };
        self.summed_to(passed, &input_shape).map(Some)
    }

    /// Undoes broadcasting: sums a gradient over the positions that one input value was repeated to.
    fn summed_to(&mut self, gradient: Tensor, shape: &[usize]) -> Result<Tensor, GraphError> {
        let axes = broadcast_axes(shape, self.shape(gradient));
        if axes.is_empty() {
            return Ok(gradient);
        }
        let sum = self.reduce_sum(gradient, &axes, true)?;
        if self.shape(sum) == shape {
            return Ok(sum);
        }
        self.reshape(sum, shape)
    }

    /// Undoes a reduction's shape: repeats its result along the reduced `axes` of `shape`.
    fn expanded_along(&mut self, reduced: Tensor, axes: &[usize], shape: &[usize]) -> Result<Tensor, GraphError> {
        let mut kept = shape.to_vec();
        for &axis in axes {
            kept[axis] = 1;
        }
        let kept = self.reshape(reduced, &kept)?;
        self.expand(kept, shape)
    }

    fn negated(&mut self, input: Tensor) -> Result<Tensor, GraphError> {
        let minus_one = self.scalar(-1.0)?;
        self.mul(input, minus_one)
    }

    fn zeros_along(&mut self, shape: &[usize], axis: usize, length: usize) -> Result<Tensor, GraphError> {
        let mut shape = shape.to_vec();
        shape[axis] = length;
        self.constant(&shape, vec![0.0; element_count(&shape)])
    }

    fn describe(&self, tensor: Tensor) -> String {
        match &self.node(tensor).operator {
            Operator::Input { name } | Operator::Parameter { name, .. } => name.clone(),
            operator => format!("{} {}", operator.onnx_name(), tensor.0),
        }
    }
}
