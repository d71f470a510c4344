//! Dialect `ck3`: the tree as the game reads script, with spans. It recovers from every error.
//!
//! `docs/contract-ck3.md` is the grammar. A text is parsed in one pass that writes each node as soon
//! as it is read. If something in it is to be reported, or its bytes are not UTF-8, it is parsed
//! again by the recovering parser, which finds everything.

pub(crate) mod json;
pub(crate) mod parser;
pub(crate) mod recovery;
pub(crate) mod source;
mod tokens;
pub(crate) mod words;

use crate::Ast;
use crate::recovery::Recovered;
use crate::writer::Buffer;
use json::Json;

/// How a file is parsed.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How deep braces may nest.
    pub max_depth: usize,
    /// How many errors and warnings to return.
    pub max_faults: usize,
    /// Whether the game reads the file as Windows-1252 if it is not UTF-8.
    pub windows_1252: bool,
    /// Whether the root lists the spans of comments.
    pub comments: bool,
}

/// What a parse tells about the elements of a file, in their order. All offsets are bytes in the file.
///
/// A word that is the tag of a block, and what stands in a directive, are not told.
pub trait Visitor {
    /// An element that is only a value.
    fn value(&mut self, value: Span);
    /// A key, an operator and a value.
    fn assign(&mut self, key: Span, value: Span);
    /// The beginning of a block; its key is empty for a list.
    fn open(&mut self, key: Span);
    /// The end of a block, behind its brace.
    fn close(&mut self, end: usize);
}

/// The bytes from one offset to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The offset of the first byte.
    pub start: usize,
    /// The offset after the last byte.
    pub end: usize,
}

/// Parses the content of a file.
///
/// # Panics
///
/// With [`crate::OutOfMemory`] as payload and without a message, if there is no memory for the output.
pub fn parse<'b>(data: &[u8], options: Options, buffer: &'b mut Buffer) -> Recovered<'b> {
    let source = source::read(data, options.windows_1252);
    if source.offsets.is_none()
        && !options.comments
        && let Some(text) = source.utf_8()
    {
        let mut json = Json::new(&source, &mut *buffer);
        if parser::parse(text, source.start, options.max_depth, &mut json) {
            let Ast { json, node_count } = json.finish(None);
            let length = json.len();
            let json = buffer.written(length);
            return Recovered {
                ast: Ast { json, node_count },
                faults: Vec::new(),
                fault_count: 0,
                first_error: None,
            };
        }
    }
    recovery::recover(&source, options, buffer)
}

/// Returns the number of nodes in the tree of a file, with the root, if nothing is to be reported in it
/// and its bytes are UTF-8.
///
/// It takes less time than [`parse`], which writes the tree.
pub fn sound_nodes(data: &[u8], max_depth: usize, windows_1252: bool) -> Option<u64> {
    let source = source::read(data, windows_1252);
    let text = source.utf_8()?;
    let mut nodes = parser::Count(1);
    let is_sound =
        source.offsets.is_none() && parser::parse(text, source.start, max_depth, &mut nodes);
    is_sound.then_some(nodes.0)
}

/// Tells a visitor the elements of a file in UTF-8 in which nothing is to be reported.
///
/// Returns whether it is such a file. If not, the visitor has been told a part of it.
pub fn visit(data: &[u8], max_depth: usize, visitor: &mut impl Visitor) -> bool {
    let source = source::read(data, false);
    source.offsets.is_none()
        && source.utf_8().is_some_and(|text| {
            parser::parse(text, source.start, max_depth, &mut parser::Told(visitor))
        })
}
