//! Runs of characters in a line.

use crate::chars::{Class, decode, wide_at};
use crate::localization_tables::{BLANKS, KEY_SIGNS};

/// Which ASCII characters are part of a key.
static IN_KEY: [bool; 128] = {
    let mut table = [false; 128];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut sign = 0;
    while sign < KEY_SIGNS.len() {
        table[KEY_SIGNS[sign] as usize] = true;
        sign += 1;
    }
    table
};

/// Returns where a run of the characters of keys ends.
#[inline]
pub(super) fn key_end(line: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = line.get(at) {
        if byte < 0x80 {
            if !IN_KEY[byte as usize] {
                return at;
            }
            at += 1;
        } else {
            match character(line, at) {
                Some(length) if wide_at(line, at).0 != Class::Other => at += length,
                _ => return at,
            }
        }
    }
    at
}

/// Returns where a run of white space ends.
#[inline]
pub(super) fn blank_end(line: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = line.get(at) {
        match byte {
            b' ' | b'\t' => at += 1,
            b'!'..=b'~' => return at,
            _ => match character(line, at) {
                Some(length) if is_blank(decode(&line[at..]).0) => at += length,
                _ => return at,
            },
        }
    }
    at
}

fn is_blank(code: u32) -> bool {
    BLANKS
        .iter()
        .any(|&(first, last)| (first..=last).contains(&code))
}

/// Returns the length of the character at an offset in bytes, if the bytes there are one.
fn character(line: &[u8], at: usize) -> Option<usize> {
    let length = match line[at] {
        ..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    };
    let bytes = line.get(at..at + length)?;
    let text = str::from_utf8(bytes).ok()?;
    (text.chars().count() == 1).then_some(length)
}
