//! What can be wrong with a text, and where.

use crate::text::{self, LineEnds};

/// Kinds of errors. Below 10 they are the lexer's; the numbers are shared with
/// `ck3parse/parser/diagnostics.py`, which has the words for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A quote with no closing one: at the opening quote.
    UnclosedString = 1,
    /// A character that no token starts with.
    UnexpectedCharacter = 2,
    /// A token where a key, a value, an `@` or a brace should be.
    ExpectedElement = 10,
    /// A `}` at the top level.
    StrayClosingBrace = 11,
    /// A token where the value after an operator should be.
    ExpectedValue = 12,
    /// The end of the text where the value after an operator should be.
    MissingValue = 13,
    /// Something other than a name after `@` or `-@`.
    ExpectedName = 14,
    /// The end of the text inside braces: at the innermost unclosed `{`.
    UnclosedBlock = 15,
    /// The end of the text inside `@[`: at the `@`.
    UnclosedInline = 16,
    /// Braces nested deeper than the limit: at the first `{` past it.
    TooDeep = 17,
    /// Of recovery only: no `{` after an operator, but a `}` that closes nothing else.
    MissingOpener = 18,
    /// Of recovery only: the second of two `{`, of which one is never closed.
    DoubledOpener = 19,
}

impl Kind {
    /// Whether it is the lexer's: such an error wins over any of the parser's.
    pub fn is_lexical(self) -> bool {
        (self as u8) < 10
    }
}

/// An error as the parser meets it: a kind, and the token or character as a range of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// An error as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: Kind,
    /// The offending token or character as it stands in the text (UTF-8 or WTF-8), empty at the
    /// end of the text; the limit for `TooDeep`.
    pub found: Vec<u8>,
    /// The line, from 1.
    pub line: u64,
    /// The column in code points, from 1.
    pub column: u64,
}

impl Error {
    #[cold]
    pub(crate) fn new(failure: Failure, source: &[u8], ends: LineEnds, max_depth: usize) -> Self {
        let (line, column) = text::place_of(source, failure.start);
        let found = if failure.kind == Kind::TooDeep {
            max_depth.to_string().into_bytes()
        } else {
            text::shown(&source[failure.start..failure.end], ends)
        };
        Error {
            kind: failure.kind,
            found,
            line,
            column,
        }
    }
}
