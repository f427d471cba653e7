use apiward_detector::observation::{ContentClass, Location};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::discovery::summary::EndpointSummary;

use super::evidence::{SHARE_MIN, is_required, share};
use super::schema::{FormField, document_schema, form_schema};
use super::values::ValueView;

/// The body of requests, or of successful responses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Body {
    /// Nearly every exchange has one.
    pub required: bool,
    /// By media type, the most frequent first; never empty.
    pub contents: Vec<BodyContent>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BodyContent {
    /// `application/json`; `*/*` for those that are not told apart.
    pub media_type: String,
    pub exchanges: u64,
    /// JSON Schema, for JSON and forms.
    pub schema: Option<Value>,
}

/// `None` where no body was seen.
pub fn request_body(method: &str, summary: &EndpointSummary) -> Option<Body> {
    let fields_at = |wanted: Location| summary.fields.iter().filter(move |((location, _), _)| *location == wanted);
    let json = document_schema(
        fields_at(Location::Body).map(|((_, name), field)| (name.as_ref(), ValueView::from(&field.values))),
    );
    let forms = summary.form_exchanges();
    let mut contents = Vec::new();
    let bodies = summary.json_exchanges();
    if json.is_some() && share(bodies, summary.succeeded) >= SHARE_MIN {
        contents.push(content(ContentClass::Json, bodies, json));
    }
    let mut form = fields_at(Location::Form).peekable();
    if form.peek().is_some() && share(forms, summary.succeeded) >= SHARE_MIN {
        let fields = form.map(|((_, name), field)| FormField {
            name,
            values: ValueView::from(&field.values),
            exchanges: field.exchanges,
            repeated: field.repeated,
        });
        contents.push(content(ContentClass::Form, forms, Some(form_schema(fields, forms))));
    }
    // Bodies of other types are not looked into; whether there is one is told by the declared type. Clients declare types
    // for requests that have no body, too.
    let may_have_body = !matches!(method, "GET" | "HEAD" | "DELETE" | "OPTIONS" | "TRACE");
    for (class, exchanges) in &summary.request_content {
        let is_opaque = !matches!(class, ContentClass::Absent | ContentClass::Json | ContentClass::Form);
        if may_have_body && is_opaque && share(*exchanges, summary.succeeded) >= SHARE_MIN {
            contents.push(content(*class, *exchanges, None));
        }
    }
    body(contents, summary.succeeded)
}

/// `None` where no successful response had a body.
pub fn response_body(summary: &EndpointSummary) -> Option<Body> {
    let responses: u64 = summary.response_content.values().sum();
    let mut json =
        document_schema(summary.response_fields.iter().map(|(name, field)| (name.as_ref(), ValueView::from(field))));
    let contents = summary
        .response_content
        .iter()
        .filter(|(class, exchanges)| **class != ContentClass::Absent && share(**exchanges, responses) >= SHARE_MIN)
        .map(|(class, exchanges)| {
            let schema = if *class == ContentClass::Json { json.take() } else { None };
            content(*class, *exchanges, schema)
        })
        .collect();
    body(contents, responses)
}

fn content(class: ContentClass, exchanges: u64, schema: Option<Value>) -> BodyContent {
    BodyContent { media_type: media_type(class).to_owned(), exchanges, schema }
}

fn body(mut contents: Vec<BodyContent>, total: u64) -> Option<Body> {
    contents.sort_by_key(|content| std::cmp::Reverse(content.exchanges));
    let with_body = contents.iter().map(|content| content.exchanges).sum();
    (!contents.is_empty()).then(|| Body { required: is_required(with_body, total), contents })
}

fn media_type(class: ContentClass) -> &'static str {
    match class {
        ContentClass::Json => "application/json",
        ContentClass::Form => "application/x-www-form-urlencoded",
        ContentClass::Multipart => "multipart/form-data",
        ContentClass::Xml => "application/xml",
        ContentClass::Html => "text/html",
        ContentClass::Text => "text/plain",
        ContentClass::Grpc => "application/grpc",
        ContentClass::Absent | ContentClass::Other => "*/*",
    }
}
