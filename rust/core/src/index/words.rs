//! The names in keys and values, each once, in the order of their first use.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use crate::ck3::words::numeric;

/// Bytes of the longest name.
pub(crate) const MAX_NAME: usize = 200;

/// Bytes that are compared at once.
const BLOCK: usize = 16;

/// Texts up to this length are the same if their length and their first and last blocks are.
const LONG: usize = 2 * BLOCK;

/// What the bytes of a text have, as bits.
const DOLLAR: u8 = 1;
const BRACKET: u8 = 2;
const BLANK: u8 = 4;
const COLON: u8 = 8;
const POINT: u8 = 16;
/// Not as it is in ASCII JSON.
const ESCAPED: u8 = 32;
/// Not in a run of letters, digits and `_`.
const OTHER: u8 = 64;

static CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = class(byte as u8);
        if byte < 0x80 && byte != b'_' as usize && !(byte as u8).is_ascii_alphanumeric() {
            table[byte] |= OTHER;
        }
        byte += 1;
    }
    table
};

/// Returns the classes of a byte, without [`OTHER`]. There is no branch, so that the compiler does it for
/// all bytes of a block at once.
#[inline(always)]
const fn class(byte: u8) -> u8 {
    let control = (byte < 0x20) | (byte == 0x7f);
    let escaped = control | (byte >= 0x80) | (byte == b'"') | (byte == b'\\');
    let point = (byte == b'.') | (byte == b'|');
    let blank = control | (byte == b' ');
    ((byte == b'$') as u8 * DOLLAR)
        | ((byte == b'[') as u8 * BRACKET)
        | (blank as u8 * BLANK)
        | ((byte == b':') as u8 * COLON)
        | (point as u8 * POINT)
        | (escaped as u8 * ESCAPED)
}

fn classes(text: &[u8]) -> u8 {
    text.iter()
        .fold(0, |found, &byte| found | CLASSES[byte as usize])
}

/// Returns the classes of the bytes of a block that a mask has.
#[inline(always)]
fn classes_of_block(block: u128, mask: u128) -> u8 {
    let found = u128::from_le_bytes(block.to_le_bytes().map(class)) & mask;
    let found = found as u64 | (found >> 64) as u64;
    let found = found as u32 | (found >> 32) as u32;
    found
        .to_le_bytes()
        .into_iter()
        .fold(0, |all, byte| all | byte)
}

/// For each length of up to a block, the bits of the block's bytes up to it.
static MASKS: [u128; BLOCK + 1] = {
    let mut table = [0; BLOCK + 1];
    let mut length = 1;
    while length <= BLOCK {
        table[length] = u128::MAX >> (8 * (BLOCK - length));
        length += 1;
    }
    table
};

/// Whether a text without dollars, brackets and blanks can be a name.
fn is_word(text: &[u8]) -> bool {
    match text {
        [] | [b'@', ..] | b"yes" | b"no" => false,
        [b'+'..=b'9', ..] if numeric(text).is_some() => false,
        _ => text.len() <= MAX_NAME,
    }
}

/// Calls a function with the span and form of a text and of each of its parts. Those of a part that is
/// known are not told.
pub(crate) fn parts(
    text: &[u8],
    start: usize,
    end: usize,
    take: &mut impl FnMut(usize, usize, Form) -> Taken,
) {
    let word = &text[start..end];
    let (form, separators) = read(word, classes(word));
    if take(start, end, form) == Taken::New && separators != 0 {
        split(text, start, end, separators, take);
    }
}

/// Returns the form of a text, and the classes of the bytes that separate its parts.
#[inline(always)]
fn read(word: &[u8], found: u8) -> (Form, u8) {
    let is_name = found & (DOLLAR | BRACKET | BLANK) == 0 && is_word(word);
    let form = match (is_name, found & ESCAPED) {
        (false, _) => Form::NoName,
        (true, 0) => Form::Plain,
        (true, _) => Form::Escaped,
    };
    let separators = match () {
        () if found & (DOLLAR | BRACKET) == BRACKET => OTHER,
        () if !is_name => 0,
        () if found & COLON != 0 => COLON,
        () => found & POINT,
    };
    (form, separators)
}

/// Whether a text is a name, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    NoName,
    /// As it is.
    Plain,
    /// Escaped for JSON.
    Escaped,
}

/// Whether the parts of a text are to be told.
#[derive(PartialEq, Eq)]
pub(crate) enum Taken {
    New,
    Known,
}

fn split(
    text: &[u8],
    start: usize,
    end: usize,
    separators: u8,
    take: &mut impl FnMut(usize, usize, Form) -> Taken,
) {
    let mut from = start;
    for at in start..=end {
        if at == end || CLASSES[text[at] as usize] & separators != 0 {
            if at > from {
                parts(text, from, at, take);
            }
            from = at + 1;
        }
    }
}

/// A text that was seen.
#[derive(Clone, Copy)]
struct Entry {
    /// Its first bytes, and its last ones if it is longer than a block, else the same.
    first: u128,
    last: u128,
    start: u32,
    length: u32,
    form: Form,
}

/// The memory of [`Words`].
#[derive(Default)]
struct Table {
    /// Where parts of the text start and end.
    waiting: Vec<(u32, u32)>,
    /// For each place, 0 or the high half of a hash and the number of an entry.
    slots: Vec<u64>,
    entries: Vec<Entry>,
}

/// How many parts of a text are taken at once.
const WAITING: usize = 1024;

/// The most slots of a table that is kept for the next text.
const KEPT: usize = 1 << 14;

thread_local! {
    static TABLE: Cell<Table> = Cell::default();
}

/// A set of parts of one text.
pub(crate) struct Words<'t> {
    text: &'t [u8],
    /// How many parts of the text wait to be taken.
    count: usize,
    table: Table,
    seeds: [u64; 4],
}

impl<'t> Words<'t> {
    pub fn new(text: &'t [u8]) -> Self {
        // Names of one hash would make the search slow, so that nobody can know it.
        static SEEDS: OnceLock<[u64; 4]> = OnceLock::new();
        let seeds = *SEEDS.get_or_init(|| {
            let random = RandomState::new();
            [0, 1, 2, 3].map(|seed| random.hash_one(seed))
        });
        let room = (text.len() / 32).clamp(128, 1 << 16).next_power_of_two();
        let mut table = TABLE.take();
        table.waiting.resize(WAITING, (0, 0));
        table.slots.clear();
        table.slots.resize(room, 0);
        table.entries.clear();
        table.entries.reserve(room / 2);
        Words {
            text,
            count: 0,
            table,
            seeds,
        }
    }

    /// Takes the names in a part of the text, if it has any.
    #[inline(always)]
    pub fn add(&mut self, start: usize, end: usize, has_names: bool) {
        // It is written in either case: the processor would often guess a branch wrongly.
        let waiting = &mut self.table.waiting;
        waiting[self.count] = (start as u32, end as u32);
        self.count += usize::from(has_names);
        if self.count == WAITING {
            self.take_waiting();
        }
    }

    /// Takes the parts of the text that were added. Together, they take less time than one by one between
    /// other work.
    #[inline(never)]
    fn take_waiting(&mut self) {
        for at in 0..std::mem::take(&mut self.count) {
            let (start, end) = self.table.waiting[at];
            let key = self.key(start as usize, end as usize);
            if let Some(at) = self.vacant(&key) {
                self.add_new(&key, at);
            }
        }
    }

    /// Returns where each name stands, and its form.
    pub fn names(&mut self) -> impl Iterator<Item = (usize, usize, Form)> {
        self.take_waiting();
        let names = self.table.entries.iter();
        let names = names.filter(|entry| entry.form != Form::NoName);
        names.map(|entry| {
            let start = entry.start as usize;
            (start, start + entry.length as usize, entry.form)
        })
    }

    /// Takes the names in a text that was not seen, for which there is a free slot.
    #[inline(never)]
    fn add_new(&mut self, key: &Key, at: usize) {
        let (start, end) = (key.start, key.start + key.length);
        let mask = MASKS[key.length.min(BLOCK)];
        let mut found = classes_of_block(key.first, mask) | classes_of_block(key.last, mask);
        if key.length > LONG {
            found |= classes(&self.text[start + BLOCK..end - BLOCK]);
        }
        let (form, separators) = read(&self.text[start..end], found);
        self.insert(key, at, form);
        if separators == 0 {
            return;
        }
        split(
            self.text,
            start,
            end,
            separators,
            &mut |start, end, form| {
                let key = self.key(start, end);
                match self.vacant(&key) {
                    Some(at) => {
                        self.insert(&key, at, form);
                        Taken::New
                    }
                    None => Taken::Known,
                }
            },
        );
    }

    #[inline(always)]
    fn key(&self, start: usize, end: usize) -> Key {
        let length = end - start;
        let [first, last] = [start, start + length.max(BLOCK) - BLOCK].map(|at| {
            let block = match self.text[at..].first_chunk() {
                Some(block) => u128::from_le_bytes(*block),
                None => self.last_block(at),
            };
            block & MASKS[length.min(BLOCK)]
        });
        let [a, b, c, d] = self.seeds;
        let hash = fold(first as u64 ^ a, (first >> 64) as u64 ^ b)
            ^ fold(
                last as u64 ^ c.wrapping_add(length as u64),
                (last >> 64) as u64 ^ d,
            );
        Key {
            first,
            last,
            start,
            length,
            hash: match length {
                ..=LONG => hash,
                _ => self.long_hash(hash, start, end),
            },
        }
    }

    /// Returns the bytes from an offset on, if they are less than a block.
    #[cold]
    #[inline(never)]
    fn last_block(&self, start: usize) -> u128 {
        let mut block = [0; BLOCK];
        let rest = &self.text[start..];
        block[..rest.len()].copy_from_slice(rest);
        u128::from_le_bytes(block)
    }

    /// Returns the hash of a text longer than two blocks, from that of its first and last block.
    #[inline(never)]
    fn long_hash(&self, mut hash: u64, start: usize, end: usize) -> u64 {
        for block in self.text[start + BLOCK..end - 1].as_chunks::<BLOCK>().0 {
            let block = u128::from_le_bytes(*block);
            hash = fold(block as u64 ^ hash, (block >> 64) as u64 ^ self.seeds[1]);
        }
        hash
    }

    /// Returns the slot for a text, or `None` if it was seen.
    #[inline(always)]
    fn vacant(&self, key: &Key) -> Option<usize> {
        let slots = &self.table.slots[..];
        let mask = slots.len() - 1;
        let mut at = key.hash as usize & mask;
        loop {
            let slot = slots[at];
            if slot == 0 {
                return Some(at);
            }
            if (slot ^ key.hash) >> 32 == 0 {
                let entry = &self.table.entries[slot as u32 as usize - 1];
                let differ = (entry.first ^ key.first) | (entry.last ^ key.last);
                if differ == 0
                    && entry.length as usize == key.length
                    && (key.length <= LONG || self.is_equal(entry, key))
                {
                    return None;
                }
            }
            at = (at + 1) & mask;
        }
    }

    #[inline(never)]
    fn is_equal(&self, entry: &Entry, key: &Key) -> bool {
        let start = entry.start as usize;
        self.text[start..start + key.length] == self.text[key.start..key.start + key.length]
    }

    /// Notes a text in a free slot.
    #[inline(always)]
    fn insert(&mut self, key: &Key, at: usize, form: Form) {
        let Table { slots, entries, .. } = &mut self.table;
        // A text of 4 GB has no tree.
        entries.push(Entry {
            first: key.first,
            last: key.last,
            start: key.start as u32,
            length: key.length as u32,
            form,
        });
        slots[at] = key.hash >> 32 << 32 | entries.len() as u64;
        if entries.len() * 2 >= slots.len() {
            self.grow();
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let mut slots = vec![0; self.table.slots.len() * 4];
        for &old in self.table.slots.iter().filter(|&&slot| slot != 0) {
            let entry = self.table.entries[old as u32 as usize - 1];
            let start = entry.start as usize;
            let key = self.key(start, start + entry.length as usize);
            place(&mut slots, key.hash as usize, old);
        }
        self.table.slots = slots;
    }
}

impl Drop for Words<'_> {
    fn drop(&mut self) {
        if self.table.slots.len() <= KEPT {
            TABLE.set(std::mem::take(&mut self.table));
        }
    }
}

/// A part of the text, and its hash.
struct Key {
    first: u128,
    last: u128,
    start: usize,
    length: usize,
    hash: u64,
}

fn place(slots: &mut [u64], hash: usize, slot: u64) {
    let mask = slots.len() - 1;
    let mut at = hash & mask;
    while slots[at] != 0 {
        at = (at + 1) & mask;
    }
    slots[at] = slot;
}

#[inline(always)]
pub(crate) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the names in parts of a text.
    fn names<'t>(text: &'t [u8], parts: &[(usize, usize)]) -> Vec<&'t [u8]> {
        let mut words = Words::new(text);
        for &(start, end) in parts {
            words.add(start, end, true);
            words.add(start, end, false);
        }
        let names = words.names();
        names.map(|(start, end, _)| &text[start..end]).collect()
    }

    #[test]
    fn the_bytes_of_a_block_have_the_classes_of_the_table() {
        for byte in 0..=255 {
            for at in 0..BLOCK {
                let mut block = [b'a'; BLOCK];
                block[at] = byte;
                let block = u128::from_le_bytes(block);
                let found = CLASSES[byte as usize] & !OTHER;
                assert_eq!(classes_of_block(block, MASKS[at]), 0, "{byte:#x}");
                assert_eq!(classes_of_block(block, MASKS[at + 1]), found, "{byte:#x}");
            }
        }
    }

    #[test]
    fn words_are_the_same_if_all_their_bytes_and_their_lengths_are() {
        let mut text = Vec::new();
        let mut parts = Vec::new();
        let mut add = |word: &[u8]| {
            parts.push((text.len(), text.len() + word.len()));
            text.extend_from_slice(word);
        };
        let mut expected = Vec::new();
        for length in 1..=5 * BLOCK {
            for at in 0..length {
                let mut word = vec![b'a'; length];
                word[at] = b'b';
                expected.push(word);
            }
            expected.push(vec![b'a'; length]);
        }
        assert!(expected.len() > 2 * WAITING);
        for _ in 0..2 {
            expected.iter().for_each(|word| add(word));
        }
        assert_eq!(names(&text, &parts), expected);
    }

    #[test]
    fn the_parts_of_a_word_are_names_at_any_place_in_it() {
        for length in 1..=5 * BLOCK {
            for at in 0..length {
                let mut text = vec![b'a'; length];
                text[at] = b'.';
                let mut expected = vec![&text[..]];
                for part in [&text[..at], &text[at + 1..]] {
                    if !part.is_empty() && !expected.contains(&part) {
                        expected.push(part);
                    }
                }
                assert_eq!(names(&text, &[(0, length)]), expected);
            }
        }
    }
}
