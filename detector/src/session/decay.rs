//! Counters that forget: what happened counts half after one half-life, a quarter after two.
//!
//! One number per horizon replaces a list of times; an exponentially decayed count of a steady rate settles at rate × half-life /
//! ln 2 (Cormode, Shkapenyuk, Srivastava and Xu, "Forward decay", ICDE 2009).

use serde::{Deserialize, Serialize};

/// How far back a counter looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Horizon {
    /// A flurry.
    Minute,
    /// A slow walk.
    Hour,
}

impl Horizon {
    pub const ALL: [Horizon; 2] = [Horizon::Minute, Horizon::Hour];

    pub fn half_life_ms(self) -> f32 {
        match self {
            Horizon::Minute => 60_000.0,
            Horizon::Hour => 3_600_000.0,
        }
    }

    /// The word a person reads: "within about a minute".
    pub fn noun(self) -> &'static str {
        match self {
            Horizon::Minute => "minute",
            Horizon::Hour => "hour",
        }
    }
}

/// What time has left of a count, per horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fading {
    minute: f32,
    hour: f32,
}

impl Fading {
    /// After so many milliseconds; a clock that runs backwards leaves everything as it is.
    pub fn after(passed_ms: i64) -> Self {
        let passed = passed_ms.max(0) as f32;
        let left = |horizon: Horizon| (-passed / horizon.half_life_ms()).exp2();
        Self { minute: left(Horizon::Minute), hour: left(Horizon::Hour) }
    }
}

/// A decayed count per horizon, never negative and always finite.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DecayedCount {
    pub minute: f32,
    pub hour: f32,
}

/// Largest count: far beyond any threshold, far from where f32 loses a single call.
const COUNT_MAX: f32 = 1e12;

impl DecayedCount {
    pub fn fade(&mut self, fading: Fading) {
        self.minute *= fading.minute;
        self.hour *= fading.hour;
    }

    pub fn add(&mut self, by: f32) {
        self.minute = sane(self.minute + by);
        self.hour = sane(self.hour + by);
    }

    pub fn at(&self, horizon: Horizon) -> f32 {
        match horizon {
            Horizon::Minute => self.minute,
            Horizon::Hour => self.hour,
        }
    }

    /// The counts as found in memory that others can write.
    pub fn from_parts(minute: f32, hour: f32) -> Self {
        Self { minute: sane(minute), hour: sane(hour) }
    }
}

fn sane(count: f32) -> f32 {
    if count.is_nan() { 0.0 } else { count.clamp(0.0, COUNT_MAX) }
}
