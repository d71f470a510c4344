//! Collects the definitions and names of a text while it is parsed.

use std::cell::Cell;

use crate::ck3::json::Element;
use crate::ck3::parser::{Nodes, Scalar};
use crate::ck3::recovery::Elements;
use crate::grammar_tables::{TokenKind, ValueType};
use crate::index::finder::{Finder, is_in, starts_with};
use crate::index::words::{MAX_NAME, Words};

const PRIORITIES: [&str; 2] = ["id_override_priority", "history_override_priority"];

/// Texts up to this length are copied as one block, in bytes.
const SHORT: usize = 64;

/// A definition. All offsets are those of the text.
pub(crate) struct Row<'o> {
    /// Empty if it is not known.
    pub name: (usize, usize),
    /// The key of the block around it, if that is a part of its name.
    pub around: Option<(usize, usize)>,
    pub kind: &'o str,
    pub start: usize,
    pub end: usize,
    pub line: usize,
    pub hash: u64,
    pub priority: Option<i32>,
}

/// What a key begins.
struct Found<'o> {
    name: (usize, usize),
    around: Option<(usize, usize)>,
    kind: &'o str,
}

/// An open definition.
struct Open {
    row: usize,
    /// In how many blocks it is.
    depth: usize,
    /// Where its text starts.
    piece: usize,
    /// Where the text after its key starts.
    rest: usize,
}

/// An open block.
struct Block {
    /// Its key if that can be a name, else empty.
    key: (usize, usize),
    /// Whether the innermost open definition ends with it.
    is_definition: bool,
    /// Whether it is a definition that can have more inside.
    chained: bool,
}

pub(crate) struct Definitions<'t, 'o> {
    text: &'t [u8],
    finder: &'static Finder,
    kind: &'o str,
    /// In how many blocks definitions can be.
    depth: usize,
    rows: Vec<Row<'o>>,
    pub words: Words<'t>,
    open: Vec<Open>,
    blocks: Vec<Block>,
    pieces: Pieces,
    /// The values right before the next element.
    before: [Option<Scalar>; 2],
}

impl<'t, 'o> Definitions<'t, 'o> {
    pub fn new(text: &'t [u8], finder: &'static Finder, kind: &'o str) -> Self {
        let depth = match finder.chained {
            [] => finder.depth(),
            _ => usize::MAX,
        };
        Definitions {
            text,
            finder,
            kind,
            depth,
            rows: Vec::with_capacity(16),
            words: Words::new(text),
            open: Vec::with_capacity(4),
            blocks: Vec::with_capacity(16),
            pieces: Pieces::new(),
            before: [None, None],
        }
    }

    /// Returns the definitions that have a name.
    pub fn rows(&self) -> impl Iterator<Item = &Row<'o>> {
        self.rows.iter().filter(|row| row.name.0 < row.name.1)
    }

    fn inner(&self, scalar: &Scalar) -> &'t [u8] {
        let (start, end) = scalar.inner();
        &self.text[start..end]
    }

    /// Whether a key or value can be the name of a definition.
    fn is_name(&self, scalar: &Scalar) -> bool {
        let text = self.inner(scalar);
        matches!(
            scalar.kind.value_type(),
            Some(ValueType::Identifier | ValueType::String | ValueType::Number)
        ) && !matches!(text, [] | [b'@', ..])
            && text.len() <= MAX_NAME
            && !text.contains(&b'$')
    }

    /// Takes the names in a key, a value or a tag.
    #[inline(always)]
    fn word(&mut self, scalar: &Scalar) {
        let has_names = matches!(
            scalar.kind,
            TokenKind::Identifier | TokenKind::String | TokenKind::CutString | TokenKind::Directive
        );
        let (start, end) = scalar.inner();
        self.words.add(start, end, has_names);
    }

    #[inline(always)]
    fn forget(&mut self) {
        if !self.finder.declared.is_empty() {
            self.before = [None, None];
        }
    }

    /// Returns the definition that a key begins, if it does.
    #[inline(always)]
    fn found(&self, key: &Scalar, is_block: bool) -> Option<Found<'o>> {
        if self.blocks.len() > self.depth {
            return None;
        }
        self.found_in(key, is_block)
    }

    #[inline(never)]
    fn found_in(&self, key: &Scalar, is_block: bool) -> Option<Found<'o>> {
        let (finder, depth) = (self.finder, self.blocks.len());
        let text = self.inner(key);
        let found = |kind| {
            Some(Found {
                name: key.inner(),
                around: None,
                kind,
            })
        };
        if !self.is_name(key) {
            let is_constant = !is_block
                && depth == 0
                && key.kind == TokenKind::Variable
                && text.starts_with(b"@");
            return if is_constant { found("constant") } else { None };
        }
        if is_block && let Some(before) = &self.before[1] {
            for declared in finder.declared {
                if declared.depth == depth && !declared.list && self.is(before, declared.word) {
                    return found(declared.kind);
                }
            }
        }
        let around = self.blocks.last();
        if around.is_none() {
            if finder.top && !is_in(finder.not_names, text) {
                return found(self.kind);
            }
            if !finder.named.is_empty() && is_block {
                return Some(Found {
                    name: (0, 0),
                    around: None,
                    kind: finder.named,
                });
            }
        }
        if !finder.chained.is_empty() && is_block && around.is_none_or(|block| block.chained) {
            return match starts_with(text, finder.chained) {
                true => found(self.kind),
                false => None,
            };
        }
        let around = around?.key;
        if around.0 == around.1 {
            return None;
        }
        let container = &self.text[around.0..around.1];
        let nested = finder.nested.iter().find(|nested| {
            nested.depth == depth && (is_block || nested.values) && nested.fits(text, container)
        })?;
        Some(Found {
            name: key.inner(),
            around: nested.joined.then_some(around),
            kind: match nested.kind {
                "" => self.kind,
                kind => kind,
            },
        })
    }

    /// Returns the definition that two values before a list begin, and its name, if they do.
    fn declared_list(&self) -> Option<(Found<'o>, Scalar)> {
        let [Some(word), Some(name)] = &self.before else {
            return None;
        };
        let mut declared = self.finder.declared.iter();
        let declared = declared.find(|declared| {
            declared.depth == self.blocks.len() && declared.list && self.is(word, declared.word)
        })?;
        let found = Found {
            name: name.inner(),
            around: None,
            kind: declared.kind,
        };
        self.is_name(name).then_some((found, *name))
    }

    fn is(&self, value: &Scalar, word: &str) -> bool {
        value.kind.value_type() == Some(ValueType::Identifier)
            && self.inner(value) == word.as_bytes()
    }

    /// Begins a definition, whose first token is its key.
    #[inline(never)]
    fn begin(&mut self, found: Found<'o>, key: &Scalar) {
        let piece = self.pieces.length;
        self.open.push(Open {
            row: self.rows.len(),
            depth: self.blocks.len(),
            piece,
            rest: piece + key.end - key.start + 1 + usize::from(key.kind == TokenKind::CutString),
        });
        self.rows.push(Row {
            name: found.name,
            around: found.around,
            kind: found.kind,
            start: key.start,
            end: 0,
            line: key.line,
            hash: 0,
            priority: None,
        });
    }

    /// Ends the innermost definition.
    #[inline(never)]
    fn end(&mut self, end: usize) {
        let Some(ended) = self.open.pop() else {
            return;
        };
        let row = &mut self.rows[ended.row];
        row.end = end;
        row.hash = self.pieces.hash(ended.piece);
        self.pieces.length = match self.open.is_empty() {
            true => ended.piece,
            false => ended.rest,
        };
    }

    /// Notes what an assignment says about the innermost definition, if it is directly in it.
    #[inline(always)]
    fn note(&mut self, key: &Scalar, value: &Scalar) {
        if let Some(open) = self.open.last()
            && open.depth + 1 == self.blocks.len()
        {
            let row = open.row;
            let key = self.inner(key);
            if is_in(&PRIORITIES, key) {
                if value.kind == TokenKind::Number {
                    let found = priority(&self.text[value.start..value.end]);
                    self.rows[row].priority = found.or(self.rows[row].priority);
                }
            } else if key == b"name" && self.rows[row].name == (0, 0) && self.is_name(value) {
                self.rows[row].name = value.inner();
            }
        }
    }

    #[inline(always)]
    fn token(&mut self, scalar: &Scalar) {
        if !self.open.is_empty() {
            self.pieces.token(self.text, scalar);
        }
    }

    #[inline(always)]
    fn push(&mut self, piece: &[u8; 2]) {
        if !self.open.is_empty() {
            self.pieces.push(piece);
        }
    }

    #[inline(always)]
    fn operator(&mut self, operator: TokenKind) {
        if operator == TokenKind::Equal {
            self.push(b"= ");
        } else if !self.open.is_empty() {
            self.pieces.raw(operator.texts()[0].as_bytes());
        }
    }

    fn key_of_block(&mut self, key: &Scalar, operator: TokenKind) -> Block {
        let found = self.found(key, true);
        let block = Block {
            key: match self.blocks.len() < self.depth && self.is_name(key) {
                true => key.inner(),
                false => (0, 0),
            },
            is_definition: found.is_some(),
            chained: found.is_some() && !self.finder.chained.is_empty(),
        };
        if let Some(found) = found {
            self.begin(found, key);
        }
        self.forget();
        self.word(key);
        self.token(key);
        self.operator(operator);
        block
    }

    fn enter(&mut self, block: Block) {
        self.push(b"{ ");
        self.blocks.push(block);
    }
}

const NO_DEFINITION: Block = Block {
    key: (0, 0),
    is_definition: false,
    chained: false,
};

impl Nodes for Definitions<'_, '_> {
    #[inline(always)]
    fn value(&mut self, value: &Scalar) {
        self.word(value);
        self.token(value);
        if !self.finder.declared.is_empty() {
            self.before = [self.before[1], Some(*value)];
        }
    }

    #[inline(always)]
    fn assign(&mut self, key: &Scalar, operator: TokenKind, value: &Scalar) {
        let found = self.found(key, false);
        let is_definition = found.is_some();
        if let Some(found) = found {
            self.begin(found, key);
        }
        self.forget();
        self.word(key);
        self.word(value);
        if !self.open.is_empty() {
            self.pieces.assignment(self.text, key, operator, value);
            self.note(key, value);
        }
        if is_definition {
            self.end(value.end);
        }
    }

    #[inline(always)]
    fn block(&mut self, key: &Scalar, operator: TokenKind) {
        let block = self.key_of_block(key, operator);
        self.enter(block);
    }

    fn tagged(&mut self, key: &Scalar, operator: TokenKind, tag: &Scalar) {
        let block = self.key_of_block(key, operator);
        self.word(tag);
        self.token(tag);
        self.enter(block);
    }

    #[inline(always)]
    fn list(&mut self, _: &Scalar) {
        let mut block = NO_DEFINITION;
        if let Some((found, name)) = self.declared_list() {
            self.begin(found, &name);
            self.token(&name);
            block.is_definition = true;
            block.chained = !self.finder.chained.is_empty();
        }
        self.forget();
        self.enter(block);
    }

    #[inline(always)]
    fn close(&mut self, end: usize) {
        let is_definition = self.blocks.pop().is_some_and(|block| block.is_definition);
        self.push(b"} ");
        self.forget();
        if is_definition {
            self.end(end);
        }
    }
}

impl Elements for Definitions<'_, '_> {
    fn element(&mut self, element: &Element) {
        let Some(directive) = &element.directive else {
            match (&element.key, &element.tag, &element.value) {
                (Some((key, operator)), _, Some(value)) => self.assign(key, *operator, value),
                (Some((key, operator)), Some(tag), None) => self.tagged(key, *operator, tag),
                (Some((key, operator)), None, None) => self.block(key, *operator),
                (None, _, Some(value)) => self.value(value),
                (None, _, None) => self.list(&Scalar::default()),
            }
            return;
        };
        self.forget();
        self.token(directive);
        if let Some((key, operator)) = &element.key {
            self.word(key);
            self.token(key);
            self.operator(*operator);
        }
        for scalar in element.tag.iter().chain(&element.value) {
            self.word(scalar);
            self.token(scalar);
        }
        if element.opens {
            self.enter(NO_DEFINITION);
        }
    }
}

/// Returns a number of up to nine digits.
fn priority(text: &[u8]) -> Option<i32> {
    let digits = text.strip_prefix(b"+").or(text.strip_prefix(b"-"));
    let digits = digits.unwrap_or(text);
    if digits.len() > 9 {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

/// The most bytes of [`Pieces`] that are kept for the next text.
const KEPT: usize = 1 << 18;

thread_local! {
    static BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The tokens of the open definitions, each with a space after it.
struct Pieces {
    bytes: Vec<u8>,
    length: usize,
}

impl Drop for Pieces {
    fn drop(&mut self) {
        if self.bytes.len() <= KEPT {
            BYTES.set(std::mem::take(&mut self.bytes));
        }
    }
}

impl Pieces {
    fn new() -> Self {
        Pieces {
            bytes: BYTES.take(),
            length: 0,
        }
    }

    #[inline(always)]
    fn reserve(&mut self, length: usize) {
        if self.bytes.len() < self.length + length + 2 * SHORT {
            self.grow(length);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, length: usize) {
        crate::writer::lengthen(&mut self.bytes, (self.length + length + 2 * SHORT) * 2);
    }

    #[inline(always)]
    fn push(&mut self, piece: &[u8; 2]) {
        self.reserve(2);
        self.bytes[self.length..self.length + 2].copy_from_slice(piece);
        self.length += 2;
    }

    fn raw(&mut self, piece: &[u8]) {
        self.reserve(piece.len() + 1);
        let end = self.length + piece.len();
        self.bytes[self.length..end].copy_from_slice(piece);
        self.bytes[end] = b' ';
        self.length = end + 1;
    }

    /// Takes `text[start..end]`.
    #[inline(always)]
    fn part(&mut self, text: &[u8], start: usize, end: usize) {
        let length = end - start;
        if length <= SHORT
            && let Some(block) = text[start..].first_chunk::<SHORT>()
        {
            self.reserve(0);
            self.bytes[self.length..self.length + SHORT].copy_from_slice(block);
            self.bytes[self.length + length] = b' ';
            self.length += length + 1;
        } else {
            self.raw(&text[start..end]);
        }
    }

    #[inline(always)]
    fn token(&mut self, text: &[u8], scalar: &Scalar) {
        self.part(text, scalar.start, scalar.end);
        if scalar.kind == TokenKind::CutString {
            self.length -= 1;
            self.push(b"\" ");
        }
    }

    #[inline(always)]
    fn assignment(&mut self, text: &[u8], key: &Scalar, operator: TokenKind, value: &Scalar) {
        // It is most often written as it is hashed.
        if value.kind != TokenKind::CutString
            && key.kind != TokenKind::CutString
            && text[key.end..value.start] == *b" = "
        {
            self.part(text, key.start, value.end);
            return;
        }
        self.token(text, key);
        self.raw(operator.texts()[0].as_bytes());
        self.token(text, value);
    }

    /// Returns the length and CRC-32 of the text from an offset on.
    fn hash(&self, from: usize) -> u64 {
        let text = &self.bytes[from..self.length - 1];
        let length = text.len().min(i32::MAX as usize) as u64;
        length << 32 | u64::from(crc32fast::hash(text))
    }
}
