//! Signs of likely mistakes in a text, for rules of `check` that are written in Python.
//!
//! Without its sign, a rule finds nothing, and need not look. With it, it may find something. A
//! character outside of ASCII counts as part of a word here, which gives more signs, never fewer.

use memchr::{memchr, memchr2, memmem};

/// `==`, and behind it a block, a string, `yes` or `no`.
pub const DOUBLE_EQUALS: u8 = 1;
/// A key that the game reads once is set again, to another value.
pub const SET_AGAIN: u8 = 2;
/// Two words that may lack an operator between them.
pub const PAIR: u8 = 4;
/// More than one value after an operator.
pub const VALUES: u8 = 8;
/// A quote in a word, or a string that does not end on its line.
pub const QUOTE: u8 = 16;

/// Returns which signs a text has.
///
/// `once` are the keys that the game reads once. The text has `\n` as its only line end.
pub fn signs<K: AsRef<[u8]>>(text: &[u8], once: &[K]) -> u8 {
    let mut found = 0;
    if has_double_equals(text) {
        found |= DOUBLE_EQUALS;
    }
    if has_odd_quote(text) {
        found |= QUOTE;
    }
    let mut starts = [false; 256];
    for key in once {
        if let Some(&first) = key.as_ref().first() {
            starts[usize::from(first)] = true;
        }
    }
    let mut values: Vec<Option<&[u8]>> = vec![None; once.len()];
    let mut any_set = false;
    let mut start = 0;
    while start < text.len() {
        let end = memchr(b'\n', &text[start..]).map_or(text.len(), |length| start + length);
        let line = &text[start..end];
        let first = blanks_end(line, 0);
        if line.first() == Some(&b'}') && any_set {
            values.fill(None); // a definition ends
            any_set = false;
        }
        if found & SET_AGAIN == 0 && first < line.len() && starts[usize::from(line[first])] {
            if let Some((index, value)) = assignment(line, first, once) {
                if values[index].is_some_and(|before| before != value) {
                    found |= SET_AGAIN;
                }
                values[index] = Some(value);
                any_set = true;
            }
        }
        if found & PAIR == 0 && start > 0 && is_pair(line, first) {
            found |= PAIR;
        }
        if found & (PAIR | VALUES) != PAIR | VALUES {
            found |= in_line(line);
        }
        start = end + 1;
    }
    found
}

fn has_double_equals(text: &[u8]) -> bool {
    memmem::find_iter(text, b"==").any(|at| {
        let rest = &text[blanks_end(text, at + 2)..];
        rest.starts_with(b"\"")
            || rest.starts_with(b"{")
            || rest.starts_with(b"yes")
            || rest.starts_with(b"no")
    })
}

fn has_odd_quote(text: &[u8]) -> bool {
    let mut at = 0;
    while let Some(length) = memchr2(b'"', b'#', &text[at..]) {
        let start = at + length;
        if text[start] == b'#' {
            let Some(length) = memchr(b'\n', &text[start..]) else {
                return false;
            };
            at = start + length;
            continue;
        }
        let Some(length) = memchr2(b'"', b'\n', &text[start + 1..]) else {
            return true;
        };
        let last = start + 1 + length;
        let follows_word = start > 0 && in_word(text[start - 1]);
        let is_followed =
            text.get(last + 1).is_some_and(|&byte| in_word(byte)) && text[last - 1] != b'\\';
        if text[last] == b'\n' || follows_word || is_followed {
            return true;
        }
        at = last + 1;
    }
    false
}

fn in_word(byte: u8) -> bool {
    !b" \t\n{}=<>!?#;\"\\".contains(&byte)
}

/// Returns which of `keys` a line sets, and to what.
fn assignment<'t, K: AsRef<[u8]>>(
    line: &'t [u8],
    first: usize,
    keys: &[K],
) -> Option<(usize, &'t [u8])> {
    let rest = &line[first..];
    let index = keys.iter().position(|key| {
        let key = key.as_ref();
        rest.starts_with(key) && matches!(rest.get(key.len()), Some(b' ' | b'\t' | b'='))
    })?;
    let operator = blanks_end(line, first + keys[index].as_ref().len());
    if line.get(operator) != Some(&b'=') {
        return None;
    }
    let start = blanks_end(line, operator + 1);
    let length = line[start..]
        .iter()
        .take_while(|&&byte| !is_space(byte) && !b"{}#".contains(&byte))
        .count();
    (length > 0).then(|| (index, &line[start..start + length]))
}

/// Returns whether a line is two words, and nothing else but a comment.
fn is_pair(line: &[u8], first: usize) -> bool {
    let Some(end) = pair_end(line, first) else {
        return false;
    };
    let end = blanks_end(line, end);
    end == line.len() || line[end] == b'#'
}

/// Returns the signs in a line that need a brace or an operator before them.
fn in_line(line: &[u8]) -> u8 {
    let mut found = 0;
    let mut in_string = false;
    for (at, &byte) in line.iter().enumerate() {
        match byte {
            b'#' => break,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' if is_pair_in_block(line, at + 1) => found |= PAIR,
            b'=' | b'<' | b'>' if has_values(line, at + 1) => found |= VALUES,
            _ => {}
        }
    }
    found
}

fn is_pair_in_block(line: &[u8], at: usize) -> bool {
    let Some(end) = pair_end(line, blanks_end(line, at)) else {
        return false;
    };
    let end = blanks_end(line, end);
    match line.get(end) {
        Some(b'}') => true,
        Some(_) => {
            let word = word_end(line, end);
            let operator = blanks_end(line, word);
            word > end && matches!(line.get(operator), Some(b'=' | b'<' | b'>'))
        }
        None => false,
    }
}

/// Returns the end of two words with blanks between them, the second of which may be a string.
fn pair_end(line: &[u8], start: usize) -> Option<usize> {
    let end = word_end(line, start);
    let second = blanks_end(line, end);
    if end == start || second == end {
        return None;
    }
    if line[second..].starts_with(b"@[") {
        let length = memchr(b']', &line[second..])?;
        return Some(second + length + 1);
    }
    value_end(line, second)
}

/// Returns whether more than one value follows an operator.
fn has_values(line: &[u8], operator_end: usize) -> bool {
    let mut at = blanks_end(line, operator_end);
    let mut count = 0;
    while at < line.len() && line[at] != b'@' {
        let Some(end) = value_end(line, at) else {
            break;
        };
        count += 1;
        at = blanks_end(line, end);
        if at == end {
            break;
        }
    }
    match line.get(at) {
        None | Some(b'#' | b'}') => count > 1,
        Some(b'=' | b'<' | b'>' | b'!' | b'?' | b'{') => count > 2,
        Some(_) => false,
    }
}

/// Returns the end of a word, or of a string that is closed on its line.
fn value_end(line: &[u8], start: usize) -> Option<usize> {
    if line.get(start) == Some(&b'"') {
        let length = memchr(b'"', &line[start + 1..])?;
        return Some(start + length + 2);
    }
    let end = word_end(line, start);
    (end > start).then_some(end)
}

fn word_end(line: &[u8], start: usize) -> usize {
    let length = line[start..]
        .iter()
        .take_while(|&&byte| !is_space(byte) && !b"{}=<>!?\"#;".contains(&byte))
        .count();
    start + length
}

fn blanks_end(line: &[u8], start: usize) -> usize {
    let blanks = line[start..]
        .iter()
        .take_while(|&&byte| byte == b' ' || byte == b'\t');
    start + blanks.count()
}

/// Returns whether a byte is white space to Python's regular expressions.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | 0x1c..=b' ')
}

#[cfg(test)]
mod tests {
    use super::{DOUBLE_EQUALS, PAIR, QUOTE, SET_AGAIN, VALUES, signs};

    const ONCE: [&[u8]; 2] = [b"theme", b"window"];

    #[test]
    fn ordinary_script_has_none() {
        let text = "a = {\n\tb = \"x y\" # c d\n\ttheme = x\n\tc = { 1 2 3 }\n\td = e f = g\n}\n\
            b = {\n\ttheme = y\n}\n";
        assert_eq!(signs(text.as_bytes(), &ONCE), 0);
    }

    #[test]
    fn each_sign_is_found() {
        let cases = [
            ("a == yes", DOUBLE_EQUALS),
            ("a = {\n\ttheme = x\n\ttheme = y\n}", SET_AGAIN),
            ("a = 1\nb c\n", PAIR),
            ("a = { b c }", PAIR),
            ("a = { b c d = e }", PAIR),
            ("a = b c", VALUES),
            ("a = b \"c\" # d", VALUES),
            ("a = b c d = e", VALUES),
            ("a = \"b\"c\"", QUOTE),
            ("a = \"b", QUOTE),
            ("a = \"b\nc\"", QUOTE),
        ];
        for (text, sign) in cases {
            let found = signs(text.as_bytes(), &ONCE);
            assert_eq!(found, sign, "{text:?}");
        }
    }
}
