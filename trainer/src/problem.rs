//! Errors as callers of the API see them: problem documents (RFC 9457).

use axum::Json;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Why a request was not served. What went wrong inside is logged and never told.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("send an API token as \"authorization: Bearer TOKEN\"")]
    Unauthenticated,
    #[error("{0}")]
    Forbidden(String),
    #[error("{0}")]
    NotFound(String),
    #[error("this path does not take that method")]
    MethodNotAllowed,
    #[error("{0}")]
    Malformed(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    TooLarge(String),
    #[error("send {expected}")]
    MediaType { expected: &'static str },
    #[error("the telemetry queue is full: send the same batch again in {retry_after_s} s")]
    Busy { retry_after_s: u64 },
    #[error("{0}")]
    Unavailable(&'static str),
    #[error("the trainer could not serve the request; its log says why")]
    Internal(#[source] anyhow::Error),
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    detail: String,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Problem::Unauthenticated => StatusCode::UNAUTHORIZED,
            Problem::Forbidden(_) => StatusCode::FORBIDDEN,
            Problem::NotFound(_) => StatusCode::NOT_FOUND,
            Problem::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Problem::Malformed(_) => StatusCode::BAD_REQUEST,
            Problem::Conflict(_) => StatusCode::CONFLICT,
            Problem::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Problem::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
            Problem::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Problem::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        if let Problem::Internal(cause) = &self {
            tracing::error!(error = format!("{cause:#}"), "a request failed");
        }
        let document = Document {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("error"),
            status: status.as_u16(),
            detail: self.to_string(),
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Problem::Unauthenticated => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Problem::Busy { retry_after_s } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
            }
            _ => {}
        }
        response
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                tracing::warn!(%error, "no database connection");
                Problem::Unavailable("the database does not answer at the moment, try again")
            }
            other => Problem::Internal(anyhow::Error::new(other).context("database")),
        }
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Problem::Internal(error)
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge("the body is larger than this route takes".to_owned()),
            _ => Problem::Malformed(rejection.body_text()),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Problem::Malformed(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Problem::Malformed(rejection.body_text())
    }
}

/// Request parts whose refusal is a problem document.
pub mod extract {
    use axum::body::Bytes;
    use axum::extract::{FromRequest, FromRequestParts, Request};
    use serde::de::DeserializeOwned;

    use super::Problem;

    #[derive(FromRequestParts)]
    #[from_request(via(axum::extract::Query), rejection(Problem))]
    pub struct Query<T>(pub T);

    #[derive(FromRequestParts)]
    #[from_request(via(axum::extract::Path), rejection(Problem))]
    pub struct Path<T>(pub T);

    /// A JSON body.
    pub struct Json<T>(pub T);

    impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
        type Rejection = Problem;

        async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
            let body = Bytes::from_request(request, state).await?;
            read(&body).map(Self)
        }
    }

    fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
        serde_json::from_slice(body)
            .map_err(|error| Problem::Malformed(format!("the body is no JSON of this request: {error}")))
    }

    /// A JSON body that may be left out where everything in it has a default.
    pub struct OptionalJson<T>(pub T);

    impl<S: Send + Sync, T: Default + DeserializeOwned> FromRequest<S> for OptionalJson<T> {
        type Rejection = Problem;

        async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
            let body = Bytes::from_request(request, state).await?;
            if body.iter().all(u8::is_ascii_whitespace) {
                return Ok(Self(T::default()));
            }
            read(&body).map(Self)
        }
    }
}
