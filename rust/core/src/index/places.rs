//! The places where a file uses a name.

use memchr::memmem;

use crate::ck3;
use crate::ck3::json::Element;
use crate::ck3::parser::{Nodes, Scalar};
use crate::ck3::recovery::{self, Elements};
use crate::grammar_tables::TokenKind;
use crate::index::words::{Form, Taken, parts};
use crate::text::is_continuation;

/// A place where a file uses a name. Offsets are bytes in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The offset of its first byte.
    pub start: usize,
    /// The offset after its last byte.
    pub end: usize,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in code points, from 1.
    pub column: usize,
    /// What it is.
    pub role: Role,
}

/// What a name is where it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A key.
    Key,
    /// A value, or the tag of a block.
    Value,
    /// A part of a longer word.
    Part,
}

/// Returns the places where a file uses a name, in their order.
pub fn places(data: &[u8], name: &[u8], max_depth: usize, windows_1252: bool) -> Vec<Place> {
    let source = ck3::source::read(data, windows_1252);
    let text = &source.text[..];
    let hits = hits(text, name);
    if hits.is_empty() {
        return Vec::new();
    }
    let mut found = Places::new(text, name, &hits);
    let is_sound = source.offsets.is_none()
        && source
            .utf_8()
            .is_some_and(|text| ck3::parser::parse(text, source.start, max_depth, &mut found));
    if !is_sound {
        found = Places::new(text, name, &hits);
        recovery::tell(&source, max_depth, &mut found);
    }
    let mut places = found.places;
    if let Some(offsets) = &source.offsets {
        for place in &mut places {
            place.start = offsets[place.start];
            place.end = offsets[place.end];
        }
    }
    places
}

/// Returns where a name stands in a text, without hits that are not needed.
fn hits(text: &[u8], name: &[u8]) -> Vec<usize> {
    if name.is_empty() {
        return Vec::new();
    }
    // A word with a hit is looked at as a whole, so that hits that overlap are not needed: unless the
    // first can begin in the expression right before the word.
    let step = if name.contains(&b']') { 1 } else { name.len() };
    let finder = memmem::Finder::new(name);
    let mut hits = Vec::new();
    let mut from = 0;
    while let Some(at) = finder.find(&text[from..]) {
        hits.push(from + at);
        from += at + step;
    }
    hits
}

struct Places<'t> {
    text: &'t [u8],
    name: &'t [u8],
    /// Where the name stands from here on.
    hits: &'t [usize],
    places: Vec<Place>,
}

impl<'t> Places<'t> {
    fn new(text: &'t [u8], name: &'t [u8], hits: &'t [usize]) -> Self {
        Places {
            text,
            name,
            hits,
            places: Vec::new(),
        }
    }

    #[inline(always)]
    fn word(&mut self, scalar: &Scalar, role: Role) {
        if let Some(&hit) = self.hits.first()
            && hit < scalar.end
        {
            self.look(scalar, role);
        }
    }

    #[inline(never)]
    fn look(&mut self, scalar: &Scalar, role: Role) {
        let before = self.hits.partition_point(|&hit| hit < scalar.start);
        self.hits = &self.hits[before..];
        let (start, end) = scalar.inner();
        if self.hits.first().is_none_or(|&hit| hit >= end)
            || !matches!(
                scalar.kind,
                TokenKind::Identifier
                    | TokenKind::String
                    | TokenKind::CutString
                    | TokenKind::Directive
            )
        {
            return;
        }
        let (text, name) = (self.text, self.name);
        parts(text, start, end, &mut |from, to, form| {
            if form != Form::NoName && &text[from..to] == name {
                let place = (scalar.line, scalar.column + start - scalar.start);
                let (line, column) = moved(place, text, start, from);
                let whole = (from, to) == (start, end);
                self.places.push(Place {
                    start: from,
                    end: to,
                    line,
                    column,
                    role: if whole { role } else { Role::Part },
                });
            }
            Taken::New
        });
    }
}

/// Returns the line and column of an offset, from those of an offset before it.
fn moved(
    (mut line, mut column): (usize, usize),
    text: &[u8],
    from: usize,
    to: usize,
) -> (usize, usize) {
    for at in from..to {
        if text[at] == b'\n' || text[at] == b'\r' && text.get(at + 1) != Some(&b'\n') {
            (line, column) = (line + 1, 1);
        } else if !is_continuation(text[at]) {
            column += 1;
        }
    }
    (line, column)
}

impl Nodes for Places<'_> {
    #[inline(always)]
    fn value(&mut self, value: &Scalar) {
        self.word(value, Role::Value);
    }

    #[inline(always)]
    fn assign(&mut self, key: &Scalar, _: TokenKind, value: &Scalar) {
        self.word(key, Role::Key);
        self.word(value, Role::Value);
    }

    #[inline(always)]
    fn block(&mut self, key: &Scalar, _: TokenKind) {
        self.word(key, Role::Key);
    }

    #[inline(always)]
    fn tagged(&mut self, key: &Scalar, _: TokenKind, tag: &Scalar) {
        self.word(key, Role::Key);
        self.word(tag, Role::Value);
    }

    fn list(&mut self, _: &Scalar) {}

    fn close(&mut self, _: usize) {}
}

impl Elements for Places<'_> {
    fn element(&mut self, element: &Element) {
        if let Some((key, _)) = &element.key {
            self.word(key, Role::Key);
        }
        for value in element.tag.iter().chain(&element.value) {
            self.word(value, Role::Value);
        }
    }
}
