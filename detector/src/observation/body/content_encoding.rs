//! The content encoding of a body undone (RFC 9110 section 8.4): gzip, deflate and br, within limits.

use std::io::Read;

use brotli_decompressor::Decompressor;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::limits;
use crate::work::WorkBudget;

/// A body with its content encoding undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// It has none.
    Unchanged,
    /// It has one that is not known here, or too many.
    Unknown,
    /// It has one that is not undone here, and looks like it: nothing is known of what is in it.
    NotUndone,
    Bytes {
        bytes: Vec<u8>,
        end: End,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Complete,
    /// [`limits::DECODED_BODY_BYTES_MAX`] or the work budget ended it.
    Limit {
        /// It came out more than [`limits::DECODED_BODY_RATIO_MAX`] times as large as it was sent.
        is_bomb: bool,
    },
    /// It is not encoded as it says, or breaks off.
    Broken,
}

/// Bytes that the Brotli decoder reads ahead; few, since they count as read when a bomb is told by its ratio.
const BROTLI_BUFFER_BYTES: usize = 1024;

#[derive(Debug, Clone, Copy)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
}

/// Undoes what a `content-encoding` header says.
pub fn decode(header: &str, body: &[u8], budget: &mut WorkBudget) -> Decoded {
    if is_zstandard(header, body) {
        return Decoded::NotUndone;
    }
    let mut codings = Vec::new();
    for name in header.split(',').map(str::trim) {
        match name.to_ascii_lowercase().as_str() {
            "" | "identity" => {}
            "gzip" | "x-gzip" => codings.push(Coding::Gzip),
            "deflate" => codings.push(Coding::Deflate),
            "br" => codings.push(Coding::Brotli),
            _ => return Decoded::Unknown,
        }
    }
    if codings.len() > limits::CONTENT_ENCODINGS_MAX {
        return Decoded::Unknown;
    }
    let mut decoded = Decoded::Unchanged;
    // The last one was applied last.
    for coding in codings.into_iter().rev() {
        decoded = match decoded {
            Decoded::Bytes { bytes, end: End::Complete } => undo(coding, &bytes, budget),
            Decoded::Unchanged => undo(coding, body, budget),
            other => return other,
        };
    }
    decoded
}

/// Whether a body is declared to be compressed by Zstandard alone, and begins like a frame of it (RFC 8878 section 3.1).
fn is_zstandard(header: &str, body: &[u8]) -> bool {
    header.trim().eq_ignore_ascii_case("zstd")
        && matches!(body, [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

fn undo(coding: Coding, body: &[u8], budget: &mut WorkBudget) -> Decoded {
    let mut rest = body;
    let sent = &mut rest;
    let (bytes, is_limited, is_broken) = match coding {
        Coding::Gzip => read(&mut MultiGzDecoder::new(sent), budget),
        Coding::Deflate if has_zlib_header(body) => read(&mut ZlibDecoder::new(sent), budget),
        // Some clients leave the header of zlib out.
        Coding::Deflate => read(&mut DeflateDecoder::new(sent), budget),
        Coding::Brotli if has_large_window(body) => (Vec::new(), false, true),
        Coding::Brotli => read(&mut Decompressor::new(sent, BROTLI_BUFFER_BYTES), budget),
    };
    let read_bytes = body.len() - rest.len();
    let end = match (is_limited, is_broken) {
        (true, _) => End::Limit { is_bomb: bytes.len() / read_bytes.max(1) > limits::DECODED_BODY_RATIO_MAX },
        (false, true) => End::Broken,
        (false, false) => End::Complete,
    };
    Decoded::Bytes { bytes, end }
}

/// RFC 1950 section 2.2.
fn has_zlib_header(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31))
}

/// Whether a Brotli stream (RFC 7932 section 9.1) wants a window over [`limits::BROTLI_WINDOW_BITS_MAX`], or one of the large ones
/// that are no part of the standard.
fn has_large_window(body: &[u8]) -> bool {
    let Some(first) = body.first() else {
        return false;
    };
    match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, ..) => false,
        (_, 0, 1) => true,
        (_, 0, _) => false,
        (_, bits, _) => 17 + bits > limits::BROTLI_WINDOW_BITS_MAX,
    }
}

/// What comes out, whether it was ended by a limit, and whether by an error.
fn read(decoder: &mut dyn Read, budget: &mut WorkBudget) -> (Vec<u8>, bool, bool) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match decoder.read(&mut chunk) {
            Ok(0) => return (bytes, false, false),
            Ok(length) => {
                let room = limits::DECODED_BODY_BYTES_MAX - bytes.len();
                bytes.extend_from_slice(chunk.get(..length.min(room)).unwrap_or_default());
                if length > room || !budget.take_bytes(length) {
                    return (bytes, true, false);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return (bytes, false, true),
        }
    }
}
