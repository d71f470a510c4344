//! The parser for broken texts: the AST of the sound parts, and all errors.
//!
//! `ck3parse/parser/recovery.py` is the same in Python; `docs/recovery.md` explains the method.

use crate::braces::{self, Repairs};
use crate::grammar_tables::{ErrorKind, TokenKind};
use crate::recovery_tokens::{self, Fault, RecoveryTokens};
use crate::text::{self, LineEnds};
use crate::writer::{Buffer, Writer};
use crate::{Ast, Options};

/// The JSON of a real file is seldom longer than this many times its source.
const EXPECTED_GROWTH: usize = 8;

/// An error as it is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedFault {
    /// The kind of the error.
    pub kind: ErrorKind,
    /// The line, from 1.
    pub line: u64,
    /// The column in code points, from 1.
    pub column: u64,
    /// The line where its place ends.
    pub end_line: u64,
    /// The column after its place.
    pub end_column: u64,
    /// The offending token, or the key of what lacks something, as it stands in the text.
    pub found: Vec<u8>,
    /// The line of the brace of the block that its message names, or 0.
    pub opener_line: u64,
}

/// What a broken text parsed to.
#[derive(Debug)]
pub struct Recovered<'b> {
    /// The AST of the sound parts.
    pub ast: Ast<'b>,
    /// The first errors, in order of place.
    pub faults: Vec<ReportedFault>,
    /// The number of all errors.
    pub fault_count: usize,
    /// The first one that is no warning.
    pub first_error: Option<ReportedFault>,
}

/// Parses a text into the buffer, and returns its first `max_faults` errors.
pub(crate) fn recover<'b>(
    text: &[u8],
    ends: LineEnds,
    name: &[u8],
    options: Options,
    max_faults: usize,
    buffer: &'b mut Buffer,
) -> Recovered<'b> {
    let tokens = recovery_tokens::tokens(text, options.dialect);
    let mut recovery = Recovery {
        repairs: braces::repairs(&tokens),
        out: Writer::new(buffer, text.len().saturating_mul(EXPECTED_GROWTH)),
        tokens,
        ends,
        options,
        open: Vec::new(),
        node_count: 1,
        at: 0,
    };
    recovery.root(name);
    let ast = Ast {
        node_count: recovery.node_count,
        json: recovery.out.finish(),
    };
    Recovered::new(ast, recovery.tokens, ends, max_faults)
}

impl<'b> Recovered<'b> {
    /// Returns the outcome of a parse with the first `max_faults` errors.
    pub(crate) fn new(
        ast: Ast<'b>,
        mut tokens: RecoveryTokens,
        ends: LineEnds,
        max_faults: usize,
    ) -> Self {
        tokens.faults.sort_by_key(|fault| fault.start);
        let faults = &tokens.faults;
        let report = |fault| reported(&tokens, fault, ends);
        Recovered {
            ast,
            faults: faults.iter().take(max_faults).map(report).collect(),
            fault_count: faults.len(),
            first_error: faults
                .iter()
                .find(|fault| fault.kind.is_error())
                .map(report),
        }
    }
}

fn reported(tokens: &RecoveryTokens, fault: &Fault, ends: LineEnds) -> ReportedFault {
    let (line, column) = tokens.place_of(fault.start);
    let (end_line, end_column) = tokens.place_of(fault.end);
    ReportedFault {
        kind: fault.kind,
        line,
        column,
        end_line,
        end_column,
        found: text::shown(&tokens.text[fault.found.0..fault.found.1], ends),
        opener_line: fault.opener_line.into(),
    }
}

/// A value, by the indices of its tokens.
pub(crate) enum Value {
    /// One token, which can be an operator.
    Token(usize),
    /// `@name`: the index of the name.
    Scripted(usize),
    /// `-@name`.
    NegativeScripted(usize),
    /// The tokens of an inline expression from one index to another.
    Inline(usize, usize),
    NegativeParam(usize),
    Minus,
}

/// An open block: its `{`, or its operator if the `{` is missing, and the span of its key.
struct Open {
    opener: usize,
    key: (usize, usize),
}

pub(crate) struct Recovery<'t, 'b> {
    pub tokens: RecoveryTokens<'t>,
    repairs: Repairs,
    pub out: Writer<'b>,
    pub ends: LineEnds,
    pub options: Options,
    open: Vec<Open>,
    node_count: u64,
    at: usize,
}

impl Recovery<'_, '_> {
    fn root(&mut self, name: &[u8]) {
        self.out.raw(br#"{"_type":"root","filename":""#);
        self.out.escaped(name);
        self.out.raw(br#"","children":["#);
        self.elements();
        self.out.drop_comma();
        self.out.raw(b"]}");
    }

    fn elements(&mut self) {
        // Whether an element must follow a `;`.
        let mut owed = false;
        loop {
            let at = self.at;
            for _ in 0..self.repairs.closes.get(&at).copied().unwrap_or(0) {
                self.close_unclosed();
            }
            let kind = self.kind(at);
            if kind == TokenKind::End {
                while !self.open.is_empty() {
                    self.close_unclosed();
                }
                return;
            }
            self.at += 1;
            match kind {
                TokenKind::Semicolon => {
                    owed = true;
                    continue;
                }
                _ if self.tokens.is_key(at) => self.keyed(at, &Value::Token(at)),
                TokenKind::CloseBrace => {
                    if self.repairs.strays.contains(&at) || self.open.is_empty() {
                        self.fault(ErrorKind::StrayClosingBrace, at);
                    } else {
                        if owed {
                            self.fault(ErrorKind::ExpectedElement, at);
                        }
                        self.close();
                    }
                }
                _ if kind == TokenKind::OpenBrace || self.repairs.opens.contains(&at) => {
                    self.enter(at, (0, 0));
                    if !self.too_deep() {
                        self.out.raw(br#"{"_type":"list""#);
                        self.place(at);
                        self.out.raw(br#","items":["#);
                    }
                }
                TokenKind::At => match self.named(at, false) {
                    Some(value @ Value::Inline(..)) => self.lone(at, &value),
                    Some(value) => self.keyed(at, &value),
                    None => {}
                },
                TokenKind::Comma if !owed && !self.open.is_empty() => {}
                _ => self.unexpected(ErrorKind::ExpectedElement, at),
            }
            owed = false;
        }
    }

    /// Writes an element that is only a value.
    fn lone(&mut self, start: usize, value: &Value) {
        self.count(1);
        if !self.too_deep() {
            self.value_node(start, value);
            self.out.raw(b",");
        }
    }

    /// Writes an element whose key starts at an index and ends before `self.at`.
    fn keyed(&mut self, start: usize, text: &Value) {
        let operator = self.at;
        if !self.tokens.is_operator(operator) {
            self.lone(start, text);
            return;
        }
        let dated = start > 0 && self.tokens.is_date(start - 1);
        let first = self.tokens.list[start - usize::from(dated)];
        let key = (first.start, self.tokens.list[operator - 1].end);
        self.at += 1;
        while self.is_plain_operator(self.at) {
            self.fault(ErrorKind::ExpectedValue, self.at);
            self.at += 1;
        }
        let at = self.at;
        let opens = self.kind(at) == TokenKind::OpenBrace && matches!(text, Value::Token(_));
        if opens || self.repairs.opens.contains(&at) {
            if opens {
                self.at += 1;
                self.enter(at, key);
            } else {
                self.fault_of(ErrorKind::MissingOpener, operator, key);
                self.enter(operator, key);
            }
            if !self.too_deep() {
                self.out.raw(br#"{"_type":"block","name":""#);
                self.head(start, text, operator);
                self.out.raw(br#","children":["#);
            }
            return;
        }
        if let Some(value) = self.assigned(operator, key) {
            self.count(2);
            if !self.too_deep() {
                self.out.raw(br#"{"_type":"assignment","key":""#);
                self.head(start, text, operator);
                self.out.raw(br#","value":"#);
                self.value_node(at, &value);
                self.out.raw(b"},");
            }
        }
    }

    /// Reads the value at `self.at`, if there is one.
    fn assigned(&mut self, operator: usize, key: (usize, usize)) -> Option<Value> {
        let at = self.at;
        let kind = self.kind(at);
        if matches!(kind, TokenKind::End | TokenKind::CloseBrace)
            || self.tokens.starts_line_of_key(at)
        {
            self.fault_of(ErrorKind::MissingValue, operator, key);
            return None;
        }
        if kind == TokenKind::OpenBrace {
            // After `@name =`: a list, so that its `}` closes it.
            self.fault(ErrorKind::ExpectedValue, at);
            return None;
        }
        self.at += 1;
        match kind {
            _ if kind.value_type().is_some() => Some(Value::Token(at)),
            TokenKind::At => self.named(at, false),
            TokenKind::Minus => match self.kind(self.at) {
                TokenKind::Param => {
                    self.at += 1;
                    Some(Value::NegativeParam(self.at - 1))
                }
                TokenKind::At => {
                    self.at += 1;
                    self.named(self.at - 1, true)
                }
                _ => Some(Value::Minus),
            },
            _ => {
                self.unexpected(ErrorKind::ExpectedValue, at);
                None
            }
        }
    }

    /// Reads the value of the `@` at an index, if a name follows.
    fn named(&mut self, at: usize, negative: bool) -> Option<Value> {
        let name = self.at;
        let kind = self.kind(name);
        if kind == TokenKind::OpenBracket {
            let (end, closed) = self.tokens.inline_end(at);
            self.at = end;
            if negative {
                self.fault(ErrorKind::ExpectedName, name);
                return None;
            }
            if !closed {
                self.fault(ErrorKind::UnclosedInline, at);
            }
            return Some(Value::Inline(name + 1, end - usize::from(closed)));
        }
        if kind != TokenKind::Identifier {
            let at_sign = matches!(kind, TokenKind::End | TokenKind::CloseBrace)
                || self.tokens.list[name].first;
            self.unexpected(ErrorKind::ExpectedName, if at_sign { at } else { name });
            return None;
        }
        self.at += 1;
        Some(if negative {
            Value::NegativeScripted(name)
        } else {
            Value::Scripted(name)
        })
    }

    /// Enters a block or a list.
    fn enter(&mut self, opener: usize, key: (usize, usize)) {
        if self.open.len() == self.options.max_depth {
            self.fault_of(ErrorKind::TooDeep, opener, (0, 0));
        }
        self.open.push(Open { opener, key });
        self.count(1);
    }

    fn close(&mut self) {
        if !self.too_deep() {
            self.out.drop_comma();
            self.out.raw(b"]},");
        }
        self.open.pop();
    }

    /// Ends the innermost block before `self.at`, and reports its missing brace.
    fn close_unclosed(&mut self) {
        let Some(&Open { opener, key }) = self.open.last() else {
            return;
        };
        let fault = self.tokens.unclosed(opener, key, self.at);
        self.tokens.faults.push(fault);
        self.close();
    }

    /// Reports a token, and skips to the next brace, line, or token that starts a block.
    fn unexpected(&mut self, kind: ErrorKind, index: usize) {
        self.fault(kind, index);
        loop {
            let at = self.at;
            let kind = self.kind(at);
            if matches!(
                kind,
                TokenKind::End | TokenKind::OpenBrace | TokenKind::CloseBrace
            ) || self.tokens.list[at].first
                || self.repairs.opens.contains(&at)
            {
                return;
            }
            self.at = match kind {
                TokenKind::At if self.kind(at + 1) == TokenKind::OpenBracket => {
                    self.tokens.inline_end(at).0
                }
                _ => at + 1,
            };
        }
    }

    fn fault(&mut self, kind: ErrorKind, index: usize) {
        let token = self.tokens.list[index];
        self.fault_of(kind, index, (token.start, token.end));
    }

    fn fault_of(&mut self, kind: ErrorKind, index: usize, found: (usize, usize)) {
        let token = self.tokens.list[index];
        self.tokens.faults.push(Fault {
            kind,
            start: token.start,
            end: token.end,
            found,
            opener_line: 0,
        });
    }

    fn kind(&self, index: usize) -> TokenKind {
        self.tokens.list[index].kind
    }

    /// Whether a token is an operator that cannot be a value.
    fn is_plain_operator(&self, index: usize) -> bool {
        let kind = self.kind(index);
        kind.is_operator() && kind.value_type().is_none()
    }

    /// Whether the current element is nested too deeply to be written.
    fn too_deep(&self) -> bool {
        self.open.len() > self.options.max_depth
    }

    fn count(&mut self, nodes: u64) {
        if !self.too_deep() {
            self.node_count += nodes;
        }
    }
}
