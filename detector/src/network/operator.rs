//! The operators a network may use, with the shapes they give and what they cost.

use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;

use crate::bundle::BundleError;

use super::parameter::element_count;
use super::refused;

/// The ONNX operators a network may use; everything else is refused before anything is built.
pub const OPERATORS: [&str; 7] = ["Add", "Concat", "Div", "MatMul", "Mul", "ReduceSum", "Relu"];

/// The last dimension of a row, which is the only one operators join or sum.
const ROW_AXIS: usize = 1;

/// An operation on rows; sums and joins on one row only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Elementwise(Elementwise),
    /// `[N, K]` by a stored `[K, H]`.
    MatMul,
    Relu,
    /// Rows side by side.
    Concat,
    /// The sum of a row, which stays a row of one value when `keep_dimensions`.
    ReduceSum {
        keep_dimensions: bool,
    },
}

/// Two inputs of one shape, or one of them broadcast along the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elementwise {
    Add,
    Mul,
    Div,
}

impl Operator {
    /// Reads an operator; `axes` are those of the integers that a sum is given as its second input.
    pub(super) fn of(node: &pb::NodeProto, axes: Option<&[i64]>) -> Result<Self, BundleError> {
        let mut attributes = Attributes { node, read: 0 };
        let operator = match (node.domain.as_str(), node.op_type.as_str()) {
            ("", "Add") => Self::Elementwise(Elementwise::Add),
            ("", "Mul") => Self::Elementwise(Elementwise::Mul),
            ("", "Div") => Self::Elementwise(Elementwise::Div),
            ("", "MatMul") => Self::MatMul,
            ("", "Relu") => Self::Relu,
            ("", "Concat") => {
                let axis = attributes.integer("axis")?;
                if !axis.is_some_and(is_row_axis) {
                    return Err(refused(format!("Concat has axis {axis:?}, only {ROW_AXIS} is accepted")));
                }
                Self::Concat
            }
            ("", "ReduceSum") => {
                if !matches!(axes, Some(&[axis]) if is_row_axis(axis)) {
                    return Err(refused(format!(
                        "ReduceSum has axes {axes:?}, only a stored [{ROW_AXIS}] is accepted"
                    )));
                }
                let keep = attributes.flag("keepdims", true)?;
                // Without meaning, as there is an axis.
                attributes.flag("noop_with_empty_axes", false)?;
                Self::ReduceSum { keep_dimensions: keep }
            }
            _ => {
                let operator = if node.domain.is_empty() {
                    node.op_type.clone()
                } else {
                    format!("{} of {}", node.op_type, node.domain)
                };
                return Err(BundleError::Operator { network: String::new(), operator });
            }
        };
        attributes.require_all_read()?;
        if axes.is_some() && !matches!(operator, Self::ReduceSum { .. }) {
            return Err(refused(format!("{} is given integers", node.op_type)));
        }
        Ok(operator)
    }

    /// The result's shape and the multiply-adds that it takes.
    ///
    /// Results have `rows` rows: the shape is `[]`, `[1]` or `[rows, n]`. `right_is_stored` is true when the second input is
    /// a parameter.
    pub(super) fn result(
        self,
        inputs: &[&[usize]],
        rows: usize,
        right_is_stored: bool,
    ) -> Result<(Vec<usize>, usize), BundleError> {
        let result = match (self, inputs) {
            (Self::Elementwise(_), &[left, right]) if repeats(left, right) || repeats(right, left) => {
                broadcast(left, right).map(|shape| (shape, 1))
            }
            (Self::MatMul, &[&[rows, inner], &[inner_right, columns]]) if inner == inner_right && right_is_stored => {
                Some((vec![rows, columns], inner))
            }
            (Self::Relu, &[input]) => Some((input.to_vec(), 1)),
            (Self::Concat, [_, ..]) => inputs
                .iter()
                .try_fold(0_usize, |columns, input| match **input {
                    [1, added] => columns.checked_add(added),
                    _ => None,
                })
                .map(|columns| (vec![1, columns], 1)),
            (Self::ReduceSum { keep_dimensions: true }, &[&[1, columns]]) => Some((vec![1, 1], columns)),
            (Self::ReduceSum { keep_dimensions: false }, &[&[1, columns]]) => Some((vec![1], columns)),
            _ => None,
        };
        let (shape, work_per_value) =
            result.ok_or_else(|| refused(format!("{self:?} cannot take inputs of the shapes {inputs:?}")))?;
        let accepted = match *shape.as_slice() {
            [] | [1] => true,
            [first, _] => first == rows,
            _ => false,
        };
        if !accepted {
            return Err(refused(format!("{self:?} gives the shape {shape:?}, the batch must be {rows}")));
        }
        let work = element_count(&shape).and_then(|count| count.checked_mul(work_per_value)).unwrap_or(usize::MAX);
        Ok((shape, work))
    }
}

/// Whether the values of `narrow`, repeated one after the other, make up `wide`: a single value, a row, or all of them.
fn repeats(narrow: &[usize], wide: &[usize]) -> bool {
    let columns = wide.last().copied().unwrap_or(1);
    let count = element_count(narrow).unwrap_or(0);
    count == 1 || Some(count) == element_count(wide) || (count == columns && narrow.last() == Some(&columns))
}

/// Dimensions are matched from the last one; of two different ones, one must be 1.
fn broadcast(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
    let (longer, shorter) = if left.len() >= right.len() { (left, right) } else { (right, left) };
    let padding = longer.len() - shorter.len();
    let shorter = std::iter::repeat_n(&1, padding).chain(shorter);
    longer
        .iter()
        .zip(shorter)
        .map(|(&a, &b)| match (a, b) {
            (1, other) | (other, 1) => Some(other),
            _ => (a == b).then_some(a),
        })
        .collect()
}

fn is_row_axis(axis: i64) -> bool {
    axis == ROW_AXIS as i64 || axis == -1
}

/// The attributes of a node, of which none may stay unread.
struct Attributes<'a> {
    node: &'a pb::NodeProto,
    read: usize,
}

impl Attributes<'_> {
    fn integer(&mut self, name: &str) -> Result<Option<i64>, BundleError> {
        let mut found = self.node.attribute.iter().filter(|attribute| attribute.name == name);
        let Some(attribute) = found.next() else { return Ok(None) };
        if attribute.r#type != AttributeType::Int as i32 || found.next().is_some() {
            return Err(refused(format!("{} must have one integer as its {name}", self.node.op_type)));
        }
        self.read += 1;
        Ok(Some(attribute.i))
    }

    fn flag(&mut self, name: &str, default: bool) -> Result<bool, BundleError> {
        match self.integer(name)? {
            None => Ok(default),
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(other) => Err(refused(format!("{} has {name} {other}, it must be 0 or 1", self.node.op_type))),
        }
    }

    fn require_all_read(&self) -> Result<(), BundleError> {
        if self.read == self.node.attribute.len() {
            return Ok(());
        }
        Err(refused(format!("{} has an attribute that it does not take", self.node.op_type)))
    }
}
