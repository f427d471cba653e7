//! apiward-models
