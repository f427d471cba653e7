//! A specification as far as traffic can be compared with it: OpenAPI 3.0, 3.1 and Swagger 2.0, JSON or YAML.

mod operation;
mod reading;
mod reference;
mod server;
mod shape;

use serde_json::Value;

pub use operation::{DeclaredBody, DeclaredOperation, DeclaredParameter, ParameterPlace};
pub use server::Server;
pub use shape::{Additional, Shape, Shapes};

use crate::discovery::limits;
use reference::unresolved;

/// References that are named when they lead nowhere.
const REFERENCES_SHOWN: usize = 3;

/// A specification, read.
#[derive(Debug, Clone)]
pub struct Specification {
    pub title: String,
    pub version: String,
    /// `OpenAPI 3.0.3`, `Swagger 2.0`
    pub format: String,
    /// In the order of the document; never empty.
    pub servers: Vec<Server>,
    pub operations: Vec<DeclaredOperation>,
    /// What could not be understood, as sentences.
    pub notes: Vec<String>,
    root: Value,
}

#[derive(Debug, thiserror::Error)]
pub enum SpecificationError {
    #[error("it has {bytes} bytes, at most {} are read", limits::SPECIFICATION_BYTES_MAX)]
    TooLarge { bytes: usize },
    #[error("it is no UTF-8 text")]
    NotText,
    #[error("it is no JSON: {0}")]
    Json(#[source] serde_json::Error),
    #[error("it is no YAML: {0}")]
    Yaml(String),
    #[error("it is no OpenAPI document: neither `openapi: 3.…` nor `swagger: \"2.0\"` is at its top")]
    NotASpecification,
    #[error("it is {format}; OpenAPI 3.0 and 3.1 and Swagger 2.0 are understood")]
    Unsupported { format: String },
    #[error("it has more than {} operations", limits::SPECIFICATION_OPERATIONS_MAX)]
    TooManyOperations,
}

/// What differs between the formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    OpenApi3,
    Swagger2,
}

impl Specification {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is too large, no text, or no specification.
    pub fn parse(document: &[u8]) -> Result<Self, SpecificationError> {
        let root = reading::read(document)?;
        let (dialect, format) = dialect_of(&root)?;
        let info = |member: &str| root.pointer(&format!("/info/{member}")).map(text_of).unwrap_or_default();
        let mut notes = Vec::new();
        let lost = unresolved(&root);
        if let Some(first) = lost.iter().take(REFERENCES_SHOWN).cloned().reduce(|all, next| format!("{all}, {next}")) {
            let count = lost.len();
            notes.push(format!(
                "{count} references lead out of the document, what they stand for is not compared: {first}"
            ));
        }
        Ok(Self {
            title: info("title"),
            version: info("version"),
            format,
            servers: server::servers(&root, dialect),
            operations: operation::operations(&root, dialect)?,
            notes,
            root,
        })
    }

    /// The shapes of its schemas.
    pub fn shapes(&self) -> Shapes<'_> {
        Shapes::new(&self.root)
    }
}

fn dialect_of(root: &Value) -> Result<(Dialect, String), SpecificationError> {
    if let Some(version) = root.get("openapi").map(text_of) {
        let format = format!("OpenAPI {version}");
        return match version.starts_with("3.") || version == "3" {
            true => Ok((Dialect::OpenApi3, format)),
            false => Err(SpecificationError::Unsupported { format }),
        };
    }
    match root.get("swagger").map(text_of).as_deref() {
        Some("2.0" | "2") => Ok((Dialect::Swagger2, "Swagger 2.0".to_owned())),
        Some(version) => Err(SpecificationError::Unsupported { format: format!("Swagger {version}") }),
        None => Err(SpecificationError::NotASpecification),
    }
}

/// A text, also where YAML took it for a number, without what a terminal would obey.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|sign| !sign.is_control()).collect()
}
