//! Collects which documents have which words, and writes that as a segment of an FTS5 index.
//!
//! SQLite's FTS5 takes words one at a time and writes them several times. A segment that is made here
//! is written once. The format is that of tables with `detail=none` and the default tokenizers' form of
//! a term; the comment at the start of SQLite's `ext/fts5/fts5_index.c` describes it, and FTS5's
//! `integrity-check` accepts it. There are no indexes of long lists, which FTS5 can do without.

use std::hash::{BuildHasher, RandomState};

use crate::index::table_file::varint;
use crate::index::words::fold;

/// Bytes of a page: FTS5's default.
const PAGE: usize = 4050;

/// What FTS5 puts before each term of the main index.
const PREFIX: u8 = b'0';

/// A level for large segments, so that FTS5 does not merge them with those of few documents.
const LEVEL: usize = 3;

/// FTS5's largest number of segments.
const MAX_SEGMENTS: u64 = 2000;

/// Words that are looked up at once.
const AT_ONCE: usize = 64;

struct Word {
    start: u32,
    length: u32,
    /// The last document that has it, counted from 1, or 0.
    last: u32,
}

/// The words of documents, in order of the documents.
pub struct WordLists {
    /// All words, one after the other.
    text: Vec<u8>,
    words: Vec<Word>,
    /// For each place, 0 or the high half of a hash and the number of a word.
    slots: Vec<u64>,
    /// The words of each document, document by document.
    postings: Vec<u32>,
    /// Each document, and where its words start.
    documents: Vec<(u64, usize)>,
    seeds: [u64; 2],
}

/// A segment: all that is to be written into the tables of an FTS5 index.
#[derive(Debug, Default)]
pub struct Segment {
    /// Rows of its table `data`: id and block.
    pub data: Vec<(u64, Vec<u8>)>,
    /// Rows of its table `idx`: segment, term and page.
    pub idx: Vec<(u64, Vec<u8>, u64)>,
}

impl Default for WordLists {
    fn default() -> Self {
        WordLists {
            text: Vec::new(),
            words: Vec::new(),
            slots: vec![0; 1 << 12],
            postings: Vec::new(),
            documents: Vec::new(),
            seeds: seeds(),
        }
    }
}

impl WordLists {
    /// Returns about how many bytes of memory it takes.
    pub fn size(&self) -> usize {
        self.text.len()
            + self.words.len() * size_of::<Word>()
            + self.slots.len() * 8
            + self.postings.len() * 4
            + self.documents.len() * 16
    }

    /// Returns the document that was begun last, or 0.
    pub fn last(&self) -> u64 {
        self.documents.last().map_or(0, |&(document, _)| document)
    }

    /// Begins a document.
    ///
    /// # Errors
    ///
    /// If its number is not larger than those before it, and than 0.
    pub fn begin(&mut self, document: u64) -> Result<(), &'static str> {
        if document <= self.last() {
            return Err("documents are not in order");
        }
        self.documents.push((document, self.postings.len()));
        Ok(())
    }

    /// Adds words to the document that was begun last. Letters of ASCII are in lower case.
    pub fn add<'w>(&mut self, words: impl IntoIterator<Item = &'w [u8]>) {
        let document = self.documents.len() as u32;
        let mut rest = words.into_iter();
        let mut words = [&[][..]; AT_ONCE];
        loop {
            // The processor waits for memory at each step: it does so for many words at once.
            let mut hashes = [0; AT_ONCE];
            let mut count = 0;
            for (place, word) in words.iter_mut().zip(&mut rest) {
                *place = word;
                hashes[count] = hash_of(word, self.seeds);
                count += 1;
            }
            let mask = self.slots.len() - 1;
            let slots = hashes.map(|hash| self.slots[hash as usize & mask]);
            let mut places = [(0, 0); AT_ONCE];
            for (place, (slot, hash)) in places.iter_mut().zip(slots.iter().zip(hashes)) {
                if *slot != 0 && (slot ^ hash) >> 32 == 0 {
                    let known = &self.words[*slot as u32 as usize - 1];
                    *place = (known.start as usize, known.length as usize);
                }
            }
            for (at, word) in words[..count].iter().enumerate() {
                let (start, length) = places[at];
                let number = match length != 0 && is_same(&self.text[start..start + length], word) {
                    true => slots[at] as u32 as usize - 1,
                    false => self.number_of(word, hashes[at]),
                };
                if self.words[number].last != document {
                    self.words[number].last = document;
                    self.postings.push(number as u32);
                }
            }
            if count < AT_ONCE {
                return;
            }
        }
    }

    /// Returns the number of a word, which is added if it is new.
    fn number_of(&mut self, word: &[u8], hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at] != 0 {
            if (self.slots[at] ^ hash) >> 32 == 0 {
                let number = self.slots[at] as u32 as usize - 1;
                let known = &self.words[number];
                let start = known.start as usize;
                if is_same(&self.text[start..start + known.length as usize], word) {
                    return number;
                }
            }
            at = (at + 1) & mask;
        }
        self.words.push(Word {
            start: self.text.len() as u32,
            length: word.len() as u32,
            last: 0,
        });
        self.text.extend_from_slice(word);
        self.slots[at] = hash >> 32 << 32 | self.words.len() as u64;
        if self.words.len() * 2 > self.slots.len() {
            self.grow();
        }
        self.words.len() - 1
    }

    #[cold]
    fn grow(&mut self) {
        let mut slots = vec![0; self.slots.len() * 2];
        let mask = slots.len() - 1;
        for (number, word) in self.words.iter().enumerate() {
            let start = word.start as usize;
            let hash = hash_of(&self.text[start..start + word.length as usize], self.seeds);
            let mut at = hash as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = hash >> 32 << 32 | (number + 1) as u64;
        }
        self.slots = slots;
    }

    /// Returns all documents as a segment of an index, and begins anew.
    ///
    /// # Arguments
    ///
    /// * `structure` - the block of the index that lists its segments
    /// * `totals` - the block of the index that counts its documents and words
    ///
    /// # Errors
    ///
    /// If the blocks are not what FTS5 writes, or there are too many segments.
    pub fn segment(&mut self, structure: &[u8], totals: &[u8]) -> Result<Segment, &'static str> {
        let mut segments = Structure::read(structure).ok_or("an unknown form of an FTS5 index")?;
        let [documents, words] = read_totals(totals).ok_or("an unknown form of an FTS5 index")?;
        let id = segments
            .free_id()
            .ok_or("the FTS5 index has too many segments")?;
        let lists = std::mem::take(self);
        let mut made = Pages::new(id);
        lists.write(&mut made);
        let (last_page, mut segment) = made.finish();
        if last_page > 0 {
            segments.add(id, last_page);
            segment.data.push((10, segments.written()));
            let mut block = Vec::new();
            varint(&mut block, documents + lists.documents.len() as u64);
            varint(&mut block, words + lists.postings.len() as u64);
            segment.data.push((1, block));
        }
        Ok(segment)
    }

    fn write(&self, pages: &mut Pages) {
        let text = |word: &Word| {
            let start = word.start as usize;
            &self.text[start..start + word.length as usize]
        };
        let mut order: Vec<(u128, u32)> = (0..)
            .zip(&self.words)
            .map(|(number, word)| {
                let mut head = [0; 16];
                let text = text(word);
                let length = text.len().min(16);
                head[..length].copy_from_slice(&text[..length]);
                (u128::from_be_bytes(head), number)
            })
            .collect();
        order.sort_unstable_by(|one, other| {
            let words = || {
                let [one, other] = [one.1, other.1].map(|number| &self.words[number as usize]);
                text(one).cmp(text(other))
            };
            one.0.cmp(&other.0).then_with(words)
        });
        let mut ends = vec![0; self.words.len()];
        for &word in &self.postings {
            ends[word as usize] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += std::mem::replace(end, sum);
        }
        let mut documents = vec![0; self.postings.len()];
        let after = self.documents.iter().skip(1).map(|&(_, start)| start);
        let starts = self.documents.iter().map(|&(_, start)| start);
        let parts = starts.zip(after.chain([self.postings.len()]));
        for (number, (start, end)) in (0u32..).zip(parts) {
            for &word in &self.postings[start..end] {
                let place = &mut ends[word as usize];
                documents[*place] = number;
                *place += 1;
            }
        }
        for (_, number) in order {
            let word = number as usize;
            let start = match word {
                0 => 0,
                _ => ends[word - 1],
            };
            pages.term(text(&self.words[word]));
            for &document in &documents[start..ends[word]] {
                pages.document(self.documents[document as usize].0);
            }
        }
    }
}

/// Returns seeds of a hash: names of one hash make a search slow, so that nobody can know them.
pub(super) fn seeds() -> [u64; 2] {
    [1, 2].map(|number| RandomState::new().hash_one(number))
}

pub(super) fn hash_of(word: &[u8], seeds: [u64; 2]) -> u64 {
    let mut hash = word.len() as u64 ^ seeds[0];
    for &block in word.as_chunks::<8>().0 {
        hash = fold(hash ^ u64::from_le_bytes(block), seeds[1] | 1);
    }
    fold(hash ^ last_bytes(word), seeds[1] | 1)
}

/// Returns the last eight bytes, or all of a shorter word. Words of one length differ in it or before.
fn last_bytes(word: &[u8]) -> u64 {
    if let Some(&last) = word.last_chunk::<8>() {
        return u64::from_le_bytes(last);
    }
    if let (Some(&first), Some(&last)) = (word.first_chunk::<4>(), word.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(first)) << 32 | u64::from(u32::from_le_bytes(last));
    }
    let bytes = word.iter();
    bytes.fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Whether two words are the same: faster than a call of `memcmp`, as most words are short.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let blocks = one.as_chunks::<8>().0.iter();
    one.len() == other.len()
        && blocks.eq(other.as_chunks::<8>().0)
        && last_bytes(one) == last_bytes(other)
}

/// Writes the pages of a segment.
struct Pages {
    id: u64,
    number: u64,
    /// The page that is written.
    page: Vec<u8>,
    /// Where its terms start.
    starts: Vec<u8>,
    last_start: usize,
    term: Vec<u8>,
    /// The last document of the term, or 0.
    document: u64,
    made: Segment,
}

const HEADER: [u8; 4] = [0; 4];

fn new_page() -> Vec<u8> {
    let mut page = Vec::with_capacity(PAGE);
    page.extend(HEADER);
    page
}

impl Pages {
    fn new(id: u64) -> Self {
        Pages {
            id,
            number: 1,
            page: new_page(),
            starts: Vec::new(),
            last_start: 0,
            term: Vec::new(),
            document: 0,
            made: Segment::default(),
        }
    }

    fn term(&mut self, word: &[u8]) {
        if self.page.len() + self.starts.len() + word.len() + 3 >= PAGE {
            self.end_page();
        }
        let start = self.page.len();
        let equal = self.term.get(1..).unwrap_or_default().iter().zip(word);
        let common = 1 + equal.take_while(|(one, other)| one == other).count();
        if self.starts.is_empty() {
            // A page is found by as much of its first term as differs from the one before.
            let length = match self.term.is_empty() {
                true => 0,
                false => (common + 1).min(word.len() + 1),
            };
            let mut head = [&[PREFIX], word].concat();
            head.truncate(length);
            self.made.idx.push((self.id, head, self.number << 1));
            varint(&mut self.page, word.len() as u64 + 1);
            self.page.push(PREFIX);
            self.page.extend(word);
        } else {
            varint(&mut self.page, common as u64);
            varint(&mut self.page, (word.len() + 1 - common) as u64);
            self.page.extend(&word[common - 1..]);
        }
        varint(&mut self.starts, (start - self.last_start) as u64);
        self.last_start = start;
        self.term.clear();
        self.term.push(PREFIX);
        self.term.extend(word);
        self.document = 0;
    }

    fn document(&mut self, document: u64) {
        if self.page.len() + self.starts.len() >= PAGE {
            self.end_page();
            self.document = 0;
        }
        if self.page.len() == HEADER.len() {
            self.page[1] = HEADER.len() as u8;
        }
        varint(&mut self.page, document - self.document);
        self.document = document;
    }

    fn end_page(&mut self) {
        let end = self.page.len() as u16;
        self.page[2..4].copy_from_slice(&end.to_be_bytes());
        self.page.append(&mut self.starts);
        let page = std::mem::replace(&mut self.page, new_page());
        self.made.data.push((self.id << 37 | self.number, page));
        self.number += 1;
        self.last_start = 0;
    }

    /// Returns the number of the last page, and the segment.
    fn finish(mut self) -> (u64, Segment) {
        if self.page.len() > HEADER.len() {
            self.end_page();
        }
        (self.number - 1, self.made)
    }
}

/// The block that lists the segments of an index.
struct Structure {
    cookie: [u8; 4],
    written: u64,
    /// For each level, how many of its segments are being merged, and all of them: id, first and last
    /// page.
    levels: Vec<(u64, Vec<[u64; 3]>)>,
}

impl Structure {
    fn read(block: &[u8]) -> Option<Self> {
        let (cookie, mut rest) = block.split_first_chunk::<4>()?;
        let next = &mut rest;
        let level_count = read_varint(next)?;
        let mut count = read_varint(next)?;
        let written = read_varint(next)?;
        let mut levels = Vec::new();
        for _ in 0..level_count {
            let merged = read_varint(next)?;
            let mut segments = Vec::new();
            for _ in 0..read_varint(next)? {
                count = count.checked_sub(1)?;
                segments.push([read_varint(next)?, read_varint(next)?, read_varint(next)?]);
            }
            levels.push((merged, segments));
        }
        (count == 0 && rest.is_empty()).then_some(Structure {
            cookie: *cookie,
            written,
            levels,
        })
    }

    fn free_id(&self) -> Option<u64> {
        let segments = self.levels.iter().flat_map(|(_, segments)| segments);
        let used: Vec<u64> = segments.map(|segment| segment[0]).collect();
        (1..=MAX_SEGMENTS).find(|id| !used.contains(id))
    }

    fn add(&mut self, id: u64, last_page: u64) {
        if self.levels.len() <= LEVEL {
            self.levels.resize_with(LEVEL + 1, Default::default);
        }
        self.levels[LEVEL].1.push([id, 1, last_page]);
    }

    fn written(&self) -> Vec<u8> {
        let mut block = self.cookie.to_vec();
        let count: usize = self.levels.iter().map(|(_, segments)| segments.len()).sum();
        for number in [self.levels.len() as u64, count as u64, self.written] {
            varint(&mut block, number);
        }
        for (merged, segments) in &self.levels {
            varint(&mut block, *merged);
            varint(&mut block, segments.len() as u64);
            for &number in segments.iter().flatten() {
                varint(&mut block, number);
            }
        }
        block
    }
}

/// Reads how many documents and words an index has.
fn read_totals(mut block: &[u8]) -> Option<[u64; 2]> {
    if block.is_empty() {
        return Some([0, 0]);
    }
    let totals = [read_varint(&mut block)?, read_varint(&mut block)?];
    block.is_empty().then_some(totals)
}

fn read_varint(block: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for _ in 0..8 {
        let (&byte, rest) = block.split_first()?;
        *block = rest;
        number = number << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some(number);
        }
    }
    let (&byte, rest) = block.split_first()?;
    *block = rest;
    Some(number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for bits in 0..64 {
            for number in [1_u64 << bits, (1 << bits) - 1, u64::MAX >> bits] {
                let mut block = Vec::new();
                varint(&mut block, number);
                let mut rest = &block[..];
                assert_eq!(read_varint(&mut rest), Some(number));
                assert!(rest.is_empty());
            }
        }
    }

    #[test]
    fn documents_must_be_in_order() {
        let mut lists = WordLists::default();
        assert!(lists.begin(0).is_err());
        assert!(lists.begin(7).is_ok());
        assert!(lists.begin(7).is_err());
        assert!(lists.begin(8).is_ok());
    }

    #[test]
    fn a_word_has_one_number() {
        let mut lists = WordLists::default();
        let words: Vec<String> = (0..9_000)
            .map(|number| "ab".repeat(number % 13) + &number.to_string())
            .collect();
        for document in 1..=2 {
            lists.begin(document).unwrap();
            lists.add(words.iter().map(String::as_bytes));
            lists.add(words[..100].iter().map(String::as_bytes));
        }
        assert_eq!(lists.words.len(), words.len());
        assert_eq!(lists.postings.len(), 2 * words.len());
        for (number, word) in words.iter().enumerate() {
            assert_eq!(
                lists.number_of(word.as_bytes(), hash_of(word.as_bytes(), lists.seeds)),
                number
            );
        }
    }

    #[test]
    fn words_are_the_same_if_all_their_bytes_are() {
        let seeds = WordLists::default().seeds;
        for length in 0..40 {
            let word = vec![b'a'; length];
            assert!(is_same(&word, &word.clone()));
            assert!(!is_same(&word, &vec![b'a'; length + 1]));
            for at in 0..length {
                let mut other = word.clone();
                other[at] = b'b';
                assert!(!is_same(&word, &other), "{length} {at}");
                assert_ne!(hash_of(&word, seeds), hash_of(&other, seeds));
            }
        }
    }

    #[test]
    fn unknown_blocks_are_an_error() {
        let empty = [0; 7];
        let lists = || {
            let mut lists = WordLists::default();
            lists.begin(1).unwrap();
            lists.add([&b"brave"[..]]);
            lists
        };
        assert!(lists().segment(&empty, &[]).is_ok());
        assert!(lists().segment(&empty[..6], &[]).is_err());
        assert!(lists().segment(&[0, 0, 0, 0, 0, 1, 0], &[]).is_err());
        assert!(lists().segment(&empty, &[1]).is_err());
    }
}
