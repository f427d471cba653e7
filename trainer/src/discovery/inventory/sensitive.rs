use apiward_detector::observation::{Location, SensitiveClasses};
use serde::{Deserialize, Serialize};

use crate::discovery::summary::EndpointSummary;
use crate::discovery::templates::PathParameter;

/// Where data goes in or comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataLocation {
    Path,
    Query,
    Form,
    Body,
    Response,
}

/// Personal or secret data at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensitiveData {
    pub location: DataLocation,
    /// Of the parameter or field; dotted in bodies.
    pub name: String,
    /// Words of [`SensitiveClasses::NAMES`].
    pub classes: Vec<String>,
}

impl From<Location> for DataLocation {
    fn from(location: Location) -> Self {
        match location {
            Location::Path => DataLocation::Path,
            Location::Query => DataLocation::Query,
            Location::Form | Location::Multipart => DataLocation::Form,
            // Of these only JSON and XML have fields.
            Location::Body | Location::Xml | Location::Text | Location::Header | Location::Cookie | Location::Token => {
                DataLocation::Body
            }
        }
    }
}

pub fn sensitive_data(parameters: &[PathParameter], summary: &EndpointSummary) -> Vec<SensitiveData> {
    let path =
        parameters.iter().map(|parameter| (DataLocation::Path, parameter.name.as_str(), parameter.values.sensitive));
    let request = summary
        .fields
        .iter()
        .map(|((location, name), field)| (DataLocation::from(*location), name.as_ref(), field.values.sensitive));
    let response =
        summary.response_fields.iter().map(|(name, field)| (DataLocation::Response, name.as_ref(), field.sensitive));
    path.chain(request)
        .chain(response)
        .filter(|(_, _, classes)| !classes.is_empty())
        .map(|(location, name, classes)| SensitiveData { location, name: name.to_owned(), classes: names(classes) })
        .collect()
}

/// The words of a set of classes.
pub fn names(classes: SensitiveClasses) -> Vec<String> {
    classes.names().map(str::to_owned).collect()
}
