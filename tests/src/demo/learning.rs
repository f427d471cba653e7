//! A training run, and how long it takes until its model judges in Envoy.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;

use super::stage::{Stage, VERDICT_HEADER};
use crate::shop::{Endpoint, Release};
use crate::traffic::{Scenario, SentExchange};

/// Exchanges between two looks at whether the new model judges.
const LOOK_EXCHANGES: u64 = 8;
/// The shop is calm while a model is trained.
const CALM: Duration = Duration::from_millis(100);
/// Nothing takes longer, unless it hangs.
const SWAP_MAX: Duration = Duration::from_secs(180);
/// Envoy's main thread has the filter too, and no exchanges.
const MAIN_THREAD: u64 = 1;
const BUNDLE_LOADS: &str = "apiward_bundle_loads_total";

/// What a training run learned, and when it was in use.
#[derive(Debug, Clone)]
pub struct Training {
    pub report: Report,
    /// From the request for it to the end of the run.
    pub trained_after: Duration,
    /// From the request for it to the first verdict of its model in Envoy.
    pub in_use_after: Duration,
    /// What the model knows, as `GET /api/orders/{}`, parameters without names.
    pub endpoints: Vec<String>,
}

/// Figures of the trainer's own report.
#[derive(Debug, Clone, Deserialize)]
pub struct Report {
    pub records: usize,
    pub learned_from: usize,
    pub endpoints: usize,
    pub fields: usize,
    pub excluded: Excluded,
    pub duration_ms: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Excluded {
    pub server_failures: usize,
    pub flagged: usize,
}

impl Training {
    /// Whether the model knows an endpoint of the shop. Where few values of a parameter exist, as for the shop's files, it may
    /// have an endpoint for each.
    pub fn knows(&self, endpoint: Endpoint) -> bool {
        let label = format!("{} {}", endpoint.method(), without_names(endpoint.template()));
        self.endpoints.iter().any(|known| is_or_is_one_of(known, &label))
    }
}

impl Stage {
    /// Trains on what was recorded so far, with a little honest traffic going on, until all workers use the model.
    ///
    /// # Errors
    /// When the run does not succeed or its model does not come to Envoy.
    pub async fn train(&mut self, release: Release) -> anyhow::Result<Training> {
        self.until_recorded().await?;
        let loads_before = self.envoy.metric(BUNDLE_LOADS).await?;
        let before = self.serial_in_use(release).await?;
        self.narrator.say("a training run is asked for; customers go on meanwhile");
        let started = Instant::now();
        let id = self.trainer.begin_training().await?.id;
        let mut trained_after = None;
        let in_use_after = loop {
            let sent = self.send_unjudged(&Scenario::normal(release), LOOK_EXCHANGES).await?;
            let serial = sent.iter().filter_map(serial_of).max();
            if serial > before {
                break started.elapsed();
            }
            let run = self.trainer.training_run(id).await?;
            match run.state.as_str() {
                "queued" | "running" => {}
                "succeeded" => _ = trained_after.get_or_insert(started.elapsed()),
                state => anyhow::bail!("the training run is {state}: {}", run.error.unwrap_or_default()),
            }
            anyhow::ensure!(started.elapsed() < SWAP_MAX, "no new model in Envoy after {} s", SWAP_MAX.as_secs());
            tokio::time::sleep(CALM).await;
        };
        let loads = loads_before + u64::from(self.envoy.workers()) + MAIN_THREAD;
        self.envoy.until_metric(BUNDLE_LOADS, loads, SWAP_MAX).await?;
        let report = self.trainer.training_run(id).await?.report.context("the training run has no report")?;
        let training = Training {
            report: serde_json::from_value(report).context("read the training run's report")?,
            trained_after: trained_after.unwrap_or(in_use_after),
            in_use_after,
            endpoints: self.endpoints().await?,
        };
        self.narrator.say(format_args!(
            "learned {} endpoints from {} of {} exchanges; the first verdict of the new model in Envoy came {:.1} s after \
             the request for training",
            training.report.endpoints,
            training.report.learned_from,
            training.report.records,
            in_use_after.as_secs_f64()
        ));
        Ok(training)
    }

    async fn serial_in_use(&mut self, release: Release) -> anyhow::Result<Option<u64>> {
        let sent = self.send_unjudged(&Scenario::normal(release), LOOK_EXCHANGES).await?;
        Ok(sent.iter().filter_map(serial_of).max())
    }

    /// Those that the model knows.
    async fn endpoints(&self) -> anyhow::Result<Vec<String>> {
        let listed = self.trainer.get("/v1/endpoints").await?;
        let of = |list: &str| listed[list].as_array().cloned().with_context(|| format!("the trainer lists no {list}"));
        let known = of("endpoints")?.into_iter().filter(|endpoint| !endpoint["model"].is_null());
        let endpoints: Vec<serde_json::Value> = known.chain(of("only_in_model")?).collect();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        Ok(endpoints
            .iter()
            .map(|endpoint| format!("{} {}", text(&endpoint["method"]), without_names(&text(&endpoint["template"]))))
            .collect())
    }
}

/// Of the model that judged, from the response.
fn serial_of(sent: &SentExchange) -> Option<u64> {
    let verdict = sent.response_headers.get(VERDICT_HEADER)?.to_str().ok()?;
    verdict.split(';').find_map(|part| part.strip_prefix("serial="))?.parse().ok()
}

/// `/orders/{id}` as `/orders/{}`
fn without_names(template: &str) -> String {
    let components = template.split('/');
    let unnamed = components.map(|component| if component.contains('{') { "{}" } else { component });
    unnamed.collect::<Vec<_>>().join("/")
}

fn is_or_is_one_of(known: &str, label: &str) -> bool {
    let (known, label): (Vec<&str>, Vec<&str>) = (known.split('/').collect(), label.split('/').collect());
    known.len() == label.len() && known.iter().zip(label).all(|(known, label)| label == "{}" || *known == label)
}
