//! The elements of one array in a JSON document, each as the bytes that it is written in.
//!
//! Only one element is in memory, and no more of it than a limit. Nothing but brackets and strings is looked at, so that what
//! is wrong inside an element (a stray byte, half a surrogate pair, a missing value) costs that element and not the rest of
//! the document, as it would with a parser that reads the whole.

use std::io::{self, BufRead};

/// One element, without white space around it.
#[derive(Debug, PartialEq, Eq)]
pub enum Element<'b> {
    Complete(&'b [u8]),
    TooLong { bytes: u64 },
}

#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    #[error("the document has no such array")]
    Absent,
    #[error("the document ends within the array")]
    Cut,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads element after element into one buffer.
pub struct ArrayElements<R> {
    reader: R,
    scanner: Scanner,
    buffer: Vec<u8>,
    element_bytes_max: usize,
    ended: bool,
}

impl<R: BufRead> ArrayElements<R> {
    /// Of the array that is found by these names, objects within objects, from the document's own: `["log", "entries"]`.
    pub fn new(reader: R, path: &'static [&'static str], element_bytes_max: usize) -> Self {
        Self { reader, scanner: Scanner::new(path), buffer: Vec::new(), element_bytes_max, ended: false }
    }

    /// The next element; `None` at the end of the array. What comes after it is not read.
    ///
    /// # Errors
    /// When the underlying reader fails, or the document ends before the array does.
    pub fn next_element(&mut self) -> Result<Option<Element<'_>>, ArrayError> {
        self.buffer.clear();
        let mut bytes = 0_u64;
        let mut complete = self.ended;
        while !complete {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if available.is_empty() {
                return Err(if self.scanner.array_depth.is_some() { ArrayError::Cut } else { ArrayError::Absent });
            }
            let mut consumed = 0;
            for &byte in available {
                consumed += 1;
                match self.scanner.step(byte) {
                    Step::Outside => {}
                    Step::Inside => {
                        bytes += 1;
                        if self.buffer.len() < self.element_bytes_max {
                            self.buffer.push(byte);
                        }
                    }
                    Step::ElementEnd => complete = true,
                    Step::ArrayEnd => (complete, self.ended) = (true, true),
                }
                if complete {
                    break;
                }
            }
            self.reader.consume(consumed);
        }
        if bytes > self.element_bytes_max as u64 {
            return Ok(Some(Element::TooLong { bytes }));
        }
        if self.ended && bytes == 0 {
            return Ok(None);
        }
        Ok(Some(Element::Complete(&self.buffer)))
    }
}

/// Where in the document a byte is.
enum Step {
    Outside,
    /// It is part of an element.
    Inside,
    ElementEnd,
    ArrayEnd,
}

/// Follows a document byte by byte.
struct Scanner {
    path: &'static [&'static str],
    /// Objects of the path that are open.
    entered: usize,
    /// Brackets that are open.
    depth: usize,
    /// The array's own depth, once it is found.
    array_depth: Option<usize>,
    in_string: bool,
    escaped: bool,
    /// The last string outside the array, cut where it is longer than any name of the path.
    name: Vec<u8>,
    name_bytes_max: usize,
}

impl Scanner {
    fn new(path: &'static [&'static str]) -> Self {
        let longest = path.iter().map(|name| name.len()).max().unwrap_or_default();
        Self {
            path,
            entered: 0,
            depth: 0,
            array_depth: None,
            in_string: false,
            escaped: false,
            name: Vec::new(),
            name_bytes_max: longest + 1,
        }
    }

    fn step(&mut self, byte: u8) -> Step {
        if self.in_string {
            self.step_in_string(byte);
            return self.inside_or_outside();
        }
        let at_element = self.array_depth == Some(self.depth);
        match byte {
            b'"' => {
                self.in_string = true;
                self.name.clear();
            }
            b'{' | b'[' => {
                self.open(byte);
                if self.array_depth == Some(self.depth) {
                    return Step::Outside;
                }
            }
            b'}' | b']' if at_element => return Step::ArrayEnd,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.entered = self.entered.min(self.depth.saturating_sub(1));
            }
            b',' if at_element => return Step::ElementEnd,
            b',' => self.name.clear(),
            b' ' | b'\t' | b'\n' | b'\r' if at_element => return Step::Outside,
            _ => {}
        }
        self.inside_or_outside()
    }

    fn step_in_string(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => {
                self.in_string = false;
                return;
            }
            _ => {}
        }
        if self.array_depth.is_none() && self.name.len() < self.name_bytes_max {
            self.name.push(byte);
        }
    }

    /// A bracket opens: it may be the next object of the path, or the array at its end.
    fn open(&mut self, bracket: u8) {
        let is_next = self.array_depth.is_none()
            && self.depth == self.entered + 1
            && self.path.get(self.entered).is_some_and(|name| name.as_bytes() == self.name);
        let is_last = self.entered + 1 == self.path.len();
        self.depth += 1;
        self.name.clear();
        match bracket {
            b'{' if is_next && !is_last => self.entered += 1,
            b'[' if is_next && is_last => self.array_depth = Some(self.depth),
            _ => {}
        }
    }

    fn inside_or_outside(&self) -> Step {
        if self.array_depth.is_some() { Step::Inside } else { Step::Outside }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATH: &[&str] = &["log", "entries"];

    /// The elements as texts, `Err` with the bytes of one that is too long; the last is what ended the reading too early.
    fn elements(document: &[u8], element_bytes_max: usize, capacity: usize) -> Vec<Result<String, String>> {
        let reader = io::BufReader::with_capacity(capacity, document);
        let mut array = ArrayElements::new(reader, PATH, element_bytes_max);
        let mut elements = Vec::new();
        loop {
            match array.next_element() {
                Ok(None) => return elements,
                Ok(Some(Element::Complete(bytes))) => elements.push(Ok(String::from_utf8_lossy(bytes).into_owned())),
                Ok(Some(Element::TooLong { bytes })) => elements.push(Err(format!("{bytes} bytes"))),
                Err(error) => {
                    elements.push(Err(error.to_string()));
                    return elements;
                }
            }
        }
    }

    #[track_caller]
    fn check(document: &str, expected: &[Result<&str, &str>]) {
        let expected: Vec<Result<String, String>> =
            expected.iter().map(|element| element.map(str::to_owned).map_err(str::to_owned)).collect();
        for capacity in [1, 3, 64] {
            assert_eq!(elements(document.as_bytes(), 20, capacity), expected, "{document} through {capacity} bytes");
        }
    }

    #[test]
    fn elements_are_found_wherever_the_array_stands() {
        check(r#"{"log":{"entries":[]}}"#, &[]);
        check(
            r#"{"log":{"entries":[ {"a": 1} , [2,3],4 , "x y" ]}}"#,
            &[Ok(r#"{"a": 1}"#), Ok("[2,3]"), Ok("4"), Ok(r#""x y""#)],
        );
        let other = r#"{ "entries":[1],"log" : {"pages":[{"log":{"entries":[2]}}], "entries" : [3], "entries":[4] } }"#;
        check(other, &[Ok("3")]);
        check(r#"{"x":"log","y":{"entries":[1]},"log":{"entries":[2]}}"#, &[Ok("2")]);
        check(r#"{"log":{"browser":{"entries":[1]}},"log":{"entries":[2]}}"#, &[Ok("2")]);
    }

    #[test]
    fn brackets_commas_and_quotes_in_strings_do_not_count() {
        check(r#"{"log":{"entries":["],[","\"]","\\"]}}"#, &[Ok(r#""],[""#), Ok(r#""\"]""#), Ok(r#""\\""#)]);
    }

    #[test]
    fn what_is_wrong_with_an_element_stays_with_it() {
        check(r#"{"log":{"entries":[oops,,{"a" 1},2]}}"#, &[Ok("oops"), Ok(""), Ok(r#"{"a" 1}"#), Ok("2")]);
    }

    #[test]
    fn an_element_over_the_limit_is_passed_over_and_the_next_one_read() {
        check(r#"{"log":{"entries":[{"a":"0123456789012345"},2]}}"#, &[Err("24 bytes"), Ok("2")]);
        check(
            r#"{"log":{"entries":[{"a":"012345678901"},{"a":"0123456789012"}]}}"#,
            &[Ok(r#"{"a":"012345678901"}"#), Err("21 bytes")],
        );
    }

    #[test]
    fn a_document_without_the_array_or_cut_within_it_is_told() {
        let absent = Err("the document has no such array");
        let cut = Err("the document ends within the array");
        check("", &[absent]);
        check("[1,2]", &[absent]);
        check(r#"{"log":{"entries":{"a":1}}}"#, &[absent]);
        check(r#"{"log":["entries",[1]]}"#, &[absent]);
        check(r#"{"log":{"entries":[1,{"a":"#, &[Ok("1"), cut]);
        check(r#"{"log":{"entries":[1"#, &[cut]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_scanned_within_the_limit(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"[]{},:\"\\ ".to_vec())], 0..300),
        ) {
            let document = [br#"{"log":{"entries":["#.as_slice(), bytes.as_slice()].concat();
            for element in elements(&document, 16, 7).into_iter().flatten() {
                // An invalid byte is shown by three.
                prop_assert!(element.len() <= 3 * 16);
            }
        }

        #[test]
        fn the_elements_of_any_document_are_those_that_serde_reads(values in prop::collection::vec(any_json(), 0..5)) {
            let document = serde_json::json!({ "log": { "pages": [1], "entries": values, "more": [2] } });
            for text in [document.to_string(), serde_json::to_string_pretty(&document).unwrap()] {
                let read: Vec<serde_json::Value> = elements(text.as_bytes(), 100_000, 16)
                    .into_iter()
                    .map(|element| serde_json::from_str(&element.unwrap()).unwrap())
                    .collect();
                prop_assert_eq!(&read, &values);
            }
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
            Just("log".into()),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }
}
