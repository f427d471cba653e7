//! The exchange's place in the history of its caller and its address.

use apiward_detector::calls::{BegunCall, CallContext};
use apiward_detector::observation::Observation;
use apiward_detector::verdict::Verdict;

use crate::bundle::ActiveModel;
use crate::host::Host;
use crate::sessions::SharedSessions;
use crate::worker::Shared;

/// Begins the call once its endpoint is known, answers it with the response, and adds what the sessions say to the verdict.
pub fn follow(
    host: &dyn Host,
    shared: &Shared,
    model: &ActiveModel,
    context: CallContext,
    call: &mut Option<BegunCall>,
    observation: &Observation,
    verdict: &mut Verdict,
) {
    let mut sessions = SharedSessions { host, metrics: shared.metrics(), limits: &shared.policy().sessions };
    let detector = model.detector();
    if call.is_none() {
        *call = detector.begin_call(observation, context, &mut sessions);
        if let Some(begun) = call {
            verdict.include(std::mem::take(&mut begun.findings));
        }
    }
    if let Some((begun, response)) = call.as_ref().zip(observation.response) {
        verdict.include(detector.answer_call(begun, &response, &mut sessions));
    }
}
