//! From a file's bytes to the text that is parsed, and from an offset in it to one in the file.

use std::borrow::Cow;

use memchr::memchr_iter;

/// A file's text.
pub(crate) struct Source<'d> {
    /// The `encoding` of the root node.
    pub encoding: &'static str,
    /// The text, in UTF-8.
    pub text: Cow<'d, [u8]>,
    /// Where it starts, after a byte order mark.
    pub start: usize,
    /// The offset in the file of each byte of the text, and of its end; `None` if they are the same.
    pub offsets: Option<Vec<usize>>,
}

impl Source<'_> {
    /// Returns the text if each CR in it is before an LF.
    pub fn utf_8(&self) -> Option<&[u8]> {
        let text = &self.text[..];
        let lone = memchr_iter(b'\r', text).any(|at| text.get(at + 1) != Some(&b'\n'));
        (!lone).then_some(text)
    }
}

/// Returns a file's text. `windows_1252` says what it is read as if it is not UTF-8.
pub(crate) fn read(data: &[u8], windows_1252: bool) -> Source<'_> {
    match data {
        [0xff, 0xfe, rest @ ..] => return utf_16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return utf_16(rest, u16::from_be_bytes),
        _ => {}
    }
    let start = if data.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    if str::from_utf8(data).is_ok() {
        return Source {
            encoding: if start > 0 { "utf-8-bom" } else { "utf-8" },
            text: Cow::Borrowed(data),
            start,
            offsets: None,
        };
    }
    if start == 0 && windows_1252 {
        let mut text = Recoded::new(data.len());
        for &byte in data {
            text.push(windows_1252_character(byte), 1);
        }
        return text.source("windows-1252", 0);
    }
    let mut text = Recoded::new(data.len());
    for chunk in data.utf8_chunks() {
        for character in chunk.valid().chars() {
            text.push(character, character.len_utf8());
        }
        if !chunk.invalid().is_empty() {
            text.push('\u{fffd}', chunk.invalid().len());
        }
    }
    text.source("invalid", start)
}

fn utf_16(rest: &[u8], unit: fn([u8; 2]) -> u16) -> Source<'static> {
    let mut text = Recoded::new(rest.len());
    text.offset = 2;
    let (pairs, half) = rest.as_chunks::<2>();
    for character in char::decode_utf16(pairs.iter().map(|&pair| unit(pair))) {
        let character = character.unwrap_or('\u{fffd}');
        text.push(character, 2 * character.len_utf16());
    }
    if !half.is_empty() {
        text.push('\u{fffd}', 1);
    }
    text.source("utf-16", 0)
}

/// A text that was written in another encoding.
struct Recoded {
    text: String,
    offsets: Vec<usize>,
    offset: usize,
}

impl Recoded {
    fn new(length: usize) -> Self {
        Recoded {
            text: String::with_capacity(length),
            offsets: Vec::with_capacity(length + 1),
            offset: 0,
        }
    }

    /// Adds a character that takes `length` bytes in the file.
    fn push(&mut self, character: char, length: usize) {
        self.text.push(character);
        self.offsets.resize(self.text.len(), self.offset);
        self.offset += length;
    }

    fn source(mut self, encoding: &'static str, start: usize) -> Source<'static> {
        self.offsets.push(self.offset);
        Source {
            encoding,
            text: Cow::Owned(self.text.into_bytes()),
            start,
            offsets: Some(self.offsets),
        }
    }
}

/// Returns a character of Windows-1252. The five bytes that it leaves undefined are control characters.
fn windows_1252_character(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[byte as usize - 0x80],
        _ => char::from(byte),
    }
}
