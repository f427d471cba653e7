//! Is a value an attack? A small network that was trained on attacks and on benign text that looks like them.
//!
//! Text → [`undo`] → [`is_plain`] → windows → [`features`] → [`PayloadNetwork`] → log-odds of an attack, and its class. It knows nothing
//! of the field that a value is in; calibration per field is another's work.

mod cache;
mod class;
pub mod features;
mod lexicon;
mod network;
mod plain;
mod shape;
mod tokens;
pub mod undo;
mod windows;

pub use cache::PayloadCache;
pub use class::PayloadClass;
pub use network::{PayloadNetwork, PayloadScore};
pub use plain::is_plain;
pub use windows::{WINDOW_BYTES, windows};
