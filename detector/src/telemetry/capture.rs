use serde::{Deserialize, Serialize};

use crate::exchange::Exchange;
use crate::verdict::Verdict;

/// A whole exchange with its values, sent only when the operator turned capture on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapturedExchange {
    pub exchange: Exchange,
    pub request_id: Option<String>,
    /// Serial of the bundle that judged it, with its verdict and the network's output per phase that was judged.
    pub bundle_serial: Option<u64>,
    pub verdict: Option<Verdict>,
    pub reconstruction_errors: Vec<f32>,
}
