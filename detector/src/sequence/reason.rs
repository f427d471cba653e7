//! The judgement in words.

use crate::session::{CallSymbol, CallWindow};

use super::detector::{MissingStep, NextCall, SequenceDetector, SequenceJudgement};

/// Calls of the history that are named.
const NAMED_CALLS_MAX: usize = 4;
/// Expected endpoints that are named.
const EXPECTED_MAX: usize = 2;
/// Least probability of an expected endpoint that is named after the first.
const EXPECTED_MIN: f32 = 0.05;
/// From which probability on the call itself was to be expected.
const EXPECTED_CALL_MIN: f32 = 0.2;

impl SequenceDetector {
    /// Why a call was judged so, from the window as it was then; `label` names endpoints.
    ///
    /// `POST /checkout after GET /login → GET /items; expected GET /cart (0.81)`
    pub fn reason(
        &self,
        window: &CallWindow,
        next: NextCall,
        judgement: &SequenceJudgement,
        label: &dyn Fn(CallSymbol) -> String,
    ) -> String {
        let call = label(next.endpoint);
        if let Some(missing) = judgement.missing {
            return format!("{call} without {}, {}", label(missing.predecessor), missing.learned_from());
        }
        let prediction = self.predict(window);
        let after = history(window, label);
        if prediction.probability(self.place(next.endpoint)) >= EXPECTED_CALL_MIN {
            return format!("{call} {after} ends an unusual order of calls");
        }
        let symbols = &self.model().symbols;
        let most_probable = prediction.most_probable(EXPECTED_MAX).into_iter().enumerate();
        let expected: Vec<String> = most_probable
            .filter(|(rank, (_, probability))| *rank == 0 || *probability >= EXPECTED_MIN)
            .filter_map(|(_, (symbol, probability))| {
                symbols.get(symbol).map(|endpoint| format!("{} ({probability:.2})", label(*endpoint)))
            })
            .collect();
        format!("{call} {after}; expected {}", expected.join(" or "))
    }
}

impl MissingStep {
    fn learned_from(&self) -> String {
        let Self { sessions, exceptions, .. } = *self;
        if exceptions == 0 {
            return format!("which came before it in every one of {sessions} sessions");
        }
        format!("which came before it in {} of {sessions} sessions", sessions.saturating_sub(exceptions))
    }
}

fn history(window: &CallWindow, label: &dyn Fn(CallSymbol) -> String) -> String {
    let calls = window.calls();
    let first = calls.len().saturating_sub(NAMED_CALLS_MAX);
    let named: Vec<String> = calls.iter().skip(first).map(|call| label(call.endpoint)).collect();
    if named.is_empty() { "as the first call".to_owned() } else { format!("after {}", named.join(" → ")) }
}
