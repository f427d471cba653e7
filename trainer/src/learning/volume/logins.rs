//! Which endpoints take logins, and which of their fields says who wants in.

use std::collections::{BTreeMap, HashSet};

use apiward_detector::limits::LOGIN_FIELDS_MAX;
use apiward_detector::observation::{Location, ValueEncoding};
use apiward_detector::route::RouteTable;
use apiward_detector::volume::{LoginField, VolumeCalibration};

use crate::learning::routes::Located;

/// Names of fields with a secret that a person types in.
const SECRETS: [&str; 9] = ["password", "passwd", "pwd", "passphrase", "passcode", "pass", "pin", "otp", "secret"];
/// Names of fields with who wants in, the most telling first.
const IDENTIFIERS: [&str; 12] =
    ["username", "user", "login", "email", "mail", "account", "userid", "identifier", "phone", "log", "name", "id"];
/// Values counted per field.
const VALUES_COUNTED_MAX: usize = 256;

/// What the parent knows of endpoints that nobody logged in at this time stays.
pub fn login_fields(
    routes: &RouteTable,
    located: &[Located<'_>],
    parent: Option<&VolumeCalibration>,
) -> Vec<LoginField> {
    type Values = HashSet<u64>;
    let mut taking: BTreeMap<usize, BTreeMap<(Location, String), Values>> = BTreeMap::new();
    for place in located {
        let fields = &place.record.observation.fields;
        if !fields.iter().any(|field| names(&field.name, &SECRETS).is_some()) {
            continue;
        }
        let of_endpoint = taking.entry(place.endpoint).or_default();
        for field in fields {
            let is_text = matches!(field.encoding, ValueEncoding::Text | ValueEncoding::JsonString);
            if is_text && field.location != Location::Path && names(&field.name, &SECRETS).is_none() {
                let values = of_endpoint.entry((field.location, field.name.clone())).or_default();
                if values.len() < VALUES_COUNTED_MAX {
                    values.insert(field.shape.hash);
                }
            }
        }
    }
    let mut logins: BTreeMap<u64, LoginField> =
        parent.into_iter().flat_map(|parent| &parent.logins).map(|login| (login.endpoint_id, login.clone())).collect();
    for (endpoint, fields) in taking {
        let by_name = |(_, name): &&(Location, String)| names(name, &IDENTIFIERS).unwrap_or(usize::MAX);
        let named = fields.keys().min_by_key(by_name).filter(|field| by_name(field) != usize::MAX);
        let most = || fields.iter().max_by_key(|(_, values)| values.len()).map(|(field, _)| field);
        if let Some((location, name)) = named.or_else(most) {
            let endpoint_id = routes.endpoints[endpoint].id;
            logins.insert(endpoint_id, LoginField { endpoint_id, location: *location, name: name.clone() });
        }
    }
    logins.into_values().take(LOGIN_FIELDS_MAX).collect()
}

/// The place of the word, in the list, that the last part of a field's name is or ends in.
fn names(field: &str, words: &[&str]) -> Option<usize> {
    let last = field.rsplit(['.', '[']).next().unwrap_or(field).to_ascii_lowercase();
    let plain: String = last.chars().filter(char::is_ascii_alphanumeric).collect();
    let short = |word: &str| word.len() <= 4;
    words.iter().position(|word| plain == *word || (!short(word) && (plain.ends_with(word) || plain.starts_with(word))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_by_the_words_in_their_names() {
        for secret in ["password", "user.password", "j_password", "newPassword", "pwd", "credentials.pass"] {
            assert!(names(secret, &SECRETS).is_some(), "{secret}");
        }
        for other in ["pinned", "passenger", "compass", "shipping", "note"] {
            assert!(names(other, &SECRETS).is_none(), "{other}");
        }
        assert!(names("user_name", &IDENTIFIERS) < names("email", &IDENTIFIERS));
        assert!(names("customerEmail", &IDENTIFIERS).is_some() && names("blog", &IDENTIFIERS).is_none());
    }
}
