//! The parts of the demo, and traffic through them with the verdicts on it.

use std::time::Duration;

use serde_json::json;

use super::Narrator;
use crate::harness::{AccessLogEntry, Envoy, SCOPE, Secrets, ShopServer, Trainer};
use crate::shop::Release;
use crate::traffic::{self, ExchangeKind, HttpShop, Scenario, SentExchange};

/// Visits in flight at once.
const CONCURRENCY: usize = 8;
/// The story takes minutes where real shops take weeks, so novelty is looked at in windows of seconds.
pub const PROMOTION_WINDOW: Duration = Duration::from_secs(2);
const POLL_INTERVAL_MS: u64 = 1000;
const FLUSH_INTERVAL_MS: u64 = 500;
/// The verdict on the request, for whoever waits for a new model.
pub const VERDICT_HEADER: &str = "x-apiward-verdict";
/// Nothing takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);
const RECORDS_SENT: &str = "apiward_telemetry_records_total.outcome.sent";

/// Shop, trainer and Envoy.
pub struct Stage {
    pub shop: ShopServer,
    pub trainer: Trainer,
    pub envoy: Envoy,
    pub narrator: Narrator,
    /// Exchanges that went through Envoy.
    exchanges: u64,
    next_seed: u64,
}

/// An exchange with the verdict on it.
#[derive(Debug, Clone)]
pub struct Judged {
    pub sent: SentExchange,
    pub entry: AccessLogEntry,
}

impl Judged {
    pub fn is_flagged(&self) -> bool {
        self.entry.is_anomalous()
    }

    pub fn reasons(&self) -> &str {
        self.entry.reasons.as_deref().unwrap_or_default()
    }

    /// `POST /api/cart 201: the reasons`
    pub fn describe(&self) -> String {
        format!("{} {} {}: {}", self.sent.method, self.sent.path, self.sent.status.as_u16(), self.reasons())
    }
}

impl Stage {
    /// Starts the first release of the shop, a trainer without a model, and Envoy.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start(narrator: Narrator) -> anyhow::Result<Self> {
        let secrets = Secrets::random()?;
        let shop = ShopServer::start(Release::One).await?;
        narrator.say(format_args!("the shop listens on http://{}", shop.address()));
        let trainer = Trainer::builder(&secrets)
            .flags(["--promotion-window", &format!("{}s", PROMOTION_WINDOW.as_secs())])
            .start()
            .await?;
        narrator.say(format_args!("the trainer listens on {}, with a PostgreSQL of its own", trainer.url()));
        let envoy = Envoy::builder(shop.address(), trainer.address(), &secrets)?
            .filter(&json!({
                "caller": [{"jwt_claim": {"claim": "sub"}}],
                "trusted_hops": 1,
                "response_header": VERDICT_HEADER,
                "trainer": {"poll_interval_ms": POLL_INTERVAL_MS, "flush_interval_ms": FLUSH_INTERVAL_MS},
            }))
            .start()
            .await?;
        narrator.say(format_args!(
            "Envoy serves on {} after {:.1} s, with {} workers and no model: it observes",
            envoy.url(),
            envoy.start_time().as_secs_f64(),
            envoy.workers()
        ));
        Ok(Self { shop, trainer, envoy, narrator, exchanges: 0, next_seed: 1 })
    }

    /// Sends that many exchanges with a seed of their own and waits for the verdicts.
    ///
    /// # Errors
    /// When the shop cannot be reached or verdicts are missing.
    pub async fn send(&mut self, scenario: &Scenario, count: u64) -> anyhow::Result<Vec<Judged>> {
        let sent = self.send_unjudged(scenario, count).await?;
        let ids: Vec<_> = sent.iter().map(|exchange| exchange.id).collect();
        let entries = self.envoy.access_log.of(&ids, PATIENCE).await?;
        Ok(sent.into_iter().zip(entries).map(|(sent, entry)| Judged { sent, entry }).collect())
    }

    /// The same without waiting for verdicts.
    pub async fn send_unjudged(&mut self, scenario: &Scenario, count: u64) -> anyhow::Result<Vec<SentExchange>> {
        let seed = self.next_seed;
        self.next_seed += 1;
        let client = HttpShop::new(&self.envoy.url());
        let sent = traffic::run(client, &scenario.clone().concurrent(CONCURRENCY), seed, count, |_| {}).await?;
        self.exchanges += sent.len() as u64;
        Ok(sent)
    }

    /// Waits until the trainer has what Envoy has seen.
    ///
    /// # Errors
    /// When records do not arrive.
    pub async fn until_recorded(&self) -> anyhow::Result<()> {
        self.envoy.until_metric(RECORDS_SENT, self.exchanges, PATIENCE).await
    }

    /// Stops everything; every part must end cleanly.
    ///
    /// # Errors
    /// When one does not.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.envoy.stop().await?;
        self.trainer.stop().await
    }

    /// The ends of the logs, for when something failed.
    pub fn last_output(&self) -> String {
        let (envoy, trainer) = (self.envoy.last_output(), self.trainer.last_output());
        format!("--- Envoy:\n{envoy}\n--- trainer:\n{trainer}\n---")
    }

    /// For people who look around in what is left running.
    pub fn addresses(&self) -> String {
        let (trainer, token) = (self.trainer.url(), self.trainer.operator_token());
        format!(
            "shop through Envoy  {}\nEnvoy's admin       {}\ntrainer             {trainer}\nwhat it detected    \
             dist/apiward detections list --url {trainer} --token {token} --scope {SCOPE}",
            self.envoy.url(),
            self.envoy.admin().url(),
        )
    }
}

/// Honest exchanges among these.
pub fn honest(judged: &[Judged]) -> impl Iterator<Item = &Judged> {
    judged.iter().filter(|judged| judged.sent.kind == ExchangeKind::Normal)
}
