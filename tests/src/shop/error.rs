//! What the shop answers when it cannot do what was asked.

use axum::Json;
use axum::extract::rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal, sent as `{"error":{"code","message"}}` with the status that fits.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// 400: the request cannot be understood or breaks a rule of a field.
    #[error("{0}")]
    Invalid(String),
    /// 401: no token, a bad one, or wrong credentials.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// 403: a valid caller who may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// 404: no such thing; the field names its kind.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// 405: the path exists, the method does not.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// 409: the request does not fit the present state.
    #[error("{message}")]
    Conflict { code: &'static str, message: &'static str },
    /// 413: the body is larger than the shop reads.
    #[error("request body too large")]
    TooLarge,
    /// 415: a body of a type that the endpoint does not read.
    #[error("unsupported content type")]
    UnsupportedMediaType,
    /// 503: the outage switch is on.
    #[error("service temporarily unavailable")]
    Unavailable,
    /// 500: a fault of the shop itself; nothing of it is told to the client.
    #[error("internal error")]
    Internal,
}

impl ShopError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_request",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict { code, .. } => code,
            Self::TooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    fn from_rejection(status: StatusCode, text: String) -> Self {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            status if status.is_server_error() => Self::Internal,
            _ => Self::Invalid(text),
        }
    }
}

impl IntoResponse for ShopError {
    fn into_response(self) -> Response {
        let body = Json(json!({"error": {"code": self.code(), "message": self.to_string()}}));
        let mut response = (self.status(), body).into_response();
        let extra = match self {
            Self::Unauthorized(_) => Some((header::WWW_AUTHENTICATE, "Bearer realm=\"shop\"")),
            Self::Unavailable => Some((header::RETRY_AFTER, "30")),
            _ => None,
        };
        if let Some((name, value)) = extra {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

impl From<JsonRejection> for ShopError {
    fn from(rejection: JsonRejection) -> Self {
        Self::from_rejection(rejection.status(), rejection.body_text())
    }
}

impl From<FormRejection> for ShopError {
    fn from(rejection: FormRejection) -> Self {
        Self::from_rejection(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for ShopError {
    fn from(rejection: QueryRejection) -> Self {
        Self::from_rejection(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for ShopError {
    fn from(rejection: PathRejection) -> Self {
        Self::from_rejection(rejection.status(), rejection.body_text())
    }
}
