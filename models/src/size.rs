//! How large a network is, and how large one may be.

use crate::{GraphError, Tensor, graph::Graph, shape::element_count};

/// Rows of one run.
pub const BATCH_ROWS_MAX: usize = 65_536;

/// What a network costs per row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkCost {
    /// Learned values.
    pub parameters: usize,
    /// Multiplications, each with an addition in matrix products.
    pub multiply_adds: usize,
}

impl NetworkCost {
    /// The cost of computing `outputs` in a graph for one row.
    pub(crate) fn of(graph: &Graph, outputs: &[Tensor]) -> Self {
        Self {
            parameters: graph.parameters().iter().map(|&(tensor, ..)| element_count(graph.shape(tensor))).sum(),
            multiply_adds: graph.multiply_adds(outputs),
        }
    }
}

pub(crate) fn require_size(what: &'static str, actual: usize, maximum: usize) -> Result<(), GraphError> {
    if (1..=maximum).contains(&actual) {
        return Ok(());
    }
    Err(GraphError::Size { what, actual, minimum: 1, maximum })
}

pub(crate) fn require_batch(rows: usize) -> Result<(), GraphError> {
    require_size("the batch", rows, BATCH_ROWS_MAX)
}
