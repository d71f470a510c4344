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

/// Texts up to this length are copied as one block, in bytes.
const SHORT: usize = 32;

/// An open block whose end is to be written.
struct Open {
    at: usize,
    /// How many digits there is room for.
    room: usize,
    /// The first number that does not fit.
    limit: usize,
}

/// The first number that has more digits than each index.
const LIMITS: [usize; 10] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
];

/// Writes nodes as JSON into a buffer.
pub(crate) struct Json<'s, 'b> {
    text: &'s [u8],
    /// See [`Source`].
    offsets: Option<&'s [usize]>,
    /// Whether all offsets have [`Digits`].
    small: bool,
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
            text: &source.text,
            offsets: source.offsets.as_deref(),
            small: source.offsets.is_none() && source.text.len() < Digits::LIMIT,
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
        self.out.reserve_element(start, self.text.len());
        self.node_count += 1;
    }

    /// Returns the offset in the file of an offset in the text.
    #[inline(always)]
    fn in_file(&self, at: usize) -> usize {
        match self.offsets {
            None => at,
            Some(offsets) => offsets[at],
        }
    }

    #[inline(always)]
    fn offsets(&mut self, start: usize, end: usize) {
        let (start, end) = (self.in_file(start), self.in_file(end));
        self.out.offset(start);
        self.out.byte(b',');
        self.out.offset(end);
    }

    /// Returns a block that starts with the text of a scalar and its length, if the text is short,
    /// needs no escaping and has no parameters.
    #[inline(always)]
    fn short(&self, scalar: &Scalar) -> Option<(&'s [u8; SHORT], usize)> {
        let (start, end) = scalar.inner();
        if !self.small || !scalar.plain || scalar.params || end - start > SHORT {
            return None;
        }
        let text = self.text;
        Some((text[start..].first_chunk()?, end - start))
    }

    /// Writes the text of a scalar.
    #[inline(always)]
    fn text(&mut self, scalar: &Scalar) {
        let text = self.text;
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
        let text = &self.text[scalar.start..scalar.end];
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
        self.out.piece(kind_piece(value.kind));
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
        let before = self.out.length();
        self.out.offset(self.in_file(start.start));
        let room = self.out.length() - before;
        self.out.byte(b',');
        self.leave(self.out.length(), room);
        self.out.leave(room);
        self.out.byte(b']');
        self.out.place(start.line, start.column);
        self.out.piece(&CHILDREN);
    }

    /// Remembers where the end of a block is to be written.
    #[inline(always)]
    fn leave(&mut self, at: usize, room: usize) {
        let limit = LIMITS[room.min(LIMITS.len() - 1)];
        self.open.push(Open { at, room, limit });
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
        if let Some((text, length)) = self.short(value)
            && let Some(mut cursor) = self.out.cursor(value.line)
        {
            cursor.piece(&VALUE);
            cursor.block(text, length);
            cursor.piece(kind_piece(value.kind));
            cursor.piece(&SPAN);
            cursor.span(Digits::of(value.start), Digits::of(value.end));
            cursor.place(Digits::of(value.column));
            cursor.piece(&END);
            let length = cursor.at;
            self.out.advance(length);
            return;
        }
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
        if key.kind == TokenKind::Identifier
            && let Some((key_text, key_length)) = self.short(key)
            && let Some((text, length)) = self.short(value)
            && let Some(mut cursor) = self.out.cursor(key.line)
        {
            let (start, end) = (Digits::of(key.start), Digits::of(value.end));
            cursor.piece(&ASSIGN);
            cursor.block(key_text, key_length);
            cursor.piece(&KEY_SPAN);
            cursor.span(start, Digits::of(key.end));
            cursor.piece(operators!(assigned, operator));
            cursor.block(text, length);
            cursor.piece(kind_piece(value.kind));
            cursor.piece(&VALUE_SPAN);
            cursor.span(Digits::of(value.start), end);
            cursor.piece(&SPAN_AFTER);
            cursor.span(start, end);
            cursor.place(Digits::of(key.column));
            cursor.piece(&END);
            let length = cursor.at;
            self.out.advance(length);
            return;
        }
        self.out.piece(&ASSIGN);
        self.key(key);
        self.offsets(key.start, key.end);
        self.out.piece(operators!(assigned, operator));
        self.value_members(value);
        self.out.piece(&VALUE_SPAN);
        self.offsets(value.start, value.end);
        self.out.piece(&SPAN_AFTER);
        self.offsets(key.start, value.end);
        self.out.byte(b']');
        self.out.place(key.line, key.column);
        self.out.piece(&END);
    }

    #[inline(always)]
    fn block(&mut self, key: &Scalar, operator: TokenKind) {
        self.begin(key.start);
        if key.kind == TokenKind::Identifier
            && let Some((text, length)) = self.short(key)
            && let before = self.out.length()
            && let Some(mut cursor) = self.out.cursor(key.line)
        {
            let start = Digits::of(key.start);
            cursor.piece(&BLOCK);
            cursor.block(text, length);
            cursor.piece(&KEY_SPAN);
            cursor.span(start, Digits::of(key.end));
            cursor.piece(operators!(opened, operator));
            // Its end is written over the second of these.
            cursor.span(start, start);
            let at = before + cursor.at - start.length;
            cursor.place(Digits::of(key.column));
            cursor.piece(&CHILDREN);
            let length = cursor.at;
            self.out.advance(length);
            self.leave(at, start.length);
            return;
        }
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
        self.out.reserve_element(end, self.text.len());
        let number = self.in_file(end);
        if let Some(Open { at, room, limit }) = self.open.pop() {
            if number < limit {
                self.out.overwrite(at, room, number);
            } else {
                let length = room;
                self.gaps.push(Gap { at, length, number });
            }
        }
        self.out.drop_comma();
        self.out.piece(&CLOSE);
    }
}

fn value_type(kind: TokenKind) -> ValueType {
    kind.value_type().unwrap_or(ValueType::Identifier)
}

#[inline(always)]
fn kind_piece(token: TokenKind) -> &'static Piece<32> {
    match token {
        TokenKind::Identifier => const { &kind(ValueType::Identifier) },
        TokenKind::Number => const { &kind(ValueType::Number) },
        TokenKind::Bool => const { &kind(ValueType::Bool) },
        TokenKind::String => const { &kind(ValueType::String) },
        _ => other_kind(token),
    }
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
