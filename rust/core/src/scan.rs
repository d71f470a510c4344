//! Reads a text token by token.

use crate::chars::{Class, plain_run, wide_at};
use crate::dialect::{Dialect, Start};
use crate::error::Failure;
use crate::grammar_tables::{ErrorKind, TokenKind};
use crate::place::Place;
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
    pub place: Place<'t>,
    pub dialect: Dialect,
}

impl<'t> Scanner<'t> {
    pub fn new(text: &'t [u8], dialect: Dialect) -> Self {
        Scanner {
            place: Place::new(text, 0),
            dialect,
        }
    }

    /// Skips white space and comments, and returns what the next character can start.
    #[inline(always)]
    pub fn skip(&mut self) -> Option<Start> {
        let dialect = self.dialect;
        self.place.skip(|byte| dialect.start_of(byte))
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
            None => Ok(self.ending(TokenKind::End, self.place.at)),
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
        let (start, column) = (self.place.at, self.place.column());
        self.place.at = end;
        Token {
            kind,
            start,
            end,
            plain: true,
            line: self.place.line,
            column,
        }
    }

    /// Ends a token of any characters without a line end.
    fn ending_wide(&mut self, kind: TokenKind, end: usize) -> Token {
        let (start, column) = (self.place.at, self.place.column());
        self.place.pass_wide(end);
        Token {
            kind,
            start,
            end,
            plain: false,
            line: self.place.line,
            column,
        }
    }

    #[cold]
    fn unexpected(&mut self, length: usize) -> Failure {
        Failure {
            kind: ErrorKind::UnexpectedCharacter,
            start: self.place.at,
            end: self.place.at + length,
        }
    }

    /// Reads the name that starts here.
    #[inline(always)]
    pub fn name(&mut self) -> Token {
        self.rest_of_name(self.place.at + 1)
    }

    /// Reads a name whose characters before `from` are known.
    #[inline(always)]
    fn rest_of_name(&mut self, from: usize) -> Token {
        let end = self.dialect.name_run(self.place.text, from);
        if self
            .place
            .text
            .get(end)
            .is_some_and(|byte| !byte.is_ascii())
        {
            return self.wide_name(end);
        }
        let kind = if self.dialect.is_bool(&self.place.text[self.place.at..end]) {
            TokenKind::Bool
        } else {
            TokenKind::Identifier
        };
        self.ending(kind, end)
    }

    /// Reads a name with characters outside ASCII, known up to `end`.
    #[inline(never)]
    fn wide_name(&mut self, end: usize) -> Token {
        let mut end = self.dialect.name_run(self.place.text, end);
        while self
            .place
            .text
            .get(end)
            .is_some_and(|byte| !byte.is_ascii())
        {
            let (class, length) = wide_at(self.place.text, end);
            if class == Class::Other {
                break;
            }
            end = self.dialect.name_run(self.place.text, end + length);
        }
        self.ending_wide(TokenKind::Identifier, end)
    }

    /// Reads a number, or a name that starts with a digit. The digit takes `length` bytes.
    #[inline(always)]
    fn digit(&mut self, length: usize) -> Token {
        let next = self.place.at + length;
        match self.place.text.get(next) {
            Some(b'_' | b'A'..=b'Z' | b'a'..=b'z') if length == 1 => self.rest_of_name(next),
            Some(b'_' | b'A'..=b'Z' | b'a'..=b'z') => self.wide_name(next),
            Some(0x80..) if wide_at(self.place.text, next).0 == Class::Letter => {
                self.wide_name(next)
            }
            _ => self.number(next, length > 1),
        }
    }

    /// Reads a number whose characters before `from`, a minus and the first digit, are known.
    #[inline(always)]
    fn number(&mut self, from: usize, mut wide: bool) -> Token {
        let mut end = from;
        let mut pointed = false;
        while let Some(&byte) = self.place.text.get(end) {
            match byte {
                b'0'..=b'9' => end += 1,
                b'.' if !pointed => {
                    pointed = true;
                    end += 1;
                }
                0x80.. => match wide_at(self.place.text, end) {
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
        match self.place.text.get(self.place.at + 1) {
            Some(b'0'..=b'9') => self.number(self.place.at + 2, false),
            Some(0x80..) => match wide_at(self.place.text, self.place.at + 1) {
                (Class::Digit, length) => self.number(self.place.at + 1 + length, true),
                _ => self.ending(TokenKind::Minus, self.place.at + 1),
            },
            _ => self.ending(TokenKind::Minus, self.place.at + 1),
        }
    }

    #[inline(never)]
    fn wide(&mut self) -> Result<Token, Failure> {
        match wide_at(self.place.text, self.place.at) {
            (Class::Letter, length) => Ok(self.wide_name(self.place.at + length)),
            (Class::Digit, length) => Ok(self.digit(length)),
            (_, length) => Err(self.unexpected(length)),
        }
    }

    #[inline(always)]
    fn operator(&mut self) -> Result<Token, Failure> {
        let (kind, length) = match self.place.operator() {
            Some(operator) => operator,
            None if self.place.text[self.place.at] == b'?' => (TokenKind::Sign, 1),
            None => return Err(self.unexpected(1)),
        };
        Ok(self.ending(kind, self.place.at + length))
    }

    #[inline(always)]
    fn punctuation(&mut self) -> Token {
        let kind = match self.place.text[self.place.at] {
            b'{' => TokenKind::OpenBrace,
            b'}' => TokenKind::CloseBrace,
            b'[' => TokenKind::OpenBracket,
            b']' => TokenKind::CloseBracket,
            b'@' => TokenKind::At,
            b',' => TokenKind::Comma,
            b';' | b'`' => TokenKind::Semicolon,
            _ => TokenKind::Sign,
        };
        self.ending(kind, self.place.at + 1)
    }

    #[inline(always)]
    fn string(&mut self) -> Result<Token, Failure> {
        let quote = self.place.text[self.place.at];
        let end = plain_run(self.place.text, self.place.at + 1, quote);
        if self.place.text.get(end) == Some(&quote) {
            return Ok(self.ending(TokenKind::String, end + 1));
        }
        self.long_string(quote, end)
    }

    /// Reads a string with characters that are not plain, the first of them at `end`.
    #[inline(never)]
    fn long_string(&mut self, quote: u8, mut end: usize) -> Result<Token, Failure> {
        let mut token = Token {
            plain: false,
            ..self.ending(TokenKind::String, self.place.at)
        };
        while let Some(&byte) = self.place.text.get(end) {
            end += 1;
            match byte {
                b'\\' => {
                    let next = self.place.text.get(end);
                    if next == Some(&quote) || next == Some(&b'\\') {
                        end += 1;
                    }
                }
                b'\n' => {
                    self.place.line += 1;
                    self.place.line_start = end;
                }
                0x80.. => {
                    self.place.line_start += usize::from(is_continuation(byte));
                    while let Some(&byte @ 0x80..) = self.place.text.get(end) {
                        self.place.line_start += usize::from(is_continuation(byte));
                        end += 1;
                    }
                }
                _ if byte == quote => {
                    self.place.at = end;
                    token.end = end;
                    return Ok(token);
                }
                _ => {}
            }
            end = plain_run(self.place.text, end, quote);
        }
        Err(Failure {
            kind: ErrorKind::UnclosedString,
            start: token.start,
            end: token.start + 1,
        })
    }

    #[inline(never)]
    fn param(&mut self) -> Token {
        let mut end = self.place.at + 1;
        let mut plain = true;
        while let Some(&byte) = self.place.text.get(end) {
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
