//! Absolute URLs, taken apart without changing a byte of them: what is odd in a target is what is looked for.

/// Schemes of HTTP; a WebSocket begins as an HTTP request.
const SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

/// Host (with its port) and target of an absolute HTTP URL; `None` for anything else.
pub fn host_and_target(url: &str) -> Option<(&str, String)> {
    let (scheme, rest) = url.split_once("://")?;
    if !SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty() {
        return None;
    }
    // A fragment stays in the browser.
    let sent = target.split('#').next().unwrap_or_default();
    let slash = if sent.starts_with('/') { "" } else { "/" };
    Some((host, format!("{slash}{sent}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_as_they_were_written() {
        let check = |url: &str, expected: Option<(&str, &str)>| {
            let taken = host_and_target(url);
            assert_eq!(taken.as_ref().map(|(host, target)| (*host, target.as_str())), expected, "{url}");
        };
        check("https://shop.example/api/cart?x=1", Some(("shop.example", "/api/cart?x=1")));
        check("HTTP://ann:secret@shop.example:8080", Some(("shop.example:8080", "/")));
        check("http://shop.example?x=a/b#top", Some(("shop.example", "/?x=a/b")));
        check("http://[::1]:80/%2e%2e/A b#x", Some(("[::1]:80", "/%2e%2e/A b")));
        check("wss://shop.example/live", Some(("shop.example", "/live")));
        check("data:text/plain,x", None);
        check("chrome-extension://abc/x.js", None);
        check("http:///x", None);
        check("/api/cart", None);
    }
}
