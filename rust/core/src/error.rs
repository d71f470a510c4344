//! Errors of the strict parser.

use crate::grammar_tables::ErrorKind;
use crate::text::{self, LineEnds};

/// An error as the parser finds it: its kind, and the span of the token or character in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub kind: ErrorKind,
    pub start: usize,
    pub end: usize,
}

/// An error as it is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The kind of the error.
    pub kind: ErrorKind,
    /// The offending token or character as it stands in the text, in UTF-8 or WTF-8. Empty at the end
    /// of the text; for `TooDeep`, the limit.
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
        let found = if failure.kind == ErrorKind::TooDeep {
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
