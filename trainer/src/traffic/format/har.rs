//! HTTP Archive 1.2, as browsers and testing tools save it: one JSON document whose list `log.entries` has the exchanges.
//!
//! The format: <http://www.softwareishard.com/blog/har-12-spec/>. It does not say who the client was, so exchanges of an
//! archive have no caller.

mod posted;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::{self, BufRead};

use apiward_detector::exchange::{Caller, Exchange, header};
use apiward_detector::observation::KindClaims;
use serde::Deserialize;

use self::posted::PostData;
use super::Recorded;
use super::json_array::{ArrayElements, ArrayError, Element};
use super::json_values::{Instant, Text, json_reason};
use super::parts::{self, RecordedResponse, RequestBody};
use super::url::host_and_target;
use crate::traffic::{BadEntry, Entry, Labelled, Place, Source, TrafficError};

/// Bytes of one entry; a longer one is skipped without being held in memory. Entries carry bodies, images too.
const ENTRY_BYTES_MAX: usize = 32 * 1024 * 1024;
const ENTRIES: &[&str] = &["log", "entries"];

/// Entries of an HTTP Archive, one in memory at a time.
pub struct HarEntries {
    name: String,
    elements: ArrayElements<Box<dyn BufRead>>,
    read_entries: u64,
    failed: bool,
}

impl HarEntries {
    pub fn new(source: Source) -> Self {
        let elements = ArrayElements::new(source.reader, ENTRIES, ENTRY_BYTES_MAX);
        Self { name: source.name, elements, read_entries: 0, failed: false }
    }

    fn failure(&mut self, error: ArrayError) -> TrafficError {
        self.failed = true;
        let name = self.name.clone();
        let source = match error {
            ArrayError::Absent => return TrafficError::NoArchive { name },
            ArrayError::Cut => io::Error::from(io::ErrorKind::UnexpectedEof),
            ArrayError::Io(source) => source,
        };
        TrafficError::Read { name, place: Place::Entry(self.read_entries), source }
    }
}

impl Iterator for HarEntries {
    type Item = Result<Entry, TrafficError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let parsed = match self.elements.next_element() {
            Ok(None) => return None,
            Ok(Some(Element::Complete(entry))) => exchange_of_entry(entry),
            Ok(Some(Element::TooLong { bytes })) => {
                Err(format!("the entry has {bytes} bytes, at most {ENTRY_BYTES_MAX} are read"))
            }
            Err(error) => return Some(Err(self.failure(error))),
        };
        let index = self.read_entries;
        self.read_entries += 1;
        Some(Ok(match parsed {
            Ok((exchange, label)) => Entry::Exchange(Box::new(Labelled { index, exchange, label })),
            Err(reason) => Entry::Bad(BadEntry { place: Place::Entry(index + 1), reason }),
        }))
    }
}

/// Reads one entry.
///
/// # Errors
/// What is wrong with it, in one lower-case sentence.
fn exchange_of_entry(entry: &[u8]) -> Result<Recorded, String> {
    let entry: ArchivedEntry = serde_json::from_slice(entry).map_err(|error| json_reason(&error))?;
    let request = entry.request;
    let (host, target) = host_and_target(&request.url)
        .map(|(host, target)| (host.to_owned(), target))
        .ok_or_else(|| format!("{:?} is no HTTP URL", parts::shown(&request.url)))?;
    let mut headers = headers(request.headers);
    let mut body = RequestBody { content: Vec::new(), bytes: size(request.body_size) };
    if let Some(posted) = request.post_data {
        if let Some(mime_type) = posted.mime_type.as_deref().filter(|mime_type| !mime_type.is_empty())
            && header(&headers, "content-type").is_none()
        {
            headers.push(("content-type".to_owned(), mime_type.to_owned()));
        }
        let content = posted.content(header(&headers, "content-type").unwrap_or_default());
        // Where there is content it is all there is; its size may be given as compressed.
        if !content.is_empty() {
            body = RequestBody { content, bytes: None };
        }
    }
    let request = parts::request(request.method.into_owned(), Some(host), target, headers, body)?;
    let response = match entry.response {
        Some(response) => parts::response(response.recorded(entry.time))?,
        None => None,
    };
    let kinds = KindClaims::default().kinds_of_headers(&request.headers);
    let caller = Caller { kinds, ..Caller::default() };
    Ok((Exchange { at_ms: entry.started.map(|instant| instant.0), caller, request, response }, None))
}

/// The members of an entry that tell something; other members are passed over.
#[derive(Deserialize)]
struct ArchivedEntry<'e> {
    #[serde(rename = "startedDateTime")]
    started: Option<Instant>,
    /// Milliseconds; -1 when not known.
    time: Option<f64>,
    #[serde(borrow)]
    request: ArchivedRequest<'e>,
    #[serde(borrow)]
    response: Option<ArchivedResponse<'e>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchivedRequest<'e> {
    #[serde(borrow)]
    method: Cow<'e, str>,
    #[serde(borrow)]
    url: Cow<'e, str>,
    #[serde(borrow)]
    headers: Option<Vec<NamedValue<'e>>>,
    #[serde(borrow)]
    post_data: Option<PostData<'e>>,
    /// -1 when not known.
    body_size: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchivedResponse<'e> {
    /// 0 when there never was one.
    status: Option<f64>,
    #[serde(borrow)]
    headers: Option<Vec<NamedValue<'e>>>,
    #[serde(borrow)]
    content: Option<Content<'e>>,
    /// As transferred; -1 when not known.
    body_size: Option<f64>,
}

/// The body of a response.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content<'e> {
    /// Not compressed.
    size: Option<f64>,
    /// Bytes that compression saved.
    compression: Option<f64>,
    #[serde(borrow)]
    mime_type: Option<Cow<'e, str>>,
    #[serde(borrow)]
    text: Option<Cow<'e, str>>,
    /// `base64`, or none where the text is the body as it is.
    #[serde(borrow)]
    encoding: Option<Cow<'e, str>>,
}

impl Content<'_> {
    /// The body where it was recorded as text; what is in base64 is no JSON, of which alone anything is looked at.
    fn recorded_text(self) -> Option<String> {
        self.text.filter(|_| self.encoding.is_none()).map(Cow::into_owned)
    }
}

#[derive(Deserialize)]
struct NamedValue<'e> {
    #[serde(borrow)]
    name: Cow<'e, str>,
    #[serde(borrow)]
    value: Option<Text<'e>>,
}

impl ArchivedResponse<'_> {
    fn recorded(self, time_ms: Option<f64>) -> RecordedResponse {
        let mut headers = headers(self.headers);
        let mime_type = self.content.as_ref().and_then(|content| content.mime_type.as_deref()).unwrap_or_default();
        // What browsers write where they were not told.
        if header(&headers, "content-type").is_none() && !matches!(mime_type, "" | "x-unknown") {
            headers.push(("content-type".to_owned(), mime_type.to_owned()));
        }
        let content_bytes = self.content.as_ref().and_then(|content| {
            Some(size(content.size)?.saturating_sub(size(content.compression).unwrap_or_default()))
        });
        RecordedResponse {
            status: size(self.status),
            headers: Some(headers),
            body: self.content.and_then(Content::recorded_text),
            bytes: size(self.body_size).or(content_bytes),
            duration_us: size(time_ms.map(|milliseconds| milliseconds * 1000.0)),
        }
    }
}

fn headers(named: Option<Vec<NamedValue<'_>>>) -> Vec<(String, String)> {
    named
        .into_iter()
        .flatten()
        .map(|header| {
            let value = header.value.map(|value| value.0.into_owned()).unwrap_or_default();
            (header.name.to_ascii_lowercase(), value)
        })
        .collect()
}

/// A number that says nothing when it is negative.
fn size(number: Option<f64>) -> Option<u64> {
    number.filter(|number| *number >= 0.0).map(|number| number.round() as u64)
}
