//! Reads a text as dialect `ck3` does while contract 1's parser reads it, if both find the same in it.
//!
//! Most files are such texts, so that one pass makes their tree of contract 1 and tells their nodes in
//! dialect `ck3`. The agreement ends with a text in which `ck3` has something to report, and with what
//! it reads in another way. Contract 1 divides some words, such as dates: these are put together.

use memchr::memchr;

use crate::ck3::parser::{Nodes, STOPS, Scalar, expression_end, is_tag};
use crate::ck3::words::{numeric, word_of};
use crate::grammar_tables::TokenKind;
use crate::place::Place;
use crate::scan::Token;
use crate::visitor::Visitor;

/// Tells nodes of dialect `ck3` as long as it agrees with contract 1.
pub(crate) struct Agreement<'t, 'n, N> {
    text: &'t [u8],
    nodes: &'n mut N,
    state: State,
    /// Whether the next brace belongs to a tag.
    tagged: bool,
}

enum State {
    /// Both have read all up to here.
    Agreed,
    /// A word of `ck3` goes on with the next token.
    Divided(Divided),
    /// They differ.
    Ended,
}

/// The first part of a word that contract 1 divides.
struct Divided {
    part: Token,
    /// What the word is assigned to, if it is.
    key: Option<(Scalar, TokenKind)>,
}

/// What follows the first token of an element.
enum Rest {
    Nothing,
    Block(TokenKind),
    Value(TokenKind, Token),
}

impl<'t, 'n, N: Nodes> Agreement<'t, 'n, N> {
    pub fn new(text: &'t [u8], nodes: &'n mut N) -> Self {
        Agreement {
            text,
            nodes,
            state: State::Agreed,
            tagged: false,
        }
    }

    /// Whether both have read the text alike.
    pub fn holds(&self) -> bool {
        matches!(self.state, State::Agreed)
    }

    /// Returns the kind of a token in `ck3`, if it is one of the usual kinds.
    #[inline(always)]
    fn usual(&self, token: &Token) -> Option<TokenKind> {
        let (start, end) = (token.start, token.end);
        if token.kind == TokenKind::Identifier {
            let kind = match self.text[start] {
                b'+'..=b'9' => numeric(&self.text[start..end]).unwrap_or(TokenKind::Identifier),
                _ => TokenKind::Identifier,
            };
            return self.is_end(end).then_some(kind);
        }
        let is_word = match token.kind {
            TokenKind::String => return self.is_string(token).then_some(TokenKind::String),
            TokenKind::Bool => true,
            TokenKind::Number => token.plain,
            _ => false,
        };
        (is_word && self.is_end(end)).then_some(token.kind)
    }

    /// Whether a string ends at the first quote, and this is the one that `ck3` has.
    #[inline(always)]
    fn is_string(&self, token: &Token) -> bool {
        self.text[token.start] == b'"'
            && (token.plain || memchr(b'\\', &self.text[token.start..token.end]).is_none())
    }

    /// Returns a token as `ck3` reads it, or `None` if it does not.
    fn any(&self, token: Token) -> Option<Scalar> {
        if let Some(kind) = self.usual(&token) {
            return Some(scalar(&token, kind));
        }
        let text = &self.text[token.start..token.end];
        match (token.kind, text) {
            (TokenKind::String, [b'"', ..]) => return None,
            (TokenKind::At, [b'@', b'[', ..]) => {
                let is_whole = expression_end(self.text, token.start) == Some(token.end);
                return is_whole.then_some(scalar(&token, TokenKind::Expression));
            }
            _ => {}
        }
        if text.iter().any(|&byte| STOPS[byte as usize]) {
            return None;
        }
        let word = word_of(text);
        let is_sound = word.fault.is_none() && word.kind != TokenKind::Directive;
        is_sound.then_some(scalar(&token, word.kind))
    }

    /// Whether a word of `ck3` ends before an offset.
    #[inline(always)]
    fn is_end(&self, at: usize) -> bool {
        self.text.get(at).is_none_or(|&byte| STOPS[byte as usize])
    }

    /// Whether a word goes on after a token.
    fn goes_on(&self, token: Token) -> bool {
        let is_word = match token.kind {
            TokenKind::String => self.text[token.start] != b'"',
            TokenKind::At => self.text.get(token.start + 1) != Some(&b'['),
            _ => true,
        };
        is_word && !self.is_end(token.end)
    }

    #[inline(never)]
    fn element(&mut self, first: Token, rest: Rest, line: usize, next: &Place) {
        self.state = self.read(first, rest, line, next).unwrap_or(State::Ended);
    }

    /// Reads an element that is not of usual tokens.
    fn read(&mut self, first: Token, rest: Rest, line: usize, next: &Place) -> Option<State> {
        let (first, begun) = match std::mem::replace(&mut self.state, State::Ended) {
            State::Agreed => (first, None),
            State::Divided(Divided { part, key }) if part.end == first.start => {
                let end = first.end;
                (Token { end, ..part }, key)
            }
            _ => return None,
        };
        let (key, operator, value) = match (rest, begun) {
            (Rest::Nothing, key) if self.goes_on(first) => {
                let part = whole(first);
                return Some(State::Divided(Divided { part, key }));
            }
            (Rest::Nothing, None) => {
                let value = self.any(first)?;
                return self.tell_value(&value, line, next);
            }
            (Rest::Nothing, Some((key, operator))) => (key, operator, first),
            (Rest::Block(operator), None) => {
                self.nodes.block(&self.any(first)?, operator);
                return Some(State::Agreed);
            }
            (Rest::Value(operator, value), None) => (self.any(first)?, operator, value),
            _ => return None,
        };
        if self.goes_on(value) {
            return Some(State::Divided(Divided {
                part: whole(value),
                key: Some((key, operator)),
            }));
        }
        let value = self.any(value)?;
        self.tell_assign(&key, operator, &value, line, next);
        Some(State::Agreed)
    }

    #[inline(always)]
    fn tell_value(&mut self, value: &Scalar, line: usize, next: &Place) -> Option<State> {
        if next.line == line && next.text.get(next.at) == Some(&b'{') {
            return None; // no operator
        }
        self.nodes.value(value);
        Some(State::Agreed)
    }

    #[inline(always)]
    fn tell_assign(
        &mut self,
        key: &Scalar,
        operator: TokenKind,
        value: &Scalar,
        line: usize,
        next: &Place,
    ) {
        if next.text.get(next.at) == Some(&b'{')
            && value.is_word()
            && (next.line == line || is_tag(&self.text[value.start..value.end]))
        {
            self.tagged = true;
            self.nodes.tagged(key, operator, value);
        } else {
            self.nodes.assign(key, operator, value);
        }
    }
}

#[inline(always)]
fn scalar(token: &Token, kind: TokenKind) -> Scalar {
    Scalar {
        start: token.start,
        end: token.end,
        kind,
        line: token.line,
        ..Scalar::default()
    }
}

/// Returns a part of a word as a token of no usual kind, as the whole word will be.
fn whole(part: Token) -> Token {
    Token {
        kind: TokenKind::At,
        plain: false,
        ..part
    }
}

impl<N: Nodes> Visitor for &mut Agreement<'_, '_, N> {
    #[inline(never)]
    fn bare_token(&mut self, value: &Token, line: usize, next: &Place) {
        match self.usual(value) {
            Some(kind) if self.holds() => {
                if self.tell_value(&scalar(value, kind), line, next).is_none() {
                    self.state = State::Ended;
                }
            }
            _ => self.element(*value, Rest::Nothing, line, next),
        }
    }

    #[inline(never)]
    fn block_token(&mut self, key: &Token, operator: TokenKind, next: &Place) {
        match self.usual(key) {
            Some(kind) if self.holds() => self.nodes.block(&scalar(key, kind), operator),
            _ => self.element(*key, Rest::Block(operator), 0, next),
        }
    }

    #[inline(never)]
    fn tokens(
        &mut self,
        key: &Token,
        operator: TokenKind,
        value: &Token,
        line: usize,
        next: &Place,
    ) {
        match (self.usual(key), self.usual(value)) {
            (Some(key_kind), Some(value_kind)) if self.holds() => {
                let (key, value) = (scalar(key, key_kind), scalar(value, value_kind));
                self.tell_assign(&key, operator, &value, line, next)
            }
            _ => self.element(*key, Rest::Value(operator, *value), line, next),
        }
    }

    #[inline(always)]
    fn list(&mut self) {
        if !self.holds() {
            self.state = State::Ended;
        } else if !std::mem::take(&mut self.tagged) {
            self.nodes.list(&Scalar::default());
        }
    }

    #[inline(always)]
    fn close(&mut self, end: usize) {
        match self.state {
            State::Agreed => self.nodes.close(end),
            _ => self.state = State::Ended,
        }
    }

    fn own(&mut self) {
        self.state = State::Ended;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ck3;
    use crate::text::LineEnds;
    use crate::writer::Buffer;
    use crate::{Dialect, Options, parser};

    const MAX_DEPTH: usize = 4;

    #[derive(Default)]
    struct Record(Vec<String>);

    impl Record {
        fn add(&mut self, what: &str, scalars: &[&Scalar]) {
            let places = scalars.iter();
            let places = places.map(|each| (each.start, each.end, each.kind, each.line));
            self.0
                .push(format!("{what} {:?}", places.collect::<Vec<_>>()));
        }
    }

    impl Nodes for Record {
        fn value(&mut self, value: &Scalar) {
            self.add("value", &[value]);
        }

        fn assign(&mut self, key: &Scalar, operator: TokenKind, value: &Scalar) {
            self.add(&format!("assign {operator:?}"), &[key, value]);
        }

        fn block(&mut self, key: &Scalar, operator: TokenKind) {
            self.add(&format!("block {operator:?}"), &[key]);
        }

        fn tagged(&mut self, key: &Scalar, operator: TokenKind, tag: &Scalar) {
            self.add(&format!("tagged {operator:?}"), &[key, tag]);
        }

        fn list(&mut self, _: &Scalar) {
            self.add("list", &[]);
        }

        fn close(&mut self, end: usize) {
            self.add(&format!("close {end}"), &[]);
        }
    }

    /// Returns the nodes that are told, if both dialects have read the whole text alike.
    fn told(text: &str) -> Option<Vec<String>> {
        let mut record = Record::default();
        let mut agreement = Agreement::new(text.as_bytes(), &mut record);
        let options = Options {
            dialect: Dialect::Ck3Raven,
            max_depth: MAX_DEPTH,
        };
        let mut buffer = Buffer::new();
        let (ends, text) = (LineEnds::Folded, text.as_bytes());
        let parsed = parser::parse(text, ends, b"", options, &mut buffer, &mut agreement);
        (parsed.is_ok() && agreement.holds()).then_some(record.0)
    }

    /// Returns the nodes that the parser of `ck3` tells.
    fn expected(text: &str) -> Option<Vec<String>> {
        let mut record = Record::default();
        ck3::parser::parse(text.as_bytes(), 0, MAX_DEPTH, &mut record).then_some(record.0)
    }

    #[test]
    fn texts_that_both_read_alike_are_told_as_ck3_reads_them() {
        for text in [
            "",
            "# only a comment",
            "a = b\n c = { d e = 1 { f } }\r\n# g\nh > -0.5%\ti ?= yes",
            "scope:a.b|c = \"a text\" \"é\n\" = { é = ü1 }",
            "a = rgb { 1 2 3 } b = hsv\n{ 1 } c = other { } d = other\n{ }",
            "867.1.1 = { born = 867.12.30 died = 900.1.1 }",
            "5.1.1.1 = 1.2.3x y = 5.",
            ".5 = .x a = 1a",
            "$A$ = $B$ $A$_b = c_$B$ x = title:$A$.b$C$ $D$.e = { $F$ }",
            "@a = 1 b = @a c = { @d } e = @[f + g * 2] @[h]",
            "a = @x|y b$C$@d = e",
            "a = $B$ { } c = 1.1.1 { }",
            "a = e'f g = 'h' i = 1'j'",
        ] {
            let told = told(text);
            assert!(told.is_some(), "{text}");
            assert_eq!(told, expected(text), "{text}");
        }
    }

    #[test]
    fn a_text_that_ck3_reads_in_another_way_or_reports_ends_the_agreement() {
        for text in [
            "a = b; c = d",
            "a = { b, c }",
            "a = 'b c'",
            "a = \"b\\\"c\"",
            "a { b }",
            "$A$ { b }",
            "a.1.1 { b }",
            "a = -$B$",
            "a = <",
            "a = $B",
            "a = @ b",
            "a = 1.1.1\u{a0}",
            "a = 1.1.1 = { }",
            "{ { { { { } } } } }",
            "a = b }",
            "a = @[b\n]",
            "é\u{feff} = 1",
        ] {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
