//! What becomes of requests whose caller is on the watchlist.

use apiward_detector::exchange::Caller;
use apiward_detector::volume::SessionSubject;
use apiward_detector::watchlist::{WatchEntry, Watchlist};

use super::*;

/// Milliseconds that the entry still lasts.
const LEFT_MS: i64 = 61_500;

/// A proxy that enforces, with `ann` on the watchlist.
fn proxy(action: &str, mode: &str) -> Proxy {
    let proxy = Proxy::judging(json!({
        "mode": mode,
        "caller": [{"header": "x-user"}],
        "watchlist": {"action": action},
    }));
    let policy = proxy.shared.policy();
    let ann = CallerRecord::of(&Caller { identity: Some("ann".into()), ..Caller::default() }, &policy.hasher);
    let now_ms = i64::try_from(proxy.host.now_ms.get()).unwrap();
    let entry = WatchEntry {
        subject: SessionSubject::Caller,
        hash: ann.named_by().unwrap(),
        expires_ms: now_ms + LEFT_MS,
        score: 0.9999,
        reason: "about 25 login identifiers within the hour".into(),
    };
    let list = Watchlist::new("shop".into(), 1, vec![entry]).seal(&fixture::signing_key()).unwrap();
    assert_eq!(proxy.shared.watchlist().adopt(&list, policy), Ok(1));
    proxy
}

/// Sends the request as `user`; what the client is answered by the filter itself: status and `retry-after`.
fn refused(proxy: &Proxy, path: &str, user: &str) -> Option<(u16, Option<String>)> {
    let mut flow = proxy.flow("GET", path, &[("x-user", user)]);
    let action = flow.request_headers(&proxy.host, true);
    let response = proxy.host.responses.borrow_mut().pop();
    assert_eq!(action, if response.is_some() { Flow::Pause } else { Flow::Continue });
    flow.finish(&proxy.host);
    response.map(|response| {
        let retry_after = response.headers.iter().find(|(name, _)| name == "retry-after");
        (response.status, retry_after.map(|(_, value)| value.clone()))
    })
}

#[test]
fn who_is_on_the_list_is_told_when_to_come_back_and_others_pass() {
    let proxy = proxy("too_many_requests", "enforce");
    assert_eq!(refused(&proxy, "/items", "ann"), Some((429, Some("62".into()))));
    assert_eq!(refused(&proxy, "/items", "bob"), None);
    assert_eq!(proxy.host.metric("apiward_blocked_total.phase.watchlist"), 1);
    proxy.host.pass(LEFT_MS.unsigned_abs());
    assert_eq!(refused(&proxy, "/items", "ann"), None, "the entry has expired");
}

#[test]
fn an_anomalous_request_of_who_is_on_the_list_is_refused_as_such() {
    let proxy = proxy("too_many_requests", "enforce");
    assert_eq!(refused(&proxy, "/admin", "ann"), Some((403, None)));
    assert_eq!(proxy.host.metric("apiward_blocked_total.phase.headers"), 1);
}

#[test]
fn the_setting_decides_what_becomes_of_who_is_on_the_list() {
    assert_eq!(refused(&proxy("forbid", "enforce"), "/items", "ann"), Some((403, None)));
    for (action, mode) in [("log", "enforce"), ("too_many_requests", "monitor"), ("forbid", "monitor")] {
        let proxy = proxy(action, mode);
        assert_eq!(refused(&proxy, "/items", "ann"), None, "{action}, {mode}");
        let verdict = proxy.sent().records.remove(0).verdict.unwrap();
        assert!(verdict.anomalous && !verdict.blocked, "{action}, {mode}");
        assert!(verdict.findings[0].reason.contains("about 25 login identifiers"), "{:?}", verdict.findings);
    }
}
