//! Reads a text token by token.

use memchr::memchr;

use crate::chars::{Class, blank_run, plain_run, wide_at};
use crate::dialect::{Dialect, Start};
use crate::error::Failure;
use crate::grammar_tables::{ErrorKind, TokenKind};
use crate::text::is_continuation;

/// A token and its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
    /// Whether its value needs no escaping in JSON. Its quotes are not part of the value.
    pub plain: bool,
    pub line: usize,
    pub column: usize,
}

impl Token {
    pub fn fails(self, kind: ErrorKind) -> Failure {
        Failure {
            kind,
            start: self.start,
            end: self.end,
        }
    }
}

/// Reads a text token by token.
pub(crate) struct Scanner<'t> {
    pub text: &'t [u8],
    pub dialect: Dialect,
    pub at: usize,
    pub line: usize,
    /// The offset of the start of the line, plus the bytes that its characters so far take beyond
    /// the first. A column is an offset minus this, plus 1.
    pub line_start: usize,
}

impl<'t> Scanner<'t> {
    pub fn new(text: &'t [u8], dialect: Dialect) -> Self {
        Scanner {
            text,
            dialect,
            at: 0,
            line: 1,
            line_start: 0,
        }
    }

    /// Skips blanks, line ends and comments, and returns what the next character can start, or `None`
    /// at the end of the text.
    #[inline(always)]
    pub fn skip(&mut self) -> Option<Start> {
        loop {
            let start = self.dialect.start_of(*self.text.get(self.at)?);
            match start {
                // Most often one space separates tokens, and many start a line.
                Start::Blank => {
                    self.at += 1;
                    if self
                        .text
                        .get(self.at)
                        .is_some_and(|&next| next == b' ' || next == b'\t')
                    {
                        self.at = blank_run(self.text, self.at);
                    }
                }
                Start::Line => {
                    self.line += 1;
                    self.line_start = self.at + 1;
                    self.at = blank_run(self.text, self.at + 1);
                }
                Start::Comment => {
                    self.at = match memchr(b'\n', &self.text[self.at..]) {
                        Some(length) => self.at + length,
                        None => self.text.len(),
                    };
                }
                _ => return Some(start),
            }
        }
    }

    /// Reads the next token.
    #[inline(always)]
    pub fn token(&mut self) -> Result<Token, Failure> {
        let start = self.skip();
        self.token_at(start)
    }

    /// Reads the token after `skip` has returned `start`.
    #[inline(always)]
    pub fn token_at(&mut self, start: Option<Start>) -> Result<Token, Failure> {
        match start {
            Some(start) => self.token_of(start),
            None => Ok(self.ending(TokenKind::End, self.at)),
        }
    }

    /// Reads the token whose first character can start `start`.
    #[inline(always)]
    pub fn token_of(&mut self, start: Start) -> Result<Token, Failure> {
        match start {
            Start::Name => Ok(self.name()),
            Start::Digit => Ok(self.digit(1)),
            Start::Operator => self.operator(),
            Start::Punctuation => Ok(self.punctuation()),
            Start::Quote => self.string(),
            Start::Dollar => Ok(self.param()),
            Start::Minus => Ok(self.minus()),
            Start::Wide => self.wide(),
            Start::Nothing => Err(self.unexpected(1)),
            Start::Blank | Start::Line | Start::Comment => unreachable!("skipped before a token"),
        }
    }

    /// Ends a token of ASCII characters without a line end.
    #[inline(always)]
    fn ending(&mut self, kind: TokenKind, end: usize) -> Token {
        let start = self.at;
        self.at = end;
        Token {
            kind,
            start,
            end,
            plain: true,
            line: self.line,
            column: start - self.line_start + 1,
        }
    }

    /// Ends a token of any characters without a line end.
    fn ending_wide(&mut self, kind: TokenKind, end: usize) -> Token {
        let token = Token {
            plain: false,
            ..self.ending(kind, end)
        };
        let text = &self.text[token.start..end];
        self.line_start += text.iter().filter(|&&byte| is_continuation(byte)).count();
        token
    }

    #[cold]
    fn unexpected(&mut self, length: usize) -> Failure {
        Failure {
            kind: ErrorKind::UnexpectedCharacter,
            start: self.at,
            end: self.at + length,
        }
    }

    /// Reads the name that starts here.
    #[inline(always)]
    pub fn name(&mut self) -> Token {
        self.rest_of_name(self.at + 1)
    }

    /// Reads a name whose characters before `from` are known.
    #[inline(always)]
    fn rest_of_name(&mut self, from: usize) -> Token {
        let end = self.dialect.name_run(self.text, from);
        if self.text.get(end).is_some_and(|byte| !byte.is_ascii()) {
            return self.wide_name(end);
        }
        let kind = if self.dialect.is_bool(&self.text[self.at..end]) {
            TokenKind::Bool
        } else {
            TokenKind::Identifier
        };
        self.ending(kind, end)
    }

    /// Reads a name with characters outside ASCII, known up to `end`.
    #[inline(never)]
    fn wide_name(&mut self, end: usize) -> Token {
        let mut end = self.dialect.name_run(self.text, end);
        while self.text.get(end).is_some_and(|byte| !byte.is_ascii()) {
            let (class, length) = wide_at(self.text, end);
            if class == Class::Other {
                break;
            }
            end = self.dialect.name_run(self.text, end + length);
        }
        self.ending_wide(TokenKind::Identifier, end)
    }

    /// Reads a number, or a name that starts with a digit. The digit takes `length` bytes.
    #[inline(always)]
    fn digit(&mut self, length: usize) -> Token {
        let next = self.at + length;
        match self.text.get(next) {
            Some(b'_' | b'A'..=b'Z' | b'a'..=b'z') if length == 1 => self.rest_of_name(next),
            Some(b'_' | b'A'..=b'Z' | b'a'..=b'z') => self.wide_name(next),
            Some(0x80..) if wide_at(self.text, next).0 == Class::Letter => self.wide_name(next),
            _ => self.number(next, length > 1),
        }
    }

    /// Reads a number whose characters before `from`, a minus and the first digit, are known.
    #[inline(always)]
    fn number(&mut self, from: usize, mut wide: bool) -> Token {
        let mut end = from;
        let mut pointed = false;
        while let Some(&byte) = self.text.get(end) {
            match byte {
                b'0'..=b'9' => end += 1,
                b'.' if !pointed => {
                    pointed = true;
                    end += 1;
                }
                0x80.. => match wide_at(self.text, end) {
                    (Class::Digit, length) => {
                        wide = true;
                        end += length;
                    }
                    _ => break,
                },
                b'%' => {
                    end += 1;
                    break;
                }
                _ => break,
            }
        }
        if wide {
            self.ending_wide(TokenKind::Number, end)
        } else {
            self.ending(TokenKind::Number, end)
        }
    }

    #[inline(always)]
    fn minus(&mut self) -> Token {
        match self.text.get(self.at + 1) {
            Some(b'0'..=b'9') => self.number(self.at + 2, false),
            Some(0x80..) => match wide_at(self.text, self.at + 1) {
                (Class::Digit, length) => self.number(self.at + 1 + length, true),
                _ => self.ending(TokenKind::Minus, self.at + 1),
            },
            _ => self.ending(TokenKind::Minus, self.at + 1),
        }
    }

    #[inline(never)]
    fn wide(&mut self) -> Result<Token, Failure> {
        match wide_at(self.text, self.at) {
            (Class::Letter, length) => Ok(self.wide_name(self.at + length)),
            (Class::Digit, length) => Ok(self.digit(length)),
            (_, length) => Err(self.unexpected(length)),
        }
    }

    #[inline(always)]
    fn operator(&mut self) -> Result<Token, Failure> {
        let equal = self.text.get(self.at + 1) == Some(&b'=');
        let kind = match (self.text[self.at], equal) {
            (b'=', false) => TokenKind::Equal,
            (b'=', true) => TokenKind::EqualEqual,
            (b'<', false) => TokenKind::Less,
            (b'<', true) => TokenKind::LessEqual,
            (b'>', false) => TokenKind::Greater,
            (b'>', true) => TokenKind::GreaterEqual,
            (b'?', false) => TokenKind::Sign,
            (b'?', true) => TokenKind::MaybeEqual,
            (_, true) => TokenKind::NotEqual,
            (_, false) => return Err(self.unexpected(1)),
        };
        Ok(self.ending(kind, self.at + 1 + usize::from(equal)))
    }

    #[inline(always)]
    fn punctuation(&mut self) -> Token {
        let kind = match self.text[self.at] {
            b'{' => TokenKind::OpenBrace,
            b'}' => TokenKind::CloseBrace,
            b'[' => TokenKind::OpenBracket,
            b']' => TokenKind::CloseBracket,
            b'@' => TokenKind::At,
            b',' => TokenKind::Comma,
            b';' | b'`' => TokenKind::Semicolon,
            _ => TokenKind::Sign,
        };
        self.ending(kind, self.at + 1)
    }

    #[inline(always)]
    fn string(&mut self) -> Result<Token, Failure> {
        let quote = self.text[self.at];
        let end = plain_run(self.text, self.at + 1, quote);
        if self.text.get(end) == Some(&quote) {
            return Ok(self.ending(TokenKind::String, end + 1));
        }
        self.long_string(quote, end)
    }

    /// Reads a string with characters that are not plain, the first of them at `end`.
    #[inline(never)]
    fn long_string(&mut self, quote: u8, mut end: usize) -> Result<Token, Failure> {
        let mut token = Token {
            plain: false,
            ..self.ending(TokenKind::String, self.at)
        };
        while let Some(&byte) = self.text.get(end) {
            end += 1;
            match byte {
                b'\\' => {
                    let next = self.text.get(end);
                    if next == Some(&quote) || next == Some(&b'\\') {
                        end += 1;
                    }
                }
                b'\n' => {
                    self.line += 1;
                    self.line_start = end;
                }
                0x80.. => {
                    self.line_start += usize::from(is_continuation(byte));
                    while let Some(&byte @ 0x80..) = self.text.get(end) {
                        self.line_start += usize::from(is_continuation(byte));
                        end += 1;
                    }
                }
                _ if byte == quote => {
                    self.at = end;
                    token.end = end;
                    return Ok(token);
                }
                _ => {}
            }
            end = plain_run(self.text, end, quote);
        }
        Err(Failure {
            kind: ErrorKind::UnclosedString,
            start: token.start,
            end: token.start + 1,
        })
    }

    #[inline(never)]
    fn param(&mut self) -> Token {
        let mut end = self.at + 1;
        let mut plain = true;
        while let Some(&byte) = self.text.get(end) {
            match byte {
                b'$' => {
                    end += 1;
                    break;
                }
                _ if self.dialect.stops_param(byte) => break,
                b'"' | b'\\' | ..b' ' | 0x7f.. => plain = false,
                _ => {}
            }
            end += 1;
        }
        if plain {
            self.ending(TokenKind::Param, end)
        } else {
            self.ending_wide(TokenKind::Param, end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_fixed_texts_are_of_their_kinds() {
        for &kind in TokenKind::ALL {
            for text in kind.texts() {
                let Ok(token) = Scanner::new(text.as_bytes(), Dialect::Ck3Raven).token() else {
                    panic!("{text} is no token");
                };
                assert_eq!((token.kind, token.end), (kind, text.len()), "{text}");
            }
        }
    }
}
