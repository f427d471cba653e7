//! Who calls what: roles from tokens that Envoy checked, and workloads by their certificates; a caller of a kind that never turns to
//! an endpoint is found there, and those that do are not.

mod e2e;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use apiward_detector::telemetry::CapturedExchange;
use apiward_detector::verdict::{Finding, FindingKind};
use apiward_e2e::harness::{Envoy, Secrets};
use apiward_e2e::traffic::HOST;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use uuid::Uuid;

use e2e::{
    Client, EchoService, HostileTrainer, NoteRequest, PATIENCE, captures_of, filter_configuration, learn_over_time,
    until, until_judged_on_all_workers,
};

const SERIAL: u64 = 3;
const ROUNDS: usize = 160;
/// Exchanges whose captures are waited for together.
const PORTION: usize = 200;
const TOKEN_SECRET: &[u8] = b"a secret that issuer and proxy share";
const ISSUER: &str = "https://issuer.example";
const STAFF: usize = 6;
const CUSTOMERS: usize = 24;

/// Who sends a request.
#[derive(Debug, Clone, Copy)]
enum Sender {
    Customer(usize),
    Staff(usize),
    /// By the name of its certificate.
    Workload(&'static str),
}

impl Sender {
    /// The request with its token, from its own network.
    fn signed(self, request: NoteRequest) -> anyhow::Result<NoteRequest> {
        let (subject, roles, network) = match self {
            Self::Customer(number) => (format!("customer-{number}"), json!(["user"]), number),
            Self::Staff(number) => (format!("staff-{number}"), json!(["user", "support"]), 100 + number),
            Self::Workload(_) => return Ok(request.with_header("x-forwarded-for", "198.18.7.9")),
        };
        let claims = json!({"iss": ISSUER, "sub": subject, "roles": roles, "exp": 4_102_444_800_u64});
        let key = EncodingKey::from_secret(TOKEN_SECRET);
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)?;
        let address = format!("10.{network}.3.9");
        Ok(request.with_header("authorization", format!("Bearer {token}")).with_header("x-forwarded-for", address))
    }
}

/// Checks tokens where there is one, and hands their payload on.
fn jwt_authn() -> Value {
    let key = json!({"kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(TOKEN_SECRET)});
    json!({"name": "envoy.filters.http.jwt_authn", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"issuer": {
            "issuer": ISSUER, "forward": true, "payload_in_metadata": "jwt_payload",
            "local_jwks": {"inline_string": json!({"keys": [key]}).to_string()},
        }},
        "rules": [{"match": {"prefix": "/"}, "requires": {"requires_any": {"requirements": [
            {"provider_name": "issuer"}, {"allow_missing": {}},
        ]}}}],
    }})
}

fn certificates() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/certificates")
}

/// Sends as a workload.
fn agent(workload: &str) -> anyhow::Result<ureq::Agent> {
    let read = |name: &str| std::fs::read(certificates().join(name)).with_context(|| format!("read {name}"));
    let certificate = Certificate::from_pem(&read(&format!("{workload}.pem"))?)?;
    let key = PrivateKey::from_pem(&read(&format!("{workload}.key"))?)?;
    let authority = Certificate::from_pem(&read("authority.pem")?)?;
    let tls = TlsConfig::builder()
        .client_cert(Some(ClientCert::new_with_certs(&[certificate], key)))
        .root_certs(RootCerts::new_with_certs(&[authority]))
        .build();
    Ok(ureq::Agent::config_builder().tls_config(tls).timeout_global(Some(PATIENCE)).build().into())
}

/// Everybody through one Envoy.
struct Everybody {
    people: Client,
    cart: ureq::Agent,
    billing: ureq::Agent,
    mutual_tls: String,
}

impl Everybody {
    fn of(envoy: &Envoy) -> anyhow::Result<Self> {
        let address = envoy.mutual_tls_address().context("nobody listens for certificates")?;
        let people = Client::with_new_connections(envoy);
        Ok(Self { people, cart: agent("cart")?, billing: agent("billing")?, mutual_tls: format!("https://{address}") })
    }

    async fn send(&self, sender: Sender, request: NoteRequest) -> anyhow::Result<Uuid> {
        let request = sender.signed(request)?;
        let id = request.id;
        let Sender::Workload(workload) = sender else {
            let reply = self.people.send(&request).await?;
            anyhow::ensure!(reply.status.is_success(), "{} for {sender:?}", reply.status);
            return Ok(id);
        };
        let agent = if workload == "cart" { self.cart.clone() } else { self.billing.clone() };
        let mut post = agent.post(format!("{}{}", self.mutual_tls, request.path)).header("host", HOST);
        post = post.header("x-request-id", id.to_string()).header("user-agent", format!("{workload}/1.0"));
        post = post.header("content-type", request.content_type.unwrap_or("application/json"));
        for (name, value) in &request.headers {
            post = post.header(*name, value);
        }
        let body = request.body.clone();
        let reply =
            tokio::task::spawn_blocking(move || post.send(&body[..])).await?.context("no answer to a workload")?;
        anyhow::ensure!(reply.status().is_success(), "{} for {sender:?}", reply.status());
        Ok(id)
    }
}

fn note(number: usize) -> NoteRequest {
    NoteRequest::get(&format!("/api/notes/{}", 100 + number * 7 % 900))
}

fn report(number: usize) -> NoteRequest {
    NoteRequest::get(&format!("/api/reports/{}", 1 + number % 90))
}

fn stock(number: usize) -> NoteRequest {
    NoteRequest::json("/api/stock", &json!({"product": 1 + number % 50, "taken": 1 + number % 3}))
}

fn invoices(number: usize) -> NoteRequest {
    NoteRequest::json("/api/invoices", &json!({"order": 1_000 + number, "total": 5 + number % 80}))
}

/// Customers read notes and take from stock, as the cart does; staff reads notes and reports and writes invoices, as billing does.
/// There are many more customers than staff: of all who have the role `user`, few turn to reports.
fn usual(round: usize) -> [(Sender, NoteRequest); 10] {
    [
        (Sender::Customer(round % CUSTOMERS), note(round)),
        (Sender::Customer((round + 5) % CUSTOMERS), note(2 * round)),
        (Sender::Customer((round + 11) % CUSTOMERS), note(3 * round)),
        (Sender::Customer((round + 17) % CUSTOMERS), note(5 * round)),
        (Sender::Staff(round % STAFF), report(round)),
        (Sender::Staff(round % STAFF), note(round + 3)),
        (Sender::Customer((round + 2) % CUSTOMERS), stock(round + 9)),
        (Sender::Staff((round + 1) % STAFF), invoices(round + 9)),
        (Sender::Workload("cart"), stock(round)),
        (Sender::Workload("billing"), invoices(round)),
    ]
}

async fn captured(everybody: &Everybody, trainer: &HostileTrainer) -> anyhow::Result<Vec<CapturedExchange>> {
    let (mut captures, mut portion) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for (sender, request) in usual(round) {
            portion.push(everybody.send(sender, request).await?);
        }
        if portion.len() >= PORTION || round + 1 == ROUNDS {
            captures.extend(captures_of(trainer, portion.drain(..)).await?);
        }
    }
    Ok(captures)
}

/// What the filter finds about the kind of the caller.
async fn caller_finding(trainer: &HostileTrainer, id: Uuid) -> anyhow::Result<Option<Finding>> {
    let ids = BTreeSet::from([id.to_string()]);
    let record = until("the record of a request", async || Ok(trainer.records_of(&ids).pop())).await?.1;
    let findings = record.verdict.context("the request was not judged")?.findings;
    Ok(findings.into_iter().find(|finding| finding.kind == FindingKind::CallerKind))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_of_a_kind_that_never_turns_to_an_endpoint_is_found_there() -> anyhow::Result<()> {
    let secrets = Secrets::random()?;
    let service = EchoService::start().await?;
    let trainer = HostileTrainer::start().await?;
    let caller = json!([{"jwt_claim": {"claim": "sub"}}, {"client_certificate": "uri_san"}]);
    let envoy = Envoy::builder(service.address(), trainer.address(), &secrets)?
        .filter(&filter_configuration(&json!({"caller": caller})))
        .filter_before(jwt_authn())
        .client_certificates(certificates())
        .start()
        .await?;
    let everybody = Everybody::of(&envoy)?;
    let captures = captured(&everybody, &trainer).await?;
    let kinds: BTreeSet<&str> =
        captures.iter().flat_map(|captured| &captured.exchange.caller.kinds).map(String::as_str).collect();
    let expected =
        ["certificate:spiffe://shop/billing", "certificate:spiffe://shop/cart", "role:support", "role:user"].into();
    assert_eq!(kinds, expected);

    let learned = learn_over_time(&captures, &secrets, 1).await?;
    trainer.hand_out(learned.sealed(SERIAL)?);
    until_judged_on_all_workers(&envoy, &trainer, SERIAL).await?;
    for (sender, request) in usual(7) {
        let path = request.path.clone();
        let id = everybody.send(sender, request).await?;
        assert_eq!(caller_finding(&trainer, id).await?, None, "{sender:?} at {path}");
    }
    for (sender, request, kind) in [
        (Sender::Customer(5), report(4), "role:user"),
        (Sender::Workload("billing"), stock(4), "certificate:spiffe://shop/billing"),
        (Sender::Workload("cart"), invoices(4), "certificate:spiffe://shop/cart"),
    ] {
        let path = request.path.clone();
        let id = everybody.send(sender, request).await?;
        let finding = caller_finding(&trainer, id).await?.with_context(|| format!("{kind} at {path} is not found"))?;
        assert!(finding.reason.contains(kind), "{}", finding.reason);
    }
    envoy.stop().await
}
