//! What a request of an HTTP Archive carried.

use std::borrow::Cow;

use serde::Deserialize;

use crate::traffic::format::json_values::Text;

/// A body as its text, or as the parameters of the form that it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostData<'e> {
    #[serde(borrow)]
    pub mime_type: Option<Cow<'e, str>>,
    #[serde(borrow)]
    text: Option<Cow<'e, str>>,
    #[serde(borrow)]
    params: Option<Vec<Parameter<'e>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameter<'e> {
    #[serde(borrow)]
    name: Cow<'e, str>,
    #[serde(borrow)]
    value: Option<Text<'e>>,
    #[serde(borrow)]
    file_name: Option<Cow<'e, str>>,
    #[serde(borrow)]
    content_type: Option<Cow<'e, str>>,
}

impl PostData<'_> {
    /// The body's bytes; the parameters of a form are written as its content type says. Empty when nothing was recorded.
    pub fn content(&self, content_type: &str) -> Vec<u8> {
        if let Some(text) = self.text.as_ref().filter(|text| !text.is_empty()) {
            return text.as_bytes().to_vec();
        }
        let parameters = self.params.as_deref().unwrap_or_default();
        if parameters.is_empty() {
            return Vec::new();
        }
        match boundary(content_type) {
            Some(boundary) => multipart(parameters, boundary),
            None => form(parameters),
        }
        .into_bytes()
    }
}

fn form(parameters: &[Parameter<'_>]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for parameter in parameters {
        form.append_pair(&parameter.name, parameter.value());
    }
    form.finish()
}

/// RFC 7578.
fn multipart(parameters: &[Parameter<'_>], boundary: &str) -> String {
    let mut body = String::new();
    for parameter in parameters {
        body += &format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{}\"", quotable(&parameter.name));
        if let Some(file_name) = &parameter.file_name {
            body += &format!("; filename=\"{}\"", quotable(file_name));
        }
        if let Some(content_type) = &parameter.content_type {
            body += &format!("\r\ncontent-type: {}", content_type.replace(['\r', '\n'], " "));
        }
        body += &format!("\r\n\r\n{}\r\n", parameter.value());
    }
    body += &format!("--{boundary}--\r\n");
    body
}

impl Parameter<'_> {
    fn value(&self) -> &str {
        self.value.as_ref().map(|value| &*value.0).unwrap_or_default()
    }
}

/// The boundary of a multipart content type.
fn boundary(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').map(str::trim);
    let essence = parameters.next()?;
    if !essence.get(..10).is_some_and(|beginning| beginning.eq_ignore_ascii_case("multipart/")) {
        return None;
    }
    let value = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    Some(value.trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

/// A name as browsers write it between quotes.
fn quotable(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
