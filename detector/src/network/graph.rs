//! A decoded model as operators on values of known shape.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;

use crate::bundle::BundleError;
use crate::limits;

use super::operator::Operator;
use super::parameter::{Parameter, Stored, checked_shape, element_count, stored_shape};
use super::refused;

/// Operator sets in which the allowed operators mean what they mean here; from 13 on, sums take their axes as an input.
const OPERATOR_SETS: RangeInclusive<i64> = 13..=17;
/// The versions of the format that go with them.
const FORMAT_VERSIONS: RangeInclusive<i64> = 7..=8;

/// Position of a value in [`Graph::values`].
pub(super) type ValueIndex = usize;

/// Values in an order in which each is computed from earlier ones.
#[derive(Clone)]
pub(super) struct Graph {
    pub(super) values: Vec<Value>,
    pub(super) outputs: BTreeMap<String, ValueIndex>,
}

#[derive(Clone)]
pub(super) struct Value {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) source: Source,
}

#[derive(Clone)]
pub(super) enum Source {
    Input,
    Stored(Parameter),
    Computed { operator: Operator, inputs: Vec<ValueIndex> },
}

impl Graph {
    /// Checks everything that can be known without running the model: versions, names, operators, shapes and caps. The batch
    /// of the model is one row; see [`Self::with_rows`].
    pub(super) fn of(model: &pb::ModelProto) -> Result<Self, BundleError> {
        require_versions(model)?;
        let graph = model.graph.as_ref().ok_or_else(|| refused("it has no graph"))?;
        if graph.node.len() > limits::NETWORK_NODES_MAX {
            return Err(BundleError::Limit { limit: "operations of a network" });
        }
        let mut reader = Reader::default();
        for input in &graph.input {
            let shape = declared_shape(input)?;
            reader.add(&input.name, shape, Source::Input)?;
        }
        reader.add_parameters(&graph.initializer)?;
        for node in &graph.node {
            reader.add_node(node)?;
        }
        let mut outputs = BTreeMap::new();
        for output in &graph.output {
            let index = reader.index(&output.name)?;
            let actual = reader.values.get(index).map(|value| value.shape.as_slice());
            let declared = declared_shape(output)?;
            if actual != Some(declared.as_slice()) {
                return Err(refused(format!("output {:?} is declared as {declared:?}, it is {actual:?}", output.name)));
            }
            if outputs.insert(output.name.clone(), index).is_some() {
                return Err(refused(format!("output {:?} is declared twice", output.name)));
            }
        }
        Ok(Self { values: reader.values, outputs })
    }
}

impl Graph {
    /// The same graph, with the same stored values, for a batch of `rows` rows.
    pub(super) fn with_rows(&self, rows: usize) -> Result<Self, BundleError> {
        let mut graph = self.clone();
        let mut shapes: Vec<Vec<usize>> = Vec::with_capacity(self.values.len());
        for value in &mut graph.values {
            match &value.source {
                Source::Stored(_) => {}
                Source::Input => {
                    if let [first, _] = value.shape.as_mut_slice() {
                        *first = rows;
                    }
                }
                Source::Computed { operator, inputs } => {
                    let of_inputs: Vec<&[usize]> =
                        inputs.iter().filter_map(|&index| shapes.get(index)).map(Vec::as_slice).collect();
                    let right_is_stored = inputs.get(1).is_some_and(|&index| self.stored(index).is_some());
                    (value.shape, _) = operator.result(&of_inputs, rows, right_is_stored)?;
                }
            }
            shapes.push(value.shape.clone());
        }
        Ok(graph)
    }

    /// How a value is computed; `None` for inputs and stored values.
    pub(super) fn computed(&self, index: ValueIndex) -> Option<(Operator, &[ValueIndex])> {
        match &self.values.get(index)?.source {
            Source::Computed { operator, inputs } => Some((*operator, inputs)),
            _ => None,
        }
    }

    pub(super) fn stored(&self, index: ValueIndex) -> Option<&Parameter> {
        match &self.values.get(index)?.source {
            Source::Stored(parameter) => Some(parameter),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Reader<'a> {
    values: Vec<Value>,
    indices: BTreeMap<&'a str, ValueIndex>,
    axes: BTreeMap<&'a str, Vec<i64>>,
    multiply_adds: usize,
}

impl<'a> Reader<'a> {
    fn add(&mut self, name: &'a str, shape: Vec<usize>, source: Source) -> Result<(), BundleError> {
        self.require_new(name)?;
        self.indices.insert(name, self.values.len());
        self.values.push(Value { name: name.to_owned(), shape, source });
        Ok(())
    }

    fn require_new(&self, name: &str) -> Result<(), BundleError> {
        if name.is_empty() || self.indices.contains_key(name) || self.axes.contains_key(name) {
            return Err(refused(format!("the name {name:?} is empty or used twice")));
        }
        Ok(())
    }

    fn index(&self, name: &str) -> Result<ValueIndex, BundleError> {
        self.indices
            .get(name)
            .copied()
            .ok_or_else(|| refused(format!("{name:?} is not defined, or only after it is needed")))
    }

    fn add_parameters(&mut self, tensors: &'a [pb::TensorProto]) -> Result<(), BundleError> {
        let mut parameters = 0_usize;
        for tensor in tensors {
            let shape = stored_shape(tensor)?;
            parameters = element_count(&shape)
                .and_then(|count| parameters.checked_add(count))
                .filter(|&parameters| parameters <= limits::NETWORK_PARAMETERS_MAX)
                .ok_or(BundleError::Limit { limit: "parameters of a network" })?;
            match Stored::of(tensor, &shape)? {
                Stored::Floats(parameter) => self.add(&tensor.name, shape, Source::Stored(parameter))?,
                Stored::Integers(axes) => {
                    self.require_new(&tensor.name)?;
                    self.axes.insert(&tensor.name, axes);
                }
            }
        }
        Ok(())
    }

    fn add_node(&mut self, node: &'a pb::NodeProto) -> Result<(), BundleError> {
        let axes: Vec<&Vec<i64>> = node.input.iter().filter_map(|name| self.axes.get(name.as_str())).collect();
        let (axes, names) = match (axes.as_slice(), node.input.as_slice()) {
            ([], names) => (None, names),
            // Integers may only come last.
            ([axes], [names @ .., last]) if self.axes.contains_key(last.as_str()) => (Some(axes.as_slice()), names),
            _ => return Err(refused(format!("{} is given integers where it takes none", node.op_type))),
        };
        let operator = Operator::of(node, axes)?;
        let inputs = names.iter().map(|name| self.index(name)).collect::<Result<Vec<_>, _>>()?;
        let input_values: Vec<&Value> = inputs.iter().filter_map(|&index| self.values.get(index)).collect();
        let shapes: Vec<&[usize]> = input_values.iter().map(|value| value.shape.as_slice()).collect();
        let right_is_stored = input_values.get(1).is_some_and(|value| matches!(value.source, Source::Stored(_)));
        let (shape, work) = operator.result(&shapes, 1, right_is_stored)?;
        self.multiply_adds = self
            .multiply_adds
            .checked_add(work)
            .filter(|&multiply_adds| multiply_adds <= limits::NETWORK_MULTIPLY_ADDS_MAX)
            .ok_or(BundleError::Limit { limit: "multiply-adds of a network" })?;
        let [output] = node.output.as_slice() else {
            return Err(refused(format!("{} must have one output", node.op_type)));
        };
        self.add(output, shape, Source::Computed { operator, inputs })
    }
}

fn require_versions(model: &pb::ModelProto) -> Result<(), BundleError> {
    if !FORMAT_VERSIONS.contains(&model.ir_version) {
        return Err(refused(format!("onnx format version {} is not in {FORMAT_VERSIONS:?}", model.ir_version)));
    }
    match model.opset_import.as_slice() {
        [set] if set.domain.is_empty() && OPERATOR_SETS.contains(&set.version) => Ok(()),
        [set] => Err(refused(format!(
            "operator set {} of domain {:?} is not in {OPERATOR_SETS:?} of the default domain",
            set.version, set.domain
        ))),
        sets => Err(refused(format!("it needs {} operator sets, exactly 1 is accepted", sets.len()))),
    }
}

/// The static shape of an input or output of floats.
fn declared_shape(info: &pb::ValueInfoProto) -> Result<Vec<usize>, BundleError> {
    let Some(pb::type_proto::Value::TensorType(tensor)) = info.r#type.as_ref().and_then(|r#type| r#type.value.as_ref())
    else {
        return Err(refused(format!("{:?} has no type", info.name)));
    };
    if tensor.elem_type != DataType::Float as i32 {
        return Err(refused(format!("{:?} does not consist of 32-bit floats", info.name)));
    }
    let shape = tensor.shape.as_ref().ok_or_else(|| refused(format!("{:?} has no shape", info.name)))?;
    let dimensions = shape.dim.iter().map(|dimension| match dimension.value {
        Some(pb::tensor_shape_proto::dimension::Value::DimValue(size)) => Some(size),
        _ => None,
    });
    checked_shape(&info.name, dimensions)
}
