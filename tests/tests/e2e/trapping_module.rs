//! The built module, changed so that it traps where a test wants it to.

use anyhow::Context as _;

/// Where the module is entered with the headers of a request: context, number of headers, whether there is no body.
const ENTRY: &[u8] = b"proxy_on_request_headers";

const SECTION_IMPORT: u8 = 2;
const SECTION_FUNCTION: u8 = 3;
const SECTION_EXPORT: u8 = 7;
const SECTION_CODE: u8 = 10;
const HEADER_BYTES: usize = 8;
const KIND_FUNCTION: u8 = 0;

/// The same module, but that a request with more headers than `headers_max` executes `unreachable`, as a panic does.
///
/// # Errors
/// When the bytes are no module with that entry.
pub fn trapping_module(module: &[u8], headers_max: u8) -> anyhow::Result<Vec<u8>> {
    let mut reader = Reader(module);
    let mut changed = reader.bytes(HEADER_BYTES)?.to_vec();
    let sections = sections(reader)?;
    let content = |id| sections.iter().find(|(section, _)| *section == id).map(|(_, content)| *content);
    let imported = content(SECTION_IMPORT).map_or(Ok(0), imported_functions)?;
    let mut types = Reader(content(SECTION_FUNCTION).context("there are no functions")?).numbers()?;
    let guard_index = imported + types.len() as u32;
    let exports = content(SECTION_EXPORT).context("there are no exports")?;
    let (entry, exports) = with_other_entry(exports, guard_index)?;
    let defined = entry.checked_sub(imported).and_then(|index| types.get(index as usize));
    types.push(*defined.context("the entry is imported")?);
    for (section, content) in sections {
        let content = match section {
            SECTION_FUNCTION => vector(&types),
            SECTION_EXPORT => exports.clone(),
            SECTION_CODE => with_body(content, &guard(entry, headers_max))?,
            _ => content.to_vec(),
        };
        changed.push(section);
        push_number(&mut changed, content.len() as u32);
        changed.extend(content);
    }
    Ok(changed)
}

fn sections(mut reader: Reader<'_>) -> anyhow::Result<Vec<(u8, &[u8])>> {
    let mut sections = Vec::new();
    while !reader.0.is_empty() {
        let section = reader.byte()?;
        let length = reader.number()? as usize;
        sections.push((section, reader.bytes(length)?));
    }
    Ok(sections)
}

/// `if headers > headers_max { unreachable }`, then the entry itself.
fn guard(entry: u32, headers_max: u8) -> Vec<u8> {
    // No locals; local.get 1, i32.const, i32.gt_s, if, unreachable, end; the three parameters, call, end.
    let mut body = vec![0, 0x20, 1, 0x41];
    // A signed LEB128 of up to 13 bits.
    body.extend([(headers_max & 0x7f) | 0x80, headers_max >> 7]);
    body.extend([0x4a, 0x04, 0x40, 0x00, 0x0b, 0x20, 0, 0x20, 1, 0x20, 2, 0x10]);
    push_number(&mut body, entry);
    body.push(0x0b);
    body
}

fn with_body(code: &[u8], body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut reader = Reader(code);
    let mut changed = Vec::with_capacity(code.len() + body.len() + 8);
    push_number(&mut changed, reader.number()? + 1);
    changed.extend(reader.0);
    push_number(&mut changed, body.len() as u32);
    changed.extend(body);
    Ok(changed)
}

fn imported_functions(imports: &[u8]) -> anyhow::Result<u32> {
    let mut reader = Reader(imports);
    let mut functions = 0;
    for _ in 0..reader.number()? {
        reader.name()?;
        reader.name()?;
        anyhow::ensure!(reader.byte()? == KIND_FUNCTION, "only functions are imported");
        reader.number()?;
        functions += 1;
    }
    Ok(functions)
}

/// The function that the entry was, and the exports with another in its place.
fn with_other_entry(exports: &[u8], function: u32) -> anyhow::Result<(u32, Vec<u8>)> {
    let mut reader = Reader(exports);
    let count = reader.number()?;
    let (mut entry, mut changed) = (None, Vec::new());
    push_number(&mut changed, count);
    for _ in 0..count {
        let name = reader.name()?;
        let kind = reader.byte()?;
        let mut index = reader.number()?;
        if kind == KIND_FUNCTION && name == ENTRY {
            entry = Some(index);
            index = function;
        }
        push_number(&mut changed, name.len() as u32);
        changed.extend(name);
        changed.push(kind);
        push_number(&mut changed, index);
    }
    Ok((entry.context("the entry is not exported")?, changed))
}

fn vector(numbers: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_number(&mut bytes, numbers.len() as u32);
    numbers.iter().for_each(|&number| push_number(&mut bytes, number));
    bytes
}

/// Unsigned LEB128.
fn push_number(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> anyhow::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).context("the module ends early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> anyhow::Result<u8> {
        Ok(self.bytes(1)?[0])
    }

    fn number(&mut self) -> anyhow::Result<u32> {
        let mut number = 0;
        for place in 0..5 {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        anyhow::bail!("a number of the module is too long")
    }

    fn numbers(&mut self) -> anyhow::Result<Vec<u32>> {
        (0..self.number()?).map(|_| self.number()).collect()
    }

    fn name(&mut self) -> anyhow::Result<&'a [u8]> {
        let length = self.number()? as usize;
        self.bytes(length)
    }
}
