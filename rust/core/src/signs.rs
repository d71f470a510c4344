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

/// Less than the bytes before a brace in which the rule looks for its key.
const LONGEST_KEY: usize = 90;

const SPACE: u8 = 1;
const SIGN: u8 = 2;

/// For each byte, whether it ends a word, as white space or as another character.
const ENDS_WORD: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if is_space(byte as u8) {
            table[byte] = SPACE;
        }
        byte += 1;
    }
    let signs = b"{}=<>!?\"#;";
    let mut index = 0;
    while index < signs.len() {
        table[signs[index] as usize] = SIGN;
        index += 1;
    }
    table
};

/// Returns which signs a text has.
///
/// `once` are the keys that the game reads once, and `blocks` keys of blocks that hold keys with
/// values, besides those that [`may_hold_keys`] knows by their form. The text has `\n` as its only line end.
pub fn signs<K: AsRef<[u8]>>(text: &[u8], once: &[K], blocks: &[K]) -> u8 {
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
        if found & SET_AGAIN == 0
            && first < line.len()
            && starts[usize::from(line[first])]
            && let Some((index, value)) = assignment(line, first, once)
        {
            if values[index].is_some_and(|before| before != value) {
                found |= SET_AGAIN;
            }
            values[index] = Some(value);
            any_set = true;
        }
        let word = word_end(line, first);
        if found & PAIR == 0 && start > 0 && word > first && is_pair(line, first, word) {
            found |= PAIR;
        }
        if word < line.len() && found & (PAIR | VALUES) != PAIR | VALUES {
            found |= in_line(line, word, blocks);
        }
        start = end + 1;
    }
    found
}

fn has_double_equals(text: &[u8]) -> bool {
    memmem::find_iter(text, b"==").any(|at| {
        let signs = text[at..].iter().take_while(|&&byte| byte == b'=').count();
        let rest = &text[blanks_end(text, at + signs)..];
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
    byte != b'\\' && (ENDS_WORD[usize::from(byte)] == 0 || (is_space(byte) && !is_blank(byte)))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
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

/// Returns whether a line is two words, and nothing else but a comment. The first one is given.
fn is_pair(line: &[u8], first: usize, word: usize) -> bool {
    let Some(end) = second_end(line, first, word) else {
        return false;
    };
    let end = blanks_end(line, end);
    end == line.len() || line[end] == b'#'
}

/// Returns the signs in a line that need a brace or an operator before them, neither of which is
/// before `start`.
fn in_line<K: AsRef<[u8]>>(line: &[u8], start: usize, blocks: &[K]) -> u8 {
    let mut found = 0;
    let mut in_string = false;
    let mut at = start;
    while at < line.len() {
        let byte = line[at];
        at += 1;
        if ENDS_WORD[usize::from(byte)] != SIGN {
            continue;
        }
        match byte {
            b'#' => break,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' if is_pair_in_block(line, at - 1, blocks) => found |= PAIR,
            b'=' | b'<' | b'>' => {
                let value = blanks_end(line, at);
                let end = word_end(line, value);
                if end == line.len() {
                    break; // at most one value
                }
                if has_values(line, at) {
                    found |= VALUES;
                }
                at = end;
            }
            _ => {}
        }
    }
    found
}

fn is_pair_in_block<K: AsRef<[u8]>>(line: &[u8], brace: usize, blocks: &[K]) -> bool {
    let Some(second_end) = pair_end(line, blanks_end(line, brace + 1)) else {
        return false;
    };
    let end = blanks_end(line, second_end);
    match line.get(end) {
        Some(b'}') => {
            let pair = &line[..second_end];
            pair.ends_with(b"yes") || pair.ends_with(b"no") || opens_keys(line, brace, blocks)
        }
        Some(_) => {
            let word = word_end(line, end);
            let operator = blanks_end(line, word);
            word > end && matches!(line.get(operator), Some(b'=' | b'<' | b'>'))
        }
        None => false,
    }
}

/// Returns whether a brace may open a block that holds keys with values, and never values alone.
fn opens_keys<K: AsRef<[u8]>>(line: &[u8], brace: usize, blocks: &[K]) -> bool {
    let operator_end = blanks_start(line, brace);
    let operator = &line[..operator_end];
    let length = operator
        .iter()
        .rev()
        .take_while(|&byte| b"=<>?!".contains(byte))
        .count();
    let key_end = blanks_start(line, operator_end - length);
    let key = &line[..key_end];
    let length = key
        .iter()
        .rev()
        .take_while(|&&byte| ENDS_WORD[usize::from(byte)] == 0)
        .count();
    let key_start = key_end - length;
    // The rule looks at so many bytes only, and may see a part of the key.
    brace - key_start > LONGEST_KEY || may_hold_keys(&line[key_start..key_end], blocks)
}

fn may_hold_keys<K: AsRef<[u8]>>(key: &[u8], blocks: &[K]) -> bool {
    let is_known = blocks.iter().any(|each| each.as_ref() == key);
    let prefixes: [&[u8]; 4] = [b"any_", b"every_", b"random_", b"ordered_"];
    is_known
        || !key.is_ascii() // it may end with white space
        || key.contains(&b'.')
        || key.contains(&b':')
        || key.ends_with(b"_effect")
        || key.ends_with(b"_trigger")
        || prefixes.iter().any(|prefix| key.starts_with(prefix))
}

/// Returns where the blanks before an offset start.
fn blanks_start(line: &[u8], end: usize) -> usize {
    let blanks = line[..end]
        .iter()
        .rev()
        .take_while(|&&byte| byte == b' ' || byte == b'\t');
    end - blanks.count()
}

/// Returns the end of two words with blanks between them, the second of which may be a string.
fn pair_end(line: &[u8], start: usize) -> Option<usize> {
    second_end(line, start, word_end(line, start))
}

/// Returns the end of the second of two words, of which the first one is given.
fn second_end(line: &[u8], start: usize, end: usize) -> Option<usize> {
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
        .take_while(|&&byte| ENDS_WORD[usize::from(byte)] == 0)
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
const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | 0x1c..=b' ')
}

#[cfg(test)]
mod tests {
    use super::{DOUBLE_EQUALS, PAIR, QUOTE, SET_AGAIN, VALUES, signs};

    const ONCE: [&[u8]; 2] = [b"theme", b"window"];
    const BLOCKS: [&[u8]; 1] = [b"limit"];

    #[test]
    fn ordinary_script_has_none() {
        let text = "a = {\n\tb = \"x y\" # c d\n\ttheme = x\n\tc = { 1 2 }\n\td = e f = g\n}\n\
            b = {\n\ttheme = y\n}\n";
        assert_eq!(signs(text.as_bytes(), &ONCE, &BLOCKS), 0);
    }

    #[test]
    fn each_sign_is_found() {
        let cases = [
            ("a == yes", DOUBLE_EQUALS),
            ("a = {\n\ttheme = x\n\ttheme = y\n}", SET_AGAIN),
            ("a = 1\nb c\n", PAIR),
            ("a = { b yes }", PAIR),
            ("limit = { b c }", PAIR),
            ("any_child = { b c }", PAIR),
            ("a = { b c d = e }", PAIR),
            ("a = b c", VALUES),
            ("a = b \"c\" # d", VALUES),
            ("a = b c d = e", VALUES),
            ("a = \"b\"c\"", QUOTE),
            ("a = \"b", QUOTE),
            ("a = \"b\nc\"", QUOTE),
        ];
        for (text, sign) in cases {
            let found = signs(text.as_bytes(), &ONCE, &BLOCKS);
            assert_eq!(found, sign, "{text:?}");
        }
    }
}
