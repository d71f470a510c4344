//! Characters: what a byte may start, how far runs of bytes go, and what Unicode says.

use crate::unicode_tables::{PAGE_OF, PAGES};

/// What a byte may be the start of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Start {
    /// Nothing: an unexpected character.
    Nothing,
    /// A space, a tab or a CR.
    Blank,
    /// The end of a line.
    Line,
    Comment,
    Name,
    Digit,
    Minus,
    Quote,
    Dollar,
    Operator,
    Punctuation,
    /// A character outside ASCII.
    Wide,
}

static STARTS: [Start; 256] = starts();

const fn starts() -> [Start; 256] {
    let mut table = [Start::Nothing; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'\t' | b'\r' => Start::Blank,
            b'\n' => Start::Line,
            b'#' => Start::Comment,
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'.' => Start::Name,
            b'0'..=b'9' => Start::Digit,
            b'-' => Start::Minus,
            b'"' | b'\'' => Start::Quote,
            b'$' => Start::Dollar,
            b'<' | b'>' | b'=' | b'!' | b'?' => Start::Operator,
            b'{' | b'}' | b':' | b'@' | b'[' | b']' | b'+' | b'*' | b'/' | b',' | b';' | b'`' => {
                Start::Punctuation
            }
            0x80..=0xff => Start::Wide,
            _ => Start::Nothing,
        };
        byte += 1;
    }
    table
}

#[inline(always)]
pub(crate) fn start_of(byte: u8) -> Start {
    STARTS[byte as usize]
}

/// How many bytes a step of a run looks at.
const STEP: usize = 16;

/// Returns where a run of bytes that pass a test ends. The test is one that compilers turn into
/// a few instructions for all the bytes of a step.
#[inline(always)]
fn run(text: &[u8], mut from: usize, passes: impl Fn(u8) -> bool) -> usize {
    while let Some(step) = text[from..].first_chunk::<STEP>() {
        let mut stops = [0u8; STEP];
        for (stop, &byte) in stops.iter_mut().zip(step) {
            *stop = if passes(byte) { 0 } else { 0xff };
        }
        let stops = u128::from_le_bytes(stops);
        if stops != 0 {
            return from + stops.trailing_zeros() as usize / 8;
        }
        from += STEP;
    }
    while from < text.len() && passes(text[from]) {
        from += 1;
    }
    from
}

/// Returns where a run of spaces, tabs and CRs ends.
#[inline(always)]
pub(crate) fn blank_run(text: &[u8], from: usize) -> usize {
    run(text, from, |byte| {
        (byte == b' ') | (byte == b'\t') | (byte == b'\r')
    })
}

/// Returns where a run of the ASCII characters of a name ends.
#[inline(always)]
pub(crate) fn name_run(text: &[u8], from: usize) -> usize {
    run(text, from, is_name)
}

/// Whether an ASCII character may stand inside a name.
#[inline(always)]
pub(crate) fn is_name(byte: u8) -> bool {
    // From `-` to `:` lie `.`, `/` and the digits; from `%` to `'`, the `&`.
    ((byte | 0x20).wrapping_sub(b'a') < 26)
        | (byte.wrapping_sub(b'-') <= b':' - b'-')
        | (byte.wrapping_sub(b'%') <= b'\'' - b'%')
        | (byte == b'_')
        | (byte == b'|')
}

/// Returns where a run of characters ends that stand in JSON as they are and do not close a
/// string that `quote` opened.
#[inline(always)]
pub(crate) fn plain_run(text: &[u8], from: usize, quote: u8) -> usize {
    run(text, from, |byte| {
        (byte.wrapping_sub(b' ') < 0x7f - b' ') & (byte != b'"') & (byte != b'\\') & (byte != quote)
    })
}

/// What Unicode says of a character outside ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Other,
    Letter,
    Digit,
    Numeric,
}

/// Returns the class of the character a text holds at an offset, and how many bytes it takes.
pub(crate) fn wide_at(text: &[u8], at: usize) -> (Class, usize) {
    let (code, length) = decode(&text[at..]);
    (class_of(code), length)
}

fn class_of(code: u32) -> Class {
    let page = PAGE_OF.get(code as usize >> 8).copied().unwrap_or(0);
    let word = PAGES[page as usize][(code as usize & 0xff) / 32];
    match word >> (code % 32 * 2) & 3 {
        0 => Class::Other,
        1 => Class::Letter,
        2 => Class::Digit,
        _ => Class::Numeric,
    }
}

/// Returns the code point that UTF-8 or WTF-8 starts with, and how many bytes it takes. A byte
/// that starts no character stands for U+FFFD; no more bytes are taken than there are.
#[inline]
pub(crate) fn decode(bytes: &[u8]) -> (u32, usize) {
    let tail = |at: usize| u32::from(bytes[at] & 0x3f);
    match bytes {
        [a @ 0xc0..=0xdf, _, ..] => (u32::from(a & 0x1f) << 6 | tail(1), 2),
        [a @ 0xe0..=0xef, _, _, ..] => (u32::from(a & 0x0f) << 12 | tail(1) << 6 | tail(2), 3),
        [a @ 0xf0..=0xf7, _, _, _, ..] => (
            u32::from(a & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3),
            4,
        ),
        [a @ ..0x80, ..] => (u32::from(*a), 1),
        [_, ..] => (0xfffd, 1),
        [] => (0, 0),
    }
}
