//! Writes a table as an SQLite database: <https://www.sqlite.org/fileformat2.html>.
//!
//! SQLite copies the rows of such a table into one of the same columns in a fifth of the time that it
//! takes to bind and insert their values.

use std::mem::{replace, take};

/// Bytes of a page.
const PAGE: usize = 4096;

/// Bytes of a cell's content above which some of it is on pages of its own.
const MAX_LOCAL: usize = PAGE - 35;
const MIN_LOCAL: usize = (PAGE - 12) * 32 / 255 - 23;

const LEAF: u8 = 0x0d;
const INTERIOR: u8 = 0x05;

/// Children of a page: a number of four bytes, a key of up to nine, and a pointer of two.
const MAX_CHILDREN: usize = (PAGE - 12) / 15;

const SCHEMA_HEADER: usize = 100;

/// A value of a row.
#[derive(Debug, Clone, Copy)]
pub enum Value<'v> {
    /// No value; also in the column that is the key of the row.
    Null,
    /// A number.
    Integer(i64),
    /// A text.
    Text(&'v str),
}

/// A table with a key of integers, row by row.
#[derive(Debug)]
pub struct TableFile {
    /// Pages that are full. The first two are the schema's and the root's.
    pages: Vec<u8>,
    leaf: Page,
    record: Record,
    cell: Vec<u8>,
    /// The number of each full leaf, and its last key.
    leaves: Vec<(u32, i64)>,
    last: i64,
}

impl Default for TableFile {
    fn default() -> Self {
        TableFile {
            pages: vec![0; 2 * PAGE],
            leaf: Page::new(LEAF, 0),
            record: Record::default(),
            cell: Vec::new(),
            leaves: Vec::new(),
            last: 0,
        }
    }
}

impl TableFile {
    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.leaf.count == 0
    }

    /// Adds a row, whose key is larger than those before it.
    pub fn push(&mut self, key: i64, values: &[Value]) {
        debug_assert!(self.is_empty() || key > self.last);
        // They are filled anew for each row, and not allocated.
        let (mut record, mut cell) = (take(&mut self.record), take(&mut self.cell));
        let record_bytes = record.fill(values);
        cell.clear();
        varint(&mut cell, record_bytes.len() as u64);
        varint(&mut cell, key.cast_unsigned());
        let local = local_bytes(record_bytes.len());
        cell.extend(&record_bytes[..local]);
        if local < record_bytes.len() {
            let first = self.add_overflow(&record_bytes[local..]);
            cell.extend(first.to_be_bytes());
        }
        if !self.leaf.has_room(cell.len()) {
            self.end_leaf();
        }
        self.leaf.push(&cell);
        self.last = key;
        (self.record, self.cell) = (record, cell);
    }

    /// Returns the database, with the table's name and the statement that creates it.
    pub fn finish(mut self, name: &str, sql: &str) -> Vec<u8> {
        let mut schema = Page::new(LEAF, SCHEMA_HEADER);
        let mut record = Record::default();
        let row = record.fill(&[
            Value::Text("table"),
            Value::Text(name),
            Value::Text(name),
            Value::Integer(2),
            Value::Text(sql),
        ]);
        let mut cell = Vec::new();
        varint(&mut cell, row.len() as u64);
        varint(&mut cell, 1);
        cell.extend(row);
        schema.push(&cell);
        let root = match self.leaves.is_empty() {
            true => replace(&mut self.leaf, Page::new(LEAF, 0)),
            false => {
                self.end_leaf();
                self.root()
            }
        };
        let page_count = (self.pages.len() / PAGE) as u32;
        let mut first = schema.written();
        write_header(&mut first, page_count);
        self.pages[..PAGE].copy_from_slice(&first);
        self.pages[PAGE..2 * PAGE].copy_from_slice(&root.written());
        self.pages
    }

    /// Writes interior pages until one is enough for all others.
    fn root(&mut self) -> Page {
        let mut level = take(&mut self.leaves);
        loop {
            let (count, pages) = (level.len(), level.len().div_ceil(MAX_CHILDREN));
            if pages == 1 {
                return interior(&level);
            }
            // Parts of about one size: a page of a single child is not allowed.
            level = (0..pages)
                .map(|at| {
                    let part = &level[count * at / pages..count * (at + 1) / pages];
                    let page = interior(part).written();
                    (self.add_page(&page), part[part.len() - 1].1)
                })
                .collect();
        }
    }

    fn end_leaf(&mut self) {
        let full = replace(&mut self.leaf, Page::new(LEAF, 0));
        let number = self.add_page(&full.written());
        self.leaves.push((number, self.last));
    }

    /// Writes what does not fit into a cell, and returns the number of its first page.
    fn add_overflow(&mut self, rest: &[u8]) -> u32 {
        let first = self.next_number();
        let chunks = rest.chunks(PAGE - 4);
        let count = chunks.len();
        for (at, chunk) in chunks.enumerate() {
            let next = match at + 1 == count {
                true => 0,
                false => self.next_number() + 1,
            };
            let mut page = next.to_be_bytes().to_vec();
            page.extend(chunk);
            page.resize(PAGE, 0);
            self.add_page(&page);
        }
        first
    }

    fn next_number(&self) -> u32 {
        (self.pages.len() / PAGE) as u32 + 1
    }

    fn add_page(&mut self, page: &[u8]) -> u32 {
        let number = self.next_number();
        self.pages.extend(page);
        number
    }
}

/// A page of a tree: its cells are written from its end.
#[derive(Debug)]
struct Page {
    bytes: Vec<u8>,
    kind: u8,
    /// Where its header is.
    header: usize,
    count: usize,
    start: usize,
    /// The last child of an interior page.
    right: u32,
}

impl Page {
    fn new(kind: u8, header: usize) -> Self {
        Page {
            bytes: vec![0; PAGE],
            kind,
            header,
            count: 0,
            start: PAGE,
            right: 0,
        }
    }

    /// Where the place of the next cell is written.
    fn next_pointer(&self) -> usize {
        let header = if self.kind == LEAF { 8 } else { 12 };
        self.header + header + 2 * self.count
    }

    fn has_room(&self, cell: usize) -> bool {
        self.next_pointer() + 2 + cell <= self.start
    }

    fn push(&mut self, cell: &[u8]) {
        let pointer = self.next_pointer();
        self.start -= cell.len();
        self.bytes[self.start..self.start + cell.len()].copy_from_slice(cell);
        self.bytes[pointer..pointer + 2].copy_from_slice(&(self.start as u16).to_be_bytes());
        self.count += 1;
    }

    fn written(mut self) -> Vec<u8> {
        let header = &mut self.bytes[self.header..];
        header[0] = self.kind;
        header[3..5].copy_from_slice(&(self.count as u16).to_be_bytes());
        header[5..7].copy_from_slice(&(self.start as u16).to_be_bytes());
        if self.kind == INTERIOR {
            header[8..12].copy_from_slice(&self.right.to_be_bytes());
        }
        self.bytes
    }
}

/// Returns a page of children, given by number and last key.
fn interior(children: &[(u32, i64)]) -> Page {
    let mut page = Page::new(INTERIOR, 0);
    let [inner @ .., last] = children else {
        return page;
    };
    for (number, last_key) in inner {
        let mut cell = number.to_be_bytes().to_vec();
        varint(&mut cell, last_key.cast_unsigned());
        page.push(&cell);
    }
    page.right = last.0;
    page
}

/// How many bytes of a record are in its cell.
fn local_bytes(length: usize) -> usize {
    if length <= MAX_LOCAL {
        return length;
    }
    let local = MIN_LOCAL + (length - MIN_LOCAL) % (PAGE - 4);
    if local <= MAX_LOCAL { local } else { MIN_LOCAL }
}

/// A record of SQLite.
#[derive(Debug, Default)]
struct Record {
    types: Vec<u8>,
    body: Vec<u8>,
    bytes: Vec<u8>,
}

impl Record {
    /// Returns the record of some values.
    fn fill(&mut self, values: &[Value]) -> &[u8] {
        let Record { types, body, bytes } = self;
        types.clear();
        body.clear();
        bytes.clear();
        for value in values {
            match *value {
                Value::Null => types.push(0),
                Value::Integer(number @ 0..=1) => types.push(8 + number as u8),
                Value::Integer(number) => {
                    let bits = 65 - (number ^ (number >> 63)).leading_zeros();
                    let (kind, length) = match bits.div_ceil(8) {
                        bytes @ 0..=4 => (bytes as u8, bytes as usize),
                        5..=6 => (5, 6),
                        _ => (6, 8),
                    };
                    types.push(kind);
                    body.extend(&number.to_be_bytes()[8 - length..]);
                }
                Value::Text(text) => {
                    varint(types, 13 + 2 * text.len() as u64);
                    body.extend(text.as_bytes());
                }
            }
        }
        // The length of the header counts itself.
        let size = types.len() + 1;
        let size = if size < 0x80 { size } else { size + 1 };
        varint(bytes, size as u64);
        bytes.extend(&*types);
        bytes.extend(&*body);
        bytes
    }
}

fn write_header(page: &mut [u8], page_count: u32) {
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..18].copy_from_slice(&(PAGE as u16).to_be_bytes());
    // Versions of the format, no reserved bytes, and three shares that are always these.
    page[18..24].copy_from_slice(&[1, 1, 0, 64, 32, 32]);
    // A counter of changes; the same at 92 says that the number of pages is right.
    for (at, number) in [
        (24, 1),
        (28, page_count),
        (40, 1),
        (44, 4),
        (56, 1),
        (92, 1),
    ] {
        page[at..at + 4].copy_from_slice(&u32::to_be_bytes(number));
    }
}

/// Appends a number as SQLite does: seven bits a byte, the highest first. A ninth byte has eight.
pub(super) fn varint(out: &mut Vec<u8>, number: u64) {
    // Most are small.
    if number < 1 << 7 {
        out.push(number as u8);
        return;
    }
    if number < 1 << 14 {
        out.extend([(number >> 7) as u8 | 0x80, number as u8 & 0x7f]);
        return;
    }
    if number >> 56 != 0 {
        let bytes = (1..9).map(|at| (number >> (8 + 7 * (8 - at))) as u8 | 0x80);
        out.extend(bytes);
        out.push(number as u8);
        return;
    }
    let count = (64 - number.leading_zeros()).div_ceil(7);
    for at in (1..count).rev() {
        out.push((number >> (7 * at)) as u8 | 0x80);
    }
    out.push(number as u8 & 0x7f);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_as_few_bytes_as_they_need() {
        for (number, kind) in [
            (0, 8),
            (1, 9),
            (2, 1),
            (-1, 1),
            (127, 1),
            (-128, 1),
            (128, 2),
            (-129, 2),
            (1 << 15, 3),
            (1 << 23, 4),
            (1 << 31, 5),
            (1 << 47, 6),
            (i64::MIN, 6),
        ] {
            assert_eq!(
                Record::default().fill(&[Value::Integer(number)])[1],
                kind,
                "{number}"
            );
        }
    }

    #[test]
    fn a_page_is_filled_to_its_last_byte() {
        let mut page = Page::new(LEAF, 0);
        assert!(!page.has_room(PAGE - 9));
        assert!(page.has_room(PAGE - 10));
        page.push(&[1; PAGE - 10]);
        assert_eq!(page.next_pointer(), page.start);
    }
}
