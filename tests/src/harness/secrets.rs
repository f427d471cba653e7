//! Keys and tokens that a trainer and its filters share.

use anyhow::Context as _;
use apiward_detector::bundle::SecretKey;
use rand::TryRng as _;
use rand::rngs::SysRng;

/// The scope of all tokens.
pub const SCOPE: &str = "shop";

/// Keys and tokens of one trainer and its filters.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Signs bundles.
    pub signing: SecretKey,
    /// Under which filters hash.
    pub hash_key: String,
    pub filter_token: String,
    pub viewer_token: String,
    pub operator_token: String,
}

impl Secrets {
    /// New ones.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn random() -> anyhow::Result<Self> {
        Ok(Self {
            signing: SecretKey::from_seed(random_bytes()?),
            hash_key: random_text()?,
            filter_token: random_text()?,
            viewer_token: random_text()?,
            operator_token: random_text()?,
        })
    }

    /// As `apiward serve` reads them.
    pub(super) fn tokens_file(&self) -> String {
        let roles =
            [("filter", &self.filter_token), ("viewer", &self.viewer_token), ("operator", &self.operator_token)];
        roles.iter().map(|(role, token)| format!("{role}:{SCOPE}:{token}\n")).collect()
    }
}

fn random_bytes() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes).context("get random bytes from the operating system")?;
    Ok(bytes)
}

fn random_text() -> anyhow::Result<String> {
    Ok(random_bytes()?.iter().map(|byte| format!("{byte:02x}")).collect())
}
