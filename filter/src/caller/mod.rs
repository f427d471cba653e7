//! Who sent the request: the first configured source that matches, and the address of the trusted hop.

mod address;
mod cookie;
mod jwt;

use apiward_detector::exchange::Caller;

use crate::config::{CallerSource, CertificateField, FilterPolicy};
use crate::host::{HeaderMap, Host, header_text};
use crate::limits;

pub use address::{client_address, without_port};

/// Metadata namespace of Envoy's JWT filter.
const JWT_AUTHN: &str = "envoy.filters.http.jwt_authn";

/// The caller of the request whose headers these are.
pub fn identify(host: &dyn Host, headers: &HeaderMap, policy: &FilterPolicy) -> Caller {
    let peer = host.property(&["source", "address"]).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let address = |hops| client_address(headers, peer.as_deref(), hops);
    let found = policy.caller.iter().find_map(|source| match source {
        CallerSource::Address(from) => address(from.trusted_hops.unwrap_or(policy.trusted_hops)).map(Identity::claimed),
        source => identity(host, headers, source),
    });
    let (identity, verified) = match found {
        Some(found) => (Some(found.text), found.verified),
        None => (None, false),
    };
    Caller { identity, verified, address: address(policy.trusted_hops), kinds: Vec::new() }
}

struct Identity {
    text: String,
    verified: bool,
}

impl Identity {
    fn claimed(text: String) -> Self {
        Self { text, verified: false }
    }

    fn verified(text: String) -> Self {
        Self { text, verified: true }
    }
}

fn identity(host: &dyn Host, headers: &HeaderMap, source: &CallerSource) -> Option<Identity> {
    match source {
        CallerSource::Header(name) => bounded(header_text(headers, name)?.trim()).map(Identity::claimed),
        CallerSource::Cookie(name) => headers
            .iter()
            .filter(|(header, _)| header.eq_ignore_ascii_case("cookie"))
            .find_map(|(_, value)| bounded(&cookie::value(&String::from_utf8_lossy(value), name)?))
            .map(Identity::claimed),
        CallerSource::JwtClaim(claim) => {
            let path = ["metadata", "filter_metadata", JWT_AUTHN, &claim.payload_in_metadata, &claim.claim];
            if let Some(bytes) = host.property(&path)
                && let Some(text) = jwt::checked_claim(&bytes).and_then(|text| bounded(&text))
            {
                return Some(Identity::verified(text));
            }
            let token = header_text(headers, &claim.header)?;
            bounded(&jwt::claim(&token, &claim.claim)?).map(Identity::claimed)
        }
        CallerSource::ClientCertificate(field) => {
            let attribute = match field {
                CertificateField::UriSan => "uri_san_peer_certificate",
                CertificateField::DnsSan => "dns_san_peer_certificate",
                CertificateField::Subject => "subject_peer_certificate",
            };
            let bytes = host.property(&["connection", attribute])?;
            bounded(&String::from_utf8_lossy(&bytes)).map(Identity::verified)
        }
        CallerSource::Address(_) => None,
    }
}

/// The text, cut at [`limits::CALLER_BYTES_MAX`]; `None` for an empty one.
fn bounded(text: &str) -> Option<String> {
    let end = text.floor_char_boundary(limits::CALLER_BYTES_MAX);
    text.get(..end).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
