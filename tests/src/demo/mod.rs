//! The demo: the whole story once, against real parts, and a summary that a person reads in a minute.
//!
//! [`Stage`] starts the parts, [`tell`] plays the story on it, [`Summary`] says what came of it and which targets are met.

mod attacks;
mod learning;
mod narrator;
mod outage;
mod release;
mod sessions;
mod stage;
mod story;
mod summary;
mod targets;

pub use attacks::AttackFigures;
pub use learning::Training;
pub use narrator::Narrator;
pub use outage::OutageFigures;
pub use release::ReleaseFigures;
pub use sessions::{SessionAttackFigures, SessionFigures};
pub use stage::{Judged, Stage};
pub use story::{Story, tell};
pub use summary::Summary;
pub use targets::Target;
