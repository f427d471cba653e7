//! apiward-filter
