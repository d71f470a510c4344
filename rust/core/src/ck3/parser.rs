//! The parser for a text in which nothing is to be reported, in one pass.

use crate::chars::{Class, name_run, plain_run, wide_at};
use crate::ck3::words::{is_usual, numeric, word_of};
use crate::ck3::{Span, Visitor};
use crate::dialect::contains;
use crate::grammar_tables::{CK3, TokenKind};
use crate::place::{self, Gap, Place};
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

/// Counts the nodes.
pub(crate) struct Count(pub u64);

impl Nodes for Count {
    fn value(&mut self, _: &Scalar) {
        self.0 += 1;
    }

    fn assign(&mut self, _: &Scalar, _: TokenKind, _: &Scalar) {
        self.0 += 1;
    }

    fn block(&mut self, _: &Scalar, _: TokenKind) {
        self.0 += 1;
    }

    fn tagged(&mut self, _: &Scalar, _: TokenKind, _: &Scalar) {
        self.0 += 1;
    }

    fn list(&mut self, _: &Scalar) {
        self.0 += 1;
    }

    fn close(&mut self, _: usize) {}
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

impl place::Start for Start {
    #[inline(always)]
    fn gap(self) -> Option<Gap> {
        match self {
            Start::Blank => Some(Gap::Blank),
            Start::Line => Some(Gap::Line),
            Start::Comment => Some(Gap::Comment),
            _ => None,
        }
    }
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
        place: Place::new(text, start),
    };
    parser.elements(max_depth, nodes).is_ok()
}

struct Parser<'t> {
    place: Place<'t>,
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
                    let line = self.place.line;
                    start = self.skip();
                    if start != Some(Start::Operator) {
                        if start == Some(Start::Open) && self.place.line == line {
                            return Err(Odd); // no operator
                        }
                        nodes.value(&key);
                        continue;
                    }
                    let operator = self.operator()?;
                    let line = self.place.line;
                    start = self.skip();
                    match start {
                        Some(Start::Open) => {
                            if depth >= max_depth {
                                return Err(Odd);
                            }
                            depth += 1;
                            self.place.at += 1;
                            nodes.block(&key, operator);
                            start = self.skip();
                        }
                        Some(Start::Word | Start::AnyWord | Start::Quote) => {
                            let value = self.scalar(start)?;
                            let value_line = self.place.line;
                            start = self.skip();
                            if start == Some(Start::Open)
                                && value.is_word()
                                && (self.place.line == value_line
                                    || self.is_tag(value.start, value.end))
                            {
                                if depth >= max_depth {
                                    return Err(Odd);
                                }
                                depth += 1;
                                self.place.at += 1;
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
                    self.place.at += 1;
                    nodes.close(self.place.at);
                    start = self.skip();
                }
                Some(Start::Open) => {
                    if depth >= max_depth {
                        return Err(Odd);
                    }
                    depth += 1;
                    nodes.list(&Scalar {
                        start: self.place.at,
                        end: self.place.at + 1,
                        kind: TokenKind::OpenBrace,
                        line: self.place.line,
                        column: self.place.column(),
                        ..Scalar::default()
                    });
                    self.place.at += 1;
                    start = self.skip();
                }
                None if depth == 0 => return Ok(()),
                _ => return Err(Odd),
            }
        }
    }

    /// Skips white space and comments, and returns what the next character can start.
    #[inline(always)]
    fn skip(&mut self) -> Option<Start> {
        self.place.skip(|byte| STARTS[byte as usize])
    }

    #[inline(always)]
    fn scalar(&mut self, start: Option<Start>) -> Result<Scalar, Odd> {
        let (at, line, column) = (self.place.at, self.place.line, self.place.column());
        let form = match start {
            Some(Start::Word) => self.word(),
            Some(Start::Quote) => self.string(),
            _ => self.any_word(self.place.at),
        }?;
        Ok(Scalar {
            start: at,
            end: self.place.at,
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
        self.place.at = end;
        Form {
            kind,
            plain: true,
            params: false,
        }
    }

    /// Ends a scalar of any characters without a line end.
    fn ending_wide(&mut self, kind: TokenKind, end: usize) -> Form {
        self.place.pass_wide(end);
        Form {
            kind,
            plain: false,
            params: false,
        }
    }

    #[inline(always)]
    fn word(&mut self) -> Result<Form, Odd> {
        let text = self.place.text;
        let end = name_run(text, self.place.at + 1);
        if text.get(end).is_some_and(|&byte| !STOPS[byte as usize]) {
            return self.any_word(end);
        }
        let word = &text[self.place.at..end];
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
        let text = self.place.text;
        if text[self.place.at..].starts_with(b"@[") {
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
        let word = word_of(&text[self.place.at..end]);
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
        let end = expression_end(self.place.text, self.place.at).ok_or(Odd)?;
        Ok(self.ending_wide(TokenKind::Expression, end))
    }

    #[inline(always)]
    fn string(&mut self) -> Result<Form, Odd> {
        let end = plain_run(self.place.text, self.place.at + 1, b'"');
        if self.place.text.get(end) == Some(&b'"') {
            return Ok(self.ending(TokenKind::String, end + 1));
        }
        self.long_string(end)
    }

    /// Reads a string with characters that are not plain, the first of them at `end`.
    #[inline(never)]
    fn long_string(&mut self, mut end: usize) -> Result<Form, Odd> {
        while let Some(&byte) = self.place.text.get(end) {
            end += 1;
            match byte {
                b'"' => {
                    return Ok(Form {
                        plain: false,
                        ..self.ending(TokenKind::String, end)
                    });
                }
                b'\n' => {
                    self.place.line += 1;
                    self.place.line_start = end;
                }
                0x80.. => self.place.line_start += usize::from(is_continuation(byte)),
                _ => {}
            }
            if byte.is_ascii() {
                end = plain_run(self.place.text, end, b'"');
            }
        }
        Err(Odd)
    }

    #[inline(always)]
    fn operator(&mut self) -> Result<TokenKind, Odd> {
        let (kind, length) = self.place.operator().ok_or(Odd)?;
        self.place.at += length;
        match self.place.text.get(self.place.at) {
            Some(b'=' | b'<' | b'>' | b'!' | b'?') => Err(Odd),
            _ => Ok(kind),
        }
    }

    #[cold]
    fn is_tag(&self, start: usize, end: usize) -> bool {
        is_tag(&self.place.text[start..end])
    }
}

/// Returns the end of the expression that starts at an offset, if it has one in its line.
pub(crate) fn expression_end(text: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (length, &byte) in text[start..].iter().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(start + length + 1);
                }
            }
            b'{' | b'}' | b'\n' | b'\r' => break,
            _ => {}
        }
    }
    None
}

/// Whether a word is the tag of a block on another line, too.
pub(crate) fn is_tag(word: &[u8]) -> bool {
    CK3.tags.iter().any(|tag| tag.as_bytes() == word)
}
