//! Static shapes and the broadcasting rules of ONNX, which are NumPy's.

/// Dimensions from the outermost to the innermost; empty for a scalar.
pub type Shape = Vec<usize>;

/// Number of values in a tensor of this shape.
pub fn element_count(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// The shape both operands are stretched to, or `None` when they do not fit.
pub(crate) fn broadcast(left: &[usize], right: &[usize]) -> Option<Shape> {
    let rank = left.len().max(right.len());
    (0..rank)
        .map(|axis| {
            let left_dim = dimension_from_right(left, rank - axis);
            let right_dim = dimension_from_right(right, rank - axis);
            match (left_dim, right_dim) {
                (a, b) if a == b => Some(a),
                (1, b) => Some(b),
                (a, 1) => Some(a),
                _ => None,
            }
        })
        .collect()
}

/// The axes of `wide` along which a tensor of shape `narrow` was repeated to reach it.
pub(crate) fn broadcast_axes(narrow: &[usize], wide: &[usize]) -> Vec<usize> {
    (0..wide.len())
        .filter(|&axis| {
            dimension_from_right(narrow, wide.len() - axis) != wide[axis] || axis + narrow.len() < wide.len()
        })
        .collect()
}

/// The dimension `position` places from the right (1 is the innermost); missing ones count as 1.
fn dimension_from_right(shape: &[usize], position: usize) -> usize {
    shape.len().checked_sub(position).map_or(1, |axis| shape[axis])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_from_the_innermost_dimension() {
        assert_eq!(broadcast(&[4, 1, 3], &[2, 3]), Some(vec![4, 2, 3]));
        assert_eq!(broadcast(&[], &[5]), Some(vec![5]));
        assert_eq!(broadcast(&[2, 3], &[2]), None);
    }

    #[test]
    fn broadcast_axes_are_those_that_were_repeated() {
        assert_eq!(broadcast_axes(&[3], &[2, 3]), vec![0]);
        assert_eq!(broadcast_axes(&[2, 1], &[2, 3]), vec![1]);
        assert_eq!(broadcast_axes(&[], &[1, 3]), vec![0, 1]);
        assert!(broadcast_axes(&[2, 3], &[2, 3]).is_empty());
    }
}
