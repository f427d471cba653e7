//! One visit of one client: its token, its clock, and the sending of its requests.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::HOST;
use super::draft::{Draft, DraftBody};
use super::persona::{Device, DeviceKind, Persona, Token};
use super::request::{ExchangeKind, SendError, ShopClient, ShopRequest, ShopResponse};

/// An exchange that took place, without its bodies.
#[derive(Clone, Debug)]
pub struct SentExchange {
    /// The `x-request-id`.
    pub id: Uuid,
    /// Order of sending over all clients, from 0.
    pub index: u64,
    pub kind: ExchangeKind,
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The endpoint's path template; `None` for a path that the shop does not have.
    pub template: Option<&'static str>,
    /// The user's id where a token was sent, the address otherwise.
    pub client: String,
    pub status: StatusCode,
    pub response_headers: HeaderMap,
}

/// Why a visit ended before its flow did.
#[derive(Debug)]
pub(super) enum VisitEnd {
    /// As many exchanges were sent as were asked for.
    CountReached,
    /// The client lost patience: the shop is down, or refuses it.
    GaveUp,
    Failed(SendError),
}

/// How long a client waits before its next request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// A program that loads what belongs to a page.
    Program,
    /// A person who clicks on.
    Click,
    /// A person who reads a page.
    Read,
    /// A person who fills in a form.
    Type,
}

impl Pace {
    fn median_s(self) -> f64 {
        match self {
            Self::Program => 0.08,
            Self::Click => 3.0,
            Self::Read => 11.0,
            Self::Type => 25.0,
        }
    }

    fn sigma(self) -> f64 {
        match self {
            Self::Program => 0.4,
            Self::Click => 0.5,
            Self::Read | Self::Type => 0.8,
        }
    }
}

/// Hands out the exchanges that are still to be sent, to all clients together.
#[derive(Debug)]
pub(super) struct Budget {
    sent: AtomicU64,
    count: u64,
}

impl Budget {
    pub fn new(count: u64) -> Self {
        Self { sent: AtomicU64::new(0), count }
    }

    /// The number of the next exchange, from 0; `None` once all are sent.
    fn take(&self) -> Option<u64> {
        let index = self.sent.fetch_add(1, Ordering::Relaxed);
        (index < self.count).then_some(index)
    }

    pub fn is_spent(&self) -> bool {
        self.sent.load(Ordering::Relaxed) >= self.count
    }
}

/// A visit in progress.
pub(super) struct Visit<'a, C> {
    pub client: &'a mut C,
    pub persona: &'a mut Persona,
    /// Which of the persona's devices is used.
    pub device: usize,
    pub rng: ChaCha8Rng,
    /// Simulated time.
    pub now: OffsetDateTime,
    /// Real seconds per simulated second; 0 does not wait at all.
    pub think_scale: f64,
    pub budget: &'a Budget,
    pub sent: &'a mut Vec<SentExchange>,
    pub progress: &'a (dyn Fn(u64) + Send + Sync),
}

impl<C: ShopClient> Visit<'_, C> {
    pub fn device(&mut self) -> &mut Device {
        &mut self.persona.devices[self.device]
    }

    /// True with probability `share`.
    pub fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    pub fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.rng.random_range(0..choices.len())]
    }

    /// Lets time pass.
    pub async fn wait(&mut self, pace: Pace) {
        let seconds = LogNormal::new(pace.median_s().ln(), pace.sigma())
            .map_or(pace.median_s(), |distribution| distribution.sample(&mut self.rng));
        self.now += Duration::milliseconds((seconds * 1_000.0) as i64);
        if self.think_scale > 0.0 {
            let scaled = std::time::Duration::from_secs_f64(seconds * self.think_scale);
            tokio::time::sleep(scaled).await;
        }
    }

    /// Waits, sends, and tries once more if the shop is down.
    ///
    /// # Errors
    /// Ends the visit: count reached, shop down, no response.
    pub async fn send(&mut self, pace: Pace, draft: Draft) -> Result<ShopResponse, VisitEnd> {
        self.wait(pace).await;
        let response = self.exchange(ExchangeKind::Normal, &draft).await?;
        if response.status != StatusCode::SERVICE_UNAVAILABLE {
            return Ok(response);
        }
        if self.chance(0.5) {
            self.wait(Pace::Click).await;
            let second = self.exchange(ExchangeKind::Normal, &draft).await?;
            if second.status != StatusCode::SERVICE_UNAVAILABLE {
                return Ok(second);
            }
        }
        Err(VisitEnd::GaveUp)
    }

    /// Sends once, whatever comes back.
    pub async fn exchange(&mut self, kind: ExchangeKind, draft: &Draft) -> Result<ShopResponse, VisitEnd> {
        let index = self.budget.take().ok_or(VisitEnd::CountReached)?;
        let request = self.request(kind, draft);
        let mut record = SentExchange {
            id: request.id,
            index,
            kind,
            method: request.method.clone(),
            path: request.path.clone(),
            template: request.template,
            client: request.caller.clone().unwrap_or_else(|| request.address.to_string()),
            status: StatusCode::OK,
            response_headers: HeaderMap::new(),
        };
        let response = self.client.send(request).await.map_err(VisitEnd::Failed)?;
        record.status = response.status;
        record.response_headers = response.headers.clone();
        self.sent.push(record);
        (self.progress)(1);
        Ok(response)
    }

    fn request(&mut self, kind: ExchangeKind, draft: &Draft) -> ShopRequest {
        let id = uuid::Builder::from_random_bytes(self.rng.random()).into_uuid();
        let user_id = self.persona.account.id.clone();
        let device = &self.persona.devices[self.device];
        let accept = match (device.kind, draft.path.starts_with("/api/")) {
            (DeviceKind::Browser, true) => "application/json, text/plain, */*",
            (DeviceKind::App, _) => "application/json",
            _ => "*/*",
        };
        let mut headers = vec![
            ("host", HOST.to_owned()),
            ("user-agent", device.user_agent.clone()),
            ("accept", accept.to_owned()),
            ("accept-language", device.accept_language.to_owned()),
            ("x-request-id", id.to_string()),
            ("x-forwarded-for", device.address.to_string()),
        ];
        headers.extend(device.cookie.clone().map(|cookie| ("cookie", cookie)));
        headers.extend(draft.if_none_match.clone().map(|tag| ("if-none-match", tag)));
        let token = device.token.as_ref().filter(|_| draft.path.starts_with("/api/") && draft.path != "/api/login");
        headers.extend(token.map(|token| ("authorization", format!("Bearer {}", token.value))));
        let caller = token.map(|_| user_id);
        let body = match &draft.body {
            DraftBody::None => None,
            DraftBody::Json(text) => {
                headers.push(("content-type", device.content_type.to_owned()));
                Some(Bytes::from(text.clone()))
            }
            DraftBody::Form(fields) => {
                headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(fields);
                Some(Bytes::from(form.finish()))
            }
        };
        ShopRequest {
            id,
            kind,
            method: draft.method.clone(),
            path: draft.target(device.plus_for_space),
            template: draft.template,
            headers,
            body,
            address: device.address,
            caller,
            at: self.now,
        }
    }

    /// The device's token, if it has one that is still good.
    pub fn token(&mut self) -> Option<&Token> {
        let now = self.now;
        self.device().token.as_ref().filter(|token| token.expires_at > now)
    }
}
