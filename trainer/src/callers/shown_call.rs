//! A recorded call as people see it.

use apiward_detector::telemetry::ExchangeRecord;
use apiward_detector::verdict::DetectorScores;
use serde::Serialize;
use time::OffsetDateTime;

use crate::storage::records;

/// One call of a sequence.
#[derive(Debug, Serialize)]
pub struct ShownCall {
    #[serde(with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
    host: String,
    endpoint: String,
    status: Option<u16>,
    /// `normal`, `anomalous` or `unjudged`.
    verdict: &'static str,
    blocked: bool,
    /// 0..1; `null` where it was not judged.
    score: Option<f32>,
    detectors: DetectorScores,
    reasons: Vec<String>,
    request_id: Option<String>,
}

impl ShownCall {
    pub fn of(record: &ExchangeRecord) -> Self {
        let observation = &record.observation;
        let verdict = record.verdict.as_ref();
        Self {
            at: records::time_of(record),
            host: observation.host.clone(),
            endpoint: verdict.map_or_else(|| observation.method.clone(), |verdict| verdict.endpoint.clone()),
            status: observation.response.as_ref().and_then(|response| response.status),
            verdict: match verdict {
                None => "unjudged",
                Some(verdict) if verdict.anomalous => "anomalous",
                Some(_) => "normal",
            },
            blocked: verdict.is_some_and(|verdict| verdict.blocked),
            score: verdict.map(|verdict| verdict.score),
            detectors: verdict.map(|verdict| verdict.detectors).unwrap_or_default(),
            reasons: verdict
                .iter()
                .flat_map(|verdict| &verdict.findings)
                .map(|finding| finding.reason.clone())
                .collect(),
            request_id: record.request_id.clone(),
        }
    }
}
