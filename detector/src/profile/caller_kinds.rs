//! Which kinds of callers use an endpoint.

use crate::observation::{ANONYMOUS, AUTHENTICATED, COOKIE};

use super::EndpointProfile;

/// Extents of a finding about a caller, see [`crate::calibration::EXTENTS`]: one without a role is turned away every day, as with
/// a session that is over; one with another role seldom asks; and either should never be given what it asked for.
const EXTENT_NAMED: u8 = 1;
const EXTENT_ANSWERED: u8 = 2;
/// Kinds that a reason names.
const KINDS_NAMED_MAX: usize = 4;

/// How much a caller of a kind shows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Nothing,
    Cookie,
    Credentials,
    /// A certificate, a role, a scope.
    Name,
}

impl Standing {
    fn of(kind: &str) -> Self {
        match kind {
            ANONYMOUS => Standing::Nothing,
            COOKIE => Standing::Cookie,
            AUTHENTICATED => Standing::Credentials,
            _ => Standing::Name,
        }
    }
}

impl EndpointProfile {
    /// Whether there can be a caller of a kind that never uses the endpoint: some kinds are known, and it is not open to
    /// everybody.
    pub fn tells_callers(&self) -> bool {
        !self.caller_kinds.is_empty() && !self.caller_kinds.iter().any(|kind| kind == ANONYMOUS)
    }

    /// Whether a caller of these kinds is nothing new: one of them is known, or the endpoint is known to answer callers who
    /// show less of themselves. True where the kinds of the endpoint or of the caller are not known.
    pub fn is_used_by(&self, kinds: &[String]) -> bool {
        if kinds.is_empty() || !self.tells_callers() || kinds.iter().any(|kind| self.caller_kinds.contains(kind)) {
            return true;
        }
        let shown = kinds.iter().map(|kind| Standing::of(kind)).max();
        // Having one name says nothing about an endpoint that wants another.
        let asked =
            self.caller_kinds.iter().map(|kind| Standing::of(kind)).filter(|known| *known < Standing::Name).min();
        asked.is_some_and(|asked| shown >= Some(asked))
    }

    /// How far out it is that a caller of these kinds turns up; `answered` where it was given what it asked for.
    pub(crate) fn caller_extent(kinds: &[String], answered: bool) -> u8 {
        if answered {
            EXTENT_ANSWERED
        } else if kinds.iter().any(|kind| Standing::of(kind) == Standing::Name) {
            EXTENT_NAMED
        } else {
            0
        }
    }

    /// `role:customer never calls DELETE /users/{id}, only role:admin`
    pub(crate) fn unused_by(&self, kinds: &[String], endpoint: &str) -> String {
        let callers = match kinds {
            [kind] if kind == ANONYMOUS => "anonymous callers never call".to_owned(),
            [kind] if kind == COOKIE => "callers with no more than a cookie never call".to_owned(),
            [kind] if kind == AUTHENTICATED => "authenticated callers without a role never call".to_owned(),
            kinds => format!("{} never calls", listed(kinds)),
        };
        format!("{callers} {endpoint}, only {}", listed(&self.caller_kinds))
    }
}

fn listed(kinds: &[String]) -> String {
    let named = kinds.iter().take(KINDS_NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    if kinds.len() > KINDS_NAMED_MAX { format!("{named}, …") } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(kinds: &[&str]) -> Vec<String> {
        kinds.iter().map(|kind| (*kind).to_owned()).collect()
    }

    fn profile(kinds: &[&str]) -> EndpointProfile {
        EndpointProfile { caller_kinds: owned(kinds), ..EndpointProfile::default() }
    }

    #[test]
    fn callers_of_other_kinds_are_new_and_those_who_show_more_are_not() {
        let check = |known: &[&str], caller: &[&str], expected: bool| {
            assert_eq!(profile(known).is_used_by(&owned(caller)), expected, "{caller:?} where {known:?} is known");
        };
        check(&["role:admin"], &["role:admin", "role:customer"], true);
        check(&["role:admin"], &["role:customer"], false);
        check(&["role:admin"], &["authenticated"], false);
        check(&["role:admin"], &["anonymous"], false);
        check(&["role:admin"], &[], true);
        check(&[], &["anonymous"], true);
        check(&["anonymous", "role:admin"], &["role:customer"], true);
        check(&["authenticated"], &["role:customer"], true);
        check(&["authenticated"], &["cookie"], false);
        check(&["cookie"], &["authenticated"], true);
        check(&["cookie"], &["anonymous"], false);
        check(&["certificate:spiffe://a/cart"], &["certificate:spiffe://a/search"], false);
    }

    #[test]
    fn reasons_name_both_sides() {
        let admins = profile(&["role:admin"]);
        let check = |caller: &[&str], expected: &str| {
            assert_eq!(admins.unused_by(&owned(caller), "DELETE /users/{id}"), expected);
        };
        check(&["role:customer"], "role:customer never calls DELETE /users/{id}, only role:admin");
        check(&["anonymous"], "anonymous callers never call DELETE /users/{id}, only role:admin");
        check(&["a", "b", "c", "d", "e"], "a, b, c, d, … never calls DELETE /users/{id}, only role:admin");
    }
}
