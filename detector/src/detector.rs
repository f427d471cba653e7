//! Observation → verdict.

use crate::bundle::{Bundle, BundleError};
use crate::observation::Observation;
use crate::verdict::Verdict;
use crate::work::WorkBudget;

/// A loaded bundle, ready to judge. Loading is costly (networks are optimised, golden cases run): do it off the request path.
pub struct Detector {
    bundle: Bundle,
}

/// A verdict with what the network computed for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// Reconstruction error of the phase that was judged; `None` where no network ran.
    pub reconstruction_error: Option<f32>,
}
