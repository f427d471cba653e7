//! apiward-trainer

pub mod fit;
