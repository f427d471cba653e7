use apiward_detector::observation::{ContentClass, Location};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::discovery::summary::EndpointSummary;
use crate::discovery::templates::PathParameter;

use super::evidence::{is_required, rounded, share};
use super::schema::{string_schema, value_schema};
use super::values::{ValueInventory, ValueView};

/// One parameter or body field of an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    pub location: Location,
    /// Names that no programmer writes are shown by their type, `{integer}`, all of them together.
    pub name: String,
    /// For a part of a mixed path component, that component (`{id}.json`); types and lengths are then of all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    pub required: bool,
    /// Of the successful exchanges that could carry it (form and body fields: those with a form or a JSON body), 0..1.
    pub share: f64,
    /// Successful exchanges that carried it.
    pub exchanges: u64,
    /// An exchange carried it several times.
    pub repeated: bool,
    /// Of path parameters, how sure it is that there is one, 0..1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    #[serde(flatten)]
    pub values: ValueInventory,
    /// JSON Schema of one value.
    pub schema: Value,
}

impl Parameter {
    /// Stands for all names of a form, such as `{text}`.
    pub fn is_placeholder(&self) -> bool {
        self.location != Location::Path && self.name.starts_with('{')
    }
}

pub fn parameters(path: &[PathParameter], summary: &EndpointSummary) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = path.iter().flat_map(|parameter| of_path(parameter, summary)).collect();
    let forms = summary.form_exchanges();
    let bodies = summary.json_exchanges();
    for ((location, name), field) in &summary.fields {
        let view = ValueView::from(&field.values);
        if view.usual_types().all(|(encoding, _, _)| encoding.is_container()) {
            continue;
        }
        let total = match location {
            Location::Path | Location::Query => summary.succeeded,
            Location::Form => forms,
            Location::Multipart => summary.requests_of(ContentClass::Multipart),
            Location::Xml => summary.requests_of(ContentClass::Xml),
            // The others are no fields.
            Location::Body | Location::Text | Location::Header | Location::Cookie | Location::Token => bodies,
        };
        parameters.push(Parameter {
            location: *location,
            name: name.to_string(),
            component: None,
            required: is_required(field.exchanges, total),
            share: share(field.exchanges, total),
            exchanges: field.exchanges,
            repeated: field.repeated,
            confidence: None,
            values: view.inventory(),
            schema: value_schema(&view),
        });
    }
    parameters
}

/// One for a whole component; one for each value of a mixed one, of which nothing is known apart.
fn of_path(parameter: &PathParameter, summary: &EndpointSummary) -> Vec<Parameter> {
    let view = ValueView::from(&parameter.values);
    let is_mixed = parameter.name.contains('{');
    let names = if is_mixed { placeholders(&parameter.name) } else { vec![parameter.name.as_str()] };
    names
        .into_iter()
        .map(|name| Parameter {
            location: Location::Path,
            name: name.to_owned(),
            component: is_mixed.then(|| parameter.name.clone()),
            required: true,
            share: 1.0,
            exchanges: summary.succeeded,
            repeated: false,
            confidence: Some(rounded(f64::from(parameter.confidence))),
            values: view.inventory(),
            schema: if is_mixed { string_schema() } else { value_schema(&view) },
        })
        .collect()
}

/// The names in the braces of a template.
pub fn placeholders(template: &str) -> Vec<&str> {
    template.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}
