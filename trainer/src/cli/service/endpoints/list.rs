//! `apiward endpoints list`.

use serde::Deserialize;

use crate::cli::service::{short_time, table};
use crate::discovery::inventory::EndpointInventory;

#[derive(Deserialize)]
pub struct EndpointList {
    model: Option<String>,
    exchanges: u64,
    endpoints: Vec<ListedEndpoint>,
    next: Option<String>,
    only_in_model: Vec<OnlyInModel>,
    unknown: Vec<Counts>,
}

#[derive(Deserialize)]
pub struct ListedEndpoint {
    #[serde(flatten)]
    pub inventory: EndpointInventory,
    pub model: Option<InModel>,
    pub counted: Option<Counts>,
}

#[derive(Deserialize)]
struct OnlyInModel {
    host: String,
    method: String,
    template: String,
    operation: Option<String>,
    model: InModel,
}

#[derive(Deserialize)]
pub struct InModel {
    pub learned_from: u64,
    pub fields: u64,
}

#[derive(Deserialize)]
pub struct Counts {
    endpoint: String,
    exchanges: i64,
    pub anomalous: i64,
    last_seen: String,
}

pub fn list(list: EndpointList) -> String {
    let mut text = match &list.model {
        Some(model) => format!("the active model is {model}\n"),
        None => "there is no model yet\n".to_owned(),
    };
    if list.endpoints.is_empty() {
        text.push_str(&format!("no endpoint was found in {} exchanges\n", list.exchanges));
    } else {
        text.push_str(&format!(
            "{} endpoints in {} exchanges:\n{}\n",
            list.endpoints.len(),
            list.exchanges,
            found(&list.endpoints)
        ));
    }
    if list.next.is_some() {
        text.push_str("there are more: ask for one host or one state\n");
    }
    if !list.only_in_model.is_empty() {
        text.push_str(&format!(
            "\nin the model, but not seen so in the traffic:\n{}\n",
            only_in_model(&list.only_in_model)
        ));
    }
    if !list.unknown.is_empty() {
        text.push_str(&format!("\ncalled, but no endpoint:\n{}\n", unknown(&list.unknown)));
    }
    text
}

fn found(endpoints: &[ListedEndpoint]) -> String {
    let headers =
        ["id", "host", "endpoint", "state", "exchanges", "callers", "parameters", "in model", "flagged", "last seen"];
    let mut table = table(&headers);
    for ListedEndpoint { inventory, model, counted } in endpoints {
        table.add_row([
            inventory.id.as_str(),
            &inventory.host,
            &inventory.label(),
            inventory.state.noun(),
            &inventory.exchanges.to_string(),
            &inventory.callers.to_string(),
            &inventory.parameters.len().to_string(),
            if model.is_some() { "yes" } else { "no" },
            &counted.as_ref().map_or(0, |counted| counted.anomalous).to_string(),
            &inventory.last_seen.map_or_else(|| "-".to_owned(), short),
        ]);
    }
    table.to_string()
}

fn only_in_model(endpoints: &[OnlyInModel]) -> String {
    let mut table = table(&["host", "endpoint", "learned from", "fields"]);
    for endpoint in endpoints {
        let operation = endpoint.operation.as_ref().map_or_else(String::new, |name| format!(" {name}"));
        table.add_row([
            &endpoint.host,
            &format!("{} {}{operation}", endpoint.method, endpoint.template),
            &endpoint.model.learned_from.to_string(),
            &endpoint.model.fields.to_string(),
        ]);
    }
    table.to_string()
}

fn unknown(all: &[Counts]) -> String {
    let mut table = table(&["endpoint", "exchanges", "flagged", "last seen"]);
    for counts in all {
        table.add_row([
            &counts.endpoint,
            &counts.exchanges.to_string(),
            &counts.anomalous.to_string(),
            &short_time(&counts.last_seen),
        ]);
    }
    table.to_string()
}

/// As [`short_time`] of its text.
pub fn short(time: time::OffsetDateTime) -> String {
    time.format(&time::format_description::well_known::Rfc3339)
        .map_or_else(|_| "-".to_owned(), |text| short_time(&text))
}
