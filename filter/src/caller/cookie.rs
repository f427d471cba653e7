//! One cookie out of a `cookie` header (RFC 6265).

/// Value of the first cookie of that name, without surrounding quotes; `None` when there is none.
pub fn value(header: &str, name: &str) -> Option<String> {
    header
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .find(|(cookie, _)| cookie.trim() == name)
        .map(|(_, value)| unquoted(value.trim()).to_owned())
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}
