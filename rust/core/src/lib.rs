//! Crusader Kings III script in, the JSON of its syntax tree out, in one pass over the bytes.
//!
//! There is no token list and no tree: the parser writes each node as it reads it. What goes in
//! and what comes out is laid down by the AST contract; `docs/parser.md` tells how it is done.

#![deny(unsafe_code)]
#![warn(missing_docs)]

mod braces;
mod chars;
mod dialect;
mod error;
mod grammar_tables;
mod parser;
mod recovery;
mod recovery_nodes;
mod recovery_search;
mod recovery_tokens;
mod scan;
mod steps;
mod text;
mod unicode_tables;
mod writer;

pub use dialect::Dialect;
pub use error::Error;
pub use grammar_tables::ErrorKind;
pub use recovery::{Recovered, ReportedFault};
pub use unicode_tables::UNICODE_VERSION;
pub use writer::{Buffer, OutOfMemory};

/// How a text is parsed.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The grammar.
    pub dialect: Dialect,
    /// How deep braces may nest.
    pub max_depth: usize,
}

/// What a text parsed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ast<'b> {
    /// The tree as compact ASCII JSON.
    pub json: &'b [u8],
    /// Its nodes, the root included.
    pub node_count: u64,
}

/// Parses a file's content: UTF-8 with an optional byte order mark, invalid sequences replaced,
/// line ends normalised.
///
/// `name` is what the root's `filename` says, in UTF-8 or WTF-8.
///
/// # Panics
///
/// With [`OutOfMemory`] as its payload, and without a word, when there is no memory for the output.
pub fn parse_bytes<'b>(
    data: &[u8],
    name: &[u8],
    options: Options,
    buffer: &'b mut Buffer,
) -> Result<Ast<'b>, Error> {
    let text = text::decode(data);
    parser::parse(&text, text::LineEnds::Folded, name, options, buffer)
}

/// Parses a text as it is: no byte order mark removed, no line ends changed.
///
/// `text` is UTF-8, or WTF-8 where it holds lone surrogates. Anything else gives no panic and
/// no output outside ASCII, and nothing more is promised of it.
pub fn parse_text<'b>(
    text: &[u8],
    name: &[u8],
    options: Options,
    buffer: &'b mut Buffer,
) -> Result<Ast<'b>, Error> {
    parser::parse(text, text::LineEnds::Kept, name, options, buffer)
}

/// Parses a file's content that [`parse_bytes`] refuses: what is sound of it, and at most `most` of
/// its errors.
///
/// # Panics
///
/// As [`parse_bytes`] does.
pub fn recover_bytes<'b>(
    data: &[u8],
    name: &[u8],
    options: Options,
    most: usize,
    buffer: &'b mut Buffer,
) -> Recovered<'b> {
    let text = text::decode(data);
    let ends = text::LineEnds::Folded;
    recovery::recover(&text, ends, name, options, most, buffer)
}

/// Parses a text that [`parse_text`] refuses: what is sound of it, and at most `most` of its errors.
///
/// # Panics
///
/// As [`parse_bytes`] does.
pub fn recover_text<'b>(
    text: &[u8],
    name: &[u8],
    options: Options,
    most: usize,
    buffer: &'b mut Buffer,
) -> Recovered<'b> {
    recovery::recover(text, text::LineEnds::Kept, name, options, most, buffer)
}
