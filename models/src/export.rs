//! A graph as an ONNX model. The same graph gives the same bytes.

use std::collections::BTreeMap;

use prost::Message;

use crate::{
    GraphError, NamedTensor, Tensor,
    graph::{Graph, Node},
    onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto},
    operator::Operator,
    shape::Shape,
};

/// Where the parameters' values come from in an exported model.
#[derive(Debug, Clone, Copy)]
pub enum ParameterSource<'a> {
    /// They are stored in the model; all parameters that the outputs need must be given, in any order.
    Stored(&'a [NamedTensor]),
    /// They are inputs of the model, after the graph's own inputs and in the order they were added.
    Inputs,
}

impl Graph {
    /// Exports what `outputs` need as a serialised ONNX model with static shapes; inputs that no output needs are
    /// left out.
    pub fn to_onnx(
        &self,
        name: &str,
        outputs: &[(&str, Tensor)],
        parameters: ParameterSource<'_>,
    ) -> Result<Vec<u8>, GraphError> {
        let mut exporter = Exporter {
            graph: self,
            value_names: BTreeMap::new(),
            exported: GraphProto { name: name.to_owned(), ..GraphProto::default() },
            parameter_inputs: Vec::new(),
            constant_names: BTreeMap::new(),
        };
        exporter.name_outputs(outputs)?;
        let tensors: Vec<Tensor> = outputs.iter().map(|&(_, tensor)| tensor).collect();
        for tensor in self.reachable(&tensors) {
            exporter.export(tensor, parameters)?;
        }
        let mut exported = exporter.exported;
        exported.input.extend(exporter.parameter_inputs);
        Ok(ModelProto::of_graph(exported).encode_to_vec())
    }
}

/// A constant's identity: shape and bit patterns, so that equal ones are stored once.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum ConstantKey {
    Floats(Shape, Vec<u32>),
    Integers(Vec<i64>),
}

struct Exporter<'a> {
    graph: &'a Graph,
    value_names: BTreeMap<Tensor, String>,
    exported: GraphProto,
    parameter_inputs: Vec<ValueInfoProto>,
    constant_names: BTreeMap<ConstantKey, String>,
}

impl Exporter<'_> {
    fn name_outputs(&mut self, outputs: &[(&str, Tensor)]) -> Result<(), GraphError> {
        for &(name, tensor) in outputs {
            if self.graph.node(tensor).operator.is_leaf() {
                return Err(GraphError::OutputNotComputed { name: name.to_owned() });
            }
            if self.value_names.values().any(|taken| taken == name) {
                return Err(GraphError::DuplicateName { name: name.to_owned() });
            }
            if self.value_names.insert(tensor, name.to_owned()).is_some() {
                return Err(GraphError::OutputNotComputed { name: name.to_owned() });
            }
            let shape = self.graph.shape(tensor);
            self.exported.output.push(ValueInfoProto::of_f32(name.to_owned(), shape));
        }
        Ok(())
    }

    fn export(&mut self, tensor: Tensor, parameters: ParameterSource<'_>) -> Result<(), GraphError> {
        let graph = self.graph;
        let node = graph.node(tensor);
        match &node.operator {
            Operator::Input { name } => {
                self.claim_name(tensor, name)?;
                self.exported.input.push(ValueInfoProto::of_f32(name.clone(), &node.shape));
            }
            Operator::Parameter { name, .. } => {
                self.claim_name(tensor, name)?;
                match parameters {
                    ParameterSource::Inputs => {
                        self.parameter_inputs.push(ValueInfoProto::of_f32(name.clone(), &node.shape));
                    }
                    ParameterSource::Stored(values) => {
                        let stored = stored_parameter(values, name, &node.shape)?;
                        self.exported.initializer.push(stored);
                    }
                }
            }
            Operator::Constant { values } => {
                let name = self.float_constant(&node.shape, values);
                self.value_names.insert(tensor, name);
            }
            _ => self.export_computed(tensor, node),
        }
        Ok(())
    }

    fn export_computed(&mut self, tensor: Tensor, node: &Node) {
        let mut input: Vec<String> = node.inputs.iter().map(|input| self.value_names[input].clone()).collect();
        let mut attribute = Vec::new();
        match &node.operator {
            Operator::Transpose => attribute.push(AttributeProto::of_ints("perm", vec![1, 0])),
            Operator::Reshape | Operator::Expand => {
                let shape = node.shape.iter().map(|&dimension| dimension as i64).collect();
                input.push(self.integer_constant(shape));
            }
            Operator::Concat { axis } => attribute.push(AttributeProto::of_int("axis", *axis as i64)),
            Operator::Slice { axis, start, end } => {
                for position in [start, end, axis] {
                    input.push(self.integer_constant(vec![*position as i64]));
                }
            }
            Operator::ReduceSum { axes, keep_dimensions } => {
                let axes = axes.iter().map(|&axis| axis as i64).collect();
                input.push(self.integer_constant(axes));
                attribute.push(AttributeProto::of_int("keepdims", i64::from(*keep_dimensions)));
            }
            // Unlike those of `ReduceSum`, its axes are an attribute up to operator set 17.
            Operator::ReduceMax { axes, keep_dimensions } => {
                let axes = axes.iter().map(|&axis| axis as i64).collect();
                attribute.push(AttributeProto::of_ints("axes", axes));
                attribute.push(AttributeProto::of_int("keepdims", i64::from(*keep_dimensions)));
            }
            Operator::Input { .. }
            | Operator::Parameter { .. }
            | Operator::Constant { .. }
            | Operator::MatMul
            | Operator::Add
            | Operator::Sub
            | Operator::Mul
            | Operator::Div
            | Operator::Relu
            | Operator::Sign
            | Operator::Sqrt
            | Operator::Exp
            | Operator::Log => {}
        }
        let name = format!("{}_{}", node.operator.onnx_name(), self.exported.node.len());
        let output = self.value_names.entry(tensor).or_insert_with(|| name.clone()).clone();
        self.exported.node.push(NodeProto {
            input,
            output: vec![output],
            name,
            op_type: node.operator.onnx_name().to_owned(),
            attribute,
        });
    }

    /// Gives an input or parameter its own name, unless an output took it.
    fn claim_name(&mut self, tensor: Tensor, name: &str) -> Result<(), GraphError> {
        if self.exported.output.iter().any(|output| output.name == name) {
            return Err(GraphError::DuplicateName { name: name.to_owned() });
        }
        self.value_names.insert(tensor, name.to_owned());
        Ok(())
    }

    fn float_constant(&mut self, shape: &[usize], values: &[f32]) -> String {
        let bits = values.iter().map(|value| value.to_bits()).collect();
        let key = ConstantKey::Floats(shape.to_vec(), bits);
        self.constant(key, |name| TensorProto::of_f32(name, shape, values))
    }

    fn integer_constant(&mut self, values: Vec<i64>) -> String {
        let key = ConstantKey::Integers(values.clone());
        self.constant(key, |name| TensorProto::of_i64(name, &values))
    }

    fn constant(&mut self, key: ConstantKey, encode: impl FnOnce(String) -> TensorProto) -> String {
        if let Some(name) = self.constant_names.get(&key) {
            return name.clone();
        }
        let name = format!("constant_{}", self.constant_names.len());
        self.exported.initializer.push(encode(name.clone()));
        self.constant_names.insert(key, name.clone());
        name
    }
}

fn stored_parameter(values: &[NamedTensor], name: &str, shape: &Shape) -> Result<TensorProto, GraphError> {
    let given = values.iter().find(|tensor| tensor.name == name);
    match given {
        Some(tensor) if tensor.shape == *shape && tensor.values.len() == crate::shape::element_count(shape) => {
            Ok(TensorProto::of_f32(name.to_owned(), shape, &tensor.values))
        }
        _ => Err(GraphError::ParameterValues { name: name.to_owned(), shape: shape.clone() }),
    }
}
