//! Who sent the request: the first configured source that matches, its kinds, and the address of the trusted hop.

mod address;
mod attribute;
mod cookie;
mod kinds;
mod tokens;

use apiward_detector::exchange::Caller;
use apiward_detector::jwt;

use crate::config::{CallerSource, CertificateField, FilterPolicy};
use crate::host::{HeaderMap, Host, header_text};
use crate::limits;

pub use address::{client_address, without_port};
use tokens::Tokens;

/// Metadata namespace of Envoy's JWT filter.
const JWT_AUTHN: &str = "envoy.filters.http.jwt_authn";

/// The caller of the request whose headers these are.
pub fn identify(host: &dyn Host, headers: &HeaderMap, policy: &FilterPolicy) -> Caller {
    let peer = host.property(&["source", "address"]).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let address = |hops| client_address(headers, peer.as_deref(), hops);
    let mut tokens = Tokens::new(headers);
    let found = policy.caller.iter().find_map(|source| match source {
        CallerSource::Address(from) => address(from.trusted_hops.unwrap_or(policy.trusted_hops)).map(Identity::claimed),
        source => identity(host, headers, &mut tokens, source),
    });
    let (identity, verified) = match found {
        Some(found) => (Some(found.text), found.verified),
        None => (None, false),
    };
    let kinds = kinds::kinds(host, &mut tokens, policy.caller_kinds.as_ref());
    Caller { identity, verified, address: address(policy.trusted_hops), kinds }
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

fn identity(host: &dyn Host, headers: &HeaderMap, tokens: &mut Tokens<'_>, source: &CallerSource) -> Option<Identity> {
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
                && let Some(text) = attribute::text(&bytes).and_then(|text| bounded(&text))
            {
                return Some(Identity::verified(text));
            }
            let claimed = tokens.claims(&claim.header)?.get(&claim.claim)?;
            bounded(&jwt::claim_text(claimed)?).map(Identity::claimed)
        }
        CallerSource::ClientCertificate(field) => certificate_attribute(host, *field).map(Identity::verified),
        CallerSource::Address(_) => None,
    }
}

fn certificate_attribute(host: &dyn Host, field: CertificateField) -> Option<String> {
    let attribute = match field {
        CertificateField::UriSan => "uri_san_peer_certificate",
        CertificateField::DnsSan => "dns_san_peer_certificate",
        CertificateField::Subject => "subject_peer_certificate",
    };
    let bytes = host.property(&["connection", attribute])?;
    bounded(&String::from_utf8_lossy(&bytes))
}

/// The text, cut at [`limits::CALLER_BYTES_MAX`]; `None` for an empty one.
fn bounded(text: &str) -> Option<String> {
    let end = text.floor_char_boundary(limits::CALLER_BYTES_MAX);
    text.get(..end).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
