//! The story, from a shop that nobody watches to an outage that blames nobody.

use std::time::Duration;

use super::attacks::AttackFigures;
use super::learning::Training;
use super::outage::OutageFigures;
use super::release::ReleaseFigures;
use super::sessions::SessionFigures;
use super::stage::{Judged, Stage, honest};
use crate::harness::MemoryUse;
use crate::shop::{Endpoint, Release};
use crate::traffic::Scenario;

const OBSERVED_EXCHANGES: u64 = 6000;
const FRESH_EXCHANGES: u64 = 3000;

/// Flagged ones among honest exchanges.
#[derive(Debug, Clone)]
pub struct FalseAlarms {
    pub exchanges: usize,
    pub flagged: usize,
    pub examples: Vec<String>,
}

impl FalseAlarms {
    pub fn among(judged: &[Judged]) -> Self {
        let flagged: Vec<String> = honest(judged).filter(|one| one.is_flagged()).map(Judged::describe).collect();
        Self { exchanges: honest(judged).count(), flagged: flagged.len(), examples: flagged }
    }

    /// 0..1.
    pub fn share(&self) -> f64 {
        self.flagged as f64 / self.exchanges.max(1) as f64
    }
}

/// Everything that was measured.
#[derive(Debug, Clone)]
pub struct Story {
    pub envoy_start: Duration,
    pub observed: usize,
    pub training: Training,
    /// Endpoints of the first release that honest clients use, and those of them that the model knows.
    pub endpoints: (usize, usize),
    pub false_alarms: FalseAlarms,
    pub attacks: Vec<AttackFigures>,
    pub sessions: SessionFigures,
    pub release: ReleaseFigures,
    pub outage: OutageFigures,
    pub envoy_memory: MemoryUse,
    pub trainer_memory: MemoryUse,
}

impl Story {
    /// All training runs, in order.
    pub fn trainings(&self) -> [&Training; 3] {
        [&self.training, &self.release.training, &self.outage.training]
    }
}

/// Plays the story.
///
/// # Errors
/// When a part fails; a missed target is none.
pub async fn tell(stage: &mut Stage) -> anyhow::Result<Story> {
    stage.narrator.say(format_args!("{OBSERVED_EXCHANGES} exchanges of ordinary customers, observed through Envoy"));
    let observed = stage.send(&Scenario::normal(Release::One), OBSERVED_EXCHANGES).await?;
    let training = stage.train(Release::One).await?;
    stage.narrator.say(format_args!("{FRESH_EXCHANGES} fresh exchanges of ordinary customers"));
    let fresh = stage.send(&Scenario::normal(Release::One), FRESH_EXCHANGES).await?;
    let false_alarms = FalseAlarms::among(&fresh);
    stage.narrator.say(format_args!("{} of {} flagged", false_alarms.flagged, false_alarms.exchanges));
    let attacks = stage.attack(Release::One).await?;
    let release = stage.second_release().await?;
    let sessions = stage.sessions().await?;
    let outage = stage.outage(&release.training).await?;
    let used: Vec<Endpoint> = Endpoint::of_release(Release::One).collect();
    let known = used.iter().filter(|endpoint| training.knows(**endpoint)).count();
    Ok(Story {
        envoy_start: stage.envoy.start_time(),
        observed: observed.len(),
        endpoints: (used.len(), known),
        training,
        false_alarms,
        attacks,
        sessions,
        release,
        outage,
        envoy_memory: stage.envoy.memory()?,
        trainer_memory: stage.trainer.memory()?,
    })
}
