//! What a caller did lately, as far as a filter can keep it: a window of calls and decayed counts, no values.

mod activity;
mod caller;
mod decay;
mod distinct;
mod encoding;
mod store;
mod window;

pub use activity::{Activity, CallAnswered, CallMade, EndpointActivity, Measure};
pub use caller::{ADDRESS_ENDPOINTS_MAX, AddressSession, CALLER_ENDPOINTS_MAX, CallerSession, SESSION_GAP_MS};
pub use decay::{DecayedCount, Fading, Horizon};
pub use distinct::DistinctCount;
pub use encoding::{ADDRESS_SESSION_BYTES, CALLER_SESSION_BYTES};
pub use store::{CallStep, MemorySessions, SessionStore};
pub use window::{Call, CallGap, CallOutcome, CallSymbol, CallWindow, VisitedEndpoints, WINDOW_CALLS_MAX};

#[cfg(test)]
mod tests;
