//! Files of labelled values: CSV with a header that names the columns of the value and of its class.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use apiward_detector::payload::PayloadClass;
use flate2::read::GzDecoder;
use thiserror::Error;

use super::LabelledText;

/// Names of the column with the value.
const TEXT_COLUMNS: [&str; 5] = ["payload", "text", "value", "pattern", "sentence"];
/// Names of the column with the class.
const CLASS_COLUMNS: [&str; 5] = ["attack_type", "injection_type", "class", "type", "label"];
/// What other people call the classes.
const OTHER_NAMES: [(&str, PayloadClass); 15] = [
    ("norm", PayloadClass::Benign),
    ("normal", PayloadClass::Benign),
    ("legal", PayloadClass::Benign),
    ("anom", PayloadClass::Sqli),
    ("sql", PayloadClass::Sqli),
    ("sql_injection", PayloadClass::Sqli),
    ("cmdi", PayloadClass::CommandInjection),
    ("shell", PayloadClass::CommandInjection),
    ("rce", PayloadClass::CommandInjection),
    ("path-traversal", PayloadClass::PathTraversal),
    ("lfi", PayloadClass::PathTraversal),
    ("rfi", PayloadClass::PathTraversal),
    ("ssti", PayloadClass::TemplateInjection),
    ("ldap", PayloadClass::LdapInjection),
    ("crlf", PayloadClass::HeaderInjection),
];
/// Bytes of a file that are read, uncompressed.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Why a file is of no use.
#[derive(Debug, Error)]
pub enum CorpusError {
    #[error("{file} cannot be read: {error}")]
    Read { file: String, error: std::io::Error },
    #[error("{file} has no column for the value ({TEXT_COLUMNS:?}) or none for the class ({CLASS_COLUMNS:?})")]
    Columns { file: String },
    #[error("{file}, record {record}: {class:?} is no class; use the names of the network's classes")]
    Class { file: String, record: usize, class: String },
}

/// Reads a file: CSV (RFC 4180) when it has `.csv` in its name, else one benign value a line, `#` for comments; with `.gz`
/// compressed.
pub fn read(path: &Path) -> Result<Vec<LabelledText>, CorpusError> {
    let file = path.display().to_string();
    let read_error = |error| CorpusError::Read { file: file.clone(), error };
    let opened = File::open(path).map_err(read_error)?;
    let reader: Box<dyn Read> = if file.ends_with(".gz") { Box::new(GzDecoder::new(opened)) } else { Box::new(opened) };
    let reader = BufReader::new(reader.take(FILE_BYTES_MAX));
    if !file.contains(".csv") {
        let lines = reader.lines().collect::<Result<Vec<_>, _>>().map_err(read_error)?;
        let values = lines.into_iter().filter(|line| !line.is_empty() && !line.starts_with("## "));
        return Ok(values.map(|text| LabelledText { class: PayloadClass::Benign, text }).collect());
    }
    let csv_error = |error: csv::Error| CorpusError::Read { file: file.clone(), error: error.into() };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
    let header = reader.byte_headers().map_err(csv_error)?.clone();
    let column =
        |names: &[&str]| names.iter().find_map(|name| header.iter().position(|field| field == name.as_bytes()));
    let (Some(text_column), Some(class_column)) = (column(&TEXT_COLUMNS), column(&CLASS_COLUMNS)) else {
        return Err(CorpusError::Columns { file });
    };
    let mut texts = Vec::new();
    for (number, record) in reader.byte_records().enumerate() {
        let record = record.map_err(csv_error)?;
        let (Some(text), Some(name)) = (record.get(text_column), record.get(class_column)) else { continue };
        let name = String::from_utf8_lossy(name).trim().to_lowercase();
        let known = OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|(_, class)| *class);
        let Some(class) = PayloadClass::of_name(&name).or(known) else {
            return Err(CorpusError::Class { file, record: number + 1, class: name });
        };
        texts.push(LabelledText { class, text: String::from_utf8_lossy(text).into_owned() });
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_classes_by_any_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("values.csv");
        std::fs::write(&file, "id,payload,attack_type\n1,\"x,\"\"y\"\"\n\",norm\n2,a|id,cmdi\n").unwrap();
        let texts = read(&file).unwrap();
        let expected = [(PayloadClass::Benign, "x,\"y\"\n"), (PayloadClass::CommandInjection, "a|id")];
        assert_eq!(texts, expected.map(|(class, text)| LabelledText { class, text: text.to_owned() }));
        std::fs::write(&file, "payload,attack_type\nx,nonsense\n").unwrap();
        assert!(matches!(read(&file), Err(CorpusError::Class { record: 1, .. })));
    }
}
