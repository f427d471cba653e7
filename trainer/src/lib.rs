//! apiward-trainer
