//! Everything answers 503 for a while.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use apiward_detector::bundle::open;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::learning::Training;
use super::stage::Stage;
use crate::shop::Release;
use crate::traffic::Scenario;

/// Longer than the minute over which the trainer looks at failures, for all before it went well.
const LASTS: Duration = Duration::from_secs(75);
/// Exchanges between two pauses.
const BURST: u64 = 20;
const PAUSE: Duration = Duration::from_secs(3);
const SERVER_FAILURES: std::ops::Range<u16> = 500..600;

/// What came of the outage.
#[derive(Debug, Clone)]
pub struct OutageFigures {
    pub exchanges: usize,
    pub incidents: usize,
    /// What the incident says.
    pub reason: Option<String>,
    /// Detections about callers since its beginning.
    pub callers_flagged: usize,
    pub training: Training,
    /// Endpoints that the next model knows and the one before did not.
    pub new_endpoints: Vec<String>,
    /// Endpoints at which the next model takes a server's failure for usual.
    pub learned_failures: usize,
}

impl Stage {
    /// Lets the shop fail for a while, then trains again.
    ///
    /// # Errors
    /// When a part fails.
    pub async fn outage(&mut self, known: &Training) -> anyhow::Result<OutageFigures> {
        self.until_recorded().await?;
        let since = OffsetDateTime::now_utc();
        self.narrator.say(format_args!("the shop is down: everything answers 503 for {} s", LASTS.as_secs()));
        self.shop.control().set_outage(true);
        let mut exchanges = 0;
        let began = Instant::now();
        while began.elapsed() < LASTS {
            exchanges += self.send_unjudged(&Scenario::normal(Release::Two), BURST).await?.len();
            tokio::time::sleep(PAUSE).await;
        }
        self.shop.control().set_outage(false);
        self.until_recorded().await?;
        let detections = self.detections_since(since).await?;
        let of_kind = |kind: &str| detections.iter().filter(|detection| detection["kind"] == kind).count();
        let incident = detections.iter().find(|detection| detection["kind"] == "incident");
        let reason = incident.and_then(|incident| incident["reason"].as_str()).map(str::to_owned);
        let (incidents, callers_flagged) = (of_kind("incident"), of_kind("caller"));
        self.narrator.say(format_args!("the shop is back: {incidents} incident, {callers_flagged} callers flagged"));
        let training = self.train(Release::Two).await?;
        let new_endpoints =
            training.endpoints.iter().filter(|endpoint| !known.endpoints.contains(endpoint)).cloned().collect();
        Ok(OutageFigures {
            exchanges,
            incidents,
            reason,
            callers_flagged,
            new_endpoints,
            learned_failures: self.endpoints_with_usual_failures().await?,
            training,
        })
    }

    async fn detections_since(&self, since: OffsetDateTime) -> anyhow::Result<Vec<serde_json::Value>> {
        let since = since.format(&Rfc3339).context("write a time")?;
        let page = self.trainer.get(&format!("/v1/detections?limit=1000&since={since}")).await?;
        Ok(page["detections"].as_array().context("the trainer lists no detections")?.clone())
    }

    async fn endpoints_with_usual_failures(&self) -> anyhow::Result<usize> {
        let sealed = self.trainer.as_filter().get("/v1/bundle").await?.successful()?.body;
        let bundle = open(&sealed, &[self.trainer.public_key()]).context("open the published bundle")?;
        let fails = |status: &u16| SERVER_FAILURES.contains(status);
        Ok(bundle.profiles.iter().filter(|profile| profile.statuses.iter().any(fails)).count())
    }
}
