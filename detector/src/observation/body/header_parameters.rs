//! Parameters of a header: `form-data; name="a"; filename="b.txt"` (RFC 9110 section 5.6.6, read leniently).

/// Parameters of one header that are looked at.
const PARAMETERS_MAX: usize = 16;

/// Names in lower case and values without quotes and escapes, as many as there are of a name.
pub fn parameters(header: &str) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    let mut rest = header.split_once(';').map_or("", |(_, rest)| rest);
    while !rest.is_empty() && parameters.len() < PARAMETERS_MAX {
        let name_end = rest.find(['=', ';']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let name = name.trim().to_ascii_lowercase();
        let (value, after) = match after.strip_prefix('=') {
            Some(value) => value_of(value.trim_start()),
            None => (String::new(), after),
        };
        if !name.is_empty() {
            parameters.push((name, value));
        }
        rest = after.split_once(';').map_or("", |(_, rest)| rest);
    }
    parameters
}

/// A value that begins here, quoted or not, and what comes after it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = text.split_at(text.find(';').unwrap_or(text.len()));
        return (value.trim().to_owned(), after);
    };
    let mut value = String::new();
    let mut signs = quoted.char_indices();
    while let Some((place, sign)) = signs.next() {
        match sign {
            '"' => return (value, quoted.get(place + 1..).unwrap_or_default()),
            // Browsers of old wrote paths with backslashes; only quotes and backslashes are escaped for sure.
            '\\' => match signs.clone().next() {
                Some((_, escaped @ ('"' | '\\'))) => {
                    value.push(escaped);
                    signs.next();
                }
                _ => value.push('\\'),
            },
            other => value.push(other),
        }
    }
    (value, "")
}
