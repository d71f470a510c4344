//! From a file's bytes to the text that is parsed, and from an offset in it to a line and column.

use std::borrow::Cow;

use memchr::{memchr_iter, memrchr};

/// How to read line ends in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnds {
    /// As they are: a CR is a blank outside strings and a character inside them.
    Kept,
    /// CR LF is one LF. There is no other CR in the text.
    Folded,
}

/// Removes a byte order mark, replaces invalid sequences, and replaces each lone CR by an LF.
///
/// CR LF stays, so that most files need no copy: the line ends of the text are `LineEnds::Folded`.
pub(crate) fn decode(data: &[u8]) -> Cow<'_, [u8]> {
    let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let text = match str::from_utf8(data) {
        Ok(_) => Cow::Borrowed(data),
        Err(_) => Cow::Owned(String::from_utf8_lossy(data).into_owned().into_bytes()),
    };
    let lone = memchr_iter(b'\r', &text).find(|&at| text.get(at + 1) != Some(&b'\n'));
    let Some(first) = lone else {
        return text;
    };
    let mut text = text.into_owned();
    for at in first..text.len() {
        if text[at] == b'\r' && text.get(at + 1) != Some(&b'\n') {
            text[at] = b'\n';
        }
    }
    Cow::Owned(text)
}

/// Returns the line and column of an offset, both from 1, columns in code points.
pub(crate) fn place_of(text: &[u8], offset: usize) -> (u64, u64) {
    let before = &text[..offset];
    let line_start = memrchr(b'\n', before).map_or(0, |at| at + 1);
    let lines = memchr_iter(b'\n', before).count();
    let columns = before[line_start..]
        .iter()
        .filter(|&&byte| !is_continuation(byte))
        .count();
    (lines as u64 + 1, columns as u64 + 1)
}

/// Returns a part of the text as it is after line ends are normalised.
pub(crate) fn shown(part: &[u8], ends: LineEnds) -> Vec<u8> {
    match ends {
        LineEnds::Kept => part.to_vec(),
        LineEnds::Folded => part.iter().copied().filter(|&byte| byte != b'\r').collect(),
    }
}

/// Whether a byte continues a character in UTF-8.
#[inline(always)]
pub(crate) fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}
