//! The parser for a text in which nothing is to be reported, in one pass.

use memchr::memchr;

use crate::chars::{Class, blank_run, name_run, plain_run, wide_at};
use crate::ck3::words::{is_usual, numeric, word_of};
use crate::ck3::{Span, Visitor};
use crate::dialect::contains;
use crate::grammar_tables::{CK3, TokenKind};
use crate::text::is_continuation;

/// A key, a value or a tag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scalar {
    /// Where it starts in the text, with the quote of a string.
    pub start: usize,
    pub end: usize,
    pub kind: TokenKind,
    /// Whether its text needs no escaping in JSON.
    pub plain: bool,
    /// Whether it is an identifier with parameters.
    pub params: bool,
    pub line: usize,
    pub column: usize,
}

impl Default for Scalar {
    fn default() -> Self {
        Scalar {
            start: 0,
            end: 0,
            kind: TokenKind::End,
            plain: true,
            params: false,
            line: 0,
            column: 0,
        }
    }
}

impl Scalar {
    /// Returns where its text starts and ends: that of a string has no quotes.
    #[inline(always)]
    pub fn inner(&self) -> (usize, usize) {
        match self.kind {
            TokenKind::String => (self.start + 1, self.end - 1),
            TokenKind::CutString => (self.start + 1, self.end),
            _ => (self.start, self.end),
        }
    }

    /// Whether it is a word, and so can be a tag.
    pub fn is_word(&self) -> bool {
        !matches!(
            self.kind,
            TokenKind::String | TokenKind::CutString | TokenKind::Expression
        )
    }
}

/// What a scalar is, apart from its place. It fits into a register, which a [`Scalar`] that a function
/// returns through memory does not: reading back its short fields at once stalls the processor.
#[derive(Clone, Copy)]
struct Form {
    kind: TokenKind,
    plain: bool,
    params: bool,
}

/// What is done with each element of a text.
pub(crate) trait Nodes {
    fn value(&mut self, value: &Scalar);
    fn assign(&mut self, key: &Scalar, operator: TokenKind, value: &Scalar);
    fn block(&mut self, key: &Scalar, operator: TokenKind);
    fn tagged(&mut self, key: &Scalar, operator: TokenKind, tag: &Scalar);
    fn list(&mut self, brace: &Scalar);
    fn close(&mut self, end: usize);
}

/// Tells a visitor.
pub(crate) struct Told<'v, V>(pub &'v mut V);

impl<V: Visitor> Nodes for Told<'_, V> {
    #[inline(always)]
    fn value(&mut self, value: &Scalar) {
        self.0.value(span(value));
    }

    #[inline(always)]
    fn assign(&mut self, key: &Scalar, _: TokenKind, value: &Scalar) {
        self.0.assign(span(key), span(value));
    }

    #[inline(always)]
    fn block(&mut self, key: &Scalar, _: TokenKind) {
        self.0.open(span(key));
    }

    #[inline(always)]
    fn tagged(&mut self, key: &Scalar, _: TokenKind, _: &Scalar) {
        self.0.open(span(key));
    }

    #[inline(always)]
    fn list(&mut self, brace: &Scalar) {
        self.0.open(Span {
            start: brace.start,
            end: brace.start,
        });
    }

    #[inline(always)]
    fn close(&mut self, end: usize) {
        self.0.close(end);
    }
}

#[inline(always)]
fn span(scalar: &Scalar) -> Span {
    Span {
        start: scalar.start,
        end: scalar.end,
    }
}

/// What a byte can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Something to report.
    Odd,
    Blank,
    Line,
    Comment,
    /// A word of letters, digits and the commonest signs, so far.
    Word,
    /// A word of any characters.
    AnyWord,
    Quote,
    Operator,
    Open,
    Close,
}

static STARTS: [Start; 256] = {
    let mut table = [Start::Odd; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = start(byte as u8);
        byte += 1;
    }
    table
};

const fn start(byte: u8) -> Start {
    match byte {
        b' ' | b'\t' | b'\r' => Start::Blank,
        b'\n' => Start::Line,
        b'#' => Start::Comment,
        b'"' => Start::Quote,
        b'{' => Start::Open,
        b'}' => Start::Close,
        b'=' | b'<' | b'>' | b'!' | b'?' => Start::Operator,
        b'$' | b'@' | b'+' | b'*' | b'[' | b']' | 0x80.. => Start::AnyWord,
        _ if is_usual(byte) => Start::Word,
        _ => Start::Odd,
    }
}

/// Whether a word ends before each byte.
pub(crate) static STOPS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte <= 0x20 || byte == 0x7f || contains(CK3.word_stops, byte as u8);
        byte += 1;
    }
    table
};

/// What is not sound, or cannot be said without looking back.
struct Odd;

/// Parses a text from an offset on. Returns false at the first thing to report.
pub(crate) fn parse(text: &[u8], start: usize, max_depth: usize, nodes: &mut impl Nodes) -> bool {
    let mut parser = Parser {
        text,
        at: start,
        line: 1,
        line_start: start,
    };
    parser.elements(max_depth, nodes).is_ok()
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
    /// The offset of the start of the line, plus the bytes that its characters so far take beyond
    /// the first. A column is an offset minus this, plus 1.
    line_start: usize,
}

impl Parser<'_> {
    #[inline(always)]
    fn elements(&mut self, max_depth: usize, nodes: &mut impl Nodes) -> Result<(), Odd> {
        let mut depth = 0usize;
        let mut start = self.skip();
        loop {
            match start {
                Some(Start::Word | Start::AnyWord | Start::Quote) => {
                    let key = self.scalar(start)?;
                    let line = self.line;
                    start = self.skip();
                    if start != Some(Start::Operator) {
                        if start == Some(Start::Open) && self.line == line {
                            return Err(Odd); // no operator
                        }
                        nodes.value(&key);
                        continue;
                    }
                    let operator = self.operator()?;
                    let line = self.line;
                    start = self.skip();
                    match start {
                        Some(Start::Open) => {
                            if depth >= max_depth {
                                return Err(Odd);
                            }
                            depth += 1;
                            self.at += 1;
                            nodes.block(&key, operator);
                            start = self.skip();
                        }
                        Some(Start::Word | Start::AnyWord | Start::Quote) => {
                            let value = self.scalar(start)?;
                            let value_line = self.line;
                            start = self.skip();
                            if start == Some(Start::Open)
                                && value.is_word()
                                && (self.line == value_line || self.is_tag(value.start, value.end))
                            {
                                if depth >= max_depth {
                                    return Err(Odd);
                                }
                                depth += 1;
                                self.at += 1;
                                nodes.tagged(&key, operator, &value);
                                start = self.skip();
                                continue;
                            }
                            if start == Some(Start::Operator) && value.line != line {
                                return Err(Odd); // the next key
                            }
                            nodes.assign(&key, operator, &value);
                        }
                        _ => return Err(Odd),
                    }
                }
                Some(Start::Close) => {
                    if depth == 0 {
                        return Err(Odd);
                    }
                    depth -= 1;
                    self.at += 1;
                    nodes.close(self.at);
                    start = self.skip();
                }
                Some(Start::Open) => {
                    if depth >= max_depth {
                        return Err(Odd);
                    }
                    depth += 1;
                    nodes.list(&Scalar {
                        start: self.at,
                        end: self.at + 1,
                        kind: TokenKind::OpenBrace,
                        line: self.line,
                        column: self.at - self.line_start + 1,
                        ..Scalar::default()
                    });
                    self.at += 1;
                    start = self.skip();
                }
                None if depth == 0 => return Ok(()),
                _ => return Err(Odd),
            }
        }
    }

    /// Skips blanks, line ends and comments, and returns what the next character can start.
    #[inline(always)]
    fn skip(&mut self) -> Option<Start> {
        loop {
            let start = STARTS[*self.text.get(self.at)? as usize];
            match start {
                // Most often one space separates tokens, and many start a line.
                Start::Blank => {
                    self.at += 1;
                    if let Some(b' ' | b'\t') = self.text.get(self.at) {
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

    #[inline(always)]
    fn scalar(&mut self, start: Option<Start>) -> Result<Scalar, Odd> {
        let (at, line, column) = (self.at, self.line, self.at - self.line_start + 1);
        let form = match start {
            Some(Start::Word) => self.word(),
            Some(Start::Quote) => self.string(),
            _ => self.any_word(self.at),
        }?;
        Ok(Scalar {
            start: at,
            end: self.at,
            kind: form.kind,
            plain: form.plain,
            params: form.params,
            line,
            column,
        })
    }

    /// Ends a scalar of ASCII characters without a line end.
    #[inline(always)]
    fn ending(&mut self, kind: TokenKind, end: usize) -> Form {
        self.at = end;
        Form {
            kind,
            plain: true,
            params: false,
        }
    }

    /// Ends a scalar of any characters without a line end.
    fn ending_wide(&mut self, kind: TokenKind, end: usize) -> Form {
        let text = &self.text[self.at..end];
        self.line_start += text.iter().filter(|&&byte| is_continuation(byte)).count();
        Form {
            plain: false,
            ..self.ending(kind, end)
        }
    }

    #[inline(always)]
    fn word(&mut self) -> Result<Form, Odd> {
        let text = self.text;
        let end = name_run(text, self.at + 1);
        if text.get(end).is_some_and(|&byte| !STOPS[byte as usize]) {
            return self.any_word(end);
        }
        let word = &text[self.at..end];
        let kind = match word[0] {
            b'y' | b'n' if matches!(word, b"yes" | b"no") => TokenKind::Bool,
            b'+'..=b'9' => numeric(word).unwrap_or(TokenKind::Identifier),
            _ => TokenKind::Identifier,
        };
        Ok(self.ending(kind, end))
    }

    /// Reads a word of any characters, usual up to `end`.
    #[inline(never)]
    fn any_word(&mut self, mut end: usize) -> Result<Form, Odd> {
        let text = self.text;
        if text[self.at..].starts_with(b"@[") {
            return self.expression();
        }
        let mut wide = false;
        while let Some(&byte) = text.get(end) {
            if STOPS[byte as usize] {
                break;
            }
            if byte.is_ascii() {
                end = name_run(text, end + 1);
            } else {
                let (class, length) = wide_at(text, end);
                if class == Class::Other {
                    return Err(Odd);
                }
                wide = true;
                end += length;
            }
        }
        let word = word_of(&text[self.at..end]);
        if word.fault.is_some() || word.kind == TokenKind::Directive {
            return Err(Odd);
        }
        let form = if wide {
            self.ending_wide(word.kind, end)
        } else {
            self.ending(word.kind, end)
        };
        Ok(Form {
            params: word.params,
            ..form
        })
    }

    #[cold]
    fn expression(&mut self) -> Result<Form, Odd> {
        let mut depth = 0usize;
        let rest = &self.text[self.at..];
        for (length, &byte) in rest.iter().enumerate() {
            match byte {
                b'[' => depth += 1,
                b']' => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(self.ending_wide(TokenKind::Expression, self.at + length + 1));
                    }
                }
                b'{' | b'}' | b'\n' | b'\r' => break,
                _ => {}
            }
        }
        Err(Odd)
    }

    #[inline(always)]
    fn string(&mut self) -> Result<Form, Odd> {
        let end = plain_run(self.text, self.at + 1, b'"');
        if self.text.get(end) == Some(&b'"') {
            return Ok(self.ending(TokenKind::String, end + 1));
        }
        self.long_string(end)
    }

    /// Reads a string with characters that are not plain, the first of them at `end`.
    #[inline(never)]
    fn long_string(&mut self, mut end: usize) -> Result<Form, Odd> {
        while let Some(&byte) = self.text.get(end) {
            end += 1;
            match byte {
                b'"' => {
                    return Ok(Form {
                        plain: false,
                        ..self.ending(TokenKind::String, end)
                    });
                }
                b'\n' => {
                    self.line += 1;
                    self.line_start = end;
                }
                0x80.. => self.line_start += usize::from(is_continuation(byte)),
                _ => {}
            }
            if byte.is_ascii() {
                end = plain_run(self.text, end, b'"');
            }
        }
        Err(Odd)
    }

    #[inline(always)]
    fn operator(&mut self) -> Result<TokenKind, Odd> {
        let text = self.text;
        let next = text.get(self.at + 1);
        let equal = next == Some(&b'=');
        let kind = match (text[self.at], equal) {
            (b'=', false) => TokenKind::Equal,
            (b'=', true) => TokenKind::EqualEqual,
            (b'<', false) => TokenKind::Less,
            (b'<', true) => TokenKind::LessEqual,
            (b'>', false) => TokenKind::Greater,
            (b'>', true) => TokenKind::GreaterEqual,
            (b'?', true) => TokenKind::MaybeEqual,
            (b'!', true) => TokenKind::NotEqual,
            _ => return Err(Odd),
        };
        self.at += 1 + usize::from(equal);
        match text.get(self.at) {
            Some(b'=' | b'<' | b'>' | b'!' | b'?') => Err(Odd),
            _ => Ok(kind),
        }
    }

    #[cold]
    fn is_tag(&self, start: usize, end: usize) -> bool {
        is_tag(&self.text[start..end])
    }
}

/// Whether a word is the tag of a block on another line, too.
pub(crate) fn is_tag(word: &[u8]) -> bool {
    CK3.tags.iter().any(|tag| tag.as_bytes() == word)
}
