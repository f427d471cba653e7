//! Volume: does a caller, or an address, do more than is usual? Flurries, enumeration, stuffing, scraping, sharing.

mod calibration;
mod identifiers;
mod judging;

pub use calibration::{BusySubject, SessionSubject, VolumeCalibration, VolumeThreshold};
pub use identifiers::{AnswerClass, LoginField, object_of};
pub use judging::{SubjectActivity, VolumeJudgement};

#[cfg(test)]
mod tests;
