//! Sequence: is this call to be expected after the caller's last ones?
//!
//! A variable-order Markov model with interpolated discounting predicts the next endpoint from up to three calls before it, aware
//! of where the session has been already, mixed with a small network that sees the whole window where that says more; where it was learned that an endpoint always follows another one, somewhere in the
//! session, a call without it is a missing step. How much less probable a call was than calls at such a place usually are is
//! accumulated over the session by CUSUM (Page, "Continuous inspection schemes", Biometrika 1954), and the sum is calibrated on
//! the highest sums of normal sessions.
//!
//! How it behaves where order means little:
//!
//! - **A retry, a page reload, polling.** Repeats of one endpoint count as one call in the history, so that they hide no context.
//!   That an endpoint is called again at once has a factor of its own, learned over all endpoints together, so that the first
//!   retry of an endpoint that was never retried is no surprise.
//! - **Parallel calls.** Those that a page sends at once arrive in any order. A call that begins before the last one was answered
//!   is judged after the unanswered ones and before them; what is less surprising counts. A step that was begun is not missing.
//! - **Unknown endpoints** are one class with a learned rate of its own, the same after any history. They are for the route
//!   detector; many of them are a surprise here too. So are known endpoints that too few callers used to learn from; those share
//!   a rate, and each is as improbable as its part of it.
//! - **A history that is not complete**: calls that left the window are still known as visited, and a set of 256 bits in which
//!   endpoints share bits errs towards visited; so a long session makes no missing step, but may hide one. Where fewer calls are
//!   known than the window should hold, no step is called missing.

mod contexts;
mod detector;
mod history;
mod model;
mod network;
mod prediction;
mod reason;
#[cfg(test)]
mod tests;
mod visited;

pub use detector::{MissingStep, NextCall, SequenceDetector, SequenceJudgement};
pub use history::{CONTEXT_CALLS_MAX, History};
pub use model::{
    ContextFollower, EndpointFactors, OtherEndpoints, RequiredPredecessor, SequenceCalibration, SequenceContext,
    SequenceModel, Smoothing, VisitedFactors,
};
pub use network::{NETWORK_SYMBOLS_MAX, SequenceFeatures, SequenceNetwork};
pub use prediction::{Improbability, Place, Prediction};
pub use visited::VisitedState;
