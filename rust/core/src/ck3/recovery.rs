//! The parser that recovers from every error.
//!
//! `ck3parse/parser/ck3/recovery.py` is the same in Python.

use crate::braces::{self, Repairs};
use crate::ck3::Options;
use crate::ck3::json::{Element, Json};
use crate::ck3::parser::{Nodes, Scalar, is_tag};
use crate::ck3::source::Source;
use crate::ck3::tokens::{self, Tokens};
use crate::grammar_tables::{ErrorKind, TokenKind};
use crate::recovery::Recovered;
use crate::recovery_tokens::Fault;
use crate::text::LineEnds;
use crate::writer::Buffer;

/// What is done with each element of a text that may be broken. The end of a block is told to
/// [`Nodes::close`].
pub(crate) trait Elements: Nodes {
    fn element(&mut self, element: &Element);
}

/// Parses a text into the buffer.
pub(crate) fn recover<'b>(
    source: &Source,
    options: Options,
    buffer: &'b mut Buffer,
) -> Recovered<'b> {
    let mut json = Json::new(source, buffer);
    let tokens = tell(source, options.max_depth, &mut json);
    let ast = json.finish(options.comments.then_some(&tokens.comments));
    Recovered::new(ast, tokens.table, LineEnds::Kept, options.max_faults)
}

/// Tells all elements of a text, and returns its tokens, with what is wrong with them.
pub(crate) fn tell<'t>(
    source: &'t Source,
    max_depth: usize,
    elements: &mut impl Elements,
) -> Tokens<'t> {
    let mut tokens = tokens::tokens(source, false);
    if !tokens.sound {
        tokens = tokens::tokens(source, true);
    }
    let mut recovery = Recovery {
        repairs: braces::repairs(&tokens.table),
        told: elements,
        tokens,
        max_depth,
        open: Vec::new(),
        at: 0,
    };
    recovery.elements();
    recovery.tokens
}

/// An open block, list or directive: its `{`, or its operator if the `{` is missing, and the span of
/// its key.
struct Open {
    opener: usize,
    key: (usize, usize),
}

struct Recovery<'t, 'e, E> {
    tokens: Tokens<'t>,
    repairs: Repairs,
    told: &'e mut E,
    max_depth: usize,
    open: Vec<Open>,
    at: usize,
}

impl<E: Elements> Recovery<'_, '_, E> {
    fn elements(&mut self) {
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
            if kind == TokenKind::Directive && !self.tokens.table.is_operator(self.at) {
                self.directive(at);
            } else if kind.is_key() {
                self.element(at, Element::default());
            } else if kind == TokenKind::OpenBrace {
                self.list(at);
            } else if kind != TokenKind::CloseBrace {
                // An operator.
                self.fault(ErrorKind::ExpectedElement, at);
                if self.repairs.opens.contains(&self.at) {
                    self.list(at);
                }
            } else if self.repairs.strays.contains(&at) || self.open.is_empty() {
                self.fault(ErrorKind::StrayClosingBrace, at);
            } else {
                self.close(self.tokens.table.list[at].end);
            }
        }
    }

    /// Writes the directive whose word is at an index, with the element after it on its line.
    fn directive(&mut self, at: usize) {
        let mut element = Element {
            directive: Some(self.scalar(at)),
            ..Element::default()
        };
        let after = self.at;
        let token = self.tokens.table.list[after];
        if !token.first && token.kind == TokenKind::OpenBrace {
            self.at += 1;
            element.opens = true;
            self.open_block(after, (0, 0), &element);
        } else if !token.first && token.kind.is_key() {
            self.at += 1;
            self.element(after, element);
        } else {
            self.write(&element);
        }
    }

    /// Writes the list whose brace, or the operator in its place, is at an index.
    fn list(&mut self, at: usize) {
        let element = Element {
            brace: Some(self.scalar(at)),
            opens: true,
            ..Element::default()
        };
        self.open_block(at, (0, 0), &element);
    }

    /// Writes the element whose key or value was just read, and which may be that of a directive.
    fn element(&mut self, key: usize, mut element: Element) {
        let operator = self.at;
        if !self.tokens.table.is_operator(operator) {
            element.value = Some(self.scalar(key));
            self.write(&element);
            let next = self.tokens.table.list[operator];
            if next.kind == TokenKind::OpenBrace && !next.first {
                self.fault(ErrorKind::MissingOperator, key);
            }
            return;
        }
        self.at += 1;
        while self.kind(self.at).is_operator() && self.kind(self.at).value_type().is_none() {
            self.fault(ErrorKind::ExpectedValue, self.at);
            self.at += 1;
        }
        let at = self.at;
        let token = self.tokens.table.list[key];
        let key_span = (token.start, token.end);
        element.key = Some((self.scalar(key), self.kind(operator)));
        if self.kind(at) == TokenKind::OpenBrace {
            self.at += 1;
            element.opens = true;
            self.open_block(at, key_span, &element);
        } else if self.repairs.opens.contains(&at) {
            self.fault_of(ErrorKind::MissingOpener, operator, key_span);
            element.opens = true;
            self.open_block(operator, key_span, &element);
        } else if matches!(self.kind(at), TokenKind::End | TokenKind::CloseBrace)
            || self.tokens.table.starts_line_of_key(at)
        {
            self.fault_of(ErrorKind::MissingValue, operator, key_span);
            element.key = None;
            element.value = Some(self.scalar(key));
            self.write(&element);
        } else {
            self.at += 1;
            let value = self.scalar(at);
            let next = self.tokens.table.list[at + 1];
            let text = &self.tokens.table.text[value.start..value.end];
            if next.kind == TokenKind::OpenBrace
                && value.kind.is_key()
                && value.is_word()
                && (!next.first || is_tag(text))
            {
                self.at += 1;
                element.tag = Some(value);
                element.opens = true;
                self.open_block(at + 1, key_span, &element);
            } else {
                element.value = Some(value);
                self.write(&element);
            }
        }
    }

    /// Returns a token as a key, a value or a tag.
    fn scalar(&self, index: usize) -> Scalar {
        let token = self.tokens.table.list[index];
        Scalar {
            start: token.start,
            end: token.end,
            kind: token.kind,
            plain: false,
            params: self.tokens.params.contains(&index),
            line: token.line as usize,
            column: token.column as usize,
        }
    }

    fn write(&mut self, element: &Element) {
        if !self.too_deep() {
            self.told.element(element);
        }
    }

    /// Enters a block, a list or a directive.
    fn open_block(&mut self, opener: usize, key: (usize, usize), element: &Element) {
        if self.open.len() == self.max_depth {
            self.fault(ErrorKind::TooDeep, opener);
        }
        self.open.push(Open { opener, key });
        self.write(element);
    }

    /// Ends the innermost block at an offset.
    fn close(&mut self, end: usize) {
        if !self.too_deep() {
            self.told.close(end);
        }
        self.open.pop();
    }

    /// Ends the innermost block before `self.at`, and reports its missing brace.
    fn close_unclosed(&mut self) {
        let Some(&Open { opener, key }) = self.open.last() else {
            return;
        };
        let fault = self.tokens.table.unclosed(opener, key, self.at);
        self.tokens.table.faults.push(fault);
        self.close(self.tokens.table.list[self.at - 1].end);
    }

    fn fault(&mut self, kind: ErrorKind, index: usize) {
        let token = self.tokens.table.list[index];
        self.fault_of(kind, index, (token.start, token.end));
    }

    fn fault_of(&mut self, kind: ErrorKind, index: usize, found: (usize, usize)) {
        let token = self.tokens.table.list[index];
        self.tokens.table.faults.push(Fault {
            kind,
            start: token.start,
            end: token.end,
            found,
            opener_line: 0,
        });
    }

    fn kind(&self, index: usize) -> TokenKind {
        self.tokens.table.list[index].kind
    }

    /// Whether the current element is nested too deeply to be written.
    fn too_deep(&self) -> bool {
        self.open.len() > self.max_depth
    }
}
