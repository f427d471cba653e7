use apiward_detector::bundle::SecretKey;
use apiward_detector::exchange::Phase;
use apiward_detector::verdict::Finding;
use apiward_detector::volume::SessionSubject;
use apiward_detector::watchlist::WatchEntry;
use serde_json::json;

use super::*;
use crate::fixture;

fn sealed(revision: u64, key: &SecretKey) -> Vec<u8> {
    let entry = WatchEntry {
        subject: SessionSubject::Caller,
        hash: 9,
        expires_ms: 61_500,
        score: 0.9999,
        reason: "about 25 login identifiers".into(),
    };
    Watchlist::new("shop".into(), revision, vec![entry]).seal(key).unwrap()
}

#[test]
fn an_older_or_forged_list_leaves_the_current_one() {
    let policy = fixture::policy(json!({}));
    let current = CurrentWatchlist::default();
    assert_eq!(current.adopt(&sealed(5, &fixture::signing_key()), &policy), Ok(1));
    assert_eq!(
        current.adopt(&sealed(4, &fixture::signing_key()), &policy),
        Err(WatchlistRefusal::Older { found: 4, current: 5 })
    );
    assert!(current.adopt(&sealed(6, &SecretKey::from_seed([1; 32])), &policy).is_err());
    let caller = CallerRecord { identity: Some(9), ..CallerRecord::default() };
    assert_eq!(current.retry_after_s(&caller, Some(1_000)), 61);
    assert_eq!(current.retry_after_s(&caller, Some(70_000)), 1, "expired");
}

#[test]
fn what_the_exchange_itself_gives_away_counts_more_than_the_list() {
    let verdict = |kinds: &[FindingKind]| Verdict {
        phase: Phase::Headers,
        endpoint_id: None,
        endpoint: "GET /items".into(),
        anomalous: true,
        anomalous_in: Some(Phase::Headers),
        score: 0.99,
        detectors: Default::default(),
        findings: kinds.iter().map(|kind| finding(*kind)).collect(),
    };
    let cause = |kinds: &[FindingKind]| AlarmCause::of(&verdict(kinds));
    assert_eq!(cause(&[FindingKind::Watchlist]), AlarmCause::Watched { by_itself: true });
    for own in [FindingKind::CallRate, FindingKind::CallOrder] {
        assert_eq!(cause(&[own, FindingKind::Watchlist]), AlarmCause::Watched { by_itself: false });
        assert_eq!(cause(&[own]), AlarmCause::Anomaly);
    }
    assert_eq!(cause(&[FindingKind::Watchlist, FindingKind::Payload]), AlarmCause::Anomaly);
    assert_eq!(cause(&[]), AlarmCause::Anomaly);
}

fn finding(kind: FindingKind) -> Finding {
    Finding {
        key: 1,
        kind,
        phase: Phase::Headers,
        score: 0.99,
        alarm: true,
        reason: "a reason".into(),
        attack_class: None,
    }
}
