//! Which endpoints take logins, which of their fields says who wants in, and by which answers they refuse.

use std::collections::{BTreeMap, HashMap, HashSet};

use apiward_detector::limits::{LOGIN_FIELDS_MAX, LOGIN_REFUSALS_MAX};
use apiward_detector::observation::{Location, ValueEncoding};
use apiward_detector::route::RouteTable;
use apiward_detector::volume::{AnswerClass, LoginField, VolumeCalibration};

use crate::evaluation::Proportion;
use crate::learning::routes::Located;

/// Names of fields with a secret that a person types in.
const SECRETS: [&str; 9] = ["password", "passwd", "pwd", "passphrase", "passcode", "pass", "pin", "otp", "secret"];
/// Names of fields with who wants in, the most telling first.
const IDENTIFIERS: [&str; 12] =
    ["username", "user", "login", "email", "mail", "account", "userid", "identifier", "phone", "log", "name", "id"];
/// Values counted per field.
const VALUES_COUNTED_MAX: usize = 256;
/// Who tries again within this time did not get in.
const RETRY_MAX_MS: i64 = 5 * 60_000;
/// Share of the refused, at the lower end of its 95 % interval, who try again; of those who got in, at the upper end, at most so
/// many times fewer do.
const RETRIED_SHARE_MIN: f64 = 0.2;
const RETRIED_LESS: f64 = 2.0;

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
    let mut refusals = refusals(located, &taking.keys().copied().collect());
    for (endpoint, fields) in taking {
        let by_name = |(_, name): &&(Location, String)| names(name, &IDENTIFIERS).unwrap_or(usize::MAX);
        let named = fields.keys().min_by_key(by_name).filter(|field| by_name(field) != usize::MAX);
        let most = || fields.iter().max_by_key(|(_, values)| values.len()).map(|(field, _)| field);
        if let Some((location, name)) = named.or_else(most) {
            let endpoint_id = routes.endpoints[endpoint].id;
            let before = logins.get(&endpoint_id).map(|known| known.refusals.clone()).unwrap_or_default();
            let refusals = refusals.remove(&endpoint).unwrap_or(before);
            logins.insert(endpoint_id, LoginField { endpoint_id, location: *location, name: name.clone(), refusals });
        }
    }
    logins.into_values().take(LOGIN_FIELDS_MAX).collect()
}

/// Tries that were answered alike, and those of them after which the same caller tried again.
#[derive(Default)]
struct Tries {
    all: u64,
    again: u64,
}

/// The answers below 400 by which endpoints refuse logins: who got one of these tried again soon, far more often than after
/// another one. Of endpoints where the two cannot be told apart, such as those that always refuse by 401, nothing.
fn refusals(located: &[Located<'_>], endpoints: &HashSet<usize>) -> HashMap<usize, Vec<AnswerClass>> {
    let mut tries: HashMap<usize, BTreeMap<AnswerClass, Tries>> = HashMap::new();
    let mut last: HashMap<(usize, u64), (i64, AnswerClass)> = HashMap::new();
    for place in located.iter().filter(|place| endpoints.contains(&place.endpoint)) {
        let record = place.record;
        let answer = record.observation.response.as_ref().and_then(AnswerClass::of);
        let Some(((at_ms, named), answer)) = record.at_ms.zip(record.caller.named_by()).zip(answer) else { continue };
        let of_endpoint = tries.entry(place.endpoint).or_default();
        if let Some((before_ms, before)) = last.insert((place.endpoint, named), (at_ms, answer))
            && at_ms.saturating_sub(before_ms) <= RETRY_MAX_MS
        {
            of_endpoint.entry(before).or_default().again += 1;
        }
        of_endpoint.entry(answer).or_default().all += 1;
    }
    let told = tries.into_iter().map(|(endpoint, tries)| (endpoint, refusing(&tries)));
    told.filter(|(_, refusing)| !refusing.is_empty()).collect()
}

fn refusing(tries: &BTreeMap<AnswerClass, Tries>) -> Vec<AnswerClass> {
    let again = |tries: &Tries| Proportion::of(tries.again, tries.all);
    // Refusals of 4xx are known anyway.
    let answers = || tries.iter().filter(|(answer, _)| answer.status < 400);
    let seldom = answers().map(|(_, tries)| again(tries).upper()).fold(1.0, f64::min);
    let told = answers().filter(|(_, tries)| again(tries).lower() >= (seldom * RETRIED_LESS).max(RETRIED_SHARE_MIN));
    told.map(|(answer, _)| *answer).take(LOGIN_REFUSALS_MAX).collect()
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
    fn answers_after_which_people_try_again_refuse() {
        let answer = |status, size| AnswerClass { status, size };
        let tries = |all, again| Tries { all, again };
        let forms = BTreeMap::from([(answer(200, 12), tries(30, 20)), (answer(302, 0), tries(300, 4))]);
        assert_eq!(refusing(&forms), vec![answer(200, 12)]);
        // Both succeed by 200, and only their bodies differ.
        let bodies = BTreeMap::from([(answer(200, 6), tries(40, 25)), (answer(200, 9), tries(200, 6))]);
        assert_eq!(refusing(&bodies), vec![answer(200, 6)]);
        let by_status = BTreeMap::from([(answer(401, 6), tries(40, 25)), (answer(200, 9), tries(200, 6))]);
        assert_eq!(refusing(&by_status), Vec::new());
        let one_kind = BTreeMap::from([(answer(200, 6), tries(400, 100))]);
        assert_eq!(refusing(&one_kind), Vec::new(), "there is nothing to compare with");
        let few = BTreeMap::from([(answer(200, 6), tries(2, 2)), (answer(302, 0), tries(5, 0))]);
        assert_eq!(refusing(&few), Vec::new(), "too few to tell");
    }

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
