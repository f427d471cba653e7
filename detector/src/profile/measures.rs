//! The features of an exchange as a whole.
//!
//! Sizes and counts enter as ln(1+x), shares as 0..1, yes/no as 0 or 1. What is not known yet, or never was, is `None` and
//! stays masked.

use std::f32::consts::TAU;

use crate::exchange::Phase;
use crate::observation::{CharacterClasses, ContentClass, Location, Observation, ObservedField, ValueEncoding};

/// How a feature is measured; decides the floor of its scale and its wording in reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureUnit {
    /// ln(1+x) of bytes.
    Bytes,
    /// ln(1+x) of a count.
    Count,
    /// ln(1+x) of microseconds.
    Duration,
    /// 0..1.
    Share,
    /// 0 or 1.
    Flag,
    /// Sine or cosine of the time of day.
    DayTime,
}

impl FeatureUnit {
    /// Smallest scale by which a feature is standardised, in the feature's own unit: a constant feature that moves by this
    /// much is one standard deviation away.
    pub fn scale_floor(self) -> f32 {
        match self {
            FeatureUnit::Bytes => 0.15,
            FeatureUnit::Count => 0.12,
            // Load alone moves durations by an order of magnitude.
            FeatureUnit::Duration => 2.0,
            FeatureUnit::Share => 0.08,
            FeatureUnit::Flag => 0.25,
            FeatureUnit::DayTime => 0.7,
        }
    }

    /// Whether such a feature alone makes an exchange odd. Durations follow the load and the time of day comes to everybody:
    /// they count only together with the others.
    pub fn stands_alone(self) -> bool {
        !matches!(self, FeatureUnit::Duration | FeatureUnit::DayTime)
    }
}

/// One feature.
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    /// As a person reads it in a reason.
    pub name: &'static str,
    pub unit: FeatureUnit,
    pub phase: Phase,
    measure: fn(&Observation, &FieldTotals) -> Option<f32>,
}

/// All features, in the order of the network's inputs. The order belongs to the bundle schema.
pub static FEATURES: [Feature; 43] = [
    head("path", FeatureUnit::Bytes, |seen, _| Some(ln_1p(f64::from(seen.request.path_bytes)))),
    head("trailing slash", FeatureUnit::Flag, |seen, _| Some(flag(seen.path_marks.trailing_slash))),
    head("query", FeatureUnit::Bytes, |seen, _| Some(ln_1p(f64::from(seen.request.query_bytes)))),
    head("number of query parameters", FeatureUnit::Count, |_, totals| Some(ln_1p(totals.query.values))),
    head("longest query value", FeatureUnit::Bytes, |_, totals| Some(ln_1p(totals.query.length_max))),
    head("punctuation in the query", FeatureUnit::Count, |_, totals| Some(ln_1p(totals.query.punctuation))),
    head("share of numeric query values", FeatureUnit::Share, |_, totals| totals.query.numeric_share()),
    head("share of query values outside ASCII", FeatureUnit::Share, |_, totals| totals.query.other_share()),
    head("number of request headers", FeatureUnit::Count, |seen, _| Some(ln_1p(f64::from(seen.request.header_count)))),
    head("request headers", FeatureUnit::Bytes, |seen, _| Some(ln_1p(f64::from(seen.request.header_bytes)))),
    head("number of cookies", FeatureUnit::Count, |seen, _| Some(ln_1p(f64::from(seen.request.cookie_count)))),
    head("user-agent", FeatureUnit::Bytes, |seen, _| Some(ln_1p(f64::from(seen.request.user_agent_bytes)))),
    head("accept header", FeatureUnit::Bytes, |seen, _| Some(ln_1p(f64::from(seen.request.accept_bytes)))),
    head("authorization header", FeatureUnit::Flag, |seen, _| Some(flag(seen.request.authorization))),
    head("declared content length", FeatureUnit::Bytes, |seen, _| {
        seen.request.declared_bytes.map(|bytes| ln_1p(bytes as f64))
    }),
    head("request without content type", FeatureUnit::Flag, |seen, _| Some(content_is(seen, ContentClass::Absent))),
    head("JSON request", FeatureUnit::Flag, |seen, _| Some(content_is(seen, ContentClass::Json))),
    head("form request", FeatureUnit::Flag, |seen, _| Some(content_is(seen, ContentClass::Form))),
    head("time of day", FeatureUnit::DayTime, |seen, _| seen.minute_of_day.map(|minute| day_angle(minute).sin())),
    head("time of day", FeatureUnit::DayTime, |seen, _| seen.minute_of_day.map(|minute| day_angle(minute).cos())),
    body("request body", FeatureUnit::Bytes, |seen, _| Some(ln_1p(seen.body.bytes as f64))),
    body("number of body fields", FeatureUnit::Count, |_, totals| Some(ln_1p(totals.body.values))),
    body("depth of the body", FeatureUnit::Count, |seen, _| Some(ln_1p(f64::from(seen.body.depth)))),
    body("longest list in the body", FeatureUnit::Count, |seen, _| Some(ln_1p(f64::from(seen.body.items_max)))),
    body("longest body value", FeatureUnit::Bytes, |_, totals| Some(ln_1p(totals.body.length_max))),
    body("length of all body values", FeatureUnit::Bytes, |_, totals| Some(ln_1p(totals.body.length))),
    body("punctuation in the body", FeatureUnit::Count, |_, totals| Some(ln_1p(totals.body.punctuation))),
    body("share of numeric body values", FeatureUnit::Share, |_, totals| totals.body.numeric_share()),
    body("share of body values outside ASCII", FeatureUnit::Share, |_, totals| totals.body.other_share()),
    body("share of null body values", FeatureUnit::Share, |_, totals| totals.body.null_share()),
    body("malformed body", FeatureUnit::Flag, |seen, _| Some(flag(seen.body.malformed))),
    reply("successful status", FeatureUnit::Flag, |seen, _| status_is(seen, 2)),
    reply("redirecting status", FeatureUnit::Flag, |seen, _| status_is(seen, 3)),
    reply("refusing status", FeatureUnit::Flag, |seen, _| status_is(seen, 4)),
    reply("gRPC failure", FeatureUnit::Flag, |seen, _| {
        seen.response.and_then(|response| response.grpc_status).map(|status| flag(status != 0))
    }),
    reply("response", FeatureUnit::Bytes, |seen, _| {
        seen.response.and_then(|response| response.bytes).map(|bytes| ln_1p(bytes as f64))
    }),
    reply("duration", FeatureUnit::Duration, |seen, _| {
        seen.response.and_then(|response| response.duration_us).map(|duration| ln_1p(duration as f64))
    }),
    reply("number of response headers", FeatureUnit::Count, |seen, _| {
        seen.response.map(|response| ln_1p(f64::from(response.header_count)))
    }),
    reply("JSON response", FeatureUnit::Flag, |seen, _| reply_is(seen, ContentClass::Json)),
    reply("HTML response", FeatureUnit::Flag, |seen, _| reply_is(seen, ContentClass::Html)),
    reply("text response", FeatureUnit::Flag, |seen, _| reply_is(seen, ContentClass::Text)),
    reply("response without content type", FeatureUnit::Flag, |seen, _| reply_is(seen, ContentClass::Absent)),
    reply("response of another type", FeatureUnit::Flag, |seen, _| reply_is(seen, ContentClass::Other)),
];

/// Number of features: the width of the network's inputs.
pub fn feature_count() -> usize {
    FEATURES.len()
}

/// All features of an observation as far as it has come; `None` where not known.
pub fn features_of(observation: &Observation) -> Vec<Option<f32>> {
    let totals = FieldTotals::of(&observation.fields);
    FEATURES
        .iter()
        .map(|feature| (feature.phase <= observation.phase).then(|| (feature.measure)(observation, &totals)).flatten())
        .collect()
}

/// Whether a feature is known in a phase, per feature.
pub fn visible_in(phase: Phase) -> impl Iterator<Item = bool> {
    FEATURES.iter().map(move |feature| feature.phase <= phase)
}

type Measure = fn(&Observation, &FieldTotals) -> Option<f32>;

const fn head(name: &'static str, unit: FeatureUnit, measure: Measure) -> Feature {
    Feature { name, unit, phase: Phase::Headers, measure }
}

const fn body(name: &'static str, unit: FeatureUnit, measure: Measure) -> Feature {
    Feature { name, unit, phase: Phase::Body, measure }
}

const fn reply(name: &'static str, unit: FeatureUnit, measure: Measure) -> Feature {
    Feature { name, unit, phase: Phase::Response, measure }
}

/// Sums over the fields of a part of the request.
#[derive(Debug, Clone, Copy, Default)]
struct PartTotals {
    values: f64,
    numeric: f64,
    other: f64,
    null: f64,
    length: f64,
    length_max: f64,
    punctuation: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct FieldTotals {
    query: PartTotals,
    body: PartTotals,
}

impl FieldTotals {
    fn of(fields: &[ObservedField]) -> Self {
        let mut totals = Self::default();
        for field in fields.iter().filter(|field| !field.encoding.is_container()) {
            match field.location {
                Location::Query => totals.query.add(field),
                Location::Form | Location::Body | Location::Multipart | Location::Xml => totals.body.add(field),
                Location::Path | Location::Text | Location::Header | Location::Cookie | Location::Token => {}
            }
        }
        totals
    }
}

impl PartTotals {
    fn add(&mut self, field: &ObservedField) {
        let length = f64::from(field.shape.length);
        self.values += 1.0;
        self.numeric += f64::from(u8::from(field.shape.magnitude.is_some()));
        let other = CharacterClasses::OTHER_LETTER | CharacterClasses::OTHER_SYMBOL | CharacterClasses::NOT_UTF_8;
        self.other += f64::from(u8::from(field.shape.classes.0 & other != 0));
        self.null += f64::from(u8::from(field.encoding == ValueEncoding::JsonNull));
        self.length += length;
        self.length_max = self.length_max.max(length);
        self.punctuation += f64::from(field.shape.punctuation_count());
    }

    fn share(&self, part: f64) -> Option<f32> {
        (self.values > 0.0).then(|| (part / self.values) as f32)
    }

    fn numeric_share(&self) -> Option<f32> {
        self.share(self.numeric)
    }

    fn other_share(&self) -> Option<f32> {
        self.share(self.other)
    }

    fn null_share(&self) -> Option<f32> {
        self.share(self.null)
    }
}

fn ln_1p(amount: f64) -> f32 {
    amount.ln_1p() as f32
}

fn flag(on: bool) -> f32 {
    f32::from(u8::from(on))
}

fn day_angle(minute: u16) -> f32 {
    f32::from(minute) / (24.0 * 60.0) * TAU
}

fn content_is(observation: &Observation, class: ContentClass) -> f32 {
    flag(observation.request_content == class)
}

fn status_is(observation: &Observation, hundreds: u16) -> Option<f32> {
    observation.response.and_then(|response| response.status).map(|status| flag(status / 100 == hundreds))
}

fn reply_is(observation: &Observation, class: ContentClass) -> Option<f32> {
    let response = observation.response?;
    response.status?;
    Some(flag(response.content == class))
}
