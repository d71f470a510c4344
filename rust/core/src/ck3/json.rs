//! The JSON of nodes.

use crate::Ast;
use crate::ck3::parser::{Nodes, Scalar};
use crate::ck3::recovery::Elements;
use crate::ck3::source::Source;
use crate::ck3::words::params_of;
use crate::grammar_tables::{TokenKind, ValueType};
use crate::writer::{Buffer, Digits, Gap, Piece, SHORT, Writer};

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

/// A piece for each kind of token.
type Pieces<const N: usize> = [Piece<N>; TokenKind::ALL.len()];

/// What follows the span of a key, by the operator of an assignment. A table takes the same time for
/// every operator, where the processor would have to guess a branch.
static ASSIGNED: Pieces<32> = {
    let mut pieces = [const { Piece::new(b"") }; TokenKind::ALL.len()];
    let mut at = 0;
    while at < pieces.len() {
        pieces[at] = Piece::joined(&[br#"],"op":""#, text_of(at), br#"","value":""#]);
        at += 1;
    }
    pieces
};

/// What follows the span of a key, by the operator of a block.
static OPENED: Pieces<32> = {
    let mut pieces = [const { Piece::new(b"") }; TokenKind::ALL.len()];
    let mut at = 0;
    while at < pieces.len() {
        pieces[at] = Piece::joined(&[br#"],"op":""#, text_of(at), br#"","span":["#]);
        at += 1;
    }
    pieces
};

/// What follows the text of a key that is no identifier, by its kind.
static KEY_KINDS: Pieces<64> = {
    let mut pieces = [const { Piece::new(b"") }; TokenKind::ALL.len()];
    let mut at = 0;
    while at < pieces.len() {
        let kind = value_type(TokenKind::ALL[at]).name();
        pieces[at] = Piece::joined(&[br#"","key_kind":""#, kind.as_bytes(), br#"","key_span":["#]);
        at += 1;
    }
    pieces
};

/// What follows the text of a value, by its kind.
static KINDS: Pieces<32> = {
    let mut pieces = [const { Piece::new(b"") }; TokenKind::ALL.len()];
    let mut at = 0;
    while at < pieces.len() {
        let kind = value_type(TokenKind::ALL[at]).name();
        pieces[at] = Piece::joined(&[br#"","kind":""#, kind.as_bytes(), b"\""]);
        at += 1;
    }
    pieces
};

/// Returns the text of an operator.
const fn text_of(kind: usize) -> &'static [u8] {
    match TokenKind::ALL[kind].texts() {
        [text] => text.as_bytes(),
        _ => b"",
    }
}

const fn value_type(kind: TokenKind) -> ValueType {
    match kind.value_type() {
        Some(value_type) => value_type,
        None => ValueType::Identifier,
    }
}

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

    /// Returns a block that starts with the text of a scalar and its length, if the text is not long,
    /// needs no escaping and has no parameters.
    #[inline(always)]
    fn short(&self, scalar: &Scalar) -> Option<(&'s [u8; 2 * SHORT], usize)> {
        let (start, end) = scalar.inner();
        if !self.small || !scalar.plain || scalar.params || end - start > 2 * SHORT {
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
            self.odd_key(*key);
        }
    }

    #[inline(never)]
    fn odd_key(&mut self, key: Scalar) {
        self.out.raw(b"\"");
        let kind = value_type(key.kind);
        if kind != ValueType::Identifier {
            self.out.raw(br#","key_kind":""#);
            self.out.raw(kind.name().as_bytes());
            self.out.raw(b"\"");
        }
        if key.params {
            self.out.raw(br#","key_params":["#);
            self.params(&key);
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
        self.out.piece(&KINDS[value.kind as usize]);
        if value.params {
            self.value_params(*value);
        }
    }

    #[inline(never)]
    fn value_params(&mut self, value: Scalar) {
        self.out.raw(br#","params":["#);
        self.params(&value);
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
}

impl Elements for Json<'_, '_> {
    fn element(&mut self, element: &Element) {
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
            && let Some(mut cursor) = self.out.cursor()
        {
            cursor.piece(&VALUE);
            cursor.text(text, length);
            cursor.piece(&KINDS[value.kind as usize]);
            cursor.piece(&SPAN);
            cursor.span(Digits::of(value.start), Digits::of(value.end));
            cursor.place(Digits::of(value.line), Digits::of(value.column));
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
        if let Some((key_text, key_length)) = self.short(key)
            && let Some((text, length)) = self.short(value)
            && let Some(mut cursor) = self.out.cursor()
        {
            let (start, end) = (Digits::of(key.start), Digits::of(value.end));
            cursor.piece(&ASSIGN);
            cursor.text(key_text, key_length);
            if key.kind == TokenKind::Identifier {
                cursor.piece(&KEY_SPAN);
            } else {
                cursor.piece(&KEY_KINDS[key.kind as usize]);
            }
            cursor.span(start, Digits::of(key.end));
            cursor.piece(&ASSIGNED[operator as usize]);
            cursor.text(text, length);
            cursor.piece(&KINDS[value.kind as usize]);
            cursor.piece(&VALUE_SPAN);
            cursor.span(Digits::of(value.start), end);
            cursor.piece(&SPAN_AFTER);
            cursor.span(start, end);
            cursor.place(Digits::of(key.line), Digits::of(key.column));
            cursor.piece(&END);
            let length = cursor.at;
            self.out.advance(length);
            return;
        }
        self.out.piece(&ASSIGN);
        self.key(key);
        self.offsets(key.start, key.end);
        self.out.piece(&ASSIGNED[operator as usize]);
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
        if let Some((text, length)) = self.short(key)
            && let before = self.out.length()
            && let Some(mut cursor) = self.out.cursor()
        {
            let start = Digits::of(key.start);
            cursor.piece(&BLOCK);
            cursor.text(text, length);
            if key.kind == TokenKind::Identifier {
                cursor.piece(&KEY_SPAN);
            } else {
                cursor.piece(&KEY_KINDS[key.kind as usize]);
            }
            cursor.span(start, Digits::of(key.end));
            cursor.piece(&OPENED[operator as usize]);
            // Its end is written over the second of these.
            cursor.span(start, start);
            let at = before + cursor.at - start.length;
            cursor.place(Digits::of(key.line), Digits::of(key.column));
            cursor.piece(&CHILDREN);
            let length = cursor.at;
            self.out.advance(length);
            self.leave(at, start.length);
            return;
        }
        self.out.piece(&BLOCK);
        self.key(key);
        self.offsets(key.start, key.end);
        self.out.piece(&OPENED[operator as usize]);
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
