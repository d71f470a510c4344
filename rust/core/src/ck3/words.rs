//! Words: what a word is, by its characters, once it is known where it ends.
//!
//! `ck3parse/parser/ck3/words.py` is the same in Python.

use memchr::memchr_iter;

use crate::chars::{Class, wide_at};
use crate::dialect::contains;
use crate::grammar_tables::{CK3, ErrorKind, TokenKind};

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    pub kind: TokenKind,
    /// Whether it is an identifier with parameters.
    pub params: bool,
    /// The kind of what is wrong with it, and where in the word.
    pub fault: Option<(ErrorKind, usize, usize)>,
}

/// Returns what a word is.
pub(crate) fn word_of(text: &[u8]) -> Word {
    let kind = kind_of(text);
    let dollars = memchr_iter(b'$', text).count();
    let params = dollars > 1 && kind == TokenKind::Identifier && params_of(text).next().is_some();
    let fault = if text == b"@" {
        Some((ErrorKind::ExpectedName, 0, 1))
    } else if let Some((start, end)) = unusual_in(text) {
        Some((ErrorKind::UnusualCharacter, start, end))
    } else if dollars % 2 == 1 {
        let last = text.iter().rposition(|&byte| byte == b'$').unwrap_or(0);
        Some((ErrorKind::UnclosedParam, last, last + 1))
    } else {
        None
    };
    Word {
        kind,
        params,
        fault,
    }
}

fn kind_of(text: &[u8]) -> TokenKind {
    match text {
        b"yes" | b"no" => TokenKind::Bool,
        [b'$', inner @ .., b'$'] if !inner.is_empty() && !inner.contains(&b'$') => TokenKind::Param,
        [b'@', b':', ..] => TokenKind::Directive,
        [b'@', name @ ..] | [b'-', b'@', name @ ..] if is_name(name) => TokenKind::Variable,
        _ => numeric(text).unwrap_or(TokenKind::Identifier),
    }
}

fn is_name(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns whether a word is a number or a date.
pub(crate) fn numeric(text: &[u8]) -> Option<TokenKind> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unsigned = match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    };
    let whole = digits(unsigned);
    let mut rest = &unsigned[whole..];
    let mut part = 0;
    if let [b'.', after @ ..] = rest {
        part = digits(after);
        rest = &after[part..];
    }
    if whole + part == 0 {
        return None;
    }
    match rest {
        [] | [b'%'] => Some(TokenKind::Number),
        [b'.', day @ ..]
            if whole > 0
                && part > 0
                && unsigned.len() == text.len()
                && !day.is_empty()
                && digits(day) == day.len() =>
        {
            Some(TokenKind::Date)
        }
        _ => None,
    }
}

/// Returns the names of the parameters in a word.
pub(crate) fn params_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parts = text.split(|&byte| byte == b'$');
    let count = parts.clone().count();
    parts
        .take(count - 1)
        .skip(1)
        .step_by(2)
        .filter(|name| !name.is_empty())
}

/// Whether an ASCII character is usual in a word.
pub(crate) const fn is_usual(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || contains(CK3.word_signs, byte)
}

/// Whether each ASCII character is usual in a word.
static USUAL: [bool; 128] = {
    let mut table = [false; 128];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = is_usual(byte as u8);
        byte += 1;
    }
    table
};

/// Returns where the first unusual character of a word starts and ends.
fn unusual_in(text: &[u8]) -> Option<(usize, usize)> {
    let mut at = 0;
    while at < text.len() {
        if text[at].is_ascii() {
            if !USUAL[text[at] as usize] {
                return Some((at, at + 1));
            }
            at += 1;
            continue;
        }
        let (class, length) = wide_at(text, at);
        if class == Class::Other {
            return Some((at, at + length));
        }
        at += length;
    }
    None
}
