//! The time the shop lives in.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use time::{Duration, OffsetDateTime};

/// The system's clock, or one that its owner moves.
#[derive(Clone, Debug, Default)]
pub enum ShopClock {
    #[default]
    System,
    /// Milliseconds since the Unix epoch.
    Simulated(Arc<AtomicI64>),
}

impl ShopClock {
    /// A clock that stands at `start` until it is moved.
    pub fn simulated(start: OffsetDateTime) -> Self {
        Self::Simulated(Arc::new(AtomicI64::new(unix_ms(start))))
    }

    pub fn now(&self) -> OffsetDateTime {
        match self {
            Self::System => OffsetDateTime::now_utc(),
            Self::Simulated(unix_ms) => {
                OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(unix_ms.load(Ordering::Relaxed))
            }
        }
    }

    /// Sets a simulated clock; the system's clock stays as it is.
    pub fn set(&self, now: OffsetDateTime) {
        if let Self::Simulated(clock) = self {
            clock.store(unix_ms(now), Ordering::Relaxed);
        }
    }
}

fn unix_ms(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1_000 + i64::from(at.millisecond())
}
