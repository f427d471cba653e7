//! The part of the ONNX protobuf format that the exported networks use, with the official field numbers.
//!
//! Only dense `f32` and `i64` tensors, static shapes and plain operator nodes exist here; what is left out of a
//! message is never written, so the bytes depend on the graph alone. Lists of integers are unpacked, as in `onnx.proto`.

use prost::Message;

/// ONNX IR version written into every model: 8, the first that knows operator set 17.
pub const IR_VERSION: i64 = 8;

/// Version of the default operator set that the nodes are written for.
pub const OPERATOR_SET_VERSION: i64 = 17;

/// `TensorProto.DataType.FLOAT`.
pub const DATA_TYPE_F32: i32 = 1;

/// `TensorProto.DataType.INT64`.
pub const DATA_TYPE_I64: i32 = 7;

/// `AttributeProto.AttributeType.INT`.
pub const ATTRIBUTE_TYPE_INT: i32 = 2;

/// `AttributeProto.AttributeType.INTS`.
pub const ATTRIBUTE_TYPE_INTS: i32 = 7;

/// A whole model file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    #[prost(string, tag = "2")]
    pub producer_name: String,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
}

/// Which version of which operator set the nodes use; the empty domain is the default one.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// Nodes in topological order with the graph's constants, inputs and outputs.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
}

/// One application of an operator.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
}

/// A named integer or list of integers that belongs to a node.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    #[prost(string, tag = "1")]
    pub name: String,
    // Optional, so that a zero is written too.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    pub r#type: i32,
}

/// A constant, little-endian in `raw_data`.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
}

/// Name and type of a graph input or output.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// The type of a value; tensors are the only kind used.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

/// Element type and shape of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A static shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// One static dimension; a member of the official `oneof`, hence written even when it is zero.
#[derive(Clone, PartialEq, Message)]
pub struct DimensionProto {
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
}

impl ModelProto {
    /// Wraps a graph with the versions this crate writes.
    pub fn of_graph(graph: GraphProto) -> Self {
        Self {
            ir_version: IR_VERSION,
            producer_name: "apiward".to_owned(),
            graph: Some(graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPERATOR_SET_VERSION }],
        }
    }
}

impl TensorProto {
    /// A constant of 32-bit floats; `values` are in row-major order.
    pub fn of_f32(name: String, dims: &[usize], values: &[f32]) -> Self {
        Self {
            dims: dims.iter().map(|&dim| dim as i64).collect(),
            data_type: DATA_TYPE_F32,
            name,
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    /// A one-dimensional constant of 64-bit integers: axes, shapes and positions.
    pub fn of_i64(name: String, values: &[i64]) -> Self {
        Self {
            dims: vec![values.len() as i64],
            data_type: DATA_TYPE_I64,
            name,
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }
}

impl ValueInfoProto {
    /// A tensor of 32-bit floats with a static shape.
    pub fn of_f32(name: String, dims: &[usize]) -> Self {
        let shape =
            TensorShapeProto { dim: dims.iter().map(|&dim| DimensionProto { dim_value: Some(dim as i64) }).collect() };
        Self {
            name,
            r#type: Some(TypeProto {
                tensor_type: Some(TensorTypeProto { elem_type: DATA_TYPE_F32, shape: Some(shape) }),
            }),
        }
    }
}

impl AttributeProto {
    /// An integer attribute.
    pub fn of_int(name: &str, value: i64) -> Self {
        Self { name: name.to_owned(), i: Some(value), ints: Vec::new(), r#type: ATTRIBUTE_TYPE_INT }
    }

    /// An attribute that is a list of integers.
    pub fn of_ints(name: &str, values: Vec<i64>) -> Self {
        Self { name: name.to_owned(), i: None, ints: values, r#type: ATTRIBUTE_TYPE_INTS }
    }
}
