use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::discovery::limits;

use super::reference::resolve;
use super::{Dialect, SpecificationError, printable};

/// One method of one path.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredOperation {
    /// Upper case.
    pub method: String,
    /// As written, below the server's prefix.
    pub path: String,
    pub deprecated: bool,
    pub parameters: Vec<DeclaredParameter>,
    pub body: Option<DeclaredBody>,
    /// By status, `2XX` or `default`.
    pub responses: BTreeMap<String, DeclaredBody>,
    /// Whether every alternative asks for credentials.
    pub requires_credentials: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredParameter {
    pub name: String,
    pub place: ParameterPlace,
    pub required: bool,
    /// Sent as `name[member]=value`.
    pub is_deep_object: bool,
    pub schema: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterPlace {
    Path,
    Query,
    Header,
    Cookie,
}

/// A body by media type; empty where it has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeclaredBody {
    pub required: bool,
    pub contents: Vec<(String, Value)>,
}

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

pub fn operations(root: &Value, dialect: Dialect) -> Result<Vec<DeclaredOperation>, SpecificationError> {
    let mut operations = Vec::new();
    let reader = Reader { root, dialect };
    for (path, item) in members(root.get("paths")) {
        let Some(item) = resolve(root, item) else {
            continue;
        };
        for method in METHODS {
            let Some(operation) = item.get(method).filter(|operation| operation.is_object()) else {
                continue;
            };
            if operations.len() >= limits::SPECIFICATION_OPERATIONS_MAX {
                return Err(SpecificationError::TooManyOperations);
            }
            operations.push(reader.operation(path, method, item, operation));
        }
    }
    Ok(operations)
}

struct Reader<'s> {
    root: &'s Value,
    dialect: Dialect,
}

impl<'s> Reader<'s> {
    fn operation(&self, path: &str, method: &str, item: &'s Value, operation: &'s Value) -> DeclaredOperation {
        let raw = self.raw_parameters(item, operation);
        let body = match self.dialect {
            Dialect::OpenApi3 => operation.get("requestBody").and_then(|body| resolve(self.root, body)).map(body_of),
            Dialect::Swagger2 => self.swagger_body(&raw, operation),
        };
        let security = operation.get("security").or_else(|| self.root.get("security")).and_then(Value::as_array);
        DeclaredOperation {
            method: method.to_ascii_uppercase(),
            path: printable(path),
            deprecated: is_true(operation.get("deprecated")),
            parameters: raw.iter().filter_map(|parameter| self.parameter(parameter)).collect(),
            body,
            responses: members(operation.get("responses"))
                .filter_map(|(status, response)| Some((status.to_ascii_uppercase(), resolve(self.root, response)?)))
                .map(|(status, response)| (status, self.response(response, operation)))
                .collect(),
            requires_credentials: security.is_some_and(|alternatives| {
                !alternatives.is_empty()
                    && alternatives.iter().all(|needed| needed.as_object().is_some_and(|needed| !needed.is_empty()))
            }),
        }
    }

    /// Those of the operation replace those of the path that have the same name and place.
    fn raw_parameters(&self, item: &'s Value, operation: &'s Value) -> Vec<&'s Value> {
        let mut by_key: BTreeMap<(&str, &str), &Value> = BTreeMap::new();
        let lists = [item.get("parameters"), operation.get("parameters")];
        for parameter in lists.into_iter().flatten().filter_map(Value::as_array).flatten() {
            if let Some(parameter) = resolve(self.root, parameter) {
                by_key.insert((text(parameter, "in"), text(parameter, "name")), parameter);
            }
        }
        by_key.into_values().collect()
    }

    fn parameter(&self, parameter: &Value) -> Option<DeclaredParameter> {
        let place = match text(parameter, "in") {
            "path" => ParameterPlace::Path,
            "query" => ParameterPlace::Query,
            "header" => ParameterPlace::Header,
            "cookie" => ParameterPlace::Cookie,
            _ => return None,
        };
        let schema = match self.dialect {
            // The parameter itself has the keywords of a schema.
            Dialect::Swagger2 => parameter.clone(),
            Dialect::OpenApi3 => parameter
                .get("schema")
                .or_else(|| members(parameter.get("content")).find_map(|(_, content)| content.get("schema")))
                .cloned()
                .unwrap_or(Value::Bool(true)),
        };
        Some(DeclaredParameter {
            name: text(parameter, "name").to_owned(),
            place,
            required: is_true(parameter.get("required")),
            is_deep_object: text(parameter, "style") == "deepObject",
            schema,
        })
    }

    fn response(&self, response: &Value, operation: &Value) -> DeclaredBody {
        match (self.dialect, response.get("schema")) {
            (Dialect::OpenApi3, _) => body_of(response),
            (Dialect::Swagger2, None) => DeclaredBody::default(),
            (Dialect::Swagger2, Some(schema)) => {
                let contents = self.media_types(operation, "produces");
                let contents = contents.into_iter().map(|media_type| (media_type, schema.clone())).collect();
                DeclaredBody { required: false, contents }
            }
        }
    }

    fn swagger_body(&self, parameters: &[&Value], operation: &Value) -> Option<DeclaredBody> {
        if let Some(body) = parameters.iter().find(|parameter| text(parameter, "in") == "body") {
            let schema = body.get("schema").cloned().unwrap_or(Value::Bool(true));
            let contents = self.media_types(operation, "consumes");
            let contents = contents.into_iter().map(|media_type| (media_type, schema.clone())).collect();
            return Some(DeclaredBody { required: is_true(body.get("required")), contents });
        }
        let fields: Vec<&&Value> = parameters.iter().filter(|parameter| text(parameter, "in") == "formData").collect();
        if fields.is_empty() {
            return None;
        }
        let properties: Map<String, Value> =
            fields.iter().map(|field| (text(field, "name").to_owned(), (**field).clone())).collect();
        let required: Vec<&str> =
            fields.iter().filter(|field| is_true(field.get("required"))).map(|field| text(field, "name")).collect();
        let schema = json!({ "type": "object", "properties": properties, "required": required });
        let media_types = ["application/x-www-form-urlencoded", "multipart/form-data"];
        let contents = media_types.into_iter().map(|media_type| (media_type.to_owned(), schema.clone())).collect();
        Some(DeclaredBody { required: !required.is_empty(), contents })
    }

    /// JSON where nothing is said.
    fn media_types(&self, operation: &Value, member: &str) -> Vec<String> {
        let declared = operation.get(member).or_else(|| self.root.get(member)).and_then(Value::as_array);
        let declared: Vec<String> =
            declared.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        if declared.is_empty() { vec!["application/json".to_owned()] } else { declared }
    }
}

fn body_of(body: &Value) -> DeclaredBody {
    let contents = members(body.get("content"))
        .map(|(media_type, content)| {
            (media_type.to_owned(), content.get("schema").cloned().unwrap_or(Value::Bool(true)))
        })
        .collect();
    DeclaredBody { required: is_true(body.get("required")), contents }
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn is_true(value: Option<&Value>) -> bool {
    value.and_then(Value::as_bool).unwrap_or(false)
}
