//! Searches in a broken text: indentation, ends of strings, lines that look like script.

use memchr::{memchr_iter, memchr2};

use crate::chars::{blank_run, is_blank};

/// Columns between two tab stops, for comparing indentation.
const TAB_WIDTH: u32 = 4;

/// Returns the indentation of the line at an offset, in columns.
pub(crate) fn indent_of(text: &[u8], start: usize) -> u32 {
    let mut columns = 0u32;
    for &byte in &text[start..blank_run(text, start)] {
        match byte {
            b'\t' => columns += TAB_WIDTH - columns % TAB_WIDTH,
            b' ' => columns += 1,
            _ => {}
        }
    }
    columns
}

/// Returns the offset of the quote that ends a string, or of the end of the text.
pub(crate) fn string_end(text: &[u8], mut at: usize, quote: u8) -> usize {
    while let Some(next) = memchr2(quote, b'\\', &text[at..]) {
        at += next;
        if text[at] == quote {
            return at;
        }
        at += 2;
        if at >= text.len() {
            break;
        }
    }
    text.len()
}

/// Returns the offset of the line end before the next line that looks like script, or of the end of
/// the text. Such a line starts with `}`, with a key and an operator, or with a string.
pub(crate) fn script_line(text: &[u8], start: usize) -> usize {
    memchr_iter(b'\n', &text[start..])
        .map(|at| start + at)
        .find(|&at| looks_like_script(text, at + 1))
        .unwrap_or(text.len())
}

fn looks_like_script(text: &[u8], start: usize) -> bool {
    let line = &text[blank_run(text, start)..];
    match line {
        [b'}', ..] => return true,
        [b'"' | b'\'', next, ..] => return !matches!(next, b' ' | b'\t' | b'\r' | b'\n'),
        _ => {}
    }
    let is_key = |byte: &u8| !b" \t\r\n=<>!?{}#\"'".contains(byte);
    let key = line.iter().take_while(|byte| is_key(byte)).count();
    let blanks = line[key..]
        .iter()
        .take_while(|&&byte| is_blank(byte))
        .count();
    key > 0
        && matches!(
            line[key + blanks..],
            [b'=' | b'<' | b'>', ..] | [b'?' | b'!', b'=', ..]
        )
}
