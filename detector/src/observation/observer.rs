//! Exchange → observation, phase by phase, under one work budget.

use std::net::IpAddr;

use crate::exchange::{Caller, Exchange, Phase, Response, header};
use crate::hashing::KeyedHasher;
use crate::limits;
use crate::payload::{Evidence, PayloadScorer};
use crate::work::WorkBudget;

use super::body::{self, DeclaredBody};
use super::caller_kind::observed_kinds;
use super::fields::FieldCollector;
use super::header_values::{collect_headers, collect_path};
use super::path::parse_target;
use super::payload_values::{PayloadValue, PayloadValues};
use super::response::response_fields;
use super::{BodyMeasures, ContentClass, CredentialKinds, Location, Observation, RequestMeasures, ResponseMeasures};

/// Observes one exchange as its phases come.
#[derive(Debug, Clone)]
pub struct Observer {
    observation: Observation,
    budget: WorkBudget,
    declared_body: DeclaredBody,
    payload_values: PayloadValues,
}

impl Observer {
    /// Header phase. `headers` have names in lower case, without pseudo headers; `target` is path and query as sent.
    pub fn request_headers(
        method: &str,
        host: &str,
        target: &str,
        headers: &[(String, String)],
        at_ms: Option<i64>,
        hasher: &KeyedHasher,
    ) -> Self {
        let mut budget = WorkBudget::default();
        let parsed = parse_target(target, hasher, &mut budget);
        let mut fields = Vec::new();
        let query = parsed.query.get(..limits::PATH_BYTES_MAX).unwrap_or(parsed.query);
        let mut payload_values = PayloadValues::default();
        let mut collector = FieldCollector::new(hasher, &mut budget, &mut fields, &mut payload_values);
        collector.incomplete = query.len() < parsed.query.len();
        collector.urlencoded(Location::Query, "", query);
        collect_path(parsed.path, &parsed.texts, parsed.marks, &mut collector);
        collect_headers(headers, &mut collector);
        let incomplete = parsed.incomplete || collector.incomplete;
        let observation = Observation {
            host: normalised_host(host),
            method: normalised_method(method),
            request: request_measures(parsed.path_bytes, parsed.query.len(), headers),
            components: parsed.components,
            path_marks: parsed.marks,
            caller_kinds: Vec::new(),
            credentials: CredentialKinds::of_headers(headers),
            operation: None,
            response_fields: Vec::new(),
            request_content: ContentClass::of(header(headers, "content-type")),
            fields,
            body: BodyMeasures::default(),
            response: None,
            phase: Phase::Headers,
            minute_of_day: at_ms.map(minute_of_day),
            incomplete,
            payloads: Vec::new(),
            payloads_unscored: false,
        };
        let text_of = |name| header(headers, name).unwrap_or_default().to_owned();
        let declared_body =
            DeclaredBody { content_type: text_of("content-type"), content_encoding: text_of("content-encoding") };
        Self { observation, budget, declared_body, payload_values }
    }

    /// Of what kinds the caller is, and whether it showed a client certificate; part of the header phase.
    pub fn caller(&mut self, caller: &Caller, hasher: &KeyedHasher) {
        let observation = &mut self.observation;
        if caller.kinds.iter().any(|kind| kind.starts_with("certificate:")) {
            observation.credentials.0 |= CredentialKinds::CLIENT_CERTIFICATE;
        }
        let headers = observation.request.header_count;
        observation.caller_kinds = observed_kinds(caller, observation.credentials, headers, hasher);
    }

    /// Body phase. `body` is what was read, `body_bytes` the length of all of it.
    pub fn request_body(&mut self, body: &[u8], body_bytes: u64, hasher: &KeyedHasher) {
        let mut collector =
            FieldCollector::new(hasher, &mut self.budget, &mut self.observation.fields, &mut self.payload_values);
        let observed = body::collect(&self.declared_body, body, body_bytes, &mut collector);
        self.observation.incomplete |= collector.incomplete;
        self.observation.body = observed.measures;
        self.observation.operation = observed.operation;
        self.observation.phase = self.observation.phase.max(Phase::Body);
    }

    /// Response phase.
    pub fn response(&mut self, response: ResponseMeasures) {
        self.observation.response = Some(response);
        self.observation.phase = Phase::Response;
    }

    /// What was read of the response's body; only JSON is looked at.
    pub fn response_body(&mut self, content: ContentClass, body: &[u8], hasher: &KeyedHasher) {
        if content == ContentClass::Json && !body.is_empty() {
            self.observation.response_fields = response_fields(body, hasher, &mut self.budget);
        }
    }

    /// The values of the phases since this was last asked that are not plain, for the payload detector.
    pub fn take_payload_values(&mut self) -> Vec<PayloadValue> {
        self.payload_values.take()
    }

    /// Runs the payload network over the values of the phases since the last time.
    pub fn score_payloads(&mut self, scorer: &PayloadScorer, evidence: Evidence, hasher: &KeyedHasher) {
        let values = self.payload_values.take();
        if values.is_empty() {
            return;
        }
        let observed = scorer.observe(&values, hasher, evidence, &mut self.budget);
        self.observation.incomplete |= self.budget.exhausted().is_some();
        self.observation.payloads_unscored |= observed.has_unscored;
        let payloads = &mut self.observation.payloads;
        payloads.extend(observed.payloads);
        payloads.sort_by(|one, other| other.attack.total_cmp(&one.attack));
        payloads.truncate(limits::OBSERVED_PAYLOADS_MAX);
    }

    /// Whether a request had more such values than are kept.
    pub fn has_dropped_payload_values(&self) -> bool {
        self.payload_values.has_dropped()
    }

    pub fn observation(&self) -> &Observation {
        &self.observation
    }

    /// The work that may still be done for this exchange.
    pub fn budget(&mut self) -> &mut WorkBudget {
        &mut self.budget
    }

    /// Observation and budget apart, to score the one under the other.
    pub fn parts(&mut self) -> (&Observation, &mut WorkBudget) {
        (&self.observation, &mut self.budget)
    }

    pub fn into_observation(self) -> Observation {
        self.observation
    }

    /// All phases of a complete exchange; one without a response ends in the body phase.
    pub fn observe(exchange: &Exchange, hasher: &KeyedHasher) -> Observation {
        Self::observe_scored(exchange, hasher, None)
    }

    /// The same with the payload network.
    pub fn observe_scored(exchange: &Exchange, hasher: &KeyedHasher, scorer: Option<&PayloadScorer>) -> Observation {
        let request = &exchange.request;
        let mut observer = Self::request_headers(
            &request.method,
            &request.host,
            &request.target,
            &request.headers,
            exchange.at_ms,
            hasher,
        );
        observer.caller(&exchange.caller, hasher);
        // Phase by phase, as in the filter, so that the values of one do not crowd out those of the other.
        let score = |observer: &mut Self| {
            if let Some(scorer) = scorer {
                observer.score_payloads(scorer, Evidence::Shown, hasher);
            }
        };
        score(&mut observer);
        observer.request_body(&request.body, request.body_bytes, hasher);
        score(&mut observer);
        if let Some(response) = &exchange.response {
            let measures = ResponseMeasures::of(response);
            observer.response_body(measures.content, &response.body, hasher);
            observer.response(measures);
        }
        observer.into_observation()
    }
}

impl ResponseMeasures {
    pub fn of(response: &Response) -> Self {
        Self {
            status: response.status,
            grpc_status: response.grpc_status,
            content: ContentClass::of(header(&response.headers, "content-type")),
            header_count: u16::try_from(response.headers.len()).unwrap_or(u16::MAX),
            bytes: response.bytes,
            duration_us: response.duration_us,
        }
    }
}

/// Host name for route tables: lower case, without port; `{ip}` for addresses, `{host}` for what is no host name.
pub fn normalised_host(host: &str) -> String {
    let host = host.trim();
    if host.is_empty() || host.len() > limits::HOST_BYTES_MAX {
        return "{host}".to_owned();
    }
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.split(']').next());
    let name = bracketed.unwrap_or_else(|| match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.contains(':') => name,
        _ => host,
    });
    if name.parse::<IpAddr>().is_ok() {
        return "{ip}".to_owned();
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_'));
    if is_name { name } else { "{host}".to_owned() }
}

fn normalised_method(method: &str) -> String {
    let is_token = !method.is_empty()
        && method.len() <= limits::METHOD_BYTES_MAX
        && method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
    if is_token { method.to_ascii_uppercase() } else { "{method}".to_owned() }
}

fn request_measures(path_bytes: usize, query_bytes: usize, headers: &[(String, String)]) -> RequestMeasures {
    let length_of = |name| header(headers, name).map_or(0, str::len);
    let cookies = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("cookie"))
        .map(|(_, value)| value.split(';').filter(|pair| !pair.trim().is_empty()).count())
        .sum::<usize>();
    RequestMeasures {
        path_bytes: saturate(path_bytes),
        query_bytes: saturate(query_bytes),
        header_count: u16::try_from(headers.len()).unwrap_or(u16::MAX),
        header_bytes: saturate(headers.iter().map(|(name, value)| name.len() + value.len()).sum()),
        cookie_count: u16::try_from(cookies).unwrap_or(u16::MAX),
        user_agent_bytes: u16::try_from(length_of("user-agent")).unwrap_or(u16::MAX),
        accept_bytes: u16::try_from(length_of("accept")).unwrap_or(u16::MAX),
        authorization: header(headers, "authorization").is_some(),
        declared_bytes: header(headers, "content-length").and_then(|length| length.trim().parse().ok()),
    }
}

fn saturate(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn minute_of_day(at_ms: i64) -> u16 {
    u16::try_from(at_ms.div_euclid(60_000).rem_euclid(24 * 60)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exchange::Request;

    fn hasher() -> KeyedHasher {
        KeyedHasher::new(b"0123456789abcdef").unwrap()
    }

    #[test]
    fn hosts_are_names_without_ports() {
        let check = |host: &str, expected: &str| assert_eq!(normalised_host(host), expected, "{host}");
        check("Shop.Example:8080", "shop.example");
        check("localhost:8080", "localhost");
        check("10.0.0.1:80", "{ip}");
        check("[::1]:80", "{ip}");
        check("::1", "{ip}");
        check("x y", "{host}");
        check("", "{host}");
    }

    #[test]
    fn a_form_body_gives_fields_and_no_values() {
        let exchange = Exchange {
            request: Request {
                method: "post".into(),
                host: "shop".into(),
                target: "/login?next=%2Fcart".into(),
                headers: vec![("content-type".into(), "application/x-www-form-urlencoded; charset=utf-8".into())],
                body: b"user=ann&password=hunter2%21".to_vec(),
                body_bytes: 28,
            },
            ..Exchange::default()
        };
        let observation = Observer::observe(&exchange, &hasher());
        assert_eq!(observation.method, "POST");
        let names: Vec<_> = observation.fields.iter().map(|field| (field.location, field.name.as_str())).collect();
        assert_eq!(names, vec![(Location::Query, "next"), (Location::Form, "user"), (Location::Form, "password")]);
        assert!(!format!("{observation:?}").contains("hunter2"));
    }

    fn header_values(target: &str, headers: &[(&str, &str)]) -> Vec<(Location, String, String)> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut observer = Observer::request_headers("GET", "h", target, &headers, None, &hasher());
        let values = observer.take_payload_values();
        assert!(observer.take_payload_values().is_empty());
        assert!(observer.observation().fields.iter().all(|field| field.location == Location::Query));
        values.into_iter().map(|value| (value.location, value.name, value.text)).collect()
    }

    #[test]
    fn values_of_the_head_are_taken_by_location() {
        let check = |target: &str, headers: &[(&str, &str)], expected: &[(Location, &str, &str)]| {
            let expected: Vec<_> = expected
                .iter()
                .map(|(location, name, text)| (*location, (*name).to_owned(), (*text).to_owned()))
                .collect();
            assert_eq!(header_values(target, headers), expected, "{target} {headers:?}");
        };
        check("/api/cart/3?coupon=x&page=2", &[("accept", "text/html, */*;q=0.1"), ("host", "h:80")], &[]);
        check("/a/%27or%201=1/b", &[], &[(Location::Path, "1", "'or 1=1")]);
        check("/a/../../etc/x", &[], &[(Location::Path, "", "/a/../../etc/x")]);
        assert!(header_values("/.git/config", &[]).contains(&(
            Location::Path,
            String::new(),
            "/.git/config".to_owned()
        )));
        check("/x?q=%27or+1&a[$ne]=1", &[], &[(Location::Query, "q", "'or 1"), (Location::Query, "{text}", "a[$ne]")]);
        check("/x?%3Cscript%3E", &[], &[(Location::Query, "{text}", "<script>")]);
        check(
            "/x?id=1/*&id=*/or",
            &[],
            &[(Location::Query, "id", "1/*"), (Location::Query, "id", "*/or"), (Location::Query, "id", "1/*,*/or")],
        );
        check("/x?filter=%7B%22name%22:%22%3Cb%3E%22%7D", &[], &[(Location::Query, "filter.name", "<b>")]);
        check(
            "/x",
            &[("user-agent", "() { :; }; id"), ("x-forwarded-for", "1' or 1"), ("accept", "${jndi:x}")],
            &[
                (Location::Header, "user-agent", "() { :; }; id"),
                (Location::Header, "x-forwarded-for", "1' or 1"),
                (Location::Header, "accept", "${jndi:x}"),
            ],
        );
        check(
            "/x",
            &[("referer", "https://a.example/b?c=%27d&e=f")],
            &[(Location::Header, "referer", "https://a.example/b"), (Location::Header, "referer.c", "'d")],
        );
        check(
            "/x",
            &[("cookie", r#"a=1; theme=%3Cb%3E; state={"n":"<i>"}"#)],
            &[(Location::Cookie, "theme", "<b>"), (Location::Cookie, "state.n", "<i>")],
        );
        // {"kid":"../k"} and {"sub":"a'b","n":1}
        let token = "Bearer eyJraWQiOiIuLi9rIn0.eyJzdWIiOiJhJ2IiLCJuIjoxfQ.c2ln";
        check(
            "/x",
            &[("authorization", token)],
            &[(Location::Token, "sub", "a'b"), (Location::Token, "header.kid", "../k")],
        );
    }

    proptest! {
        #[test]
        fn any_head_gives_bounded_values(
            target in "[/?&=%a-f0-9'.{}]{0,300}|.{0,300}",
            headers in proptest::collection::vec(
                (proptest::sample::select(vec!["cookie", "referer", "authorization", "x-a", "accept"]), ".{0,200}"), 0..40),
        ) {
            let headers: Vec<_> = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let mut observer = Observer::request_headers("GET", "h", &target, &headers, None, &hasher());
            let values = observer.take_payload_values();
            prop_assert!(values.len() <= limits::PAYLOAD_VALUES_MAX);
            prop_assert!(values.iter().map(|value| value.text.len()).sum::<usize>() <= limits::PAYLOAD_VALUES_BYTES_MAX);
        }

        #[test]
        fn any_input_is_observed_within_limits(
            method in ".{0,40}",
            host in ".{0,300}",
            target in ".{0,2000}",
            content_type in prop_oneof![Just("application/json"), Just("application/x-www-form-urlencoded"), Just("text/x")],
            body in proptest::collection::vec(any::<u8>(), 0..2000),
        ) {
            let exchange = Exchange {
                request: Request {
                    method, host, target,
                    headers: vec![("content-type".into(), content_type.into())],
                    body_bytes: body.len() as u64,
                    body,
                },
                ..Exchange::default()
            };
            let observation = Observer::observe(&exchange, &hasher());
            prop_assert!(observation.fields.len() <= limits::VALUES_MAX);
            prop_assert!(observation.components.len() <= limits::PATH_COMPONENTS_MAX);
            for component in &observation.components {
                prop_assert!(component.shape.pattern.chars().count() <= limits::PATTERN_CHARS_MAX + 1);
            }
        }

        #[test]
        fn json_like_bodies_are_walked_within_limits(body in "[\\[\\]{}\":,0-9a-z\\\\ ]{0,600}") {
            let mut observer = Observer::request_headers("POST", "h", "/x", &[], None, &hasher());
            observer.request_body(body.as_bytes(), body.len() as u64, &hasher());
            prop_assert!(observer.observation().fields.len() <= limits::VALUES_MAX);
        }
    }
}
