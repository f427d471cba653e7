use std::fmt;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// Shortest token that is accepted, characters.
pub const TOKEN_CHARS_MIN: usize = 16;
/// Longest scope name, bytes.
pub const SCOPE_BYTES_MAX: usize = 128;
/// Most tokens of one trainer.
const TOKENS_MAX: usize = 4096;
const HASH_PREFIX: &str = "sha256:";

/// What a token's bearer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends telemetry and fetches bundles, nothing else.
    Filter,
    /// Reads everything but captured exchanges.
    Viewer,
    /// Reads and changes.
    Operator,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Filter, Role::Viewer, Role::Operator];

    pub fn name(self) -> &'static str {
        match self {
            Role::Filter => "filter",
            Role::Viewer => "viewer",
            Role::Operator => "operator",
        }
    }
}

/// For which scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeGrant {
    All,
    Only(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub role: Role,
    pub scope: ScopeGrant,
}

/// All tokens, as SHA-256 only: the tokens themselves are long and random, so a plain hash keeps them secret.
pub struct Tokens(Vec<(Grant, [u8; 32])>);

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(grant, _)| grant)).finish()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("token {number}: write it as role:scope:token with the role filter, viewer or operator")]
    Format { number: usize },
    #[error("token {number}: a scope has 1 to {SCOPE_BYTES_MAX} visible characters, or is *")]
    Scope { number: usize },
    #[error("token {number}: it needs at least {TOKEN_CHARS_MIN} characters without spaces")]
    Short { number: usize },
    #[error("token {number}: sha256: is followed by 64 hexadecimal digits")]
    Hash { number: usize },
    #[error("more than {TOKENS_MAX} tokens")]
    Many,
    #[error("token file {path} cannot be read: {source}")]
    File { path: String, source: std::io::Error },
}

impl Tokens {
    /// Reads `role:scope:token`, separated by commas or new lines; lines that begin with `#` are comments. Instead of the
    /// token, `sha256:` and its SHA-256 in hexadecimal digits may be written.
    ///
    /// # Errors
    /// When an entry is malformed; it is named by its number, never by its content.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let entries = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        let tokens =
            entries.enumerate().map(|(index, entry)| parse_entry(index + 1, entry)).collect::<Result<Vec<_>, _>>()?;
        if tokens.len() > TOKENS_MAX {
            return Err(TokenError::Many);
        }
        Ok(Self(tokens))
    }

    /// # Errors
    /// When the file cannot be read or has a malformed entry.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TokenError::File { path: path.display().to_string(), source })?;
        Self::parse(&text)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the token grants. Every token is compared, in constant time, so that timing tells nothing of which one came close.
    pub fn grant_of(&self, token: &str) -> Option<Grant> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let mut found = u64::MAX;
        for (index, (_, known)) in (0_u64..).zip(&self.0) {
            let equal: Choice = known.ct_eq(&hash);
            found.conditional_assign(&index, equal);
        }
        usize::try_from(found).ok().and_then(|index| self.0.get(index)).map(|(grant, _)| grant.clone())
    }
}

/// Whether a name can be a scope: 1 to [`SCOPE_BYTES_MAX`] visible ASCII characters without `:`, `,` and `*`.
pub fn is_scope(name: &str) -> bool {
    (1..=SCOPE_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b':' | b',' | b'*'))
}

fn parse_entry(number: usize, entry: &str) -> Result<(Grant, [u8; 32]), TokenError> {
    let mut parts = entry.splitn(3, ':');
    let (Some(role), Some(scope), Some(token)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(TokenError::Format { number });
    };
    let role = Role::ALL.into_iter().find(|known| known.name() == role).ok_or(TokenError::Format { number })?;
    let scope = match scope {
        "*" => ScopeGrant::All,
        name if is_scope(name) => ScopeGrant::Only(name.to_owned()),
        _ => return Err(TokenError::Scope { number }),
    };
    let hash = match token.strip_prefix(HASH_PREFIX) {
        Some(digits) => from_hex(digits).ok_or(TokenError::Hash { number })?,
        None if token.chars().count() < TOKEN_CHARS_MIN || token.contains(char::is_whitespace) => {
            return Err(TokenError::Short { number });
        }
        None => Sha256::digest(token.as_bytes()).into(),
    };
    Ok((Grant { role, scope }, hash))
}

fn from_hex(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_grants_its_role_in_its_scope() {
        let tokens = Tokens::parse("filter:shop:aaaaaaaaaaaaaaaa, operator:*:bbbbbbbbbbbbbbbb\n# comment\n").unwrap();
        assert_eq!(
            tokens.grant_of("aaaaaaaaaaaaaaaa"),
            Some(Grant { role: Role::Filter, scope: ScopeGrant::Only("shop".into()) })
        );
        assert_eq!(tokens.grant_of("bbbbbbbbbbbbbbbb"), Some(Grant { role: Role::Operator, scope: ScopeGrant::All }));
        assert_eq!(tokens.grant_of("aaaaaaaaaaaaaaab"), None);
        assert_eq!(tokens.grant_of(""), None);
    }

    #[test]
    fn a_token_may_be_written_as_its_hash() {
        let digest =
            Sha256::digest(b"a long random token").iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let tokens = Tokens::parse(&format!("viewer:shop:sha256:{digest}")).unwrap();
        assert_eq!(tokens.grant_of("a long random token").map(|grant| grant.role), Some(Role::Viewer));
        assert_eq!(tokens.grant_of(&format!("sha256:{digest}")), None);
    }

    #[test]
    fn malformed_tokens_are_refused_by_number_without_their_text() {
        for bad in ["admin:shop:aaaaaaaaaaaaaaaa", "filter:shop", "filter:shop:short", "filter::aaaaaaaaaaaaaaaa"] {
            let error = Tokens::parse(&format!("viewer:*:cccccccccccccccc,{bad}")).unwrap_err().to_string();
            assert!(error.starts_with("token 2: "), "{error}");
            assert!(!error.contains("aaaaaaaa"), "{error}");
        }
    }

    #[test]
    fn without_tokens_nobody_gets_in() {
        assert_eq!(Tokens::parse("").unwrap().grant_of(""), None);
    }
}
