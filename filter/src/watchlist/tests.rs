use apiward_detector::bundle::SecretKey;
use apiward_detector::volume::VolumeSubject;
use apiward_detector::watchlist::WatchEntry;
use serde_json::json;

use super::*;
use crate::fixture;

fn sealed(revision: u64, key: &SecretKey) -> Vec<u8> {
    let entry = WatchEntry {
        subject: VolumeSubject::Caller,
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
