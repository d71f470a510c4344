//! Where a parser is in a text, for both dialects.

use memchr::memchr;

use crate::chars::blank_run;
use crate::grammar_tables::TokenKind;
use crate::text::is_continuation;

/// What separates tokens.
pub(crate) enum Gap {
    Blank,
    Line,
    Comment,
}

/// What a byte can start in a dialect.
pub(crate) trait Start: Copy {
    /// Returns the gap that it can start, if it is one.
    fn gap(self) -> Option<Gap>;
}

/// A place in a text that is read from its start to its end.
pub(crate) struct Place<'t> {
    pub text: &'t [u8],
    pub at: usize,
    pub line: usize,
    /// The offset of the start of the line, plus the bytes that its characters so far take beyond
    /// the first.
    pub line_start: usize,
}

impl<'t> Place<'t> {
    /// Returns the place at an offset, in the first line.
    pub fn new(text: &'t [u8], at: usize) -> Self {
        Place {
            text,
            at,
            line: 1,
            line_start: at,
        }
    }

    /// Returns the column in code points, from 1.
    #[inline(always)]
    pub fn column(&self) -> usize {
        self.at - self.line_start + 1
    }

    /// Skips blanks, line ends and comments, and returns what the next character can start, or `None`
    /// at the end of the text.
    #[inline(always)]
    pub fn skip<S: Start>(&mut self, start_of: impl Fn(u8) -> S) -> Option<S> {
        loop {
            let start = start_of(*self.text.get(self.at)?);
            match start.gap() {
                // Most often one space separates tokens, and many start a line.
                Some(Gap::Blank) => {
                    self.at += 1;
                    if let Some(b' ' | b'\t') = self.text.get(self.at) {
                        self.at = blank_run(self.text, self.at);
                    }
                }
                Some(Gap::Line) => {
                    self.line += 1;
                    self.line_start = self.at + 1;
                    self.at = blank_run(self.text, self.at + 1);
                }
                Some(Gap::Comment) => {
                    self.at = match memchr(b'\n', &self.text[self.at..]) {
                        Some(length) => self.at + length,
                        None => self.text.len(),
                    };
                }
                None => return Some(start),
            }
        }
    }

    /// Goes on after any characters without a line end.
    pub fn pass_wide(&mut self, end: usize) {
        let text = &self.text[self.at..end];
        self.line_start += text.iter().filter(|&&byte| is_continuation(byte)).count();
        self.at = end;
    }

    /// Returns the operator here and its length, if there is one.
    #[inline(always)]
    pub fn operator(&self) -> Option<(TokenKind, usize)> {
        let equal = self.text.get(self.at + 1) == Some(&b'=');
        let kind = match (self.text[self.at], equal) {
            (b'=', false) => TokenKind::Equal,
            (b'=', true) => TokenKind::EqualEqual,
            (b'<', false) => TokenKind::Less,
            (b'<', true) => TokenKind::LessEqual,
            (b'>', false) => TokenKind::Greater,
            (b'>', true) => TokenKind::GreaterEqual,
            (b'?', true) => TokenKind::MaybeEqual,
            (b'!', true) => TokenKind::NotEqual,
            _ => return None,
        };
        Some((kind, 1 + usize::from(equal)))
    }
}
