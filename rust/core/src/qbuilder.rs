//! The extractor `qbuilder/1`: symbols and references, from the parse itself.
//!
//! The rules are those of `src/ck3parse/extractors/qbuilder.toml`; `qbuilder.py` beside it makes the
//! same rows from a tree. Names and values are compared and copied as they are in the AST's JSON,
//! where every other character than those of the tables is escaped.

use crate::chars::is_decimal;
use crate::qbuilder_tables::{
    FAITH, FAITHS_CONTAINER, FAITHS_FILE, NO_NAMES, REFERENCES, TITLE, TITLE_LEVELS, TITLES_FILE,
};
use crate::text::LineEnds;
use crate::visitor::Visitor;
use crate::writer::{Buffer, Writer, push};
use crate::{Ast, Error, Options, parser};

const SYMBOLS: &[u8] = br#"{"symbols":["#;
const REFS: &[u8] = br#"],"refs":["#;
const END: &[u8] = b"]}";

/// Parses a text into the buffer, and returns its rows as compact JSON.
pub(crate) fn parse<'b>(
    text: &[u8],
    ends: LineEnds,
    name: &[u8],
    options: Options,
    symbol_type: Option<&[u8]>,
    buffer: &'b mut Buffer,
) -> Result<(Ast<'b>, Vec<u8>), Error> {
    let symbol_type = symbol_type.map(|given| escaped(given, buffer));
    let mut rows = Qbuilder::new(symbol_type.as_deref());
    let ast = parser::parse(text, ends, name, options, buffer, &mut rows)?;
    Ok((ast, rows.finish()))
}

fn escaped(text: &[u8], buffer: &mut Buffer) -> Vec<u8> {
    let mut out = Writer::new(buffer, text.len());
    out.escaped(text);
    out.finish().to_vec()
}

/// A key whose value is a reference.
pub(crate) struct Reference {
    pub key: &'static str,
    pub row_type: &'static str,
    /// Whether a value that starts with `$` is one too.
    pub params: bool,
}

/// Which blocks inside blocks are symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nested {
    Nothing,
    Faiths,
    Titles,
}

/// Collects the rows of one text.
pub(crate) struct Qbuilder<'a> {
    /// The type of symbols, escaped for JSON, if the file has any.
    symbol_type: Option<&'a [u8]>,
    nested: Nested,
    depth: usize,
    /// How many of the open blocks, from the outermost on, can have symbols inside.
    live: usize,
    /// What the key of the last assignment makes of its value.
    reference: Option<&'static Reference>,
    symbols: Vec<u8>,
    nested_symbols: Vec<u8>,
    refs: Vec<u8>,
}

impl<'a> Qbuilder<'a> {
    pub fn new(symbol_type: Option<&'a [u8]>) -> Self {
        let nested = match symbol_type {
            Some(found) if found == FAITHS_FILE.as_bytes() => Nested::Faiths,
            Some(found) if found == TITLES_FILE.as_bytes() => Nested::Titles,
            _ => Nested::Nothing,
        };
        Qbuilder {
            symbol_type,
            nested,
            depth: 0,
            live: 0,
            reference: None,
            symbols: Vec::new(),
            nested_symbols: Vec::new(),
            refs: Vec::new(),
        }
    }

    /// Returns all rows as compact JSON.
    pub fn finish(self) -> Vec<u8> {
        let mut rows = Vec::new();
        push(&mut rows, &[SYMBOLS, &self.symbols, &self.nested_symbols]);
        drop_comma(&mut rows);
        push(&mut rows, &[REFS, &self.refs]);
        drop_comma(&mut rows);
        push(&mut rows, &[END]);
        rows
    }

    /// Adds a symbol at the top, if its name can be one.
    #[inline]
    fn top_symbol(&mut self, name: &[u8], line: usize, column: usize) {
        if let Some(symbol_type) = self.symbol_type
            && is_name(name)
        {
            row(&mut self.symbols, name, symbol_type, line, column);
        }
    }

    /// Adds a symbol inside a block, if its name can be one, and returns whether it can.
    fn nested_symbol(&mut self, name: &[u8], row_type: &str, line: usize, column: usize) -> bool {
        let found = is_name(name);
        if found {
            let rows = &mut self.nested_symbols;
            row(rows, name, row_type.as_bytes(), line, column);
        }
        found
    }
}

impl Visitor for &mut Qbuilder<'_> {
    const TEXTS: bool = true;

    #[inline]
    fn block(&mut self, name: &[u8], line: usize, column: usize) {
        let depth = self.depth;
        self.depth += 1;
        if depth == 0 {
            self.live = 1;
            self.top_symbol(name, line, column);
        } else if self.live == depth {
            let goes_on = match (self.nested, depth) {
                (Nested::Faiths, 1) => name == FAITHS_CONTAINER.as_bytes(),
                (Nested::Faiths, 2) => {
                    self.nested_symbol(name, FAITH, line, column);
                    false
                }
                (Nested::Titles, 1..=TITLE_LEVELS) => self.nested_symbol(name, TITLE, line, column),
                _ => false,
            };
            self.live += usize::from(goes_on);
        }
    }

    #[inline]
    fn list(&mut self) {
        self.depth += 1;
    }

    #[inline]
    fn close(&mut self, _: usize) {
        self.depth -= 1;
        self.live = self.live.min(self.depth);
    }

    #[inline]
    fn key(&mut self, key: &[u8], line: usize, column: usize) {
        if self.depth == 0 && key.first() != Some(&b'@') {
            self.top_symbol(key, line, column);
        }
        self.reference = reference(key);
    }

    #[inline]
    fn value(&mut self, text: &[u8], line: usize, column: usize) {
        let Some(reference) = self.reference.take() else {
            return;
        };
        let name = before_quote(text);
        match name.first() {
            None => {}
            Some(b'$') if !reference.params => {}
            Some(_) => {
                let row_type = reference.row_type.as_bytes();
                row(&mut self.refs, name, row_type, line, column);
            }
        }
    }
}

/// The lengths of the keys that make references, as bits, by their first byte.
static LENGTHS: [u32; 256] = lengths();

const fn lengths() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < REFERENCES.len() {
        let key = REFERENCES[index].key.as_bytes();
        assert!(key.len() < 32);
        table[key[0] as usize] |= 1 << key.len();
        index += 1;
    }
    table
}

/// Returns what a key makes of its value, if it makes a reference.
#[inline]
fn reference(key: &[u8]) -> Option<&'static Reference> {
    let first = *key.first()?;
    if key.len() >= 32 || LENGTHS[first as usize] >> key.len() & 1 == 0 {
        return None;
    }
    let index = REFERENCES.binary_search_by(|reference| reference.key.as_bytes().cmp(key));
    Some(&REFERENCES[index.ok()?])
}

/// Whether a key can be a symbol: not a character alone, a keyword, a number or a date.
fn is_name(text: &[u8]) -> bool {
    if (Characters { text }).nth(1).is_none() {
        return false;
    }
    if matches!(text[0], b'.' | b'0'..=b'9' | b'\\') && is_number(text) {
        return false;
    }
    let found = NO_NAMES.binary_search_by(|name| name.as_bytes().cmp(text));
    found.is_err()
}

/// Whether a text is a number, with at most one point among its digits and one before them, or a
/// date of three numbers; either may end with a line end.
fn is_number(text: &[u8]) -> bool {
    const POINT: u32 = '.' as u32;
    const LINE_END: u32 = '\n' as u32;
    let mut characters = Characters { text };
    let mut starts_with_point = false;
    let mut digits = [0usize; 3];
    let mut points = 0;
    let mut is_first = true;
    while let Some(character) = characters.next() {
        match character {
            POINT if is_first => starts_with_point = true,
            POINT if points == 2 => return false,
            POINT => points += 1,
            LINE_END if characters.text.is_empty() => {}
            _ if is_decimal(character) => digits[points] += 1,
            _ => return false,
        }
        is_first = false;
    }
    digits[0] > 0 && (points < 2 || !starts_with_point && digits[1] > 0 && digits[2] > 0)
}

/// The code points of a text that is escaped for JSON.
struct Characters<'t> {
    text: &'t [u8],
}

impl Characters<'_> {
    /// Returns the number of four hexadecimal digits after `\u`, if the text starts with them.
    fn unit(&self) -> Option<u32> {
        let digits = self.text.strip_prefix(b"\\u")?.get(..4)?;
        u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
    }
}

impl Iterator for Characters<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let &first = self.text.first()?;
        if first != b'\\' {
            self.text = &self.text[1..];
            return Some(u32::from(first));
        }
        if let Some(unit) = self.unit() {
            self.text = &self.text[6..];
            if let 0xd800..=0xdbff = unit
                && let Some(low @ 0xdc00..=0xdfff) = self.unit()
            {
                self.text = &self.text[6..];
                return Some(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            }
            return Some(unit);
        }
        let letter = self.text.get(1).copied().unwrap_or(first);
        self.text = self.text.get(2..).unwrap_or_default();
        Some(match letter {
            b'n' => u32::from(b'\n'),
            _ => u32::from(b'\\'), // any other character that is no digit, point or line end
        })
    }
}

/// Returns the part of an escaped text before its first quote.
fn before_quote(text: &[u8]) -> &[u8] {
    let mut at = 0;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    &text[..at.min(text.len())]
}

fn row(rows: &mut Vec<u8>, name: &[u8], row_type: &[u8], line: usize, column: usize) {
    let (mut line_digits, mut column_digits) = ([0; 20], [0; 20]);
    let line = digits(line, &mut line_digits);
    let column = digits(column, &mut column_digits);
    push(
        rows,
        &[
            b"[\"", name, b"\",\"", row_type, b"\",", line, b",", column, b"],",
        ],
    );
}

fn digits(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

fn drop_comma(rows: &mut Vec<u8>) {
    if rows.last() == Some(&b',') {
        rows.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_dates_are_no_names() {
        for number in [
            "1",
            "12",
            "1.5",
            "1.",
            ".1",
            ".1.",
            ".1.5",
            "867.1.1",
            "\\u0663\\u0664",
            "1.\\uff12",
            "\\ud835\\udfce1",
        ] {
            assert!(!is_name(number.as_bytes()), "{number}");
            assert!(!is_name(format!("{number}\\n").as_bytes()), "{number}");
            assert!(is_name(format!("{number}\\n\\n").as_bytes()), "{number}");
        }
    }

    #[test]
    fn other_keys_are_names() {
        for name in [
            "ab",
            "1.2.3.4",
            ".1.2.3",
            "1..2",
            "..",
            "12a",
            "-5",
            "5%",
            "\\u00b2\\u00b2",
            "1.2.3.",
            "a\\\"",
            "\\ud83d\\ude00a",
            "\\ud83d\\ud83d",
            "\\\\\\\\",
        ] {
            assert!(is_name(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn single_characters_and_keywords_are_no_names() {
        for text in [
            "",
            "a",
            "\\ud83d\\ude00",
            "\\u00e9",
            "\\\\",
            "\\n",
            "limit",
            "namespace",
            "AND",
        ] {
            assert!(!is_name(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn tables_are_sorted() {
        assert!(NO_NAMES.is_sorted());
        assert!(REFERENCES.is_sorted_by_key(|reference| reference.key));
        assert_eq!(
            reference(b"has_trait").map(|found| found.row_type),
            Some("trait")
        );
        assert!(reference(b"has_trai").is_none());
        assert!(reference(b"").is_none());
    }
}
