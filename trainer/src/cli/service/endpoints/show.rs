//! `apiward endpoints show`.

use crate::cli::service::table;
use crate::discovery::inventory::{Body, EndpointInventory, Parameter};

use super::list::{ListedEndpoint, short};

pub fn details(endpoint: ListedEndpoint) -> String {
    let ListedEndpoint { inventory, model, counted } = endpoint;
    let mut text = summary(&inventory, model.map(|model| model.learned_from), counted.map(|counted| counted.anomalous));
    if !inventory.parameters.is_empty() {
        text.push_str(&format!("\n\n{}", parameters(&inventory.parameters)));
    }
    for (name, body) in [("request", &inventory.request_body), ("response", &inventory.response_body)] {
        if let Some(body) = body {
            text.push_str(&format!("\n\n{}", schemas(name, body)));
        }
    }
    text
}

fn summary(inventory: &EndpointInventory, learned_from: Option<u64>, flagged: Option<i64>) -> String {
    let mut table = table(&[]);
    let or_none = |text: Vec<String>| if text.is_empty() { "-".to_owned() } else { text.join(", ") };
    table.add_row(["endpoint", &inventory.label()]);
    table.add_row(["host", &inventory.host]);
    table.add_row(["id", &inventory.id]);
    table.add_row(["state", inventory.state.noun()]);
    table.add_row(["confidence", &format!("{:.2}", inventory.confidence)]);
    table.add_row(["exchanges", &format!("{}, {} of them succeeded", inventory.exchanges, inventory.succeeded)]);
    table.add_row(["flagged", &flagged.map_or_else(|| "-".to_owned(), |flagged| flagged.to_string())]);
    let known = learned_from.map_or_else(|| "no".to_owned(), |exchanges| format!("learned from {exchanges} exchanges"));
    table.add_row(["in the model", &known]);
    table.add_row(["per hour", &inventory.exchanges_per_hour.map_or_else(|| "-".to_owned(), |rate| rate.to_string())]);
    table.add_row(["first seen", &inventory.first_seen.map_or_else(|| "-".to_owned(), short)]);
    table.add_row(["last seen", &inventory.last_seen.map_or_else(|| "-".to_owned(), short)]);
    let statuses = inventory.statuses.iter().map(|count| format!("{} ({})", count.status, count.exchanges));
    table.add_row(["statuses", &or_none(statuses.collect())]);
    let credentials = inventory.authentication.credentials.iter().map(|count| count.kind.clone());
    table.add_row(["credentials", &or_none(credentials.collect())]);
    let kinds = inventory.caller_kinds.iter().map(|count| format!("{} ({})", count.kind, count.exchanges));
    table.add_row(["kinds of callers", &or_none(kinds.collect())]);
    for data in &inventory.sensitive {
        table.add_row(["sensitive", &format!("{}: {}", data.name, data.classes.join(", "))]);
    }
    table.to_string()
}

fn parameters(parameters: &[Parameter]) -> String {
    let mut table = table(&["parameter", "in", "required", "share", "types", "values"]);
    for parameter in parameters {
        let types: Vec<&str> = parameter.values.types.iter().map(|share| share.name.as_str()).collect();
        table.add_row([
            parameter.name.as_str(),
            parameter.location.noun(),
            if parameter.required { "yes" } else { "no" },
            &format!("{:.0} %", parameter.share * 100.0),
            &types.join(", "),
            &values(parameter),
        ]);
    }
    table.to_string()
}

fn values(parameter: &Parameter) -> String {
    let bound = |bound: Option<f64>| bound.map_or_else(|| "…".to_owned(), |bound| bound.to_string());
    let values = &parameter.values;
    let range = values.range.map(|range| format!("{} to {}", bound(range.minimum), bound(range.maximum)));
    let length = values.length.map(|length| format!("{} to {} characters", length.minimum, length.maximum));
    let enumeration = values.enumeration.map(|count| format!("{count} different ones"));
    range.into_iter().chain(length).chain(enumeration).collect::<Vec<String>>().join(", ")
}

fn schemas(name: &str, body: &Body) -> String {
    let contents = body.contents.iter().map(|content| {
        let schema = content.schema.as_ref().map_or_else(String::new, |schema| format!("\n{schema:#}"));
        format!("{name} body, {} in {} exchanges{schema}", content.media_type, content.exchanges)
    });
    contents.collect::<Vec<String>>().join("\n\n")
}
