//! Tokens, their roles and scopes, and the extractors by which a route names the role that it needs.

mod tokens;

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;

use crate::problem::Problem;

pub use tokens::{Grant, Role, ScopeGrant, TokenError, Tokens, is_scope};

/// A filter's token: telemetry in, bundles out.
#[derive(Debug, Clone)]
pub struct FilterToken(pub ScopeGrant);

/// A token that may look: viewer or operator.
#[derive(Debug, Clone)]
pub struct ViewerToken(pub ScopeGrant);

/// A token that may change things.
#[derive(Debug, Clone)]
pub struct OperatorToken(pub ScopeGrant);

impl ScopeGrant {
    /// The scope that a request works on: the one it asks for, or the token's own.
    ///
    /// # Errors
    /// Forbidden for another scope than the token's; malformed when the token is for all scopes and none is asked for.
    pub fn one(&self, asked: Option<&str>) -> Result<String, Problem> {
        match (self, asked) {
            (ScopeGrant::Only(own), Some(asked)) if own != asked => {
                Err(Problem::Forbidden(format!("the token is for scope {own:?}, not for {asked:?}")))
            }
            (ScopeGrant::Only(own), _) => Ok(own.clone()),
            (ScopeGrant::All, Some(asked)) => Ok(asked.to_owned()),
            (ScopeGrant::All, None) => {
                Err(Problem::Malformed("the token is for all scopes: name one with the parameter scope".to_owned()))
            }
        }
    }

    /// The scope that a listing is limited to; `None` for all.
    ///
    /// # Errors
    /// Forbidden for another scope than the token's.
    pub fn filter(&self, asked: Option<&str>) -> Result<Option<String>, Problem> {
        match (self, asked) {
            (ScopeGrant::All, None) => Ok(None),
            _ => self.one(asked).map(Some),
        }
    }

    /// The scope as tokens are written: its name, or `*`.
    pub fn name(&self) -> &str {
        match self {
            ScopeGrant::All => "*",
            ScopeGrant::Only(own) => own,
        }
    }

    /// Whether the token reaches that scope.
    pub fn reaches(&self, scope: &str) -> bool {
        match self {
            ScopeGrant::All => true,
            ScopeGrant::Only(own) => own == scope,
        }
    }
}

fn grant<S>(parts: &Parts, state: &S) -> Result<Grant, Problem>
where
    Arc<Tokens>: FromRef<S>,
{
    let token = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or(Problem::Unauthenticated)?;
    Arc::<Tokens>::from_ref(state).grant_of(token).ok_or(Problem::Unauthenticated)
}

fn require<S>(parts: &Parts, state: &S, accepted: &[Role]) -> Result<ScopeGrant, Problem>
where
    Arc<Tokens>: FromRef<S>,
{
    let grant = grant(parts, state)?;
    if accepted.contains(&grant.role) {
        return Ok(grant.scope);
    }
    let needed = accepted.iter().map(|role| role.name()).collect::<Vec<_>>().join(" or ");
    Err(Problem::Forbidden(format!("this needs a token with the role {needed}, the token has {}", grant.role.name())))
}

macro_rules! token_extractor {
    ($token:ident, $($role:ident),+) => {
        impl<S> FromRequestParts<S> for $token
        where
            S: Send + Sync,
            Arc<Tokens>: FromRef<S>,
        {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                require(parts, state, &[$(Role::$role),+]).map(Self)
            }
        }
    };
}

token_extractor!(FilterToken, Filter);
token_extractor!(ViewerToken, Viewer, Operator);
token_extractor!(OperatorToken, Operator);
