//! The second release: new at first, normal after the next training.

use super::attacks::AttackFigures;
use super::learning::Training;
use super::stage::{Judged, PROMOTION_WINDOW, Stage};
use super::story::FalseAlarms;
use crate::shop::{Endpoint, Release};
use crate::traffic::Scenario;

/// Until customers have used what is new often enough, over enough windows.
const BEFORE_TRAINING: u64 = 3000;
const AFTER_TRAINING: u64 = 2000;

/// What came of the second release.
#[derive(Debug, Clone)]
pub struct ReleaseFigures {
    /// Exchanges with the new endpoints before the training, and how many of them were flagged.
    pub new_at_first: (usize, usize),
    /// The same after it.
    pub new_afterwards: (usize, usize),
    pub example: Option<String>,
    /// Of all honest exchanges after the training.
    pub false_alarms: FalseAlarms,
    pub training: Training,
    pub attacks: Vec<AttackFigures>,
    /// New endpoints that the model does not know.
    pub unlearned: Vec<Endpoint>,
    /// Whether the model knows the endpoint that only attackers use.
    pub hidden_learned: bool,
}

impl Stage {
    /// Deploys the second release and lets the trainer learn it.
    ///
    /// # Errors
    /// When a part fails.
    pub async fn second_release(&mut self) -> anyhow::Result<ReleaseFigures> {
        self.shop.control().set_release(Release::Two);
        self.narrator.say("release 2 of the shop: recommendations, and a quote before every checkout");
        let mut before = self.send(&Scenario::normal(Release::Two), BEFORE_TRAINING / 2).await?;
        tokio::time::sleep(PROMOTION_WINDOW).await;
        before.extend(self.send(&Scenario::normal(Release::Two), BEFORE_TRAINING / 2).await?);
        let new_at_first = of_new_endpoints(&before);
        self.narrator
            .say(format_args!("{} of {} exchanges with new endpoints flagged as new", new_at_first.1, new_at_first.0));
        let training = self.train(Release::Two).await?;
        let after = self.send(&Scenario::normal(Release::Two), AFTER_TRAINING).await?;
        let new_afterwards = of_new_endpoints(&after);
        let false_alarms = FalseAlarms::among(&after);
        self.narrator.say(format_args!(
            "after training {} of {} exchanges with new endpoints flagged, {} of {} altogether",
            new_afterwards.1, new_afterwards.0, false_alarms.flagged, false_alarms.exchanges
        ));
        let attacks = self.attack(Release::Two).await?;
        Ok(ReleaseFigures {
            new_at_first,
            new_afterwards,
            example: before
                .iter()
                .find(|judged| is_new(judged) && judged.is_flagged())
                .map(|one| one.reasons().to_owned()),
            false_alarms,
            attacks,
            unlearned: new_endpoints().filter(|endpoint| !training.knows(*endpoint)).collect(),
            hidden_learned: training.knows(Endpoint::InternalDebug),
            training,
        })
    }
}

fn new_endpoints() -> impl Iterator<Item = Endpoint> {
    Endpoint::of_release(Release::Two).filter(|endpoint| endpoint.since() == Release::Two)
}

fn is_new(judged: &Judged) -> bool {
    new_endpoints().any(|endpoint| judged.sent.template == Some(endpoint.template()))
}

/// How many there are, and how many are flagged.
fn of_new_endpoints(judged: &[Judged]) -> (usize, usize) {
    let of_new: Vec<&Judged> = judged.iter().filter(|judged| is_new(judged)).collect();
    (of_new.len(), of_new.iter().filter(|judged| judged.is_flagged()).count())
}
