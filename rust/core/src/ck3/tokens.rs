//! The tokens of a whole text, with what is wrong with them reported.
//!
//! `ck3parse/parser/ck3/tokens.py` is the same in Python.

use std::collections::HashSet;

use memchr::{memchr, memchr2_iter};

use crate::chars::{blank_run, decode, name_run};
use crate::ck3::parser::STOPS;
use crate::ck3::source::Source;
use crate::ck3::words::word_of;
use crate::grammar_tables::{CK3, ErrorKind, TokenKind};
use crate::recovery_tokens::{RecoveryTokens, StringEnd, Table};
use crate::text::is_continuation;

/// How many lines an expression may span.
const EXPRESSION_LINES: usize = 10;

/// The tokens of a text.
pub(crate) struct Tokens<'t> {
    pub table: RecoveryTokens<'t>,
    /// The indices of identifiers with parameters.
    pub params: HashSet<usize>,
    /// Whether all strings are closed, and each brace has its counterpart.
    pub sound: bool,
    /// The span of each comment.
    pub comments: Vec<(usize, usize)>,
}

/// Reads the tokens of a text. If `cautious`, a string ends with its line if it would run over a line
/// that looks like script; else it ends at the next quote.
pub(crate) fn tokens<'t>(source: &'t Source, cautious: bool) -> Tokens<'t> {
    let text = &source.text[..];
    let mut line_starts = vec![source.start];
    for at in memchr2_iter(b'\r', b'\n', text) {
        if text[at] == b'\n' || text.get(at + 1) != Some(&b'\n') {
            line_starts.push(at + 1);
        }
    }
    let mut reader = Reader {
        text,
        at: source.start,
        cautious,
        table: Table::new(text, line_starts),
        params: HashSet::new(),
        sound: true,
        comments: Vec::new(),
        semicolon_found: false,
        counted: (0, source.start, 0),
    };
    reader.read();
    Tokens {
        table: reader.table.tokens,
        params: reader.params,
        sound: reader.sound,
        comments: reader.comments,
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    cautious: bool,
    table: Table<'t>,
    params: HashSet<usize>,
    sound: bool,
    comments: Vec<(usize, usize)>,
    semicolon_found: bool,
    /// A line, an offset in it, and its column from 0.
    counted: (usize, usize, usize),
}

impl Reader<'_> {
    fn read(&mut self) {
        let mut depth = 0isize;
        while let Some(&byte) = self.text.get(self.at) {
            let start = self.at;
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at = blank_run(self.text, start + 1),
                b'#' => self.comment(),
                b'"' => self.string(),
                b'@' if self.text.get(start + 1) == Some(&b'[') => self.expression(),
                b'=' | b'<' | b'>' | b'!' | b'?' => self.operator(),
                b'{' => {
                    depth += 1;
                    self.add(TokenKind::OpenBrace, start, start + 1);
                }
                b'}' => {
                    depth -= 1;
                    self.sound &= depth >= 0;
                    self.add(TokenKind::CloseBrace, start, start + 1);
                }
                b';' => {
                    self.at += 1;
                    if !self.semicolon_found {
                        self.semicolon_found = true;
                        self.table.fault(ErrorKind::Semicolon, start, start + 1);
                    }
                }
                0x1a => break,
                _ => match self.separator(start) {
                    0 => self.word(),
                    _ => self.separators(),
                },
            }
        }
        self.sound &= depth == 0;
        for _ in 0..4 {
            self.add(TokenKind::End, self.at, self.at);
        }
    }

    /// Adds a token, and goes on after it.
    fn add(&mut self, kind: TokenKind, start: usize, end: usize) {
        self.at = end;
        let line = self.table.line_of(start);
        if self.counted.0 != line {
            self.counted = (line, self.table.tokens.line_starts[line - 1], 0);
        }
        let characters = self.text[self.counted.1..start]
            .iter()
            .filter(|&&byte| !is_continuation(byte))
            .count();
        self.counted = (line, start, self.counted.2 + characters);
        let mut last_line = line;
        while self.table.tokens.line_starts[last_line] < end {
            last_line += 1;
        }
        self.table
            .add(kind, start, end, self.counted.2 + 1, last_line);
    }

    fn comment(&mut self) {
        let start = self.at;
        let rest = &self.text[start..];
        self.at += memchr(b'\n', rest).unwrap_or(rest.len());
        // A CR at the end is white space.
        let ends_in_cr = self.text[self.at - 1] == b'\r';
        self.comments
            .push((start, self.at - usize::from(ends_in_cr)));
    }

    /// Returns the length of the unusual white space or control character at an offset, or 0.
    fn separator(&self, at: usize) -> usize {
        match self.text.get(at) {
            Some(b' ' | b'\t' | b'\r' | b'\n' | 0x1a) | None => 0,
            Some(..0x20 | 0x7f) => 1,
            Some(..0x80) => 0,
            _ => {
                let (code, length) = decode(&self.text[at..]);
                let is_space = char::from_u32(code).is_some_and(|code| CK3.spaces.contains(&code));
                if is_space { length } else { 0 }
            }
        }
    }

    fn separators(&mut self) {
        let start = self.at;
        while let length @ 1.. = self.separator(self.at) {
            self.at += length;
        }
        self.table.fault(ErrorKind::UnusualSpace, start, self.at);
    }

    fn word(&mut self) {
        let start = self.at;
        let mut end = start;
        while let Some(&byte) = self.text.get(end) {
            if STOPS[byte as usize] || byte >= 0x80 && self.separator(end) > 0 {
                break;
            }
            end = name_run(self.text, end + 1);
        }
        let text = &self.text[start..end];
        let word = word_of(text);
        if let Some((kind, from, to)) = word.fault {
            self.table.fault(kind, start + from, start + to);
        }
        if text == b"," {
            self.at = end;
            return;
        }
        if word.params {
            self.params.insert(self.table.tokens.list.len());
        }
        self.add(word.kind, start, end);
    }

    fn operator(&mut self) {
        let start = self.at;
        let is_sign = |byte: &&u8| matches!(byte, b'=' | b'<' | b'>' | b'!' | b'?');
        let end = start + self.text[start..].iter().take_while(is_sign).count();
        let text = &self.text[start..end];
        let kind = match text {
            b"=" => TokenKind::Equal,
            b"==" => TokenKind::EqualEqual,
            b"?=" => TokenKind::MaybeEqual,
            b"!=" => TokenKind::NotEqual,
            b"<" => TokenKind::Less,
            b"<=" => TokenKind::LessEqual,
            b">" => TokenKind::Greater,
            b">=" => TokenKind::GreaterEqual,
            _ => {
                self.table.fault(ErrorKind::UnknownOperator, start, end);
                TokenKind::Equal
            }
        };
        self.add(kind, start, end);
    }

    fn expression(&mut self) {
        let start = self.at;
        let mut depth = 0usize;
        let mut line_ends = 0;
        let mut own_line = None;
        for at in start..self.text.len() {
            match self.text[at] {
                b'[' => depth += 1,
                b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.add(TokenKind::Expression, start, at + 1);
                        return;
                    }
                }
                byte @ (b'{' | b'}' | b'\r' | b'\n') => {
                    own_line.get_or_insert(at);
                    if matches!(byte, b'{' | b'}') {
                        break;
                    }
                    if byte == b'\r' || self.text[at - 1] != b'\r' {
                        line_ends += 1;
                    }
                    if line_ends == EXPRESSION_LINES {
                        break;
                    }
                }
                _ => {}
            }
        }
        let mut end = own_line.unwrap_or(self.text.len());
        while matches!(self.text[end - 1], b' ' | b'\t' | b'\r') {
            end -= 1;
        }
        self.add(TokenKind::Expression, start, end);
        self.table.fault(ErrorKind::UnclosedInline, start, end);
    }

    fn string(&mut self) {
        let start = self.at;
        let string_end = |text: &[u8], at: usize| {
            memchr(b'"', &text[at..]).map_or(text.len(), |length| at + length)
        };
        if !self.cautious {
            let end = string_end(self.text, start + 1);
            if end == self.text.len() {
                self.sound = false;
                self.at = end;
            } else {
                self.add(TokenKind::String, start, end + 1);
            }
            return;
        }
        match self.table.string(start, string_end, script_line) {
            StringEnd::Quote(end) => self.add(TokenKind::String, start, end + 1),
            StringEnd::Cut(end) => {
                self.add(TokenKind::CutString, start, end);
                self.table.fault(ErrorKind::UnclosedString, start, end);
                if let Some(fault) = self.table.tokens.faults.last_mut() {
                    fault.found = (start, start + 1);
                }
            }
        }
    }
}

/// Returns the offset of the line end before the next line that looks like script, or of the end of
/// the text. Such a line starts with `}`, with a key and an operator, or with a string.
fn script_line(text: &[u8], start: usize) -> usize {
    memchr2_iter(b'\r', b'\n', &text[start..])
        .map(|at| start + at)
        .find(|&at| looks_like_script(&text[at + 1..]))
        .unwrap_or(text.len())
}

fn looks_like_script(rest: &[u8]) -> bool {
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let line = &rest[rest.iter().take_while(is_blank).count()..];
    match line {
        [b'}', ..] => return true,
        [b'"', next, ..] => return !matches!(next, b' ' | b'\t' | b'\r' | b'\n'),
        _ => {}
    }
    let is_key = |byte: &&u8| !b" \t\r\n=<>!?{}#\"".contains(byte);
    let key = line.iter().take_while(is_key).count();
    let after = &line[key..];
    let after = &after[after.iter().take_while(is_blank).count()..];
    key > 0 && matches!(after, [b'=' | b'<' | b'>', ..] | [b'?' | b'!', b'=', ..])
}
