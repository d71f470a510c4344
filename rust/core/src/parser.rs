//! The strict parser: which tokens make a node, and the JSON of each node.

use crate::dialect::Start;
use crate::error::{Error, Failure};
use crate::grammar_tables::{ErrorKind, TokenKind, ValueType};
use crate::scan::{Scanner, Token};
use crate::text::LineEnds;
use crate::visitor::Visitor;
use crate::writer::{Buffer, Piece, Writer};
use crate::{Ast, Options};

const ROOT: Piece<64> = Piece::new(br#"{"_type":"root","filename":""#);
const ROOT_CHILDREN: Piece<32> = Piece::new(br#"","children":["#);
const ROOT_END: Piece<2> = Piece::new(b"]}");

const BLOCK: Piece<32> = Piece::new(br#"{"_type":"block","name":""#);
const BLOCK_CHILDREN: Piece<16> = Piece::new(br#","children":["#);
const LIST: Piece<16> = Piece::new(br#"{"_type":"list""#);
const LIST_ITEMS: Piece<16> = Piece::new(br#","items":["#);
const CLOSE: Piece<4> = Piece::new(b"]},");

const ASSIGNMENT: Piece<32> = Piece::new(br#"{"_type":"assignment","key":""#);
const ASSIGNED: Piece<48> = Piece::new(br#","value":{"_type":"value","value":""#);
const ASSIGNED_END: Piece<4> = Piece::new(b"}},");

const VALUE: Piece<32> = Piece::new(br#"{"_type":"value","value":""#);
const VALUE_END: Piece<2> = Piece::new(b"},");

type Fragment = Piece<48>;

const IDENTIFIER: Fragment = typed(ValueType::Identifier);
const STRING: Fragment = typed(ValueType::String);
const NUMBER: Fragment = typed(ValueType::Number);
const BOOL: Fragment = typed(ValueType::Bool);
const PARAM: Fragment = typed(ValueType::Param);
const SCRIPTED: Fragment = typed(ValueType::ScriptedValue);
const INLINE: Fragment = typed(ValueType::InlineExpression);
const OPERATOR: Fragment = typed(ValueType::Operator);

const EQUAL: Fragment = operated(TokenKind::Equal);
const LESS: Fragment = operated(TokenKind::Less);
const GREATER: Fragment = operated(TokenKind::Greater);
const LESS_EQUAL: Fragment = operated(TokenKind::LessEqual);
const GREATER_EQUAL: Fragment = operated(TokenKind::GreaterEqual);
const NOT_EQUAL: Fragment = operated(TokenKind::NotEqual);
const EQUAL_EQUAL: Fragment = operated(TokenKind::EqualEqual);
const MAYBE_EQUAL: Fragment = operated(TokenKind::MaybeEqual);

/// Returns what follows the text of a value: its type.
const fn typed(value_type: ValueType) -> Fragment {
    Piece::joined(&[br#"","value_type":""#, value_type.name().as_bytes(), b"\""])
}

/// Returns what follows the text of a key: its operator.
const fn operated(operator: TokenKind) -> Fragment {
    Piece::joined(&[br#"","operator":""#, operator.texts()[0].as_bytes(), b"\""])
}

/// The JSON of a real file is seldom longer than this many times its source.
const EXPECTED_GROWTH: usize = 8;

/// Parses a text into the buffer, and tells a visitor of its nodes.
pub(crate) fn parse<'b>(
    text: &[u8],
    ends: LineEnds,
    name: &[u8],
    options: Options,
    buffer: &'b mut Buffer,
    visitor: impl Visitor,
) -> Result<Ast<'b>, Error> {
    let mut parser = Parser {
        scan: Scanner::new(text, options.dialect),
        out: Writer::new(buffer, text.len().saturating_mul(EXPECTED_GROWTH)),
        ends,
        max_depth: options.max_depth,
        open: Vec::new(),
        node_count: 1,
        visitor,
    };
    match parser.root(name) {
        Ok(()) => Ok(Ast {
            node_count: parser.node_count,
            json: parser.out.finish(),
        }),
        Err(failure) => {
            let failure = parser.lexical_or(failure);
            Err(Error::new(failure, text, ends, options.max_depth))
        }
    }
}

struct Parser<'t, 'b, V> {
    scan: Scanner<'t>,
    out: Writer<'b>,
    ends: LineEnds,
    max_depth: usize,
    /// The offsets of the open braces.
    open: Vec<usize>,
    node_count: u64,
    visitor: V,
}

impl<V: Visitor> Parser<'_, '_, V> {
    /// Returns the next lexer error, which wins over one of the parser, or else the failure.
    #[cold]
    #[inline(never)]
    fn lexical_or(&mut self, failure: Failure) -> Failure {
        if failure.kind.is_lexical() {
            return failure;
        }
        loop {
            match self.scan.token() {
                Ok(token) if token.kind == TokenKind::End => return failure,
                Ok(_) => {}
                Err(lexical) => return lexical,
            }
        }
    }

    fn root(&mut self, name: &[u8]) -> Result<(), Failure> {
        self.out.piece(&ROOT);
        self.out.escaped(name);
        self.out.piece(&ROOT_CHILDREN);
        self.elements()?;
        self.out.drop_comma();
        self.out.piece(&ROOT_END);
        Ok(())
    }

    fn elements(&mut self) -> Result<(), Failure> {
        let mut start = self.scan.skip();
        loop {
            self.out
                .reserve_element(self.scan.place.at, self.scan.place.text.len());
            if start == Some(Start::Name) {
                let key = self.scan.name();
                start = self.keyed(key)?;
                continue;
            }
            let mut token = self.scan.token_at(start)?;
            let mut owed = false;
            while token.kind == TokenKind::Semicolon {
                owed = true;
                self.visitor.own();
                token = self.scan.token()?;
            }
            start = match token.kind {
                TokenKind::Identifier
                | TokenKind::Bool
                | TokenKind::Number
                | TokenKind::String
                | TokenKind::Param => self.keyed(token)?,
                TokenKind::OpenBrace => {
                    self.enter(token)?;
                    self.out.piece(&LIST);
                    self.out.place(token.line, token.column);
                    self.out.piece(&LIST_ITEMS);
                    self.visitor.list();
                    self.scan.skip()
                }
                TokenKind::CloseBrace => {
                    if self.open.is_empty() {
                        return Err(token.fails(ErrorKind::StrayClosingBrace));
                    }
                    if owed {
                        return Err(token.fails(ErrorKind::ExpectedElement));
                    }
                    self.open.pop();
                    self.out.drop_comma();
                    self.out.piece(&CLOSE);
                    self.visitor.close(token.end);
                    self.scan.skip()
                }
                TokenKind::At => self.scripted(token)?,
                TokenKind::Comma if !owed && !self.open.is_empty() => {
                    self.visitor.own();
                    self.scan.skip()
                }
                TokenKind::End => {
                    return match self.open.last() {
                        None => Ok(()),
                        Some(&brace) => Err(Failure {
                            kind: ErrorKind::UnclosedBlock,
                            start: brace,
                            end: brace + 1,
                        }),
                    };
                }
                _ => return Err(token.fails(ErrorKind::ExpectedElement)),
            };
        }
    }

    /// Enters a block or a list.
    #[inline(always)]
    fn enter(&mut self, brace: Token) -> Result<(), Failure> {
        if self.open.len() >= self.max_depth {
            return Err(brace.fails(ErrorKind::TooDeep));
        }
        self.open.push(brace.start);
        self.node_count += 1;
        Ok(())
    }

    /// Writes an element that starts with a key: a block, an assignment or a value. Returns what the
    /// next token can start with, as all of these do.
    #[inline(always)]
    fn keyed(&mut self, key: Token) -> Result<Option<Start>, Failure> {
        let line = self.scan.place.line;
        let start = self.scan.skip();
        let Some(operator) = self.operator(start)? else {
            self.node_count += 1;
            self.out.piece(&VALUE);
            self.text(key);
            self.out.piece(value_type(key.kind));
            self.out.place(key.line, key.column);
            self.out.piece(&VALUE_END);
            self.visitor.bare_token(&key, line, &self.scan.place);
            return Ok(start);
        };
        let start = self.scan.skip();
        if start == Some(Start::Name) {
            let value = self.scan.name();
            self.assignment(key, operator);
            return self.assigned(key, operator, value);
        }
        let value = self.scan.token_at(start)?;
        if value.kind == TokenKind::OpenBrace {
            self.enter(value)?;
            self.out.piece(&BLOCK);
            let start = self.out.length();
            self.text(key);
            if V::TEXTS {
                let name = self.out.since(start);
                self.visitor.block(name, key.line, key.column);
            }
            self.visitor.block_token(&key, operator, &self.scan.place);
            self.out.piece(written(operator));
            self.out.place(key.line, key.column);
            self.out.piece(&BLOCK_CHILDREN);
            return Ok(self.scan.skip());
        }
        self.assignment(key, operator);
        self.assigned(key, operator, value)
    }

    /// Writes an assignment up to its value.
    #[inline(always)]
    fn assignment(&mut self, key: Token, operator: TokenKind) {
        self.out.piece(&ASSIGNMENT);
        let start = self.out.length();
        self.text(key);
        if V::TEXTS {
            let text = self.out.since(start);
            self.visitor.key(text, key.line, key.column);
        }
        self.out.piece(written(operator));
        self.out.place(key.line, key.column);
    }

    /// Writes an element that starts with `@`: an inline expression, an assignment or a value.
    #[inline(never)]
    fn scripted(&mut self, at: Token) -> Result<Option<Start>, Failure> {
        let name = self.scan.token()?;
        match name.kind {
            TokenKind::Identifier => {}
            TokenKind::OpenBracket => {
                self.node_count += 1;
                self.out.piece(&VALUE);
                self.inline(at)?;
                self.out.place(at.line, at.column);
                self.out.piece(&VALUE_END);
                let (whole, line) = (self.up_to_here(at), self.scan.place.line);
                let start = self.scan.skip();
                self.visitor.bare_token(&whole, line, &self.scan.place);
                return Ok(start);
            }
            _ => return Err(name.fails(ErrorKind::ExpectedName)),
        }
        let whole = self.up_to_here(at);
        let line = self.scan.place.line;
        let start = self.scan.skip();
        let Some(operator) = self.operator(start)? else {
            self.node_count += 1;
            self.out.piece(&VALUE);
            self.out.byte(b'@');
            self.text(name);
            self.out.piece(&SCRIPTED);
            self.out.place(at.line, at.column);
            self.out.piece(&VALUE_END);
            self.visitor.bare_token(&whole, line, &self.scan.place);
            return Ok(start);
        };
        self.out.piece(&ASSIGNMENT);
        self.out.byte(b'@');
        self.text(name);
        self.out.piece(written(operator));
        self.out.place(at.line, at.column);
        let value = self.scan.token()?;
        self.assigned(whole, operator, value)
    }

    /// Returns a token with all that was read since it.
    fn up_to_here(&self, token: Token) -> Token {
        Token {
            end: self.scan.place.at,
            plain: false,
            ..token
        }
    }

    /// Reads the token that starts with `start`, if it is an operator.
    #[inline(always)]
    fn operator(&mut self, start: Option<Start>) -> Result<Option<TokenKind>, Failure> {
        if start != Some(Start::Operator) {
            return Ok(None);
        }
        let token = self.scan.token_of(Start::Operator)?;
        match token.kind {
            TokenKind::Sign => Err(token.fails(ErrorKind::ExpectedElement)),
            operator => Ok(Some(operator)),
        }
    }

    /// Writes the rest of an assignment, whose value starts with a token.
    #[inline(always)]
    fn assigned(
        &mut self,
        key: Token,
        operator: TokenKind,
        value: Token,
    ) -> Result<Option<Start>, Failure> {
        self.node_count += 2;
        self.out.piece(&ASSIGNED);
        let start = self.out.length();
        match value.kind {
            TokenKind::Identifier
            | TokenKind::Bool
            | TokenKind::Number
            | TokenKind::String
            | TokenKind::Param => {
                self.text(value);
                self.out.piece(value_type(value.kind));
            }
            _ => self.odd_value(value)?,
        }
        if V::TEXTS {
            let text = self.out.since(start);
            self.visitor.value(text, value.line, value.column);
        }
        self.out.place(value.line, value.column);
        self.out.piece(&ASSIGNED_END);
        let line = self.scan.place.line;
        let value = match value.kind {
            TokenKind::At => self.up_to_here(value),
            _ => value,
        };
        let start = self.scan.skip();
        let next = &self.scan.place;
        self.visitor.tokens(&key, operator, &value, line, next);
        Ok(start)
    }

    /// Writes the text and type of a value that cannot be a key or has several tokens.
    #[inline(never)]
    fn odd_value(&mut self, value: Token) -> Result<(), Failure> {
        match value.kind {
            TokenKind::At => {
                let name = self.scan.token()?;
                match name.kind {
                    TokenKind::Identifier => {
                        self.out.byte(b'@');
                        self.text(name);
                        self.out.piece(&SCRIPTED);
                    }
                    TokenKind::OpenBracket => self.inline(value)?,
                    _ => return Err(name.fails(ErrorKind::ExpectedName)),
                }
            }
            TokenKind::Minus => {
                self.visitor.own();
                self.negated()?;
            }
            TokenKind::Less
            | TokenKind::Greater
            | TokenKind::LessEqual
            | TokenKind::GreaterEqual
            | TokenKind::NotEqual
            | TokenKind::EqualEqual => {
                self.visitor.own();
                self.text(value);
                self.out.piece(&OPERATOR);
            }
            TokenKind::End => return Err(value.fails(ErrorKind::MissingValue)),
            _ => return Err(value.fails(ErrorKind::ExpectedValue)),
        }
        Ok(())
    }

    /// Writes the text and type of a value that starts with a minus.
    fn negated(&mut self) -> Result<(), Failure> {
        self.out.byte(b'-');
        let start = self.scan.skip();
        match start.map(|_| self.scan.place.text[self.scan.place.at]) {
            Some(b'$') => {
                let param = self.scan.token()?;
                self.text(param);
                self.out.piece(&PARAM);
            }
            Some(b'@') => {
                self.scan.token()?;
                let name = self.scan.token()?;
                if name.kind != TokenKind::Identifier {
                    return Err(name.fails(ErrorKind::ExpectedName));
                }
                self.out.byte(b'@');
                self.text(name);
                self.out.piece(&SCRIPTED);
            }
            _ => self.out.piece(&IDENTIFIER),
        }
        Ok(())
    }

    /// Writes the text and type of an inline expression, after its `@[`.
    fn inline(&mut self, at: Token) -> Result<(), Failure> {
        self.out.byte(b'@');
        self.out.byte(b'[');
        let mut depth = 1usize;
        let mut first = true;
        loop {
            self.out.reserve(0);
            let token = self.scan.token()?;
            match token.kind {
                TokenKind::OpenBracket => depth += 1,
                TokenKind::CloseBracket => depth -= 1,
                TokenKind::End => return Err(at.fails(ErrorKind::UnclosedInline)),
                _ => {}
            }
            if depth == 0 {
                self.out.byte(b']');
                self.out.piece(&INLINE);
                return Ok(());
            }
            if !first {
                self.out.byte(b' ');
            }
            first = false;
            self.text(token);
        }
    }

    /// Writes the value of a token.
    #[inline(always)]
    fn text(&mut self, token: Token) {
        let text = self.scan.place.text;
        match token.kind {
            TokenKind::String if token.plain => {
                self.out.plain(text, token.start + 1, token.end - 1)
            }
            TokenKind::String => {
                let quote = text[token.start];
                let inner = &text[token.start + 1..token.end - 1];
                self.out.string(inner, quote, self.ends, self.scan.dialect);
            }
            TokenKind::Param => self.param(token),
            _ if token.plain => self.out.plain(text, token.start, token.end),
            _ => self.out.escaped(&text[token.start..token.end]),
        }
    }

    /// Writes the value of a parameter, which always has both dollar signs.
    #[inline(never)]
    fn param(&mut self, token: Token) {
        let inner = &self.scan.place.text[token.start + 1..token.end];
        let inner = inner.strip_suffix(b"$").unwrap_or(inner);
        self.out.byte(b'$');
        self.out.escaped(inner);
        self.out.byte(b'$');
    }
}

/// Returns what follows the text of a key: its operator.
#[inline(always)]
fn written(operator: TokenKind) -> &'static Fragment {
    match operator {
        TokenKind::Less => &LESS,
        TokenKind::Greater => &GREATER,
        TokenKind::LessEqual => &LESS_EQUAL,
        TokenKind::GreaterEqual => &GREATER_EQUAL,
        TokenKind::NotEqual => &NOT_EQUAL,
        TokenKind::EqualEqual => &EQUAL_EQUAL,
        TokenKind::MaybeEqual => &MAYBE_EQUAL,
        _ => &EQUAL,
    }
}

#[inline(always)]
fn value_type(kind: TokenKind) -> &'static Fragment {
    match kind {
        TokenKind::Bool => &BOOL,
        TokenKind::Number => &NUMBER,
        TokenKind::String => &STRING,
        TokenKind::Param => &PARAM,
        _ => &IDENTIFIER,
    }
}
