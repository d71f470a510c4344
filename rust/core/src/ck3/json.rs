//! The JSON of nodes.

use crate::Ast;
use crate::ck3::parser::{Nodes, Scalar};
use crate::ck3::source::Source;
use crate::ck3::words::params_of;
use crate::grammar_tables::{TokenKind, ValueType};
use crate::writer::{Buffer, Digits, Gap, Piece, Writer};

/// The JSON of a real file is seldom longer than this many times its source.
const EXPECTED_GROWTH: usize = 8;

const ASSIGN: Piece<32> = Piece::new(br#"{"_type":"assign","key":""#);
const BLOCK: Piece<32> = Piece::new(br#"{"_type":"block","key":""#);
const LIST: Piece<32> = Piece::new(br#"{"_type":"list","span":["#);
const VALUE: Piece<32> = Piece::new(br#"{"_type":"value","value":""#);
const KEY_SPAN: Piece<16> = Piece::new(br#"","key_span":["#);
const VALUE_SPAN: Piece<16> = Piece::new(br#","value_span":["#);
const SPAN_AFTER: Piece<16> = Piece::new(br#"],"span":["#);
const SPAN: Piece<16> = Piece::new(br#","span":["#);
const CHILDREN: Piece<16> = Piece::new(br#","children":["#);
const CLOSE: Piece<4> = Piece::new(b"]},");
const END: Piece<2> = Piece::new(b"},");

type Operator = Piece<32>;

const fn assigned(operator: TokenKind) -> Operator {
    Piece::joined(&[
        br#"],"op":""#,
        operator.texts()[0].as_bytes(),
        br#"","value":""#,
    ])
}

const fn opened(operator: TokenKind) -> Operator {
    Piece::joined(&[
        br#"],"op":""#,
        operator.texts()[0].as_bytes(),
        br#"","span":["#,
    ])
}

/// What follows the text of a value.
const fn kind(value_type: ValueType) -> Piece<32> {
    Piece::joined(&[br#"","kind":""#, value_type.name().as_bytes(), b"\""])
}

macro_rules! operators {
    ($of:ident, $operator:expr) => {
        match $operator {
            TokenKind::EqualEqual => const { &$of(TokenKind::EqualEqual) },
            TokenKind::MaybeEqual => const { &$of(TokenKind::MaybeEqual) },
            TokenKind::NotEqual => const { &$of(TokenKind::NotEqual) },
            TokenKind::Less => const { &$of(TokenKind::Less) },
            TokenKind::LessEqual => const { &$of(TokenKind::LessEqual) },
            TokenKind::Greater => const { &$of(TokenKind::Greater) },
            TokenKind::GreaterEqual => const { &$of(TokenKind::GreaterEqual) },
            _ => const { &$of(TokenKind::Equal) },
        }
    };
}

/// An open block whose end is to be written.
struct Open {
    at: usize,
    room: usize,
}

/// Writes nodes as JSON into a buffer.
pub(crate) struct Json<'s, 'b> {
    source: &'s Source<'s>,
    out: Writer<'b>,
    open: Vec<Open>,
    gaps: Vec<Gap>,
    node_count: u64,
}

impl<'s, 'b> Json<'s, 'b> {
    pub fn new(source: &'s Source, buffer: &'b mut Buffer) -> Self {
        let mut out = Writer::new(buffer, source.text.len().saturating_mul(EXPECTED_GROWTH));
        out.raw(br#"{"_type":"root","encoding":""#);
        out.raw(source.encoding.as_bytes());
        out.raw(br#"","children":["#);
        Json {
            source,
            out,
            open: Vec::new(),
            gaps: Vec::new(),
            node_count: 1,
        }
    }

    /// Ends the tree. The root lists comments unless there are none to list.
    pub fn finish(mut self, comments: Option<&[(usize, usize)]>) -> Ast<'b> {
        self.out.drop_comma();
        self.out.raw(b"]");
        if let Some(comments) = comments {
            self.out.raw(br#","comments":["#);
            for &(start, end) in comments {
                self.out.raw(b"[");
                self.offsets(start, end);
                self.out.raw(b"],");
            }
            self.out.drop_comma();
            self.out.raw(b"]");
        }
        self.out.raw(b"}");
        if !self.gaps.is_empty() {
            self.out.widen(self.gaps);
        }
        Ast {
            json: self.out.finish(),
            node_count: self.node_count,
        }
    }

    /// Makes room for an element.
    #[inline(always)]
    fn begin(&mut self, start: usize) {
        self.out.reserve_element(start, self.source.text.len());
        self.node_count += 1;
    }

    #[inline(always)]
    fn offset(&self, at: usize) -> Digits {
        Digits::of(self.source.offset(at))
    }

    #[inline(always)]
    fn offsets(&mut self, start: usize, end: usize) {
        let digits = self.offset(start);
        self.out.digits(&digits);
        self.out.byte(b',');
        let digits = self.offset(end);
        self.out.digits(&digits);
    }

    /// Writes the text of a scalar.
    #[inline(always)]
    fn text(&mut self, scalar: &Scalar) {
        let text = &self.source.text[..];
        let (start, end) = scalar.inner();
        if scalar.plain {
            self.out.plain(text, start, end);
        } else {
            self.out.escaped_utf_8(&text[start..end]);
        }
    }

    /// Writes the text of a key, what is odd about it, and the beginning of its span.
    #[inline(always)]
    fn key(&mut self, key: &Scalar) {
        self.text(key);
        if key.kind == TokenKind::Identifier && !key.params {
            self.out.piece(&KEY_SPAN);
        } else {
            self.odd_key(key);
        }
    }

    #[inline(never)]
    fn odd_key(&mut self, key: &Scalar) {
        self.out.raw(b"\"");
        let kind = value_type(key.kind);
        if kind != ValueType::Identifier {
            self.out.raw(br#","key_kind":""#);
            self.out.raw(kind.name().as_bytes());
            self.out.raw(b"\"");
        }
        if key.params {
            self.out.raw(br#","key_params":["#);
            self.params(key);
            self.out.raw(b"]");
        }
        self.out.raw(br#","key_span":["#);
    }

    fn params(&mut self, scalar: &Scalar) {
        let text = &self.source.text[scalar.start..scalar.end];
        for name in params_of(text) {
            self.out.raw(b"\"");
            self.out.escaped_utf_8(name);
            self.out.raw(b"\",");
        }
        self.out.drop_comma();
    }

    /// Writes the text, kind and parameters of a value.
    #[inline(always)]
    fn value_members(&mut self, value: &Scalar) {
        self.text(value);
        self.out.piece(match value.kind {
            TokenKind::Identifier => const { &kind(ValueType::Identifier) },
            TokenKind::Number => const { &kind(ValueType::Number) },
            TokenKind::Bool => const { &kind(ValueType::Bool) },
            TokenKind::String => const { &kind(ValueType::String) },
            _ => other_kind(value.kind),
        });
        if value.params {
            self.value_params(value);
        }
    }

    #[inline(never)]
    fn value_params(&mut self, value: &Scalar) {
        self.out.raw(br#","params":["#);
        self.params(value);
        self.out.raw(b"]");
    }

    /// Writes the span of a node whose end is not known yet, and its place.
    #[inline(always)]
    fn opening(&mut self, start: &Scalar) {
        let digits = self.offset(start.start);
        self.out.digits(&digits);
        self.out.byte(b',');
        self.open.push(Open {
            at: self.out.length(),
            room: digits.length,
        });
        self.out.leave(digits.length);
        self.out.byte(b']');
        self.out.place(start.line, start.column);
        self.out.piece(&CHILDREN);
    }

    /// Writes an element of any form.
    pub fn element(&mut self, element: &Element) {
        let start = element.start();
        self.begin(start.start);
        match (&element.directive, &element.key) {
            (Some(directive), _) => {
                self.out.raw(br#"{"_type":"directive","word":""#);
                self.text(directive);
                self.out.raw(b"\"");
            }
            (None, Some(_)) if element.value.is_some() => self.out.raw(br#"{"_type":"assign""#),
            (None, Some(_)) => self.out.raw(br#"{"_type":"block""#),
            (None, None) if element.value.is_some() => self.out.raw(br#"{"_type":"value""#),
            (None, None) => self.out.raw(br#"{"_type":"list""#),
        }
        if let Some((key, operator)) = &element.key {
            self.out.raw(br#","key":""#);
            self.key(key);
            self.offsets(key.start, key.end);
            self.out.raw(br#"],"op":""#);
            self.out.raw(operator.texts()[0].as_bytes());
            self.out.raw(b"\"");
        }
        if let Some(tag) = &element.tag {
            self.out.raw(br#","tag":""#);
            self.text(tag);
            self.out.raw(b"\"");
        }
        let mut end = start.end;
        if let Some(value) = &element.value {
            end = value.end;
            self.out.raw(br#","value":""#);
            self.value_members(value);
            if element.directive.is_some() || element.key.is_some() {
                self.out.piece(&VALUE_SPAN);
                self.offsets(value.start, value.end);
                self.out.raw(b"]");
            }
        }
        self.out.piece(&SPAN);
        if element.opens {
            self.opening(&start);
            return;
        }
        self.offsets(start.start, end);
        self.out.byte(b']');
        self.out.place(start.line, start.column);
        self.out.piece(&END);
    }
}

/// An element of any form.
#[derive(Default)]
pub(crate) struct Element {
    pub directive: Option<Scalar>,
    /// The key and its operator.
    pub key: Option<(Scalar, TokenKind)>,
    pub tag: Option<Scalar>,
    pub value: Option<Scalar>,
    /// The brace of a list.
    pub brace: Option<Scalar>,
    /// Whether children follow.
    pub opens: bool,
}

impl Element {
    /// Returns the token that it starts with.
    fn start(&self) -> Scalar {
        let key = self.key.map(|(key, _)| key);
        let start = self.directive.or(key).or(self.value).or(self.brace);
        start.unwrap_or_default()
    }
}

impl Nodes for Json<'_, '_> {
    #[inline(always)]
    fn value(&mut self, value: &Scalar) {
        self.begin(value.start);
        self.out.piece(&VALUE);
        self.value_members(value);
        self.out.piece(&SPAN);
        self.offsets(value.start, value.end);
        self.out.byte(b']');
        self.out.place(value.line, value.column);
        self.out.piece(&END);
    }

    #[inline(always)]
    fn assign(&mut self, key: &Scalar, operator: TokenKind, value: &Scalar) {
        self.begin(key.start);
        self.out.piece(&ASSIGN);
        self.key(key);
        let start = self.offset(key.start);
        self.out.digits(&start);
        self.out.byte(b',');
        let digits = self.offset(key.end);
        self.out.digits(&digits);
        self.out.piece(operators!(assigned, operator));
        self.value_members(value);
        self.out.piece(&VALUE_SPAN);
        let digits = self.offset(value.start);
        self.out.digits(&digits);
        self.out.byte(b',');
        let end = self.offset(value.end);
        self.out.digits(&end);
        self.out.piece(&SPAN_AFTER);
        self.out.digits(&start);
        self.out.byte(b',');
        self.out.digits(&end);
        self.out.byte(b']');
        self.out.place(key.line, key.column);
        self.out.piece(&END);
    }

    #[inline(always)]
    fn block(&mut self, key: &Scalar, operator: TokenKind) {
        self.begin(key.start);
        self.out.piece(&BLOCK);
        self.key(key);
        self.offsets(key.start, key.end);
        self.out.piece(operators!(opened, operator));
        self.opening(key);
    }

    fn tagged(&mut self, key: &Scalar, operator: TokenKind, tag: &Scalar) {
        self.element(&Element {
            key: Some((*key, operator)),
            tag: Some(*tag),
            opens: true,
            ..Element::default()
        });
    }

    #[inline(always)]
    fn list(&mut self, brace: &Scalar) {
        self.begin(brace.start);
        self.out.piece(&LIST);
        self.opening(brace);
    }

    #[inline(always)]
    fn close(&mut self, end: usize) {
        self.out.reserve_element(end, self.source.text.len());
        if let Some(Open { at, room }) = self.open.pop() {
            let digits = self.offset(end);
            if digits.length == room {
                self.out.overwrite(at, &digits);
            } else {
                self.gaps.push(Gap {
                    at,
                    length: room,
                    digits,
                });
            }
        }
        self.out.drop_comma();
        self.out.piece(&CLOSE);
    }
}

fn value_type(kind: TokenKind) -> ValueType {
    kind.value_type().unwrap_or(ValueType::Identifier)
}

fn other_kind(token: TokenKind) -> &'static Piece<32> {
    match value_type(token) {
        ValueType::Param => const { &kind(ValueType::Param) },
        ValueType::Date => const { &kind(ValueType::Date) },
        ValueType::Variable => const { &kind(ValueType::Variable) },
        ValueType::Expression => const { &kind(ValueType::Expression) },
        ValueType::Operator => const { &kind(ValueType::Operator) },
        ValueType::String => const { &kind(ValueType::String) },
        _ => const { &kind(ValueType::Identifier) },
    }
}
