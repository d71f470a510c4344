//! The names in keys and values, each once, in the order of their first use.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use crate::ck3::words::numeric;

/// Bytes of the longest name.
pub(crate) const MAX_NAME: usize = 200;

/// What the bytes of a text have, as bits.
const DOLLAR: u8 = 1;
const BRACKET: u8 = 2;
const BLANK: u8 = 4;
const COLON: u8 = 8;
const POINT: u8 = 16;
/// Not in a run of letters, digits and `_`.
const OTHER: u8 = 32;
/// Not as it is in ASCII JSON.
const ESCAPED: u8 = 64;

static CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'$' => DOLLAR | OTHER,
            b'[' => BRACKET | OTHER,
            b' ' => BLANK | OTHER,
            ..0x20 | 0x7f => BLANK | OTHER | ESCAPED,
            b':' => COLON | OTHER,
            b'.' | b'|' => POINT | OTHER,
            b'_' => 0,
            0x80.. => ESCAPED,
            b'"' | b'\\' => OTHER | ESCAPED,
            byte if byte.is_ascii_alphanumeric() => 0,
            _ => OTHER,
        };
        byte += 1;
    }
    table
};

fn classes(text: &[u8]) -> u8 {
    text.iter()
        .fold(0, |found, &byte| found | CLASSES[byte as usize])
}

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
    let found = classes(word);
    let is_name = found & (DOLLAR | BRACKET | BLANK) == 0 && is_word(word);
    let form = match (is_name, found & ESCAPED) {
        (false, _) => Form::NoName,
        (true, 0) => Form::Plain,
        (true, _) => Form::Escaped,
    };
    if take(start, end, form) == Taken::Known {
        return;
    }
    if found & (DOLLAR | BRACKET) == BRACKET {
        split(text, start, end, OTHER, take);
    } else if is_name && found & COLON != 0 {
        split(text, start, end, COLON, take);
    } else if is_name && found & POINT != 0 {
        split(text, start, end, POINT, take);
    }
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
    /// Its first bytes and last bytes. Those of up to 16 bytes are equal if these and the length are.
    first: u64,
    last: u64,
    start: u32,
    length: u32,
    form: Form,
}

/// A set of parts of one text.
pub(crate) struct Words<'t> {
    text: &'t [u8],
    /// For each place, 0 or the high half of a hash and the number of an entry.
    slots: Vec<u64>,
    entries: Vec<Entry>,
    seeds: [u64; 2],
}

impl<'t> Words<'t> {
    pub fn new(text: &'t [u8]) -> Self {
        // Names of one hash would make the search slow, so that nobody can know it.
        static SEEDS: OnceLock<[u64; 2]> = OnceLock::new();
        let seeds = *SEEDS.get_or_init(|| {
            let random = RandomState::new();
            [random.hash_one(1), random.hash_one(2)]
        });
        let room = (text.len() / 32).clamp(128, 1 << 16).next_power_of_two();
        Words {
            text,
            slots: vec![0; room],
            entries: Vec::with_capacity(room / 2),
            seeds,
        }
    }

    /// Takes the names in a part of the text.
    #[inline(always)]
    pub fn add(&mut self, start: usize, end: usize) {
        let key = self.key(start, end);
        if !self.contains(&key) {
            self.add_new(start, end);
        }
    }

    /// Returns where each name stands, and its form.
    pub fn names(&self) -> impl Iterator<Item = (usize, usize, Form)> {
        let names = self.entries.iter();
        let names = names.filter(|entry| entry.form != Form::NoName);
        names.map(|entry| {
            let start = entry.start as usize;
            (start, start + entry.length as usize, entry.form)
        })
    }

    #[inline(never)]
    fn add_new(&mut self, start: usize, end: usize) {
        parts(self.text, start, end, &mut |start, end, form| {
            let key = self.key(start, end);
            if self.contains(&key) {
                return Taken::Known;
            }
            self.insert(&key, form);
            Taken::New
        });
    }

    #[inline(always)]
    fn key(&self, start: usize, end: usize) -> Key {
        let word = &self.text[start..end];
        let (first, last) = match word.len() {
            8.. => (
                u64::from_le_bytes(*word.first_chunk().unwrap_or(&[0; 8])),
                u64::from_le_bytes(*word.last_chunk().unwrap_or(&[0; 8])),
            ),
            4..8 => (
                u32::from_le_bytes(*word.first_chunk().unwrap_or(&[0; 4])).into(),
                u32::from_le_bytes(*word.last_chunk().unwrap_or(&[0; 4])).into(),
            ),
            0 => (0, 0),
            length => (
                u64::from(word[0]) | u64::from(word[length / 2]) << 8,
                u64::from(word[length - 1]),
            ),
        };
        let mut hash = fold(first ^ self.seeds[0], last ^ self.seeds[1]);
        if word.len() > 16 {
            // The bytes in between; `last` has the rest.
            let (blocks, _) = word[8..word.len() - 1].as_chunks::<8>();
            for &block in blocks {
                hash = fold(hash ^ u64::from_le_bytes(block), self.seeds[1]);
            }
        }
        let hash = fold(hash ^ word.len() as u64, self.seeds[0] | 1);
        Key {
            first,
            last,
            start,
            length: word.len(),
            hash,
        }
    }

    #[inline(always)]
    fn contains(&self, key: &Key) -> bool {
        let mask = self.slots.len() - 1;
        let mut at = key.hash as usize & mask;
        loop {
            let slot = self.slots[at & mask];
            if slot == 0 {
                return false;
            }
            if (slot ^ key.hash) >> 32 == 0 {
                let entry = &self.entries[slot as u32 as usize - 1];
                if entry.first == key.first
                    && entry.last == key.last
                    && entry.length as usize == key.length
                    && (key.length <= 16 || self.is_equal(entry, key))
                {
                    return true;
                }
            }
            at += 1;
        }
    }

    #[inline(never)]
    fn is_equal(&self, entry: &Entry, key: &Key) -> bool {
        let start = entry.start as usize;
        self.text[start..start + key.length] == self.text[key.start..key.start + key.length]
    }

    fn insert(&mut self, key: &Key, form: Form) {
        if self.entries.len() * 2 >= self.slots.len() {
            self.grow();
        }
        // A text of 4 GB has no tree.
        self.entries.push(Entry {
            first: key.first,
            last: key.last,
            start: key.start as u32,
            length: key.length as u32,
            form,
        });
        let slot = key.hash >> 32 << 32 | self.entries.len() as u64;
        place(&mut self.slots, key.hash as usize, slot);
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let mut slots = vec![0; self.slots.len() * 4];
        for &old in self.slots.iter().filter(|&&slot| slot != 0) {
            let entry = self.entries[old as u32 as usize - 1];
            let start = entry.start as usize;
            let key = self.key(start, start + entry.length as usize);
            place(&mut slots, key.hash as usize, old);
        }
        self.slots = slots;
    }
}

/// A part of the text, and its hash.
struct Key {
    first: u64,
    last: u64,
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
