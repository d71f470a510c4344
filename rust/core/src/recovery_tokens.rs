//! The tokens of a broken text, with characters that start no token skipped and reported.
//!
//! `ck3parse/parser/recovery_tokens.py` is the same in Python.

use std::panic::resume_unwind;

use memchr::{memchr_iter, memchr2};

use crate::chars::is_blank;
use crate::dialect::{Dialect, Start};
use crate::grammar_tables::{ErrorKind, TokenKind};
use crate::recovery_search::{indent_of, script_line, string_end};
use crate::scan::Scanner;
use crate::text::is_continuation;
use crate::writer::OutOfMemory;

/// How many lines after its first an inline expression may span.
const INLINE_LINES: u32 = 10;

/// A token and its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecoveryToken {
    pub start: usize,
    pub end: usize,
    pub line: u32,
    pub column: u32,
    /// The indentation of its line, in columns.
    pub indent: u32,
    pub kind: TokenKind,
    /// Whether it is the first token on its line.
    pub first: bool,
}

/// An error in a broken text, by offsets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub kind: ErrorKind,
    pub start: usize,
    pub end: usize,
    /// The span of the token or key that its message names.
    pub found: (usize, usize),
    /// The line of the brace that its message names, or 0.
    pub opener_line: u32,
}

/// The tokens of a text, the last four of them `TokenKind::End`.
pub(crate) struct RecoveryTokens<'t> {
    pub text: &'t [u8],
    /// The offset of the start of each line, then the end of the text plus 1.
    pub line_starts: Vec<usize>,
    pub list: Vec<RecoveryToken>,
    pub faults: Vec<Fault>,
    /// The last index given to `last_line_within`, and the lines before it.
    between: (usize, Vec<(u32, usize)>),
}

impl RecoveryTokens<'_> {
    pub fn is_key(&self, index: usize) -> bool {
        self.list[index].kind.is_key()
    }

    pub fn is_operator(&self, index: usize) -> bool {
        self.list[index].kind.is_operator()
    }

    /// Whether a token is the first of its line, and a key with an operator after it.
    pub fn starts_line_of_key(&self, index: usize) -> bool {
        let token = self.list[index];
        if !token.first {
            return false;
        }
        if token.kind == TokenKind::At && self.is_word(index + 1) {
            return self.is_operator(index + 2);
        }
        self.is_key(index) && self.is_operator(index + 1 + usize::from(self.is_date(index)))
    }

    /// Whether a token is the number at the start of a date, as `1066.9` in `1066.9.1`.
    pub fn is_date(&self, index: usize) -> bool {
        self.list[index].kind == TokenKind::Number
            && self.is_word(index + 1)
            && self.list[index].end == self.list[index + 1].start
    }

    fn is_word(&self, index: usize) -> bool {
        matches!(
            self.list[index].kind,
            TokenKind::Identifier | TokenKind::Bool
        )
    }

    /// Returns the index of the token after an inline expression, whose `@` is at `index`, and whether
    /// it has a closing bracket. Without one, it ends with its line or before a brace or operator.
    pub fn inline_end(&self, index: usize) -> (usize, bool) {
        let line = self.list[index].line;
        let mut next_line = None;
        let mut depth = 1usize;
        let mut at = index + 2;
        while depth > 0 {
            let token = self.list[at];
            if next_line.is_none() && token.line != line {
                next_line = Some(at);
            }
            let ends = matches!(
                token.kind,
                TokenKind::End | TokenKind::OpenBrace | TokenKind::CloseBrace
            );
            if ends || token.kind.is_operator() || token.line > line.saturating_add(INLINE_LINES) {
                return (next_line.unwrap_or(at), false);
            }
            match token.kind {
                TokenKind::OpenBracket => depth += 1,
                TokenKind::CloseBracket => depth -= 1,
                _ => {}
            }
            at += 1;
        }
        (at, true)
    }

    /// Returns the error of a block that lacks its brace. `opener` is its `{`, or its operator if it
    /// lacks that brace, too; `at` is the token before which it ends.
    pub fn unclosed(&mut self, opener: usize, key: (usize, usize), at: usize) -> Fault {
        let (brace, child) = (self.list[opener], self.list[opener + 1]);
        let indented = !child.first || child.indent > brace.indent;
        let doubled = brace.kind == TokenKind::OpenBrace
            && child.kind == TokenKind::OpenBrace
            && brace.end == child.start;
        let (kind, start, end) = if doubled {
            (ErrorKind::DoubledOpener, child.start, child.end)
        } else if self.list[at].kind == TokenKind::End && !indented {
            (ErrorKind::UnclosedBlock, brace.start, brace.end)
        } else {
            let end = self.last_line_within(at, brace.indent);
            (ErrorKind::UnclosedBlock, end, end)
        };
        Fault {
            kind,
            start,
            end,
            found: key,
            opener_line: brace.line,
        }
    }

    /// Returns the end of the last line before a token that is indented deeper than a block. Without
    /// such a line, it is the end of the token before.
    fn last_line_within(&mut self, index: usize, indent: u32) -> usize {
        if self.between.0 != index {
            self.between = (index, self.lines_before(index));
        }
        let lines = &self.between.1;
        let at = lines.partition_point(|&(below, _)| below <= indent);
        lines
            .get(at)
            .map_or(self.list[index - 1].end, |&(_, end)| end)
    }

    /// Returns what `last_line_within` returns for each indent, as many blocks can end there: the ends
    /// of lines, each for indents below a number and not below the one before.
    fn lines_before(&self, index: usize) -> Vec<(u32, usize)> {
        let mut lines: Vec<(u32, usize)> = Vec::new();
        let first = self.line_of(self.list[index - 1].end) + 1;
        for line in (first..self.list[index].line as usize).rev() {
            let start = self.line_starts[line - 1];
            let mut after = self.line_starts[line] - 1;
            while after > start && is_blank(self.text[after - 1]) {
                after -= 1;
            }
            let indent = indent_of(self.text, start);
            if after > start {
                // It ends the blocks that are indented as much or more.
                while let Some((_, end)) = lines.pop_if(|&mut (below, _)| below > indent) {
                    if lines.last().map_or(0, |&(below, _)| below) < indent {
                        lines.push((indent, end));
                    }
                }
            }
            if lines.last().map_or(0, |&(below, _)| below) < indent {
                lines.push((indent, after));
            }
        }
        lines
    }

    /// Returns the line of an offset, from 1.
    fn line_of(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset)
    }

    /// Returns the line and column of an offset, both from 1, columns in code points.
    pub fn place_of(&self, offset: usize) -> (u64, u64) {
        let line = self.line_of(offset);
        let before = &self.text[self.line_starts[line - 1]..offset];
        let columns = before
            .iter()
            .filter(|&&byte| !is_continuation(byte))
            .count();
        (line as u64, columns as u64 + 1)
    }
}

/// Reads the tokens of a text of contract 1.
pub(crate) fn tokens(text: &[u8], dialect: Dialect) -> RecoveryTokens<'_> {
    let mut line_starts = vec![0];
    line_starts.extend(memchr_iter(b'\n', text).map(|at| at + 1));
    let mut reader = Reader {
        scan: Scanner::new(text, dialect),
        table: Table::new(text, line_starts),
    };
    reader.read();
    reader.table.tokens
}

/// The result of a search. It applies to every offset between the start of the search and the result,
/// so no part of the text is searched twice.
#[derive(Clone, Copy)]
struct Known {
    from: usize,
    found: usize,
}

impl Known {
    const NOTHING: Known = Known { from: 1, found: 0 };

    fn of(&mut self, start: usize, search: impl FnOnce() -> usize) -> usize {
        if start < self.from || start > self.found {
            *self = Known {
                from: start,
                found: search(),
            };
        }
        self.found
    }
}

/// Where a string ends.
pub(crate) enum StringEnd {
    /// At the quote with this offset.
    Quote(usize),
    /// With its line or before a brace on it, at this offset: it has no quote, or would run over a
    /// line that looks like script.
    Cut(usize),
}

/// The tokens of a text while they are read.
pub(crate) struct Table<'t> {
    pub tokens: RecoveryTokens<'t>,
    /// The line where the last token ends.
    last_line: usize,
    /// A line and its indentation, in columns.
    indented: (usize, u32),
    strings: [Known; 2],
    script: Known,
}

impl<'t> Table<'t> {
    /// Returns a table without tokens. `line_starts` has the offset of the start of each line.
    pub fn new(text: &'t [u8], mut line_starts: Vec<usize>) -> Self {
        line_starts.push(text.len() + 1);
        Table {
            tokens: RecoveryTokens {
                text,
                line_starts,
                list: Vec::new(),
                faults: Vec::new(),
                between: (0, Vec::new()),
            },
            last_line: 0,
            indented: (0, 0),
            strings: [Known::NOTHING; 2],
            script: Known::NOTHING,
        }
    }

    /// Returns the line of an offset, which must not be before that of the last call.
    pub fn line_of(&self, offset: usize) -> usize {
        let mut line = self.indented.0.max(1);
        while self.tokens.line_starts[line] <= offset {
            line += 1;
        }
        line
    }

    /// Adds a token that ends on `last_line`.
    pub fn add(
        &mut self,
        kind: TokenKind,
        start: usize,
        end: usize,
        column: usize,
        last_line: usize,
    ) {
        let line = self.line_of(start);
        if self.indented.0 != line {
            let first = self.tokens.line_starts[line - 1];
            self.indented = (line, indent_of(self.tokens.text, first));
        }
        if self.tokens.list.try_reserve(1).is_err() {
            resume_unwind(Box::new(OutOfMemory));
        }
        self.tokens.list.push(RecoveryToken {
            start,
            end,
            line: line as u32,
            column: column as u32,
            indent: self.indented.1,
            kind,
            first: line != self.last_line,
        });
        self.last_line = last_line;
    }

    /// Reports an error at a span, which its message names.
    pub fn fault(&mut self, kind: ErrorKind, start: usize, end: usize) {
        self.tokens.faults.push(Fault {
            kind,
            start,
            end,
            found: (start, end),
            opener_line: 0,
        });
    }

    /// Returns where the string that starts at an offset ends. `end_of` and `script_after` search from
    /// an offset on for its quote, and for the line end before a line that looks like script.
    pub fn string(
        &mut self,
        start: usize,
        end_of: impl FnOnce(&[u8], usize) -> usize,
        script_after: impl FnOnce(&[u8], usize) -> usize,
    ) -> StringEnd {
        let text = self.tokens.text;
        let known = &mut self.strings[usize::from(text[start] == b'"')];
        let end = known.of(start + 1, || end_of(text, start + 1));
        let script = self.script.of(start + 1, || script_after(text, start + 1));
        if end < text.len() && end < script {
            return StringEnd::Quote(end);
        }
        let line = self.line_of(start);
        let line_end = self.tokens.line_starts[line] - 1;
        let rest = &text[start + 1..line_end];
        let cut = memchr2(b'{', b'}', rest).unwrap_or(rest.len());
        let mut end = start + 1 + cut;
        while is_blank(text[end - 1]) {
            end -= 1;
        }
        StringEnd::Cut(end)
    }
}

/// Reads the tokens of contract 1.
struct Reader<'t> {
    scan: Scanner<'t>,
    table: Table<'t>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(start) = self.scan.skip() {
            if start == Start::Quote {
                self.string();
                continue;
            }
            match self.scan.token_of(start) {
                Ok(token) => {
                    let text = &self.scan.place.text[token.start..token.end];
                    // The scanner leaves it to its next call to find that a character outside ASCII,
                    // which is no part of a word, follows a bool.
                    let is_bool =
                        token.kind == TokenKind::Identifier && self.scan.dialect.is_bool(text);
                    let kind = if is_bool { TokenKind::Bool } else { token.kind };
                    self.add(kind, token.start, token.end, token.column);
                }
                Err(failure) => {
                    self.stray(failure.start, failure.end);
                    self.scan.place.at = failure.end;
                    self.scan.place.line_start += failure.end - failure.start - 1;
                }
            }
        }
        let end = self.scan.place.text.len();
        for _ in 0..4 {
            self.add(
                TokenKind::End,
                end,
                end,
                end - self.scan.place.line_start + 1,
            );
        }
    }

    /// Adds a token that ends on the current line of the scanner.
    fn add(&mut self, kind: TokenKind, start: usize, end: usize, column: usize) {
        self.table
            .add(kind, start, end, column, self.scan.place.line);
    }

    fn stray(&mut self, start: usize, end: usize) {
        match self.table.tokens.faults.last_mut() {
            Some(last) if last.kind == ErrorKind::UnexpectedCharacter && last.end == start => {
                last.end = end;
                last.found.1 = end;
            }
            _ => self.table.fault(ErrorKind::UnexpectedCharacter, start, end),
        }
    }

    fn string(&mut self) {
        let text = self.scan.place.text;
        let start = self.scan.place.at;
        let quote = text[start];
        let end_of = |text: &[u8], at| string_end(text, at, quote);
        let end = match self.table.string(start, end_of, script_line) {
            StringEnd::Quote(_) => {
                if let Ok(token) = self.scan.token_of(Start::Quote) {
                    self.add(TokenKind::String, token.start, token.end, token.column);
                }
                return;
            }
            StringEnd::Cut(end) => end,
        };
        let column = self.scan.place.column();
        self.scan.place.pass_wide(end);
        self.add(TokenKind::CutString, start, end, column);
        self.table.tokens.faults.push(Fault {
            kind: ErrorKind::UnclosedString,
            start,
            end,
            found: (start, start + 1),
            opener_line: 0,
        });
    }
}
