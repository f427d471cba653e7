use serde_json::Value;

use crate::discovery::limits;

use super::SpecificationError;

/// JSON or YAML, told by the first character.
pub fn read(document: &[u8]) -> Result<Value, SpecificationError> {
    if document.len() > limits::SPECIFICATION_BYTES_MAX {
        return Err(SpecificationError::TooLarge { bytes: document.len() });
    }
    let text = std::str::from_utf8(document).map_err(|_| SpecificationError::NotText)?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(SpecificationError::Json);
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: limits::SPECIFICATION_EVENTS_MAX,
            max_nodes: limits::SPECIFICATION_EVENTS_MAX,
            max_depth: limits::SPECIFICATION_DEPTH_MAX,
        },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| SpecificationError::Yaml(error.to_string()))
}
