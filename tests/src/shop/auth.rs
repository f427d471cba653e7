//! Login and the bearer tokens that it issues.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::header;
use axum::http::request::Parts;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::Shop;
use super::accounts::{Profile, Role};
use super::error::ShopError;
use super::extract::JsonBody;

const TOKEN_SECRET: &[u8] = b"sample-shop-signing-secret";
const TOKEN_LIFETIME_S: i64 = 12 * 3600;
const REMEMBERED_TOKEN_LIFETIME_S: i64 = 30 * 24 * 3600;

/// Claims of the shop's HS256 tokens.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    role: Role,
    iat: i64,
    exp: i64,
}

/// Who calls, as told by a valid token.
#[derive(Debug)]
pub(super) struct Caller {
    pub user_id: String,
    pub role: Role,
}

impl Caller {
    pub fn require_admin(&self) -> Result<(), ShopError> {
        if self.role == Role::Admin { Ok(()) } else { Err(ShopError::Forbidden("administrators only")) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Arc<Shop>: FromRef<S>,
{
    type Rejection = ShopError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ShopError> {
        let shop = Arc::<Shop>::from_ref(state);
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or(ShopError::Unauthorized("bearer token required"))?;
        let mut validation = Validation::new(Algorithm::HS256);
        // The shop's clock may be simulated, so the expiry is compared below and not by the library.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_secret(TOKEN_SECRET), &validation)
            .map_err(|_| ShopError::Unauthorized("token invalid"))?
            .claims;
        if claims.exp <= shop.now().unix_timestamp() {
            return Err(ShopError::Unauthorized("token expired"));
        }
        if shop.data().account(&claims.sub)?.blocked {
            return Err(ShopError::Forbidden("account blocked"));
        }
        Ok(Self { user_id: claims.sub, role: claims.role })
    }
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    remember: bool,
    #[serde(rename = "device_name")]
    _device_name: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Session {
    token: String,
    token_type: &'static str,
    expires_in: i64,
    user: Profile,
}

pub(super) async fn login(
    State(shop): State<Arc<Shop>>,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Result<Json<Session>, ShopError> {
    if !credentials.email.contains('@') {
        return Err(ShopError::Invalid("email must be an address".to_owned()));
    }
    let data = shop.data();
    let account = data
        .account_by_email(&credentials.email)
        .filter(|account| account.password == credentials.password)
        .ok_or(ShopError::Unauthorized("email or password wrong"))?;
    let lifetime_s = if credentials.remember { REMEMBERED_TOKEN_LIFETIME_S } else { TOKEN_LIFETIME_S };
    let issued_at = shop.now().unix_timestamp();
    let claims = Claims { sub: account.id.clone(), role: account.role, iat: issued_at, exp: issued_at + lifetime_s };
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(TOKEN_SECRET))
        .map_err(|_| ShopError::Internal)?;
    Ok(Json(Session { token, token_type: "Bearer", expires_in: lifetime_s, user: account.profile() }))
}
