//! One endpoint beside its declared operation: parameters, bodies, statuses and credentials.

use apiward_detector::observation::{Location, field_name};
use serde_json::Value;

use crate::discovery::inventory::{
    AuthenticationUse, Body, DataLocation, EndpointInventory, Parameter, REQUIRED_SHARE_MIN,
};

use super::report::{Mismatch, MismatchKind};
use super::schema::{Difference, Direction, SchemaComparison, Writing, describe, in_share};
use super::specification::{DeclaredBody, DeclaredOperation, DeclaredParameter, ParameterPlace, Shapes, Specification};

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";
const JSON: &str = "application/json";

/// Gathers mismatches over all endpoints.
pub struct EndpointComparison<'s> {
    shapes: Shapes<'s>,
    mismatches: Vec<Mismatch>,
}

impl<'s> EndpointComparison<'s> {
    pub fn new(specification: &'s Specification) -> Self {
        Self { shapes: specification.shapes(), mismatches: Vec::new() }
    }

    /// All mismatches, by path, method, place and name.
    pub fn finish(mut self) -> Vec<Mismatch> {
        let key = |one: &Mismatch| {
            (one.path.clone(), one.method.clone(), one.operation.clone(), one.location, one.name.clone(), one.kind)
        };
        self.mismatches.sort_by_cached_key(key);
        self.mismatches.dedup();
        self.mismatches
    }

    /// Compares an endpoint with its operation.
    pub fn compare(&mut self, endpoint: &EndpointInventory, operation: &'s DeclaredOperation) {
        let mut found = Found { shapes: &self.shapes, endpoint, operation, mismatches: Vec::new() };
        found.path_parameters();
        found.query_parameters();
        found.request_body();
        found.responses();
        found.credentials();
        self.mismatches.append(&mut found.mismatches);
    }
}

struct Found<'f, 's> {
    shapes: &'f Shapes<'s>,
    endpoint: &'f EndpointInventory,
    operation: &'s DeclaredOperation,
    mismatches: Vec<Mismatch>,
}

impl<'s> Found<'_, 's> {
    /// By their places in the path, since discovery names them itself.
    fn path_parameters(&mut self) {
        let names = |template: &str| -> Vec<Option<String>> {
            let whole = |component: &str| {
                let inner = component.strip_prefix('{')?.strip_suffix('}')?;
                (!inner.contains('{')).then(|| inner.to_owned())
            };
            template.split('/').filter(|component| !component.is_empty()).map(whole).collect()
        };
        let declared = names(&self.operation.path);
        let seen = names(&self.endpoint.template);
        // What is before the declared path is the server's prefix.
        let prefix = seen.len().saturating_sub(declared.len());
        for (declared, seen) in declared.into_iter().zip(seen.into_iter().skip(prefix)) {
            let (Some(declared), Some(seen)) = (declared, seen) else {
                continue;
            };
            let parameter = self.declared(ParameterPlace::Path).find(|parameter| parameter.name == declared);
            let seen = self
                .endpoint
                .parameters
                .iter()
                .find(|parameter| parameter.location == Location::Path && parameter.name == seen);
            if let (Some(parameter), Some(seen)) = (parameter, seen) {
                self.compare_value(parameter, seen, DataLocation::Path);
            }
        }
    }

    fn query_parameters(&mut self) {
        let endpoint = self.endpoint;
        let seen: Vec<&Parameter> =
            endpoint.parameters.iter().filter(|parameter| parameter.location == Location::Query).collect();
        let declares_unnamed = self.declared(ParameterPlace::Query).any(|parameter| self.is_of_many_names(parameter));
        for parameter in &seen {
            match self.declared(ParameterPlace::Query).find(|declared| declared.name == parameter.name) {
                Some(declared) => self.compare_value(declared, parameter, DataLocation::Query),
                None if parameter.is_placeholder() && declares_unnamed => {}
                None => self.undeclared(&parameter.name, DataLocation::Query, &parameter.schema),
            }
        }
        let required: Vec<&DeclaredParameter> = self
            .declared(ParameterPlace::Query)
            .filter(|declared| declared.required && !declared.is_deep_object)
            .collect();
        for declared in required {
            if field_name(&declared.name) != declared.name {
                continue;
            }
            let share = seen.iter().find(|seen| seen.name == declared.name).map_or(0.0, |seen| seen.share);
            if share < REQUIRED_SHARE_MIN {
                let (kind, place) = (MismatchKind::RequiredAbsent, Some(DataLocation::Query));
                self.add(kind, place, &declared.name, "required".to_owned(), in_share(share));
            }
        }
    }

    /// Whether a declared parameter is sent under names that are not its own, or that are not told apart in traffic.
    fn is_of_many_names(&self, parameter: &'s DeclaredParameter) -> bool {
        let is_object = || {
            let types = self.shapes.of_any(&[&parameter.schema]).types;
            types.is_some_and(|types| types.contains("object"))
        };
        parameter.is_deep_object || field_name(&parameter.name) != parameter.name || is_object()
    }

    fn request_body(&mut self) {
        let declared = self.operation.body.as_ref();
        let Some(seen) = &self.endpoint.request_body else {
            if declared.is_some_and(|body| body.required) {
                let (kind, place) = (MismatchKind::RequiredAbsent, Some(DataLocation::Body));
                self.add(kind, place, "", "required".to_owned(), "never".to_owned());
            }
            return;
        };
        let Some(declared) = declared else {
            let media_types: Vec<&str> = seen.contents.iter().map(|content| content.media_type.as_str()).collect();
            let (kind, place) = (MismatchKind::Undeclared, Some(DataLocation::Body));
            self.add(kind, place, "", "no body".to_owned(), media_types.join(", "));
            return;
        };
        let with_body: u64 = seen.contents.iter().map(|content| content.exchanges).sum();
        let share = with_body as f64 / self.endpoint.succeeded.max(1) as f64;
        if declared.required && share < REQUIRED_SHARE_MIN {
            let (kind, place) = (MismatchKind::RequiredAbsent, Some(DataLocation::Body));
            self.add(kind, place, "", "required".to_owned(), in_share(share));
        }
        self.media_types(seen, declared);
        for content in &seen.contents {
            let Some(schema) = &content.schema else {
                continue;
            };
            let (writing, place) = match content.media_type.as_str() {
                FORM => (Writing::Text, DataLocation::Form),
                _ => (Writing::Json, DataLocation::Body),
            };
            let schemas: Vec<&Value> = schemas_of(declared, &content.media_type);
            self.compare_document(schema, &schemas, Direction::Request, writing, place);
        }
    }

    fn media_types(&mut self, seen: &Body, declared: &DeclaredBody) {
        for content in &seen.contents {
            let is_declared = declared.contents.iter().any(|(declared, _)| covers(declared, &content.media_type));
            if !is_declared && !declared.contents.is_empty() {
                let media_types: Vec<&str> = declared.contents.iter().map(|(name, _)| name.as_str()).collect();
                let (kind, place) = (MismatchKind::MediaType, Some(DataLocation::Body));
                self.add(kind, place, "", media_types.join(", "), content.media_type.clone());
            }
        }
    }

    /// Failures are rarely declared in full; successes are what a service promises.
    fn responses(&mut self) {
        let operation = self.operation;
        let mut schemas: Vec<&'s Value> = Vec::new();
        for status in self.endpoint.statuses.iter().filter(|status| (200..400).contains(&status.status)) {
            let wildcard = format!("{}XX", status.status / 100);
            let declared = [status.status.to_string(), wildcard, "DEFAULT".to_owned()]
                .iter()
                .find_map(|name| operation.responses.get(name));
            match declared {
                Some(declared) if status.status < 300 => schemas.extend(schemas_of(declared, JSON)),
                Some(_) => {}
                None => {
                    let known: Vec<&str> = operation.responses.keys().map(String::as_str).collect();
                    let seen = format!("{} in {} exchanges", status.status, status.exchanges);
                    self.add(MismatchKind::Status, None, "", known.join(", ").to_lowercase(), seen);
                }
            }
        }
        let contents = self.endpoint.response_body.iter().flat_map(|body| &body.contents);
        let seen = contents.filter(|content| content.media_type == JSON).find_map(|content| content.schema.as_ref());
        if let Some(seen) = seen {
            self.compare_document(seen, &schemas, Direction::Response, Writing::Json, DataLocation::Response);
        }
    }

    fn credentials(&mut self) {
        let authentication = &self.endpoint.authentication;
        let is_open = matches!(authentication.usage, AuthenticationUse::Never | AuthenticationUse::Sometimes);
        if self.operation.requires_credentials && is_open {
            let seen = format!("{} exchanges without", authentication.without_credentials);
            self.add(MismatchKind::Unauthenticated, None, "", "credentials are asked for".to_owned(), seen);
        }
    }

    fn declared(&self, place: ParameterPlace) -> impl Iterator<Item = &'s DeclaredParameter> + use<'s> {
        self.operation.parameters.iter().filter(move |parameter| parameter.place == place)
    }

    fn compare_value(&mut self, declared: &'s DeclaredParameter, seen: &Parameter, place: DataLocation) {
        let differences = self.differences(&seen.schema, &[&declared.schema], Direction::Request, Writing::Text);
        for difference in differences {
            self.add(difference.kind, Some(place), &declared.name, difference.declared, difference.seen);
        }
    }

    fn compare_document(
        &mut self,
        seen: &Value,
        declared: &[&'s Value],
        direction: Direction,
        writing: Writing,
        place: DataLocation,
    ) {
        if declared.is_empty() {
            return;
        }
        for difference in self.differences(seen, declared, direction, writing) {
            let Difference { kind, name, declared, seen } = difference;
            let elsewhere = self.place_of(&name).filter(|_| direction == Direction::Request);
            match (kind, elsewhere) {
                (MismatchKind::Undeclared, Some(elsewhere)) => {
                    self.add(
                        MismatchKind::Location,
                        Some(place),
                        &name,
                        elsewhere.to_owned(),
                        whereabouts(place).to_owned(),
                    );
                }
                _ => self.add(kind, Some(place), &name, declared, seen),
            }
        }
    }

    fn differences(
        &self,
        seen: &Value,
        declared: &[&'s Value],
        direction: Direction,
        writing: Writing,
    ) -> Vec<Difference> {
        let mut comparison = SchemaComparison { shapes: self.shapes, direction, writing, differences: Vec::new() };
        comparison.compare("", seen, declared);
        comparison.differences
    }

    fn undeclared(&mut self, name: &str, place: DataLocation, schema: &Value) {
        match self.place_of(name) {
            Some(declared) => {
                self.add(MismatchKind::Location, Some(place), name, declared.to_owned(), whereabouts(place).to_owned());
            }
            None => self.add(MismatchKind::Undeclared, Some(place), name, String::new(), describe(schema)),
        }
    }

    /// Where a parameter or a member of the body of that name is declared.
    fn place_of(&self, name: &str) -> Option<&'static str> {
        let parameter = self.operation.parameters.iter().find(|parameter| parameter.name == name);
        if let Some(parameter) = parameter {
            return Some(match parameter.place {
                ParameterPlace::Path => whereabouts(DataLocation::Path),
                ParameterPlace::Query => whereabouts(DataLocation::Query),
                ParameterPlace::Header => "in a header",
                ParameterPlace::Cookie => "in a cookie",
            });
        }
        let contents = &self.operation.body.as_ref()?.contents;
        let (media_type, _) =
            contents.iter().find(|(_, schema)| self.shapes.of_any(&[schema]).properties.contains_key(name))?;
        let is_form = matches!(media_type.as_str(), FORM | MULTIPART);
        Some(whereabouts(if is_form { DataLocation::Form } else { DataLocation::Body }))
    }

    fn add(&mut self, kind: MismatchKind, location: Option<DataLocation>, name: &str, declared: String, seen: String) {
        self.mismatches.push(Mismatch {
            method: self.operation.method.clone(),
            path: self.operation.path.clone(),
            operation: self.endpoint.operation.clone(),
            kind,
            location,
            name: name.to_owned(),
            declared,
            seen,
        });
    }
}

fn whereabouts(place: DataLocation) -> &'static str {
    match place {
        DataLocation::Path => "in the path",
        DataLocation::Query => "in the query",
        DataLocation::Form => "in the form",
        DataLocation::Body => "in the body",
        DataLocation::Response => "in the response",
    }
}

fn schemas_of<'s>(declared: &'s DeclaredBody, media_type: &str) -> Vec<&'s Value> {
    declared.contents.iter().filter(|(name, _)| covers(name, media_type)).map(|(_, schema)| schema).collect()
}

/// Whether a declared media type stands for one that was seen; media types that are parsed alike are one.
fn covers(declared: &str, seen: &str) -> bool {
    let declared = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, detail) = declared.split_once('/').unwrap_or((&declared, "*"));
    let (seen_kind, seen_detail) = seen.split_once('/').unwrap_or((seen, ""));
    let is_same = match seen_detail {
        "json" | "xml" => detail == seen_detail || detail.ends_with(&format!("+{seen_detail}")),
        // Not told apart: anything may have been it.
        "*" => return true,
        _ => kind == seen_kind && detail == seen_detail || seen_kind == "text" && kind == "text",
    };
    is_same || kind == "*" || detail == "*" && kind == seen_kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_cover_each_other_as_they_are_parsed() {
        let check = |declared: &str, seen: &str, expected: bool| {
            assert_eq!(covers(declared, seen), expected, "{declared} for {seen}");
        };
        check("application/json; charset=utf-8", JSON, true);
        check("application/vnd.shop+json", JSON, true);
        check("*/*", JSON, true);
        check("application/*", JSON, true);
        check("text/*", JSON, false);
        check("application/xml", JSON, false);
        check("text/csv", "text/plain", true);
        check("image/png", "*/*", true);
    }
}
