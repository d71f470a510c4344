//! The parts inside a text: keys, chains of calls, formats, icons and escapes.
//!
//! Each step looks at characters that no other step of its kind looks at, so the time is linear for any
//! text.

use memchr::{memchr, memchr2};

use crate::writer::{Piece, Writer};

use super::characters::key_end;
use super::{FaultKind, Span, string};

const KEY: Piece<16> = Piece::new(br#"["key","#);
const CHAIN: Piece<16> = Piece::new(br#"["chain","#);
const FORMAT: Piece<16> = Piece::new(br#"["format","#);
const END: Piece<16> = Piece::new(br#"["end","#);
const ICON: Piece<16> = Piece::new(br#"["icon","#);
const ESCAPE: Piece<16> = Piece::new(br#"["escape","#);
const NO_FORMAT: Piece<8> = Piece::new(b"\"\"],");

/// Finds the parts of one text after the other.
#[derive(Default)]
pub(super) struct Parts {
    /// What is not closed in the last text, in order of place.
    pub faults: Vec<(FaultKind, Span)>,
    /// The formats that are not ended yet.
    open: Vec<Span>,
}

impl Parts {
    /// Writes the parts of a text in order of their starts, each followed by a comma.
    pub fn read(&mut self, data: &[u8], (start, end): Span, writer: &mut Writer) {
        let text = &data[..end];
        let mut at = start;
        while let Some(sign) = next_sign(text, at) {
            at = sign;
            match text[at..] {
                [b'\\', b'n', ..] => at = escape(writer, at, b"\n"),
                [b'\\', b'"', ..] => at = escape(writer, at, b"\""),
                [b'#', b'#', ..] => at = escape(writer, at, b"#"),
                [b'$', ..] => at = self.value(text, at, writer),
                [b'[', ..] => at = self.chain(text, at, writer),
                [b'#', ..] => at = self.format(text, at, writer),
                _ => {
                    if text[at] == b'@'
                        && let Some(stop) = icon_end(text, at)
                    {
                        part(writer, &ICON, (at, stop), &text[at + 1..stop - 1], b"");
                    }
                    at += 1;
                }
            }
        }
        let open = self.open.drain(..);
        self.faults
            .extend(open.map(|place| (FaultKind::UnclosedFormat, place)));
        self.faults.sort_by_key(|(_, place)| place.0);
    }

    /// Reads the `$` at an offset, and returns where to go on.
    fn value(&mut self, text: &[u8], at: usize, writer: &mut Writer) -> usize {
        let Some(stop) = value_end(text, at) else {
            self.faults.push((FaultKind::UnclosedValue, (at, at + 1)));
            return at + 1;
        };
        let inner = &text[at + 1..stop - 1];
        let (name, format) = match memchr(b'|', inner) {
            Some(sign) => (&inner[..sign], &inner[sign + 1..]),
            None => (inner, &b""[..]),
        };
        part(writer, &KEY, (at, stop), name, format);
        stop
    }

    /// Reads the `[` at an offset, and returns where to go on.
    fn chain(&mut self, text: &[u8], at: usize, writer: &mut Writer) -> usize {
        let Some(stop) = closed(text, at, b'[', b']') else {
            self.faults.push((FaultKind::UnclosedChain, (at, at + 1)));
            return at + 1;
        };
        let inner = &text[at + 1..stop - 1];
        let sign = inner
            .iter()
            .rposition(|byte| matches!(byte, b'|' | b'$' | b'\'' | b')'))
            .filter(|&sign| inner[sign] == b'|');
        let (calls, format) = match sign {
            Some(sign) => (&inner[..sign], &inner[sign + 1..]),
            None => (inner, &b""[..]),
        };
        part(writer, &CHAIN, (at, stop), calls, format);
        let inside = &text[..stop - 1];
        let mut from = at;
        while let Some(length) = memchr(b'$', &inside[from..]) {
            from = self.value(inside, from + length, writer);
        }
        stop
    }

    /// Reads the `#` at an offset, and returns where to go on.
    fn format(&mut self, text: &[u8], at: usize, writer: &mut Writer) -> usize {
        let after = text.get(at + 1);
        if after == Some(&b'!') {
            self.open.pop();
            part(writer, &END, (at, at + 2), b"", b"");
            return at + 2;
        }
        if matches!(after, Some(b'$' | b'[')) || key_end(text, at + 1) > at + 1 {
            let stop = style_end(text, at + 1);
            self.open.push((at, stop));
            part(writer, &FORMAT, (at, stop), &text[at + 1..stop], b"");
        }
        at + 1
    }
}

/// Returns where the next sign is, from an offset on.
fn next_sign(text: &[u8], mut at: usize) -> Option<usize> {
    // Whole steps without a branch for each byte: the compiler uses vectors for them.
    while let Some(step) = text[at..].first_chunk::<16>()
        && !step.iter().fold(false, |any, &byte| any | is_sign(byte))
    {
        at += step.len();
    }
    let length = text[at..].iter().position(|&byte| is_sign(byte))?;
    Some(at + length)
}

fn is_sign(byte: u8) -> bool {
    matches!(byte, b'\\' | b'$' | b'#' | b'@' | b'[')
}

/// Returns the offset after the `$KEY$` or `$KEY|format$` at an offset.
fn value_end(text: &[u8], at: usize) -> Option<usize> {
    let mut stop = key_end(text, at + 1);
    if stop == at + 1 {
        return None;
    }
    if text.get(stop) == Some(&b'|') {
        let ends = |byte: &u8| matches!(byte, b'\t' | b' ' | b'$' | b'[' | b']');
        stop += 1 + text[stop + 1..].iter().position(ends)?;
    }
    (text.get(stop) == Some(&b'$')).then_some(stop + 1)
}

/// Returns where the style of a `#` ends: at a blank, a `#` or a backslash outside of brackets.
fn style_end(text: &[u8], mut at: usize) -> usize {
    loop {
        let stops = |byte: &u8| matches!(byte, b'\t' | b' ' | b'#' | b'\\' | b'[' | b'{');
        let Some(length) = text[at..].iter().position(stops) else {
            return text.len();
        };
        at += length;
        at = match text[at] {
            b'[' => closed(text, at, b'[', b']').unwrap_or(at + 1),
            b'{' => closed(text, at, b'{', b'}').unwrap_or(at + 1),
            _ => return at,
        };
    }
}

/// Returns the offset after the `@icon!` at an offset.
fn icon_end(text: &[u8], at: usize) -> Option<usize> {
    let mut stop = at + 1;
    loop {
        stop = key_end(text, stop);
        stop = match text.get(stop) {
            Some(b'!') if stop > at + 1 => return Some(stop + 1),
            Some(b'$') => value_end(text, stop)?,
            Some(b'[') => closed(text, stop, b'[', b']')?,
            _ => return None,
        };
    }
}

/// Returns the offset after what closes the bracket at an offset, if no other opens before.
fn closed(text: &[u8], at: usize, opening: u8, closing: u8) -> Option<usize> {
    let stop = at + 1 + memchr2(opening, closing, &text[at + 1..])?;
    (text[stop] == closing).then_some(stop + 1)
}

fn escape(writer: &mut Writer, at: usize, value: &[u8]) -> usize {
    part(writer, &ESCAPE, (at, at + 2), value, b"");
    at + 2
}

fn part(writer: &mut Writer, kind: &Piece<16>, (start, end): Span, value: &[u8], format: &[u8]) {
    writer.reserve(0);
    writer.piece(kind);
    writer.offset(start);
    writer.byte(b',');
    writer.offset(end);
    writer.byte(b',');
    string(writer, value);
    writer.byte(b',');
    if format.is_empty() {
        writer.piece(&NO_FORMAT);
    } else {
        string(writer, format);
        writer.raw(b"],");
    }
}
