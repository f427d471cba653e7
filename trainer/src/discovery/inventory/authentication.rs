use serde::{Deserialize, Serialize};

use crate::discovery::summary::EndpointSummary;

use super::credential_name;
use super::evidence::{REQUIRED_SHARE_MIN, share};

/// By what callers authenticate themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    #[serde(rename = "use")]
    pub usage: AuthenticationUse,
    /// The most frequent first; an exchange may show several.
    pub credentials: Vec<CredentialCount>,
    /// Successful exchanges whose headers were seen and held no credentials.
    pub without_credentials: u64,
}

/// How often successful exchanges carry credentials. Cookies count as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthenticationUse {
    Always,
    Sometimes,
    Never,
    /// The traffic has no headers, or none that carry credentials.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialCount {
    /// A word of [`apiward_detector::observation::CredentialKinds::NAMES`].
    pub kind: String,
    pub exchanges: u64,
}

impl Authentication {
    pub fn of(summary: &EndpointSummary) -> Self {
        let mut credentials: Vec<CredentialCount> = summary
            .credentials
            .iter()
            .filter_map(|(bit, exchanges)| Some((credential_name(*bit)?, exchanges)))
            .map(|(kind, exchanges)| CredentialCount { kind: kind.to_owned(), exchanges: *exchanges })
            .collect();
        credentials.sort_by_key(|count| std::cmp::Reverse(count.exchanges));
        let without = summary.without_credentials;
        let with = credentials.iter().map(|count| count.exchanges).max().unwrap_or(0);
        let usage = match (with, without) {
            (0, 0) => AuthenticationUse::Unknown,
            (with, without) if share(with, with + without) >= REQUIRED_SHARE_MIN => AuthenticationUse::Always,
            (with, without) if share(without, with + without) >= REQUIRED_SHARE_MIN => AuthenticationUse::Never,
            _ => AuthenticationUse::Sometimes,
        };
        Self { usage, credentials, without_credentials: without }
    }
}
