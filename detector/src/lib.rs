//! apiward-detector
