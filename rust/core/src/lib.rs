//! Parses Crusader Kings III script to the JSON of its syntax tree, in one pass over the bytes.
//!
//! There is no token list and no tree: the parser writes each node as it reads it. The AST contract
//! defines input and output; `docs/parser.md` explains the implementation.

#![deny(unsafe_code)]
#![warn(missing_docs)]

mod agreement;
mod braces;
mod chars;
pub mod ck3;
mod dialect;
mod error;
mod grammar_tables;
pub mod index;
mod index_tables;
pub mod localization;
mod localization_tables;
mod parser;
mod place;
mod qbuilder;
mod qbuilder_tables;
mod recovery;
mod recovery_nodes;
mod recovery_search;
mod recovery_tokens;
mod scan;
pub mod signs;
mod steps;
mod text;
mod unicode_tables;
mod visitor;
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

/// The AST of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ast<'b> {
    /// The tree as compact ASCII JSON.
    pub json: &'b [u8],
    /// The number of its nodes, with the root.
    pub node_count: u64,
}

/// Parses the content of a file: UTF-8 with an optional byte order mark, invalid sequences replaced,
/// line ends normalised.
///
/// `name` is the `filename` of the root node, in UTF-8 or WTF-8.
///
/// # Panics
///
/// With [`OutOfMemory`] as payload and without a message, if there is no memory for the output.
pub fn parse_bytes<'b>(
    data: &[u8],
    name: &[u8],
    options: Options,
    buffer: &'b mut Buffer,
) -> Result<Ast<'b>, Error> {
    let text = text::decode(data);
    parser::parse(&text, text::LineEnds::Folded, name, options, buffer, ())
}

/// Parses a text without removing a byte order mark or changing line ends.
///
/// `text` is UTF-8, or WTF-8 if it has lone surrogates. With other bytes, the only guarantees are
/// that it does not panic and that the output is ASCII.
pub fn parse_text<'b>(
    text: &[u8],
    name: &[u8],
    options: Options,
    buffer: &'b mut Buffer,
) -> Result<Ast<'b>, Error> {
    parser::parse(text, text::LineEnds::Kept, name, options, buffer, ())
}

/// Parses the content of a file as [`parse_bytes`] does, and returns the rows of `qbuilder/1` too, as
/// compact ASCII JSON.
///
/// `symbol_type` is the type of the file's symbols in UTF-8 or WTF-8, or `None` if it has none.
///
/// # Panics
///
/// Like [`parse_bytes`].
pub fn qbuilder_bytes<'b>(
    data: &[u8],
    name: &[u8],
    options: Options,
    symbol_type: Option<&[u8]>,
    buffer: &'b mut Buffer,
) -> Result<(Ast<'b>, Vec<u8>), Error> {
    let text = text::decode(data);
    let ends = text::LineEnds::Folded;
    qbuilder::parse(&text, ends, name, options, symbol_type, buffer)
}

/// Parses a text as [`parse_text`] does, and returns the rows of `qbuilder/1` too.
///
/// # Panics
///
/// Like [`parse_bytes`].
pub fn qbuilder_text<'b>(
    text: &[u8],
    name: &[u8],
    options: Options,
    symbol_type: Option<&[u8]>,
    buffer: &'b mut Buffer,
) -> Result<(Ast<'b>, Vec<u8>), Error> {
    let ends = text::LineEnds::Kept;
    qbuilder::parse(text, ends, name, options, symbol_type, buffer)
}

/// Parses the content of a file that [`parse_bytes`] rejects: the AST of its sound parts, and its
/// first `max_faults` errors.
///
/// # Panics
///
/// Like [`parse_bytes`].
pub fn recover_bytes<'b>(
    data: &[u8],
    name: &[u8],
    options: Options,
    max_faults: usize,
    buffer: &'b mut Buffer,
) -> Recovered<'b> {
    let text = text::decode(data);
    let ends = text::LineEnds::Folded;
    recovery::recover(&text, ends, name, options, max_faults, buffer)
}

/// Parses a text that [`parse_text`] rejects: the AST of its sound parts, and its first `max_faults`
/// errors.
///
/// # Panics
///
/// Like [`parse_bytes`].
pub fn recover_text<'b>(
    text: &[u8],
    name: &[u8],
    options: Options,
    max_faults: usize,
    buffer: &'b mut Buffer,
) -> Recovered<'b> {
    recovery::recover(
        text,
        text::LineEnds::Kept,
        name,
        options,
        max_faults,
        buffer,
    )
}
