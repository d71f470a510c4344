//! The extractor `ck3/1`: what a file defines, and the names that it uses.
//!
//! `ck3_tree.py` in `ck3parse/extractors/` makes the same rows from the tree of dialect `ck3`, and
//! `ck3.toml` beside it has the rules.

mod definitions;
mod finder;
mod places;
mod repeated_names;
mod stored_rows;
mod table_file;
mod word_lists;
mod words;

use std::borrow::Cow;

use crate::agreement::Agreement;
use crate::ck3::{self, recovery};
use crate::index_tables::FINDERS;
use crate::text::{self, LineEnds};
use crate::writer::{Buffer, Writer};
use crate::{Ast, Dialect, Error, parser};
use definitions::{Definitions, Row};
use words::Form;

pub(crate) use finder::{Declared, Finder, Nested};
pub use places::{Place, Role, places};
pub use repeated_names::RepeatedNames;
pub use stored_rows::{Definition, Rows, Words};
pub use table_file::{TableFile, Value};
pub use word_lists::{Segment, WordLists};

/// How the rows of a file are made.
#[derive(Debug, Clone, Copy)]
pub struct Options<'o> {
    /// The name of a table `find` in `ck3.toml`.
    pub find: &'o str,
    /// The kind of definitions that have none of their own, escaped for JSON.
    pub kind: &'o str,
    /// How deep braces may nest.
    pub max_depth: usize,
    /// Whether the game reads the file as Windows-1252 if it is not UTF-8.
    pub windows_1252: bool,
}

/// Returns the rows of a file as compact ASCII JSON, or `None` if there is no table `find` of that name.
///
/// # Panics
///
/// With [`crate::OutOfMemory`] as payload and without a message, if there is no memory for them.
pub fn rows<'b>(data: &[u8], options: Options, buffer: &'b mut Buffer) -> Option<&'b [u8]> {
    let (_, finder) = FINDERS.iter().find(|(name, _)| *name == options.find)?;
    let source = ck3::source::read(data, options.windows_1252);
    let text = &source.text[..];
    let mut found = Definitions::new(text, finder, options.kind);
    let is_sound = source.offsets.is_none()
        && source.utf_8().is_some_and(|text| {
            ck3::parser::parse(text, source.start, options.max_depth, &mut found)
        });
    if !is_sound {
        found = Definitions::new(text, finder, options.kind);
        recovery::tell(&source, options.max_depth, &mut found);
    }
    let in_file = |at: usize| source.offsets.as_ref().map_or(at, |offsets| offsets[at]);
    Some(write_all(&mut found, text, in_file, buffer))
}

/// Parses the content of a file as [`crate::parse_bytes`] does, and returns its rows too, as [`rows`]
/// does.
///
/// One pass makes both if contract 1 and dialect `ck3` read the file alike.
///
/// # Panics
///
/// Like [`rows`].
pub fn parse_bytes<'b, 'r>(
    data: &[u8],
    name: &[u8],
    dialect: Dialect,
    options: Options,
    buffer: &'b mut Buffer,
    rows_buffer: &'r mut Buffer,
) -> Option<(Result<Ast<'b>, Error>, &'r [u8])> {
    let (_, finder) = FINDERS.iter().find(|(name, _)| *name == options.find)?;
    let text = text::decode(data);
    let mut found = Definitions::new(&text, finder, options.kind);
    let mut agreement = Agreement::new(&text, &mut found);
    let parsed = crate::Options {
        dialect,
        max_depth: options.max_depth,
    };
    let ends = LineEnds::Folded;
    let ast = parser::parse(&text, ends, name, parsed, buffer, &mut agreement);
    let holds = ast.is_ok() && agreement.holds() && matches!(text, Cow::Borrowed(_));
    let rows = if holds {
        let mark = data.len() - text.len();
        write_all(&mut found, &text, |at| at + mark, rows_buffer)
    } else {
        rows(data, options, rows_buffer)?
    };
    Some((ast, rows))
}

fn write_all<'b>(
    found: &mut Definitions,
    text: &[u8],
    in_file: impl Fn(usize) -> usize,
    buffer: &'b mut Buffer,
) -> &'b [u8] {
    let mut out = Writer::new(buffer, text.len() / 4);
    out.raw(br#"{"definitions":["#);
    for row in found.rows() {
        write(&mut out, text, row, &in_file);
    }
    out.drop_comma();
    out.raw(br#"],"words":["#);
    for (start, end, form) in found.words.names() {
        out.reserve(0);
        out.byte(b'"');
        match form {
            Form::Plain => out.plain(text, start, end),
            _ => out.escaped(&text[start..end]),
        }
        out.raw(b"\",");
    }
    out.drop_comma();
    out.raw(b"]}");
    out.finish()
}

fn write(out: &mut Writer, text: &[u8], row: &Row, in_file: impl Fn(usize) -> usize) {
    let (start, end) = row.name;
    out.raw(b"[\"");
    if let Some((start, end)) = row.around {
        out.escaped(&text[start..end]);
        out.raw(b"|");
    }
    out.escaped(&text[start..end]);
    out.raw(b"\",\"");
    out.raw(row.kind.as_bytes());
    out.raw(b"\",");
    for number in [in_file(row.start), in_file(row.end), row.line] {
        out.offset(number);
        out.byte(b',');
    }
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut number = row.hash;
    while number > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.raw(&digits[at..]);
    match row.priority {
        Some(priority) => out.raw(format!(",{priority}],").as_bytes()),
        None => out.raw(b",null],"),
    }
}
