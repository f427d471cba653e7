use crate::{
    GraphError,
    initializer::Initializer,
    operator::Operator,
    shape::{Shape, element_count},
};

/// A value in a [`Graph`]: an input, a parameter, a constant or the result of an operator, all `f32`.
///
/// A handle belongs to the graph that made it and is meaningless in another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tensor(pub(crate) usize);

/// A tensor's name, shape and values in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    pub name: String,
    pub shape: Shape,
    pub values: Vec<f32>,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) operator: Operator,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) shape: Shape,
}

/// A network under construction: nodes in the order they were added, which is a topological order.
///
/// All shapes are static and checked as nodes are added.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<Node>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// A value that is given anew at each run.
    pub fn input(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, GraphError> {
        self.require_new_name(name)?;
        let operator = Operator::Input { name: name.to_owned() };
        self.push(operator, &[], Some(shape.to_vec()))
    }

    /// A learned value, by convention `[inputs, outputs]` for the matrix of a layer.
    pub fn parameter(&mut self, name: &str, shape: &[usize], initializer: Initializer) -> Result<Tensor, GraphError> {
        self.require_new_name(name)?;
        let operator = Operator::Parameter { name: name.to_owned(), initializer };
        self.push(operator, &[], Some(shape.to_vec()))
    }

    /// Fixed values in row-major order.
    pub fn constant(&mut self, shape: &[usize], values: Vec<f32>) -> Result<Tensor, GraphError> {
        if element_count(shape) != values.len() {
            return Err(GraphError::ValueCount {
                name: "a constant".to_owned(),
                shape: shape.to_vec(),
                actual: values.len(),
                expected: element_count(shape),
            });
        }
        self.push(Operator::Constant { values }, &[], Some(shape.to_vec()))
    }

    /// A fixed single number.
    pub fn scalar(&mut self, value: f32) -> Result<Tensor, GraphError> {
        self.constant(&[], vec![value])
    }

    /// Matrix product of `[n, k]` and `[k, m]`.
    pub fn matmul(&mut self, left: Tensor, right: Tensor) -> Result<Tensor, GraphError> {
        self.push(Operator::MatMul, &[left, right], None)
    }

    /// Element-wise sum with broadcasting.
    pub fn add(&mut self, left: Tensor, right: Tensor) -> Result<Tensor, GraphError> {
        self.push(Operator::Add, &[left, right], None)
    }

    /// Element-wise difference with broadcasting.
    pub fn sub(&mut self, left: Tensor, right: Tensor) -> Result<Tensor, GraphError> {
        self.push(Operator::Sub, &[left, right], None)
    }

    /// Element-wise product with broadcasting.
    pub fn mul(&mut self, left: Tensor, right: Tensor) -> Result<Tensor, GraphError> {
        self.push(Operator::Mul, &[left, right], None)
    }

    /// Element-wise quotient with broadcasting.
    pub fn div(&mut self, left: Tensor, right: Tensor) -> Result<Tensor, GraphError> {
        self.push(Operator::Div, &[left, right], None)
    }

    /// Element-wise `max(x, 0)`; its derivative at 0 is taken as 0.
    pub fn relu(&mut self, input: Tensor) -> Result<Tensor, GraphError> {
        self.push(Operator::Relu, &[input], None)
    }

    /// Element-wise sign: −1, 0 or 1. Its derivative is 0 everywhere.
    pub fn sign(&mut self, input: Tensor) -> Result<Tensor, GraphError> {
        self.push(Operator::Sign, &[input], None)
    }

    /// Element-wise square root of values ≥ 0.
    pub fn sqrt(&mut self, input: Tensor) -> Result<Tensor, GraphError> {
        self.push(Operator::Sqrt, &[input], None)
    }

    /// Element-wise exponential; infinite from about 88.7 on.
    pub fn exp(&mut self, input: Tensor) -> Result<Tensor, GraphError> {
        self.push(Operator::Exp, &[input], None)
    }

    /// Element-wise natural logarithm of values > 0.
    pub fn log(&mut self, input: Tensor) -> Result<Tensor, GraphError> {
        self.push(Operator::Log, &[input], None)
    }

    /// The transposed matrix.
    pub fn transpose(&mut self, input: Tensor) -> Result<Tensor, GraphError> {
        self.push(Operator::Transpose, &[input], None)
    }

    /// The same values in another shape.
    pub fn reshape(&mut self, input: Tensor, shape: &[usize]) -> Result<Tensor, GraphError> {
        self.push(Operator::Reshape, &[input], Some(shape.to_vec()))
    }

    /// The values repeated until they have `shape`, by the rules of broadcasting.
    pub fn expand(&mut self, input: Tensor, shape: &[usize]) -> Result<Tensor, GraphError> {
        self.push(Operator::Expand, &[input], Some(shape.to_vec()))
    }

    /// The inputs one after the other along `axis`.
    pub fn concat(&mut self, inputs: &[Tensor], axis: usize) -> Result<Tensor, GraphError> {
        self.push(Operator::Concat { axis }, inputs, None)
    }

    /// Positions `start..end` along `axis`.
    pub fn slice(&mut self, input: Tensor, axis: usize, start: usize, end: usize) -> Result<Tensor, GraphError> {
        self.push(Operator::Slice { axis, start, end }, &[input], None)
    }

    /// Sums over `axes`, given in ascending order, which leave the shape unless `keep_dimensions`.
    pub fn reduce_sum(&mut self, input: Tensor, axes: &[usize], keep_dimensions: bool) -> Result<Tensor, GraphError> {
        let operator = Operator::ReduceSum { axes: axes.to_vec(), keep_dimensions };
        self.push(operator, &[input], None)
    }

    /// The largest values over `axes`, given in ascending order, which leave the shape unless `keep_dimensions`. Each of
    /// several equally large values gets the whole gradient.
    pub fn reduce_max(&mut self, input: Tensor, axes: &[usize], keep_dimensions: bool) -> Result<Tensor, GraphError> {
        let operator = Operator::ReduceMax { axes: axes.to_vec(), keep_dimensions };
        self.push(operator, &[input], None)
    }

    /// `log Σ exp(x)` over `axis`, which stays in the shape as 1; the largest value is taken out before, so that nothing
    /// overflows.
    pub fn log_sum_exp(&mut self, input: Tensor, axis: usize) -> Result<Tensor, GraphError> {
        let largest = self.reduce_max(input, &[axis], true)?;
        let shifted = self.sub(input, largest)?;
        let exponentials = self.exp(shifted)?;
        let sum = self.reduce_sum(exponentials, &[axis], true)?;
        let logarithm = self.log(sum)?;
        self.add(logarithm, largest)
    }

    /// `exp(x) / Σ exp(x)` over `axis`: values in 0..1 that sum to 1.
    pub fn softmax(&mut self, input: Tensor, axis: usize) -> Result<Tensor, GraphError> {
        let largest = self.reduce_max(input, &[axis], true)?;
        let shifted = self.sub(input, largest)?;
        let exponentials = self.exp(shifted)?;
        let sum = self.reduce_sum(exponentials, &[axis], true)?;
        self.div(exponentials, sum)
    }

    /// The mean over all values, a scalar.
    pub fn mean(&mut self, input: Tensor) -> Result<Tensor, GraphError> {
        let axes: Vec<usize> = (0..self.shape(input).len()).collect();
        let scale = self.scalar(1.0 / element_count(self.shape(input)) as f32)?;
        let sum = self.reduce_sum(input, &axes, false)?;
        self.mul(sum, scale)
    }

    /// A fully connected layer, `input · weight + bias`, with parameters `{name}.weight` and `{name}.bias`.
    pub fn dense(
        &mut self,
        name: &str,
        input: Tensor,
        outputs: usize,
        initializer: Initializer,
    ) -> Result<Tensor, GraphError> {
        let inputs = self.shape(input).last().copied().unwrap_or(1);
        let weight = self.parameter(&format!("{name}.weight"), &[inputs, outputs], initializer)?;
        let bias = self.parameter(&format!("{name}.bias"), &[outputs], Initializer::Zeros)?;
        let product = self.matmul(input, weight)?;
        self.add(product, bias)
    }

    /// The shape of a value of this graph.
    pub fn shape(&self, tensor: Tensor) -> &Shape {
        &self.nodes[tensor.0].shape
    }

    /// The starting values of all parameters, in the order they were added.
    pub fn initial_parameters(&self, seed: u64) -> Vec<NamedTensor> {
        let parameters = self.parameters();
        (0..)
            .zip(&parameters)
            .map(|(stream, &(_, name, initializer))| {
                let shape = self.shape(parameters[stream as usize].0).clone();
                let values = initializer.values(&shape, seed, stream);
                NamedTensor { name: name.to_owned(), shape, values }
            })
            .collect()
    }

    /// Multiplications that a run up to `outputs` takes: all of its matrix products and element-wise products.
    pub fn multiply_adds(&self, outputs: &[Tensor]) -> usize {
        self.reachable(outputs)
            .into_iter()
            .map(|tensor| {
                let node = self.node(tensor);
                match (&node.operator, node.inputs.first()) {
                    (Operator::MatMul, Some(&left)) => {
                        let inner = self.shape(left).last().copied().unwrap_or(1);
                        element_count(&node.shape) * inner
                    }
                    (Operator::Mul | Operator::Div, _) => element_count(&node.shape),
                    _ => 0,
                }
            })
            .sum()
    }

    /// Handles, names and initialisers of the parameters in the order they were added.
    pub(crate) fn parameters(&self) -> Vec<(Tensor, &str, Initializer)> {
        self.nodes
            .iter()
            .enumerate()
            .filter_map(|(index, node)| match &node.operator {
                Operator::Parameter { name, initializer } => Some((Tensor(index), name.as_str(), *initializer)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn node(&self, tensor: Tensor) -> &Node {
        &self.nodes[tensor.0]
    }

    /// The nodes that `outputs` are computed from, themselves included, in topological order.
    pub(crate) fn reachable(&self, outputs: &[Tensor]) -> Vec<Tensor> {
        let mut needed = vec![false; self.nodes.len()];
        for output in outputs {
            needed[output.0] = true;
        }
        for index in (0..self.nodes.len()).rev() {
            if needed[index] {
                for input in &self.nodes[index].inputs {
                    needed[input.0] = true;
                }
            }
        }
        (0..self.nodes.len()).filter(|&index| needed[index]).map(Tensor).collect()
    }

    fn push(&mut self, operator: Operator, inputs: &[Tensor], shape: Option<Shape>) -> Result<Tensor, GraphError> {
        let input_shapes: Vec<Shape> = inputs.iter().map(|&input| self.shape(input).clone()).collect();
        let shape = operator.output_shape(&input_shapes, shape.as_ref())?;
        self.nodes.push(Node { operator, inputs: inputs.to_vec(), shape });
        Ok(Tensor(self.nodes.len() - 1))
    }

    fn require_new_name(&self, new: &str) -> Result<(), GraphError> {
        let taken = self.nodes.iter().any(|node| match &node.operator {
            Operator::Input { name } | Operator::Parameter { name, .. } => name == new,
            _ => false,
        });
        if taken {
            return Err(GraphError::DuplicateName { name: new.to_owned() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_do_not_fit_are_refused_when_the_node_is_added() {
        let mut graph = Graph::new();
        let left = graph.input("left", &[2, 3]).unwrap();
        let right = graph.input("right", &[2, 3]).unwrap();
        let product = graph.matmul(left, right);
        assert!(matches!(product, Err(GraphError::Shapes { operator: "MatMul", .. })));
        let slice = graph.slice(left, 1, 2, 4);
        assert!(matches!(slice, Err(GraphError::Shapes { operator: "Slice", .. })));
        let sum = graph.reduce_sum(left, &[2], false);
        assert!(matches!(sum, Err(GraphError::Shapes { operator: "ReduceSum", .. })));
    }

    #[test]
    fn a_name_can_be_used_once() {
        let mut graph = Graph::new();
        graph.input("x", &[1]).unwrap();
        let again = graph.parameter("x", &[1], Initializer::Zeros);
        assert_eq!(again, Err(GraphError::DuplicateName { name: "x".to_owned() }));
    }

    #[test]
    fn multiply_adds_count_what_the_outputs_need() {
        let mut graph = Graph::new();
        let input = graph.input("x", &[2, 8]).unwrap();
        let used = graph.dense("used", input, 4, Initializer::He).unwrap();
        graph.dense("unused", input, 16, Initializer::He).unwrap();
        assert_eq!(graph.multiply_adds(&[used]), 2 * 8 * 4);
    }
}
