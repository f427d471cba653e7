//! The REST API of a running service, from a shell.

pub mod callers;
mod calls;
pub mod detections;
pub mod endpoints;
pub mod models;
pub mod payload_exceptions;
pub mod training;
pub mod watchlist;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
const CONNECT_MAX: Duration = Duration::from_secs(10);
const ANSWER_MAX: Duration = Duration::from_secs(90);

/// Which service to talk to.
#[derive(Debug, clap::Args)]
pub struct ServiceArgs {
    /// URL of the trainer service
    #[arg(
        long,
        env = "APIWARD_URL",
        value_name = "URL",
        help_heading = "At the service",
        default_value = "http://127.0.0.1:8470"
    )]
    url: String,
    /// API token; safer in the environment or a file than on the command line
    #[arg(
        long,
        env = "APIWARD_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "At the service",
        conflicts_with = "token_file"
    )]
    token: Option<String>,
    /// File with the API token in it
    #[arg(long, env = "APIWARD_TOKEN_FILE", value_name = "FILE", help_heading = "At the service")]
    token_file: Option<PathBuf>,
    /// Scope to work on; a service asks for it when the token is for all scopes
    #[arg(long, env = "APIWARD_SCOPE", value_name = "SCOPE")]
    scope: Option<String>,
}

/// How lists are printed.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// Print the service's answer as JSON
    #[arg(long)]
    json: bool,
}

/// A service that answers.
pub struct ServiceClient {
    agent: Agent,
    base: String,
    authorization: String,
    scope: Option<String>,
}

/// An error as the service tells it (RFC 9457).
#[derive(Debug, Default, Deserialize)]
struct ProblemDocument {
    #[serde(default)]
    detail: String,
}

impl ServiceArgs {
    /// The scope asked for.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// # Errors
    /// When there is no token.
    pub fn client(&self) -> anyhow::Result<ServiceClient> {
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(file)) => {
                std::fs::read_to_string(file).with_context(|| format!("read the token {}", file.display()))?
            }
            (None, None) => bail!("the service asks for a token: give it with APIWARD_TOKEN or --token-file"),
        };
        let token = token.trim();
        ensure!(
            !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()),
            "the token must be one word of printable ASCII"
        );
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(ANSWER_MAX))
            .user_agent(concat!("apiward/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(ServiceClient {
            agent: config.into(),
            base: self.url.trim_end_matches('/').to_owned(),
            authorization: format!("Bearer {token}"),
            scope: self.scope.clone(),
        })
    }
}

impl ServiceClient {
    /// The scope that was asked for.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// # Errors
    /// When the service cannot be reached, refuses, or answers with something else than JSON.
    pub fn get(&self, path: &str, query: &[(&str, Option<&str>)]) -> anyhow::Result<Value> {
        let given = query.iter().filter_map(|(name, value)| value.map(|value| (*name, value)));
        let request = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("authorization", &self.authorization)
            .query_pairs(given);
        self.answer(request.call())
    }

    /// # Errors
    /// As [`ServiceClient::get`].
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.base)).header("authorization", &self.authorization);
        self.answer(request.send_json(body))
    }

    /// Sends a document as it is.
    ///
    /// # Errors
    /// As [`ServiceClient::get`].
    pub fn post_document(
        &self,
        path: &str,
        query: &[(&str, Option<&str>)],
        media_type: &str,
        document: &[u8],
    ) -> anyhow::Result<Value> {
        let given = query.iter().filter_map(|(name, value)| value.map(|value| (*name, value)));
        let request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("authorization", &self.authorization)
            .header("content-type", media_type)
            .query_pairs(given);
        self.answer(request.send(document))
    }

    /// # Errors
    /// When the service cannot be reached or refuses.
    pub fn delete(&self, path: &str) -> anyhow::Result<()> {
        let request = self.agent.delete(format!("{}{path}", self.base)).header("authorization", &self.authorization);
        self.body_of(request.call()).map(drop)
    }

    fn answer(&self, result: Result<Response<Body>, ureq::Error>) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body_of(result)?)
            .with_context(|| format!("{} answered with something else than JSON: is it the trainer?", self.base))
    }

    /// The body of a success.
    fn body_of(&self, result: Result<Response<Body>, ureq::Error>) -> anyhow::Result<Vec<u8>> {
        let mut response = result.with_context(|| format!("the service at {} cannot be reached", self.base))?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.with_context(|| format!("the answer of {} broke off", self.base))?;
        if status.is_success() {
            return Ok(body);
        }
        let problem: ProblemDocument = serde_json::from_slice(&body).unwrap_or_default();
        if problem.detail.is_empty() {
            bail!("the service at {} answered {status}", self.base);
        }
        bail!("{} ({status})", problem.detail)
    }
}

/// The content of a file.
///
/// # Errors
/// When it cannot be read or has more bytes than that.
fn read_bounded(path: &Path, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut content)?;
    ensure!(content.len() <= bytes_max, "it has more than {bytes_max} bytes");
    Ok(content)
}

/// Prints an answer: as it came, or as a person reads it.
fn show<T: DeserializeOwned>(
    answer: Value,
    output: &OutputArgs,
    as_text: impl FnOnce(T) -> String,
) -> anyhow::Result<()> {
    if output.json {
        return show_json(&answer);
    }
    print(as_text(read_answer(&answer)?))
}

/// An answer's fields.
fn read_answer<T: DeserializeOwned>(answer: &Value) -> anyhow::Result<T> {
    T::deserialize(answer).context("the service is of another version: its answer has other fields")
}

/// Prints an answer as it came.
fn show_json(answer: &Value) -> anyhow::Result<()> {
    print(serde_json::to_string_pretty(answer).context("write the answer as JSON")?)
}

fn print(mut text: String) -> anyhow::Result<()> {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    io::stdout().write_all(text.as_bytes()).context("write to standard output")
}

fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(columns);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// `2026-11-23 07:02:11Z`, from an RFC 3339 time.
fn short_time(time: &str) -> String {
    let seconds = time.get(..19).unwrap_or(time);
    let zone = if time.ends_with('Z') { "Z" } else { "" };
    format!("{}{zone}", seconds.replacen('T', " ", 1))
}

/// One path segment, with everything encoded that would end it.
fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
