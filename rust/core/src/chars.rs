//! Characters: how far runs of bytes go, and what Unicode says.

use crate::dialect::contains;
use crate::grammar_tables::CK3RAVEN;
use crate::steps::{self, STEP};
use crate::unicode_tables::{DECIMALS, PAGE_OF, PAGES};

/// Returns where a run of spaces, tabs and CRs ends.
#[inline(always)]
pub(crate) fn blank_run(text: &[u8], from: usize) -> usize {
    run(text, from, steps::blank, is_blank)
}

/// Whether a byte separates tokens, other than a line end.
pub(crate) fn is_blank(byte: u8) -> bool {
    contains(CK3RAVEN.blanks, byte)
}

/// Returns where a run of the ASCII characters of a name ends.
#[inline(always)]
pub(crate) fn name_run(text: &[u8], from: usize) -> usize {
    run(text, from, steps::name, is_name)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || contains(CK3RAVEN.name_part, byte)
}

/// Returns where a run of characters ends that need no escaping in JSON and do not end a string
/// that `quote` started.
#[inline(always)]
pub(crate) fn plain_run(text: &[u8], from: usize, quote: u8) -> usize {
    run(
        text,
        from,
        |step| steps::plain(step, quote),
        |byte| is_plain(byte, quote),
    )
}

fn is_plain(byte: u8, quote: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\' && byte != quote
}

/// Returns where a run of bytes ends. `passing` counts the bytes of a step before the first that
/// ends the run; `passes` tests one byte.
#[inline(always)]
fn run(
    text: &[u8],
    mut from: usize,
    passing: impl Fn(&[u8; STEP]) -> usize,
    passes: impl Fn(u8) -> bool,
) -> usize {
    while let Some(step) = text[from..].first_chunk() {
        let count = passing(step);
        from += count;
        if count < STEP {
            return from;
        }
    }
    while from < text.len() && passes(text[from]) {
        from += 1;
    }
    from
}

/// The class of a character outside ASCII, in Unicode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Other,
    Letter,
    Digit,
    Numeric,
}

/// Returns the class of the character at an offset, and its length in bytes.
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

/// Whether a code point is a digit of decimal numbers.
pub(crate) fn is_decimal(code: u32) -> bool {
    if code < 0x80 {
        return (u32::from(b'0')..=u32::from(b'9')).contains(&code);
    }
    let after = DECIMALS.partition_point(|&(first, _)| first <= code);
    after > 0 && code <= DECIMALS[after - 1].1
}

/// Returns the first code point of UTF-8 or WTF-8, and its length in bytes. A byte that starts no
/// character is U+FFFD. The length is never more than the bytes that are there.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a run over every byte at every place of a step and past it.
    fn check(run: impl Fn(&[u8], usize) -> usize, passes: impl Fn(u8) -> bool, passing: u8) {
        for byte in 0..=255 {
            for at in 0..2 * STEP {
                let mut text = [passing; 3 * STEP];
                text[at] = byte;
                let end = if passes(byte) { text.len() } else { at };
                assert_eq!(run(&text, 0), end, "{byte:#x} at {at}");
            }
        }
        assert_eq!(run(&[], 0), 0);
    }

    #[test]
    fn runs_end_at_the_first_byte_that_does_not_pass() {
        check(blank_run, is_blank, b'\t');
        check(name_run, is_name, b'a');
        for quote in [b'"', b'\''] {
            check(
                |text, from| plain_run(text, from, quote),
                |byte| is_plain(byte, quote),
                b' ',
            );
        }
    }

    #[test]
    fn classes_are_those_of_the_pinned_unicode() {
        assert_eq!(class_of(u32::from('é')), Class::Letter);
        assert_eq!(class_of(u32::from('名')), Class::Letter);
        assert_eq!(class_of(u32::from('²')), Class::Digit);
        assert_eq!(class_of(u32::from('½')), Class::Numeric);
        assert_eq!(class_of(u32::from('Ⅷ')), Class::Numeric);
        assert_eq!(class_of(0xd800), Class::Other);
        assert_eq!(class_of(0xfffd), Class::Other);
        assert_eq!(class_of(0x1fffff), Class::Other);
        // A letter only since Unicode 15.
        assert_eq!(class_of(0x1e030), Class::Other);
    }

    #[test]
    fn decoding_takes_any_bytes() {
        assert_eq!(decode("é".as_bytes()), (0xe9, 2));
        assert_eq!(decode("名".as_bytes()), (0x540d, 3));
        assert_eq!(decode("😀".as_bytes()), (0x1f600, 4));
        assert_eq!(decode(b"\xed\xa0\x80"), (0xd800, 3));
        assert_eq!(decode(b"\xb2"), (0xfffd, 1));
        assert_eq!(decode(b"\xe5\x90"), (0xfffd, 1));
        assert_eq!(decode(b"\xff\xff"), (0xfffd, 1));
    }
}
