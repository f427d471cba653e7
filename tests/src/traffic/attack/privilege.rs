//! What only administrators do, done with a customer's token.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::shop::Endpoint;
use crate::traffic::draft::Draft;
use crate::traffic::free_text;

/// Worded as an administrator would: nothing but the caller gives it away. The list of users is answered, the change refused.
pub(super) fn privilege(rng: &mut ChaCha8Rng) -> Draft {
    if rng.random_bool(0.25) {
        let user = format!("u-{}", rng.random_range(7..130));
        return Draft::at(Endpoint::AdminUpdateUser, user).json(&json!({"note": free_text::admin_note(rng)}));
    }
    let query = rng.random_bool(0.45).then(|| free_text::last_name(rng));
    let page = rng.random_bool(0.3).then(|| rng.random_range(2..6));
    Draft::to(Endpoint::AdminListUsers).query_if("q", query).query_if("page", page)
}
