//! Dialects: how each contract spells the tokens of its scripts.

use crate::chars::name_run;
use crate::grammar_tables::{CK3RAVEN, TokenKind};
use crate::place::{self, Gap};

/// How a contract spells its tokens, as a value that is passed to the scanner.
///
/// To add a dialect, add a variant: the compiler then names every choice to make. With one variant,
/// the value takes no space and its methods do not branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Contract 1: the AST as qbuilder stores it.
    Ck3Raven,
}

impl Dialect {
    /// Returns what a byte can start.
    #[inline(always)]
    pub(crate) fn start_of(self, byte: u8) -> Start {
        match self {
            Self::Ck3Raven => CK3RAVEN_STARTS[byte as usize],
        }
    }

    /// Returns where a run of the ASCII characters of a name ends.
    #[inline(always)]
    pub(crate) fn name_run(self, text: &[u8], from: usize) -> usize {
        match self {
            Self::Ck3Raven => name_run(text, from),
        }
    }

    /// Whether a name is a bool.
    #[inline(always)]
    pub(crate) fn is_bool(self, name: &[u8]) -> bool {
        match self {
            Self::Ck3Raven => matches!(name, b"yes" | b"no"),
        }
    }

    /// Whether a byte ends a parameter that has no closing `$`.
    #[inline(always)]
    pub(crate) fn stops_param(self, byte: u8) -> bool {
        match self {
            Self::Ck3Raven => contains(CK3RAVEN.param_stops, byte),
        }
    }

    /// Returns what a backslash and a letter stand for in a string, if they are an escape.
    #[inline(always)]
    pub(crate) fn unescaped(self, letter: u8) -> Option<u8> {
        let escapes = match self {
            Self::Ck3Raven => CK3RAVEN.escapes,
        };
        let mut found = escapes.iter().filter(|(escape, _)| *escape == letter);
        found.next().map(|&(_, character)| character)
    }
}

/// The characters of a dialect's tokens, all in ASCII.
pub(crate) struct Spelling {
    /// Separate tokens, beside line ends.
    pub blanks: &'static [u8],
    /// Start a comment.
    pub comment: &'static [u8],
    /// Start a string, which ends with the same quote.
    pub quotes: &'static [u8],
    /// Can start a name, beside letters.
    pub name_start: &'static [u8],
    /// Can be in a name, beside letters and digits.
    pub name_part: &'static [u8],
    /// End a parameter that has no closing `$`.
    pub param_stops: &'static [u8],
    /// The letters of escapes in a string, and what each stands for.
    pub escapes: &'static [(u8, u8)],
}

/// How a dialect spells its tokens that splits a text into words, and then classifies these.
pub(crate) struct WordSpelling {
    /// End a word, beside white space and control characters.
    pub word_stops: &'static [u8],
    /// Are usual in a word, beside letters and digits.
    pub word_signs: &'static [u8],
    /// White space outside ASCII.
    pub spaces: &'static [char],
    /// The words that are the tag of a block on another line, too.
    pub tags: &'static [&'static str],
}

/// What a byte can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Start {
    /// Nothing: an unexpected character.
    Nothing,
    /// A run of blanks.
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

impl place::Start for Start {
    #[inline(always)]
    fn gap(self) -> Option<Gap> {
        match self {
            Start::Blank => Some(Gap::Blank),
            Start::Line => Some(Gap::Line),
            Start::Comment => Some(Gap::Comment),
            _ => None,
        }
    }
}

static CK3RAVEN_STARTS: [Start; 256] = starts(&CK3RAVEN);

const fn starts(spelling: &Spelling) -> [Start; 256] {
    let mut table = [Start::Nothing; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = start(spelling, byte as u8);
        byte += 1;
    }
    table
}

const fn start(spelling: &Spelling, byte: u8) -> Start {
    match byte {
        b'\n' => Start::Line,
        b'$' => Start::Dollar,
        0x80..=0xff => Start::Wide,
        _ if contains(spelling.blanks, byte) => Start::Blank,
        _ if contains(spelling.comment, byte) => Start::Comment,
        _ if contains(spelling.quotes, byte) => Start::Quote,
        _ if byte.is_ascii_digit() => Start::Digit,
        _ if byte.is_ascii_alphabetic() || contains(spelling.name_start, byte) => Start::Name,
        _ => sign_start(byte),
    }
}

/// Returns what a character can start that is in no word.
const fn sign_start(byte: u8) -> Start {
    let mut start = Start::Nothing;
    let mut index = 0;
    while index < TokenKind::ALL.len() {
        let kind = TokenKind::ALL[index];
        let texts = kind.texts();
        let mut text = 0;
        while text < texts.len() {
            if texts[text].as_bytes()[0] == byte {
                if kind.is_operator() {
                    return Start::Operator;
                }
                start = match kind {
                    TokenKind::Minus => Start::Minus,
                    _ => Start::Punctuation,
                };
            }
            text += 1;
        }
        index += 1;
    }
    start
}

/// Whether a set contains a byte.
pub(crate) const fn contains(set: &[u8], byte: u8) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bools_are_those_of_the_tables() {
        for text in TokenKind::Bool.texts() {
            assert!(Dialect::Ck3Raven.is_bool(text.as_bytes()));
        }
        assert!(!Dialect::Ck3Raven.is_bool(b"maybe"));
    }
}
