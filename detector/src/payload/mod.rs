//! Is a value an attack? A small network that was trained on attacks and on benign text that looks like them.
//!
//! Text → [`undo`] → [`is_plain`] → windows → [`features`] → [`PayloadNetwork`] → log-odds of an attack, and its class. The
//! network knows nothing of the field that a value is in: [`PayloadCalibration`] has what is usual there.

mod cache;
mod class;
pub mod features;
mod judging;
mod lexicon;
mod network;
mod observed;
mod plain;
mod scorer;
mod shape;
mod tokens;
pub mod undo;
mod windows;

pub use cache::PayloadCache;
pub use class::PayloadClass;
pub use judging::{FieldPayloads, PayloadCalibration, PayloadException, PayloadJudgement};
pub use network::{PayloadNetwork, PayloadScore};
pub use observed::{Evidence, ObservedPayload};
pub use plain::is_plain;
pub use scorer::{OBSERVED_LOG_ODDS_MIN, ObservedPayloads, PayloadScorer};
pub use windows::{WINDOW_BYTES, windows};
