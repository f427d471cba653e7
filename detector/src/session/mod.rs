//! What a caller did lately, as far as a filter can keep it: a window of calls, not values.

mod window;

pub use window::{Call, CallGap, CallOutcome, CallSymbol, CallWindow, VisitedEndpoints, WINDOW_CALLS_MAX};
