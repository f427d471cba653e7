//! The client's address behind trusted proxies.

use std::net::{IpAddr, SocketAddr};

use crate::host::HeaderMap;
use crate::limits;

/// The address of the client without a port.
///
/// With `trusted_hops` of 1 or more it is the entry of `x-forwarded-for` before the trusted ones, counted from the end as
/// Envoy's `xff_num_trusted_hops` does it; what stands before that entry could have been written by anybody. Without trusted
/// hops, with too few entries, or with an entry that is no address, it is `peer`.
pub fn client_address(headers: &HeaderMap, peer: Option<&str>, trusted_hops: usize) -> Option<String> {
    let forwarded = if trusted_hops == 0 { None } else { forwarded_for(headers, trusted_hops) };
    forwarded.or_else(|| peer.and_then(without_port)).map(|address| address.to_string())
}

/// The IP address of `address`, `address:port`, `[address]` or `[address]:port`.
pub fn without_port(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address: IpAddr =
        text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip())).or_else(bracketed)?;
    Some(address.to_canonical())
}

fn forwarded_for(headers: &HeaderMap, trusted_hops: usize) -> Option<IpAddr> {
    let entry = headers
        .iter()
        .rev()
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"))
        .flat_map(|(_, value)| value.rsplit(|byte| *byte == b','))
        .take(limits::FORWARDED_ENTRIES_MAX)
        .nth(trusted_hops)?;
    without_port(std::str::from_utf8(entry).ok()?)
}
