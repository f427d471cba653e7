//! A verdict in the forms that leave the filter as text: filter state and headers.

use apiward_detector::exchange::Phase;
use apiward_detector::verdict::Verdict;

use crate::limits;
use crate::telemetry::truncate;

/// The three words by which a verdict is known outside.
pub fn word(verdict: Option<&Verdict>) -> &'static str {
    match verdict {
        None => "unjudged",
        Some(verdict) if verdict.anomalous => "anomalous",
        Some(_) => "normal",
    }
}

pub fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Headers => "headers",
        Phase::Body => "body",
        Phase::Response => "response",
    }
}

/// Value of the verdict header, a structured field item (RFC 9651): `unjudged`, `normal;score=0.1234;phase=headers;serial=7`
/// or `anomalous;score=0.9997;phase=body;serial=7;reason="body field \"role\" never seen on POST /users"`. Score has four
/// decimals; characters other than printable ASCII are written as `?`.
pub fn header_value(verdict: Option<&Verdict>, serial: Option<u64>) -> String {
    let mut value = word(verdict).to_owned();
    let Some(verdict) = verdict else {
        return value;
    };
    value.push_str(&format!(";score={};phase={}", score(verdict), phase_name(verdict.phase)));
    if let Some(serial) = serial {
        value.push_str(&format!(";serial={serial}"));
    }
    if verdict.anomalous
        && let Some(reason) = verdict.reasons().first()
    {
        value.push_str(";reason=\"");
        for character in reason.chars() {
            // Room for an escaped character and the closing quote.
            if value.len() + 3 > limits::VERDICT_HEADER_BYTES_MAX {
                break;
            }
            match character {
                '"' | '\\' => value.extend(['\\', character]),
                ' '..='~' => value.push(character),
                _ => value.push('?'),
            }
        }
        value.push('"');
    }
    value
}

/// Score with four decimals, 0.0000 to 1.0000.
pub fn score(verdict: &Verdict) -> String {
    format!("{:.4}", verdict.score.clamp(0.0, 1.0))
}

/// All reasons of an anomalous verdict, joined by `; `; empty for a normal one.
pub fn reasons(verdict: &Verdict) -> String {
    let mut text = if verdict.anomalous { verdict.reasons().join("; ") } else { String::new() };
    truncate(&mut text, limits::FILTER_STATE_BYTES_MAX);
    text
}

#[cfg(test)]
mod tests {
    use apiward_detector::verdict::{DetectorScores, Finding, FindingKind};
    use proptest::prelude::*;

    use super::*;

    fn verdict(anomalous: bool, reason: &str) -> Verdict {
        Verdict {
            phase: Phase::Body,
            endpoint_id: Some(1),
            endpoint: "POST /users".into(),
            anomalous,
            anomalous_in: anomalous.then_some(Phase::Body),
            score: 0.999_71,
            detectors: DetectorScores::default(),
            findings: vec![Finding {
                key: 1,
                kind: FindingKind::UnknownField,
                phase: Phase::Body,
                score: 0.999_71,
                alarm: anomalous,
                reason: reason.into(),
                attack_class: None,
            }],
        }
    }

    #[test]
    fn a_verdict_header_is_a_structured_field() {
        assert_eq!(header_value(None, None), "unjudged");
        assert_eq!(header_value(Some(&verdict(false, "x")), Some(7)), "normal;score=0.9997;phase=body;serial=7");
        assert_eq!(
            header_value(Some(&verdict(true, "field \"ré\\le\"")), Some(7)),
            r#"anomalous;score=0.9997;phase=body;serial=7;reason="field \"r?\\le\"""#
        );
    }

    #[test]
    fn a_normal_verdict_gives_no_reasons() {
        assert_eq!(reasons(&verdict(false, "x")), "");
        assert_eq!(reasons(&verdict(true, "x")), "x");
    }

    proptest! {
        #[test]
        fn any_reason_makes_a_bounded_printable_header(reason in ".{0,900}") {
            let value = header_value(Some(&verdict(true, &reason)), Some(u64::MAX));
            prop_assert!(value.len() <= limits::VERDICT_HEADER_BYTES_MAX);
            prop_assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let quoted = value.split_once(";reason=\"").unwrap().1;
            prop_assert!(quoted.ends_with('"'));
            let inner = &quoted[..quoted.len() - 1];
            let mut escaped = false;
            for character in inner.chars() {
                escaped = match (escaped, character) {
                    (true, '"' | '\\') => false,
                    (true, _) | (false, '"') => return Err(TestCaseError::fail("broken escape")),
                    (false, '\\') => true,
                    (false, _) => false,
                };
            }
            prop_assert!(!escaped);
        }
    }
}
