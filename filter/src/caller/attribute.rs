//! Attributes as Envoy serialises them for extensions: the bytes of a value, without its type.

use apiward_detector::limits as engine_limits;

/// A claim that Envoy checked: text as it is, a number as 8 bytes of a double. A text of 8 characters and a double cannot be
/// told apart by length, so whatever is readable text is taken as text.
pub fn text(bytes: &[u8]) -> Option<String> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => Some(text.to_owned()),
        _ => {
            let number = f64::from_le_bytes(bytes.try_into().ok()?);
            number.is_finite().then(|| number.to_string())
        }
    }
}

/// The items of a list or the keys of an object, at most [`engine_limits::CALLER_KINDS_READ_MAX`]; `None` for anything else.
///
/// Both are written as the proxy-wasm ABI writes header maps: their number, the lengths of each key and value, then each key
/// and value with a NUL after it; numbers in 4 bytes, the lowest first. The values of a list are empty.
pub fn items(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, rest) = number(bytes)?;
    let lengths_bytes = count.checked_mul(8)?;
    let (mut lengths, mut content) = rest.split_at_checked(lengths_bytes)?;
    let mut items = Vec::new();
    while !lengths.is_empty() {
        let (key_bytes, after) = number(lengths)?;
        let (value_bytes, after) = number(after)?;
        lengths = after;
        let (key, after) = content.split_at_checked(key_bytes)?;
        let (_value, after) = after.strip_prefix(b"\0")?.split_at_checked(value_bytes)?;
        content = after.strip_prefix(b"\0")?;
        if items.len() < engine_limits::CALLER_KINDS_READ_MAX {
            items.push(key);
        }
    }
    content.is_empty().then_some(items)
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A map as the host serialises it; a list has empty values.
    pub fn pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
        let length = |text: &str| u32::try_from(text.len()).unwrap().to_le_bytes();
        let mut bytes = u32::try_from(pairs.len()).unwrap().to_le_bytes().to_vec();
        for (key, value) in pairs {
            bytes.extend(length(key));
            bytes.extend(length(value));
        }
        for (key, value) in pairs {
            bytes.extend(format!("{key}\0{value}\0").bytes());
        }
        bytes
    }

    #[test]
    fn checked_claims_are_text_or_numbers() {
        assert_eq!(text(b"ann").as_deref(), Some("ann"));
        assert_eq!(text(&42.0_f64.to_le_bytes()).as_deref(), Some("42"));
        assert_eq!(text(&[0xff, 0xfe]), None);
    }

    #[test]
    fn lists_and_maps_are_told_from_texts() {
        assert_eq!(items(&pairs(&[("admin", ""), ("staff", "")])), Some(vec![b"admin".as_slice(), b"staff"]));
        assert_eq!(items(&pairs(&[("admin", "yes")])), Some(vec![b"admin".as_slice()]));
        assert_eq!(items(&pairs(&[])), Some(vec![]));
        for other in [b"admin".as_slice(), b"", b"\x01\0\0\0", &1.0_f64.to_le_bytes()] {
            assert_eq!(items(other), None, "{other:?}");
        }
        let mut longer = pairs(&[("admin", "")]);
        longer.push(0);
        assert_eq!(items(&longer), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = items(&bytes);
            let _ = text(&bytes);
        }

        #[test]
        fn a_flipped_byte_is_survived(position in 0_usize..40, value in any::<u8>()) {
            let mut bytes = pairs(&[("admin", ""), ("staff", "")]);
            let position = position % bytes.len();
            bytes[position] = value;
            let _ = items(&bytes);
        }
    }
}
