//! A checked graph as tract's plan.

use tract_onnx::tract_core::internal::*;

use crate::bundle::BundleError;

use super::graph::{Graph, Source, Value, ValueIndex};
use super::kernel::{Computation, Kernel, Operand};
use super::operator::{Elementwise, Operator};
use super::parameter::Parameter;
use super::refused;

/// A graph that is ready to run, with its inputs and outputs in the order that was asked for.
pub(super) struct Plan {
    runnable: Arc<TypedRunnableModel>,
    /// Shape of each input.
    rows: [usize; 2],
}

impl Plan {
    /// Builds what the `outputs` need. The graph must have exactly these `inputs`, of the shape `rows`, and have the
    /// `outputs` in these shapes.
    pub(super) fn of(
        graph: &Graph,
        rows: [usize; 2],
        inputs: &[&str],
        outputs: &[(&str, &[usize])],
    ) -> Result<Self, BundleError> {
        let declared = graph.values.iter().filter(|value| matches!(value.source, Source::Input)).count();
        if declared != inputs.len() {
            return Err(refused(format!("it has {declared} inputs, {} are expected", inputs.len())));
        }
        let mut sources = Vec::with_capacity(inputs.len());
        for &name in inputs {
            let is_input = |value: &Value| value.name == name && matches!(value.source, Source::Input);
            sources.push(require_shape(graph, graph.values.iter().position(is_input), "input", name, &rows)?);
        }
        let mut results = Vec::with_capacity(outputs.len());
        for &(name, shape) in outputs {
            let index = require_shape(graph, graph.outputs.get(name).copied(), "output", name, shape)?;
            if graph.computed(index).is_none() {
                return Err(refused(format!("output {name:?} is not computed")));
            }
            results.push(index);
        }
        let runnable = Builder::new(graph, &results)
            .build(&sources, &results)
            .and_then(|model| model.into_runnable())
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self { runnable, rows })
    }

    /// Computes the outputs, each in row-major order, for inputs that have as many values as their shape says.
    pub(super) fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, String> {
        let run = || -> TractResult<Vec<Vec<f32>>> {
            let tensors = inputs.iter().map(|values| Ok(Tensor::from_shape(&self.rows, values)?.into_tvalue()));
            let outputs = self.runnable.run(tensors.collect::<TractResult<TVec<_>>>()?)?;
            outputs.iter().map(floats).collect()
        };
        run().map_err(|error| error.to_string())
    }
}

fn floats(tensor: &TValue) -> TractResult<Vec<f32>> {
    Ok(tensor.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
}

fn require_shape(
    graph: &Graph,
    index: Option<ValueIndex>,
    role: &str,
    name: &str,
    expected: &[usize],
) -> Result<ValueIndex, BundleError> {
    let value = index.and_then(|index| graph.values.get(index));
    match (index, value) {
        (Some(index), Some(value)) if value.shape == expected => Ok(index),
        (_, Some(value)) => {
            Err(refused(format!("{role} {name:?} has the shape {:?}, {expected:?} is expected", value.shape)))
        }
        _ => Err(refused(format!("it has no {role} {name:?}"))),
    }
}

/// A product with what can be computed in the same go.
struct DenseLayer<'g> {
    rows: ValueIndex,
    weights: &'g Parameter,
    bias: Option<&'g Parameter>,
    rectified: bool,
    /// The values in between, which nothing else uses.
    absorbed: Vec<ValueIndex>,
}

struct Builder<'g> {
    graph: &'g Graph,
    /// How often each value is used for the results; a result itself is used once more.
    uses: Vec<usize>,
    /// The node of each value that has one.
    outlets: Vec<Option<OutletId>>,
    model: TypedModel,
}

impl<'g> Builder<'g> {
    fn new(graph: &'g Graph, results: &[ValueIndex]) -> Self {
        let count = graph.values.len();
        let mut builder =
            Self { graph, uses: vec![0; count], outlets: vec![None; count], model: TypedModel::default() };
        results.iter().for_each(|&result| builder.count_use(result));
        // Values depend on earlier ones only, so all uses of a value are counted before it is come by.
        for index in (0..count).rev() {
            if builder.uses_of(index) > 0
                && let Some((_, inputs)) = graph.computed(index)
            {
                inputs.iter().for_each(|&input| builder.count_use(input));
            }
        }
        builder
    }

    fn count_use(&mut self, index: ValueIndex) {
        if let Some(uses) = self.uses.get_mut(index) {
            *uses += 1;
        }
    }

    fn uses_of(&self, index: ValueIndex) -> usize {
        self.uses.get(index).copied().unwrap_or(0)
    }

    fn build(mut self, sources: &[ValueIndex], results: &[ValueIndex]) -> TractResult<TypedModel> {
        for &source in sources {
            if let Some(value) = self.graph.values.get(source) {
                let outlet = self.model.add_source(&*value.name, f32::fact(&value.shape))?;
                self.set_outlet(source, outlet);
            }
        }
        let absorbed = self.absorbed();
        for (index, value) in self.graph.values.iter().enumerate() {
            if self.uses_of(index) > 0
                && absorbed.get(index) == Some(&false)
                && let Some((operator, inputs)) = self.graph.computed(index)
            {
                self.add_node(index, value, operator, inputs)?;
            }
        }
        let outlets = results.iter().map(|&result| self.outlet(result)).collect::<TractResult<Vec<_>>>()?;
        self.model.select_output_outlets(&outlets)?;
        Ok(self.model)
    }

    fn add_node(
        &mut self,
        index: ValueIndex,
        value: &Value,
        operator: Operator,
        inputs: &[ValueIndex],
    ) -> TractResult<()> {
        let mut outlets = TVec::new();
        let computation = match (self.dense_layer(index), operator, inputs) {
            (Some(layer), ..) => Computation::Dense {
                rows: self.operand(layer.rows, &mut outlets)?,
                weights: layer.weights.clone(),
                bias: layer.bias.cloned(),
                rectified: layer.rectified,
            },
            (None, Operator::Elementwise(operator), &[left, right]) => Computation::Elementwise {
                operator,
                left: self.operand(left, &mut outlets)?,
                right: self.operand(right, &mut outlets)?,
            },
            (None, Operator::Relu, &[input]) => Computation::Relu(self.operand(input, &mut outlets)?),
            (None, Operator::ReduceSum { .. }, &[input]) => Computation::Sum(self.operand(input, &mut outlets)?),
            (None, Operator::Concat, parts) => {
                let parts = parts.iter().map(|&part| self.operand(part, &mut outlets));
                Computation::Concat(parts.collect::<TractResult<_>>()?)
            }
            _ => bail!("{operator:?} has the wrong number of inputs"),
        };
        let kernel: Box<dyn TypedOp> = Box::new(Kernel { computation, shape: value.shape.clone() });
        let outlet = self.model.wire_node(&*value.name, kernel, &outlets)?;
        let outlet = outlet.first().copied().context("a node has no output")?;
        self.set_outlet(index, outlet);
        Ok(())
    }

    /// Where a computation finds a value, which is added to the node's inputs unless it is stored.
    fn operand(&self, index: ValueIndex, outlets: &mut TVec<OutletId>) -> TractResult<Operand> {
        if let Some(parameter) = self.graph.stored(index) {
            return Ok(Operand::Stored(parameter.clone()));
        }
        outlets.push(self.outlet(index)?);
        Ok(Operand::Input(outlets.len() - 1))
    }

    fn outlet(&self, index: ValueIndex) -> TractResult<OutletId> {
        self.outlets.get(index).copied().flatten().context("a value is used before it is built")
    }

    fn set_outlet(&mut self, index: ValueIndex, outlet: OutletId) {
        if let Some(place) = self.outlets.get_mut(index) {
            *place = Some(outlet);
        }
    }

    /// True for the values that only exist within a dense layer.
    fn absorbed(&self) -> Vec<bool> {
        let mut absorbed = vec![false; self.graph.values.len()];
        for index in (0..absorbed.len()).rev() {
            if absorbed.get(index) == Some(&false)
                && let Some(layer) = self.dense_layer(index)
            {
                for inner in layer.absorbed {
                    if let Some(place) = absorbed.get_mut(inner) {
                        *place = true;
                    }
                }
            }
        }
        absorbed
    }

    /// The dense layer that ends in this value: `MatMul`, with `Add` of a bias, with `Relu`, when nothing else uses
    /// what is between them.
    fn dense_layer(&self, index: ValueIndex) -> Option<DenseLayer<'g>> {
        let graph = self.graph;
        let mut absorbed = Vec::new();
        let mut last = index;
        let mut rectified = false;
        if let (Operator::Relu, &[sum]) = graph.computed(last)? {
            rectified = true;
            absorbed.push(sum);
            last = sum;
        }
        let mut bias = None;
        if let (Operator::Elementwise(Elementwise::Add), &[left, right]) = graph.computed(last)? {
            let (product, stored) = match (graph.stored(left), graph.stored(right)) {
                (None, Some(right)) => (left, right),
                (Some(left), None) => (right, left),
                _ => return None,
            };
            let columns = graph.values.get(last)?.shape.last()?;
            let same_shape = graph.values.get(product)?.shape == graph.values.get(last)?.shape;
            if stored.values().len() != *columns || !same_shape {
                return None;
            }
            bias = Some(stored);
            absorbed.push(product);
            last = product;
        }
        let (Operator::MatMul, &[rows, weights]) = graph.computed(last)? else { return None };
        let alone = absorbed.iter().all(|&inner| self.uses_of(inner) == 1);
        alone.then_some(DenseLayer { rows, weights: graph.stored(weights)?, bias, rectified, absorbed })
    }
}
