//! Operations files: which operations an API has. Tab-separated lines of API, method and template, under a header line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::template::Template;

/// Bytes of an operations file.
pub const OPERATIONS_BYTES_MAX: u64 = 16 * 1024 * 1024;
const HEADER: &str = "api\tmethod\ttemplate";

/// One method of one template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub method: String,
    pub template: Template,
}

impl Operation {
    /// Method and template without parameter names: what makes two operations the same one in traffic.
    pub fn key(&self) -> (String, String) {
        (self.method.clone(), self.template.anonymised())
    }
}

/// The operations of one API, in the file's order, no two alike.
#[derive(Clone, Debug)]
pub struct Api {
    pub name: String,
    pub host: String,
    pub operations: Vec<Operation>,
}

#[derive(Debug, thiserror::Error)]
pub enum OperationsError {
    #[error("cannot read the operations file {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} has {bytes} bytes, an operations file has at most {OPERATIONS_BYTES_MAX}")]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error("line {line} is not `api<tab>method<tab>template`, with a template that begins with a slash: {text:?}")]
    Line { line: usize, text: String },
    #[error("there are no operations in it")]
    Empty,
}

/// Reads a file of operations.
///
/// # Errors
/// When it cannot be read, is too large, or a line is none.
pub fn read_operations(path: &Path) -> Result<Vec<Api>, OperationsError> {
    let unreadable = |source| OperationsError::Read { path: path.to_owned(), source };
    let bytes = fs::metadata(path).map_err(unreadable)?.len();
    if bytes > OPERATIONS_BYTES_MAX {
        return Err(OperationsError::TooLarge { path: path.to_owned(), bytes });
    }
    parse_operations(&fs::read_to_string(path).map_err(unreadable)?)
}

/// APIs in the order of their names.
///
/// What OpenAPI documents carry in templates but nobody sends is taken off: query suffixes (`{?name,label}`) and fragments
/// (`#refresh`). A template with a placeholder in angle brackets (`<upload_url>`) is no path and is left out.
///
/// # Errors
/// When a line is no operation, or there are none.
pub fn parse_operations(text: &str) -> Result<Vec<Api>, OperationsError> {
    let mut operations: BTreeMap<&str, Vec<Operation>> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || (index == 0 && line == HEADER) {
            continue;
        }
        let malformed = || OperationsError::Line { line: index + 1, text: line.chars().take(200).collect() };
        let mut columns = line.split('\t');
        let (Some(api), Some(method), Some(template), None) =
            (columns.next(), columns.next(), columns.next(), columns.next())
        else {
            return Err(malformed());
        };
        let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        if api.is_empty() || !is_method || !template.starts_with('/') {
            return Err(malformed());
        }
        let sent = as_sent(template);
        if sent.contains(['<', '>']) {
            continue;
        }
        let operation = Operation { method: method.to_owned(), template: Template::parse(&sent) };
        if known.insert((api, operation.key())) {
            operations.entry(api).or_default().push(operation);
        }
    }
    if operations.is_empty() {
        return Err(OperationsError::Empty);
    }
    let of_api = |(name, operations): (&str, Vec<Operation>)| Api {
        name: name.to_owned(),
        host: format!("{}.example", name.replace('_', "-")),
        operations,
    };
    Ok(operations.into_iter().map(of_api).collect())
}

/// The template without its query suffix and fragment.
fn as_sent(template: &str) -> String {
    let without_fragment = template.split('#').next().unwrap_or_default();
    let mut sent = without_fragment.to_owned();
    while let Some(open) = sent.find("{?") {
        let close = sent[open..].find('}').map_or(sent.len(), |length| open + length + 1);
        sent.replace_range(open..close, "");
    }
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_sent_is_taken_off_and_duplicates_merge() {
        let text = "api\tmethod\ttemplate\n\
                    shop_one\tPOST\t/oauth/token\n\
                    shop_one\tPOST\t/oauth/token#refresh\n\
                    shop_one\tDELETE\t/caches{?key,ref}\n\
                    shop_one\tGET\t/orders/{id}\n\
                    shop_one\tGET\t/orders/{order_id}\n\
                    shop_one\tPUT\t/<upload_url>\n";
        let apis = parse_operations(text).unwrap();
        assert_eq!(apis.len(), 1);
        assert_eq!(apis[0].host, "shop-one.example");
        let keys: Vec<_> = apis[0].operations.iter().map(Operation::key).collect();
        let expected = [("POST", "/oauth/token"), ("DELETE", "/caches"), ("GET", "/orders/{}")];
        assert_eq!(keys, expected.map(|(method, template)| (method.to_owned(), template.to_owned())));
    }

    #[test]
    fn a_line_that_is_no_operation_is_named() {
        for line in ["shop", "shop\tGET", "shop\tget\t/a", "shop\tGET\ta", "shop\tGET\t/a\tb"] {
            let error = parse_operations(&format!("api\tmethod\ttemplate\n{line}")).unwrap_err();
            assert!(error.to_string().starts_with("line 2 is not"), "{error}");
        }
        assert!(matches!(parse_operations(""), Err(OperationsError::Empty)));
    }
}
