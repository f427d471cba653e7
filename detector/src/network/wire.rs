//! A look at the undecoded protobuf.
//!
//! Decoding makes hundreds of bytes of memory out of two bytes of an empty message, so what is there is counted first.
//! Only the fields that an inference network needs are let through: no subgraphs, functions, external or sparse data.

use crate::bundle::BundleError;
use crate::limits;

use super::refused;

/// What a field may hold.
enum Content {
    /// One integer.
    Integer,
    /// Any number of integers, of which each takes eight bytes when decoded.
    Integers,
    /// Floats or raw bytes: they take no more memory than they have bytes.
    Values,
    /// A name.
    Text,
    Message(&'static Layout),
}

/// The accepted fields of a message, by their numbers in `onnx.proto`.
struct Layout {
    name: &'static str,
    fields: &'static [(u64, Content)],
}

static MODEL: Layout = Layout {
    name: "ModelProto",
    fields: &[
        (1, Content::Integer), // ir_version
        (2, Content::Text),    // producer_name
        (3, Content::Text),    // producer_version
        (4, Content::Text),    // domain
        (5, Content::Integer), // model_version
        (7, Content::Message(&GRAPH)),
        (8, Content::Message(&OPERATOR_SET)),
    ],
};
static OPERATOR_SET: Layout = Layout {
    name: "OperatorSetIdProto",
    fields: &[
        (1, Content::Text),    // domain
        (2, Content::Integer), // version
    ],
};
static GRAPH: Layout = Layout {
    name: "GraphProto",
    fields: &[
        (1, Content::Message(&NODE)),
        (2, Content::Text),             // name
        (5, Content::Message(&TENSOR)), // initializer
        (11, Content::Message(&NAMED)), // input
        (12, Content::Message(&NAMED)), // output
    ],
};
static NODE: Layout = Layout {
    name: "NodeProto",
    fields: &[
        (1, Content::Text), // input
        (2, Content::Text), // output
        (3, Content::Text), // name
        (4, Content::Text), // op_type
        (5, Content::Message(&ATTRIBUTE)),
        (7, Content::Text), // domain
    ],
};
static ATTRIBUTE: Layout = Layout {
    name: "AttributeProto",
    fields: &[
        (1, Content::Text),     // name
        (3, Content::Integer),  // i
        (8, Content::Integers), // ints
        (20, Content::Integer), // type
    ],
};
static TENSOR: Layout = Layout {
    name: "TensorProto",
    fields: &[
        (1, Content::Integers), // dims
        (2, Content::Integer),  // data_type
        (4, Content::Values),   // float_data
        (7, Content::Integers), // int64_data
        (8, Content::Text),     // name
        (9, Content::Values),   // raw_data
    ],
};
static NAMED: Layout = Layout {
    name: "ValueInfoProto",
    fields: &[
        (1, Content::Text), // name
        (2, Content::Message(&TYPE)),
    ],
};
static TYPE: Layout = Layout { name: "TypeProto", fields: &[(1, Content::Message(&TENSOR_TYPE))] };
static TENSOR_TYPE: Layout = Layout {
    name: "TypeProto.Tensor",
    fields: &[
        (1, Content::Integer), // elem_type
        (2, Content::Message(&SHAPE)),
    ],
};
static SHAPE: Layout = Layout { name: "TensorShapeProto", fields: &[(1, Content::Message(&DIMENSION))] };
static DIMENSION: Layout = Layout {
    name: "TensorShapeProto.Dimension",
    fields: &[
        (1, Content::Integer), // dim_value
        (2, Content::Text),    // dim_param
    ],
};

/// What follows a field's key.
enum Payload<'a> {
    Integer,
    Bytes(&'a [u8]),
    /// Four bytes.
    Float,
}

/// Checks that decoding `onnx` as a `ModelProto` makes a bounded number of objects.
pub(super) fn check(onnx: &[u8]) -> Result<(), BundleError> {
    let mut fields_left = limits::NETWORK_FIELDS_MAX;
    check_message(onnx, &MODEL, &mut fields_left)
}

/// Messages nest as deep as the layouts do: recursion ends after seven levels.
fn check_message(bytes: &[u8], layout: &'static Layout, fields_left: &mut usize) -> Result<(), BundleError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        *fields_left =
            fields_left.checked_sub(1).ok_or(BundleError::Limit { limit: "protobuf fields of a network" })?;
        let (number, payload) = take_field(&mut rest).ok_or_else(|| refused("it is no valid protobuf"))?;
        let Some((_, content)) = layout.fields.iter().find(|(known, _)| *known == number) else {
            return Err(refused(format!("field {number} of {} is not accepted", layout.name)));
        };
        match (content, payload) {
            (Content::Integer | Content::Integers, Payload::Integer)
            | (Content::Values, Payload::Bytes(_) | Payload::Float) => {}
            (Content::Integers, Payload::Bytes(integers)) if integers.len() <= limits::NETWORK_LIST_BYTES_MAX => {}
            (Content::Text, Payload::Bytes(text)) if text.len() <= limits::NETWORK_NAME_BYTES_MAX => {}
            (Content::Message(inner), Payload::Bytes(message)) => check_message(message, inner, fields_left)?,
            _ => return Err(refused(format!("field {number} of {} is too long or malformed", layout.name))),
        }
    }
    Ok(())
}

/// The next field's number and payload; `None` when the bytes end early or are malformed.
fn take_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Payload<'a>)> {
    let key = take_varint(rest)?;
    let payload = match key & 7 {
        0 => {
            take_varint(rest)?;
            Payload::Integer
        }
        2 => {
            let length = usize::try_from(take_varint(rest)?).ok()?;
            Payload::Bytes(take_bytes(rest, length)?)
        }
        5 => {
            take_bytes(rest, 4)?;
            Payload::Float
        }
        _ => return None,
    };
    Some((key >> 3, payload))
}

fn take_bytes<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    // Ten groups of seven bits hold 64.
    for shift in (0..70).step_by(7) {
        let (byte, left) = rest.split_first()?;
        *rest = left;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
