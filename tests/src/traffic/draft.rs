//! A request as a flow words it, before device, token and identity are added.

use axum::http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::shop::Endpoint;

/// What a path segment or a query value keeps unescaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A body and with it the content type.
#[derive(Clone, Debug)]
pub(super) enum DraftBody {
    None,
    Json(String),
    Form(Vec<(&'static str, String)>),
}

/// Method, path, query and body.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub method: Method,
    pub template: Option<&'static str>,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub body: DraftBody,
    /// The tag of a file that the browser holds already.
    pub if_none_match: Option<String>,
}

impl Draft {
    /// A request to an endpoint without a path parameter.
    pub fn to(endpoint: Endpoint) -> Self {
        Self::of(endpoint, endpoint.template().to_owned())
    }

    /// A request to an endpoint whose one path parameter is `value`, escaped here.
    pub fn at(endpoint: Endpoint, value: impl ToString) -> Self {
        let template = endpoint.template();
        let escaped = utf8_percent_encode(&value.to_string(), ESCAPED).to_string();
        let path = match (template.find('{'), template.find('}')) {
            (Some(open), Some(close)) => {
                format!("{}{escaped}{}", &template[..open], &template[close + 1..])
            }
            _ => template.to_owned(),
        };
        Self::of(endpoint, path)
    }

    fn of(endpoint: Endpoint, path: String) -> Self {
        Self {
            method: endpoint.method(),
            template: Some(endpoint.template()),
            path,
            query: Vec::new(),
            body: DraftBody::None,
            if_none_match: None,
        }
    }

    /// A request to a path that the shop does not have.
    pub fn elsewhere(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            template: None,
            path: path.into(),
            query: Vec::new(),
            body: DraftBody::None,
            if_none_match: None,
        }
    }

    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    pub fn query(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// Adds the parameter only where there is a value.
    pub fn query_if(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.body = DraftBody::Json(body.to_string());
        self
    }

    pub fn form(mut self, fields: Vec<(&'static str, String)>) -> Self {
        self.body = DraftBody::Form(fields);
        self
    }

    pub fn if_none_match(mut self, tag: Option<String>) -> Self {
        self.if_none_match = tag;
        self
    }

    /// Path and query as they go on the wire.
    pub fn target(&self, plus_for_space: bool) -> String {
        let mut target = self.path.clone();
        let mut separator = '?';
        for (name, value) in &self.query {
            let mut escaped = utf8_percent_encode(value, ESCAPED).to_string();
            if plus_for_space {
                escaped = escaped.replace("%20", "+");
            }
            target.push(separator);
            target.push_str(&utf8_percent_encode(name, ESCAPED).to_string());
            target.push('=');
            target.push_str(&escaped);
            separator = '&';
        }
        target
    }
}
