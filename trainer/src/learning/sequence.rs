//! The sessions of what was admitted, and the order of calls learned from them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use apiward_detector::bundle::Bundle;
use apiward_detector::calls::CallSite;
use apiward_detector::route::RouteTable;
use apiward_detector::sequence::SequenceModel;
use apiward_detector::session::{Call, CallGap, CallOutcome, CallSymbol, SESSION_GAP_MS};
use apiward_detector::telemetry::ExchangeRecord;

use crate::sequence::{CallSequence, SequenceReport, SequenceSettings, learn_sequence};

use super::admission::Admission;
use super::{LearningError, LearningSettings, Progress, step};

/// Share of the budget that sessions have for the order of calls: half of it is for how much callers do, and of that half again
/// is kept, since a tail of few held-out sessions tells its end badly.
const BUDGET_SHARE: f64 = 0.25;
/// How many times lower or higher an alarm gets with one training, unless the operator lets it go.
const ALARM_STEP_MAX: f32 = 2.0;

/// Learns from the sessions of everything that was admitted, exchanges beyond a caller's share included. Where that is too little
/// the parent's model stays.
pub fn learn_order(
    routes: &RouteTable,
    admission: &Admission,
    parent: Option<&Bundle>,
    settings: &LearningSettings,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<(Option<SequenceModel>, SequenceReport), LearningError> {
    step(progress, Progress::Sequence)?;
    let sequences = sequences(routes, admission);
    let terms = SequenceSettings {
        budget: settings.false_alarm_budget * BUDGET_SHARE,
        caller_share_max: settings.caller_share_max,
        callers_min: settings.promotion.callers,
        ..SequenceSettings::default()
    };
    let learned = learn_sequence(&sequences, &terms, settings.seed, &mut |_| progress(Progress::Sequence))?;
    let of_parent = parent.and_then(|parent| parent.sequence.as_ref());
    let model = match (learned.model, of_parent) {
        (Some(mut model), Some(parent)) if settings.threshold_step_max.is_some() => {
            hold_alarm(&mut model, parent);
            Some(model)
        }
        (model, parent) => model.or_else(|| parent.cloned()),
    };
    Ok((model, learned.report))
}

/// Keeps the alarm near the parent's.
fn hold_alarm(model: &mut SequenceModel, parent: &SequenceModel) {
    let (before, after) = (parent.calibration.highest_sum.alarm, &mut model.calibration.highest_sum.alarm);
    if let (Some(before), Some(after)) = (before, after) {
        *after = after.clamp(before / ALARM_STEP_MAX, before * ALARM_STEP_MAX);
    }
}

/// One per caller and uninterrupted time of its calls. What was left out for what it looks like ends a session, and so does
/// everything after it until the caller was silent: a hole would look like a skipped step.
fn sequences(routes: &RouteTable, admission: &Admission) -> Vec<CallSequence> {
    let all = admission.learned.iter().chain(&admission.calibration_only).chain(&admission.over_share);
    let mut of_callers: HashMap<u64, Vec<Step<'_>>> = HashMap::new();
    for record in all {
        if let Some((named, _)) = record.caller.named_by().zip(record.at_ms) {
            of_callers.entry(named).or_default().push(Step::Call(record));
        }
    }
    let mut sequences = Vec::new();
    let mut callers: Vec<(u64, Vec<Step<'_>>)> = of_callers.into_iter().collect();
    callers.sort_by_key(|(named, _)| *named);
    for (named, mut steps) in callers {
        let breaks = admission.breaks.get(&named).into_iter().flatten();
        steps.extend(breaks.map(|at_ms| Step::Break(*at_ms)));
        steps.sort_by_key(Step::at_ms);
        for session in steps.chunk_by(|one, next| !is_silence(one.at_ms(), next.at_ms())) {
            let calls = calls(routes, session);
            let caller = session.iter().find_map(|step| match step {
                Step::Call(record) => record.caller.distinct_by(),
                Step::Break(_) => None,
            });
            if !calls.is_empty() {
                sequences.push(CallSequence { caller: caller.unwrap_or(named), calls });
            }
        }
    }
    sequences
}

enum Step<'r> {
    Call(&'r ExchangeRecord),
    Break(i64),
}

impl Step<'_> {
    fn at_ms(&self) -> Option<i64> {
        match self {
            Step::Call(record) => record.at_ms,
            Step::Break(at_ms) => Some(*at_ms),
        }
    }
}

fn is_silence(before: Option<i64>, after: Option<i64>) -> bool {
    before.zip(after).is_some_and(|(before, after)| after.saturating_sub(before) >= SESSION_GAP_MS)
}

fn calls(routes: &RouteTable, session: &[Step<'_>]) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut before: Option<&ExchangeRecord> = None;
    for step in session {
        let Step::Call(record) = step else { break };
        let site = CallSite::of(routes, &record.observation).filter(|site| site.endpoint != CallSymbol::UNKNOWN);
        let Some(site) = site else { continue };
        let outcome = record.observation.response.as_ref().map(CallOutcome::of).unwrap_or_default();
        let gap = before.map_or(CallGap::None, |before| gap(before, record));
        calls.push(Call { endpoint: site.endpoint, gap, outcome });
        before = Some(record);
    }
    calls
}

/// As the filter would have found it: a call that begins before the last one was answered is concurrent to it.
fn gap(before: &ExchangeRecord, record: &ExchangeRecord) -> CallGap {
    let Some((before_ms, at_ms)) = before.at_ms.zip(record.at_ms) else { return CallGap::None };
    let duration_us = before.observation.response.as_ref().and_then(|response| response.duration_us).unwrap_or(0);
    let answered_ms = before_ms.saturating_add(i64::try_from(duration_us / 1000).unwrap_or(i64::MAX));
    if at_ms < answered_ms { CallGap::Concurrent } else { CallGap::of(at_ms.saturating_sub(before_ms)) }
}
