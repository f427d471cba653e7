//! Which operation a body asks for where one path serves many: GraphQL and JSON-RPC.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::graphql::Document;
use super::words::is_static_word;

/// The name of the operation of a JSON body, or of a batch of which all ask for the same; `None` for any other body.
///
/// GraphQL over HTTP: `operationName`, else the name or the first field of `query`. JSON-RPC 2.0: `method` beside `jsonrpc`.
pub fn operation_of(body: &[u8]) -> Option<String> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if !matches!(first, b'{' | b'[') || !contains_key(body) {
        return None;
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let members = deserializer.deserialize_any(MembersVisitor).ok()?;
    members.operation().filter(|name| is_static_word(name))
}

/// Saves the walk for bodies that cannot have an operation.
fn contains_key(body: &[u8]) -> bool {
    let has = |key: &[u8]| body.windows(key.len()).take(4096).any(|window| window == key);
    has(b"\"query\"") || has(b"\"operationName\"") || has(b"\"jsonrpc\"")
}

#[derive(Default)]
struct Members {
    operation_name: Option<String>,
    query: Option<String>,
    has_jsonrpc: bool,
    method: Option<String>,
}

impl Members {
    fn operation(self) -> Option<String> {
        if self.has_jsonrpc {
            return self.method;
        }
        let query = self.query?;
        let document = Document::of(&query)?;
        let named = self.operation_name.filter(|name| !name.is_empty());
        named.or_else(|| document.name.or(document.first_field).map(str::to_owned))
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members, A::Error> {
        let mut found = Members::default();
        while let Some(key) = members.next_key::<String>()? {
            match key.as_str() {
                "operationName" => found.operation_name = members.next_value::<Text>()?.0,
                "query" => found.query = members.next_value::<Text>()?.0,
                "method" => found.method = members.next_value::<Text>()?.0,
                "jsonrpc" => {
                    members.next_value::<IgnoredAny>()?;
                    found.has_jsonrpc = true;
                }
                _ => _ = members.next_value::<IgnoredAny>()?,
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Members, A::Error> {
        let mut first: Option<String> = None;
        let mut differ = false;
        while let Some(item) = items.next_element::<Item>()? {
            let operation = item.0.operation();
            differ |= operation.is_none() || first.as_ref().is_some_and(|first| operation.as_ref() != Some(first));
            first = first.or(operation);
        }
        // As if it were one call of that method.
        Ok(Members { has_jsonrpc: true, method: first.filter(|_| !differ), ..Members::default() })
    }
}

struct Item(Members);

impl<'de> serde::Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor;
        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Members, A::Error> {
                MembersVisitor.visit_map(members)
            }
        }
        deserializer.deserialize_map(ItemVisitor).map(Item)
    }
}

/// A text; anything else is passed over.
struct Text(Option<String>);

impl<'de> serde::Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(Some(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Text, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Text, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_operations() {
        let check = |body: &str, expected: Option<&str>| {
            assert_eq!(operation_of(body.as_bytes()).as_deref(), expected, "{body}");
        };
        check(
            r#"{"operationName":"GetUser","query":"query GetUser($id: ID!) { user(id: $id) { name } }"}"#,
            Some("GetUser"),
        );
        check(r#"{"query":"mutation AddItem { addItem { id } }"}"#, Some("AddItem"));
        check(r##"{"query":"# c\n{ viewer { login } }"}"##, Some("viewer"));
        check(r#"{"query":"red shoes"}"#, None);
        check(r#"{"query":{"match":{}}}"#, None);
        check(r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":[]}"#, Some("eth_getBalance"));
        check(r#"[{"jsonrpc":"2.0","method":"a.b"},{"jsonrpc":"2.0","method":"a.b"}]"#, Some("a.b"));
        check(r#"[{"jsonrpc":"2.0","method":"a.b"},{"jsonrpc":"2.0","method":"a.c"}]"#, None);
        check(r#"{"method":"POST"}"#, None);
        check(r#"{"jsonrpc":"2.0","method":"1' or '1'='1"}"#, None);
        check("", None);
        check("[1", None);
        check(r#"{"query":"#, None);
    }
}
