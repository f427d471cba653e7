//! Failing when traffic is not as its specification says, for pipelines.

use crate::discovery::comparison::Comparison;

/// Exit code when traffic differs from its specification.
pub const DIFFERENCE_EXIT_CODE: u8 = 3;

/// The comparison found a difference, and was asked to fail then.
#[derive(Debug, thiserror::Error)]
#[error("the traffic is not as declared: {shadow} shadow, {zombie} zombie, {mismatches} mismatches")]
pub struct TrafficDiffers {
    shadow: usize,
    zombie: usize,
    mismatches: usize,
}

/// # Errors
/// When the traffic is not as declared.
pub fn refuse_difference(comparison: &Comparison) -> Result<(), TrafficDiffers> {
    if comparison.agrees() {
        return Ok(());
    }
    Err(TrafficDiffers {
        shadow: comparison.shadow.len(),
        zombie: comparison.zombie.len(),
        mismatches: comparison.mismatches.len(),
    })
}
