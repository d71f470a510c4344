//! Localization files: from bytes to entries, and what is wrong with them.
//!
//! `docs/localization.md` has the grammar. The output is that of the reference parser in
//! `src/ck3parse/localization/reference.py`, byte by byte.

mod characters;
mod hash;
mod parts;

use std::borrow::Cow;

use memchr::{memchr2, memrchr};

pub use crate::localization_tables::FaultKind;
use crate::localization_tables::NUMBER_DIGITS;
use crate::writer::{Buffer, Writer};
pub use hash::key_hash;

use characters::{blank_end, key_end};
use parts::Parts;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The JSON of entries is seldom longer than this many times the file.
const EXPECTED_GROWTH: usize = 2;

/// What is wrong at one place. A place never spans lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The line, from 1.
    pub line: u64,
    /// The column in code points, from 1.
    pub column: u64,
    /// The column after the place.
    pub end_column: u64,
    /// What the message names.
    pub found: String,
}

/// What a parse returns.
#[derive(Debug, PartialEq, Eq)]
pub struct Scan<'b> {
    /// The entries as a JSON array of arrays, in UTF-8.
    pub json: &'b [u8],
    /// How many there are.
    pub entry_count: u64,
    /// The language that the header names, and its line.
    pub header: Option<(String, u64)>,
    /// The first faults, in order of place.
    pub faults: Vec<Fault>,
    /// How many there are in all.
    pub fault_count: u64,
}

/// Reads the content of a localization file. `parts` asks for the parts of texts.
///
/// # Panics
///
/// With [`OutOfMemory`](crate::OutOfMemory) as payload and without a message, if there is no memory
/// for the output.
pub fn scan<'b>(data: &[u8], parts: bool, max_faults: usize, buffer: &'b mut Buffer) -> Scan<'b> {
    let mut reader = Reader {
        data,
        parts: parts.then(Parts::default),
        max_faults,
        writer: Writer::new(buffer, data.len().saturating_mul(EXPECTED_GROWTH)),
        entry_count: 0,
        header: None,
        faults: Vec::new(),
        fault_count: 0,
        before_header: true,
        line: 0,
        line_start: 0,
    };
    reader.writer.byte(b'[');
    if data.starts_with(b"\xff\xfe") || data.starts_with(b"\xfe\xff") {
        reader.line = 1;
        reader.fault(FaultKind::Utf16, (0, 0), (0, 0));
    } else {
        reader.read();
    }
    reader.writer.drop_comma();
    reader.writer.raw(b"]");
    Scan {
        json: reader.writer.finish(),
        entry_count: reader.entry_count,
        header: reader.header,
        faults: reader.faults,
        fault_count: reader.fault_count,
    }
}

type Span = (usize, usize);

struct Reader<'t, 'b> {
    data: &'t [u8],
    parts: Option<Parts>,
    max_faults: usize,
    writer: Writer<'b>,
    entry_count: u64,
    header: Option<(String, u64)>,
    faults: Vec<Fault>,
    fault_count: u64,
    before_header: bool,
    line: u64,
    line_start: usize,
}

impl Reader<'_, '_> {
    fn read(&mut self) {
        let data = self.data;
        let mut at = 0;
        if data.starts_with(BOM) {
            at = BOM.len();
        } else if !data.is_empty() {
            self.line = 1;
            self.fault(FaultKind::NoBom, (0, 0), (0, 0));
        }
        self.line = 0;
        while at < data.len() {
            self.line += 1;
            self.line_start = at;
            let end = memchr2(b'\n', b'\r', &data[at..]).map_or(data.len(), |length| at + length);
            if self.line == 1 && data[at..].starts_with(BOM) {
                self.fault(
                    FaultKind::TwoBoms,
                    (at, at + BOM.len()),
                    (at, at + BOM.len()),
                );
                while data[at..].starts_with(BOM) {
                    at += BOM.len();
                }
            }
            self.read_line(at, end);
            at = match data[end..] {
                [b'\r', b'\n', ..] => end + 2,
                _ => end + 1,
            };
        }
    }

    /// Reads one line, from where it starts to where its line end does.
    fn read_line(&mut self, start: usize, end: usize) {
        let line = &self.data[..end];
        let byte_at = |at: usize| line.get(at).copied();
        let is_end = |at: usize| matches!(byte_at(at), None | Some(b'#'));

        let key_start = blank_end(line, start);
        if is_end(key_start) {
            return;
        }
        let key_stop = key_end(line, key_start);
        let key = (key_start, key_stop);
        if key_stop == key_start {
            self.fault(FaultKind::NoKey, (key_start, end), (key_start, end));
            return;
        }
        let is_language = line[key_start..key_stop].starts_with(b"l_");
        let colon = blank_end(line, key_stop);
        if byte_at(colon) != Some(b':') {
            self.fault(FaultKind::NoColon, key, key);
            if is_language && self.before_header {
                self.take_header(key);
            }
            return;
        }
        let digits = colon + 1;
        let mut stop = digits;
        while byte_at(stop).is_some_and(|byte| byte.is_ascii_digit()) {
            stop += 1;
        }
        let quote = blank_end(line, stop);
        let is_text = byte_at(quote) == Some(b'"');
        if is_language && !is_text {
            let behind = blank_end(line, digits);
            if self.before_header {
                self.take_header(key);
                if !is_end(behind) {
                    self.fault(FaultKind::BehindHeader, (behind, end), (behind, end));
                }
                return;
            }
            if is_end(behind) {
                let place = (key_start, digits);
                self.fault(FaultKind::SecondHeader, place, place);
                return;
            }
        }
        if self.before_header {
            self.before_header = false;
            self.fault(FaultKind::NoHeader, key, key);
        }
        if !is_text {
            self.fault(FaultKind::NoOpeningQuote, (quote, quote), key);
            return;
        }
        let text = quote + 1;
        let Some(length) = memrchr(b'"', &line[text..]) else {
            self.fault(FaultKind::NoClosingQuote, (quote, text), key);
            return;
        };
        let number = (digits, stop);
        if stop - digits > NUMBER_DIGITS {
            self.fault(FaultKind::LargeNumber, number, number);
        }
        let text_stop = text + length;
        self.entry(key, number, (text, text_stop));
        let behind = blank_end(line, text_stop + 1);
        if !is_end(behind) {
            self.fault(FaultKind::BehindText, (behind, end), (behind, end));
        }
    }

    fn entry(&mut self, key: Span, number: Span, text: Span) {
        self.entry_count += 1;
        let writer = &mut self.writer;
        writer.reserve(0);
        writer.byte(b'[');
        string(writer, &self.data[key.0..key.1]);
        writer.byte(b',');
        let digits = &self.data[number.0..number.1];
        if digits.is_empty() || digits.len() > NUMBER_DIGITS {
            writer.raw(b"null");
        } else {
            let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
            writer.raw(&digits[zeros.min(digits.len() - 1)..]);
        }
        writer.byte(b',');
        string(writer, &self.data[text.0..text.1]);
        for value in [
            self.line as usize,
            key.0,
            key.1,
            number.0,
            number.1,
            text.0,
            text.1,
        ] {
            writer.byte(b',');
            writer.offset(value);
        }
        if let Some(mut parts) = self.parts.take() {
            self.writer.raw(b",[");
            parts.read(self.data, text, &mut self.writer);
            self.writer.drop_comma();
            self.writer.byte(b']');
            for (kind, place) in parts.faults.drain(..) {
                self.fault(kind, place, place);
            }
            self.parts = Some(parts);
        }
        self.writer.raw(b"],");
    }

    fn take_header(&mut self, key: Span) {
        self.before_header = false;
        let language = String::from_utf8_lossy(&self.data[key.0 + 2..key.1]);
        self.header = Some((language.into_owned(), self.line));
    }

    /// Notes a fault at a place; its message names what is at another one.
    #[cold]
    fn fault(&mut self, kind: FaultKind, place: Span, found: Span) {
        self.fault_count += 1;
        if self.faults.len() < self.max_faults {
            let shown = |from: usize, to: usize| String::from_utf8_lossy(&self.data[from..to]);
            let column = shown(self.line_start, place.0).chars().count() as u64 + 1;
            self.faults.push(Fault {
                kind,
                line: self.line,
                column,
                end_column: column + shown(place.0, place.1).chars().count() as u64,
                found: shown(found.0, found.1).into_owned(),
            });
        }
    }
}

/// Writes a part of the file as a JSON string, and leaves room for what follows.
fn string(writer: &mut Writer, part: &[u8]) {
    writer.byte(b'"');
    match String::from_utf8_lossy(part) {
        Cow::Borrowed(text) => writer.escaped_utf_8(text.as_bytes()),
        Cow::Owned(text) => writer.escaped_utf_8(text.as_bytes()),
    }
    writer.reserve(0);
    writer.byte(b'"');
}
