//! What a parse tells of the nodes that it writes, so that rows need no tree.

use crate::grammar_tables::TokenKind;
use crate::place::Place;
use crate::scan::Token;

/// Is told of each node of a text, in the text's order.
///
/// Texts are those of the JSON, escaped, and their places those of names, keys and values.
pub(crate) trait Visitor {
    /// Whether it is told texts. Others are told tokens, or nothing.
    const TEXTS: bool = false;

    /// A block begins.
    fn block(&mut self, _name: &[u8], _line: usize, _column: usize) {}

    /// A list begins.
    fn list(&mut self) {}

    /// The innermost block or list ends, before an offset.
    fn close(&mut self, _end: usize) {}

    /// An assignment begins whose key has no `@` of its own.
    fn key(&mut self, _key: &[u8], _line: usize, _column: usize) {}

    /// The value of an assignment. `text` goes on after it, from a quote on.
    fn value(&mut self, _text: &[u8], _line: usize, _column: usize) {}

    /// A value that is no part of an assignment. It ends in a line, and `next` is the next token.
    fn bare_token(&mut self, _value: &Token, _line: usize, _next: &Place) {}

    /// A block begins.
    fn block_token(&mut self, _key: &Token, _operator: TokenKind, _next: &Place) {}

    /// An assignment, whose value ends in a line. `next` is the next token.
    fn tokens(
        &mut self,
        _key: &Token,
        _operator: TokenKind,
        _value: &Token,
        _line: usize,
        _next: &Place,
    ) {
    }

    /// Something that only contract 1 has.
    fn own(&mut self) {}
}

/// A parse without a visitor.
impl Visitor for () {}
