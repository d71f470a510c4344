//! Writes JSON piece by piece into one buffer.
//!
//! Pieces are copied as blocks of a fixed size. If a piece is shorter than its block, the next piece
//! overwrites the rest. So the buffer always has room for [`MARGIN`] more bytes.

use std::panic::resume_unwind;

use crate::chars::{decode, plain_run};
use crate::dialect::Dialect;
use crate::text::LineEnds;

/// The room that [`Writer::reserve`] keeps free: more than the pieces of an element take, in bytes.
const MARGIN: usize = 1024;

/// The minimum size of a buffer, and the largest that is reserved at the start, in bytes.
const FIRST: usize = 64 << 10;
const LARGE: usize = 8 << 20;

/// Texts up to this length are copied as one block, in bytes.
pub(crate) const SHORT: usize = 32;

/// The panic payload of a parse that has no memory for its output, which can be fifty times its input.
///
/// It does not abort, so that the process can go on with other work.
#[derive(Debug)]
pub struct OutOfMemory;

pub(crate) fn lengthen(bytes: &mut Vec<u8>, length: usize) {
    if bytes
        .try_reserve_exact(length.saturating_sub(bytes.len()))
        .is_err()
    {
        resume_unwind(Box::new(OutOfMemory));
    }
    bytes.resize(length, 0);
}

/// Appends bytes to a list, with the panic of a parse that has no memory for them.
pub(crate) fn push(list: &mut Vec<u8>, parts: &[&[u8]]) {
    let length = parts.iter().map(|part| part.len()).sum();
    if list.try_reserve(length).is_err() {
        resume_unwind(Box::new(OutOfMemory));
    }
    for part in parts {
        list.extend_from_slice(part);
    }
}

/// The output of a parse. Reusing a buffer avoids the cost of new memory.
#[derive(Debug, Default)]
pub struct Buffer {
    /// All initialised. The AST that a parse returns is the part it has written.
    bytes: Vec<u8>,
}

impl Buffer {
    /// Returns an empty buffer, which allocates memory on first use.
    pub const fn new() -> Self {
        Buffer { bytes: Vec::new() }
    }

    /// Returns the first bytes of the last output.
    pub(crate) fn written(&self, length: usize) -> &[u8] {
        &self.bytes[..length]
    }

    /// Frees the memory past `limit` bytes.
    pub fn shrink(&mut self, limit: usize) {
        self.bytes.truncate(limit);
        self.bytes.shrink_to(limit);
    }
}

/// A piece of JSON: the first `length` bytes of a block.
pub(crate) struct Piece<const N: usize> {
    block: [u8; N],
    length: usize,
}

impl<const N: usize> Piece<N> {
    pub const fn new(text: &[u8]) -> Self {
        Piece::joined(&[text])
    }

    pub const fn joined(texts: &[&[u8]]) -> Self {
        let mut block = [0; N];
        let mut length = 0;
        let mut part = 0;
        while part < texts.len() {
            let mut at = 0;
            while at < texts[part].len() {
                block[length] = texts[part][at];
                length += 1;
                at += 1;
            }
            part += 1;
        }
        Piece { block, length }
    }
}

/// Numbers below 1000 as text, and how many digits they have.
static NUMBERS: [([u8; 4], u8); 1000] = numbers();

const fn numbers() -> [([u8; 4], u8); 1000] {
    let mut table = [([0; 4], 0); 1000];
    let mut number = 0;
    while number < 1000 {
        let digits = [
            b'0' + (number / 100) as u8,
            b'0' + (number / 10 % 10) as u8,
            b'0' + (number % 10) as u8,
        ];
        table[number] = if number >= 100 {
            ([digits[0], digits[1], digits[2], 0], 3)
        } else if number >= 10 {
            ([digits[1], digits[2], 0, 0], 2)
        } else {
            ([digits[2], 0, 0, 0], 1)
        };
        number += 1;
    }
    table
}

/// Numbers below 1000 as text of three digits, and a byte that does not count.
static THREE_DIGITS: [[u8; 4]; 1000] = {
    let mut table = [[0; 4]; 1000];
    let mut number = 0;
    while number < 1000 {
        table[number] = [
            b'0' + (number / 100) as u8,
            b'0' + (number / 10 % 10) as u8,
            b'0' + (number % 10) as u8,
            0,
        ];
        number += 1;
    }
    table
};

static HEX: [[u8; 2]; 256] = hex();

const fn hex() -> [[u8; 2]; 256] {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
}

pub(crate) struct Writer<'b> {
    bytes: &'b mut Vec<u8>,
    at: usize,
    /// `,"line":N,"column":` for the line of the last place.
    line_piece: [u8; 48],
    line_length: usize,
    line: usize,
}

impl<'b> Writer<'b> {
    /// Starts an output of about `expected` bytes.
    pub fn new(buffer: &'b mut Buffer, expected: usize) -> Self {
        if buffer.bytes.len() < expected.clamp(FIRST, LARGE) {
            buffer.bytes = Vec::new();
            lengthen(&mut buffer.bytes, expected.max(FIRST));
        }
        Writer {
            bytes: &mut buffer.bytes,
            at: 0,
            line_piece: [0; 48],
            line_length: 0,
            line: 0,
        }
    }

    /// Returns how many bytes are written.
    #[inline(always)]
    pub fn length(&self) -> usize {
        self.at
    }

    /// Returns the output from an offset on.
    #[inline(always)]
    pub fn since(&self, start: usize) -> &[u8] {
        &self.bytes[start..self.at]
    }

    /// Ends the output and returns it.
    pub fn finish(self) -> &'b [u8] {
        &self.bytes[..self.at]
    }

    /// Makes room for `length` bytes and [`MARGIN`] more.
    #[inline(always)]
    pub fn reserve(&mut self, length: usize) {
        if self.bytes.len() - self.at < length + MARGIN {
            self.grow(length);
        }
    }

    /// Makes room for an element and, if the buffer must grow, for the expected rest of the output:
    /// `read` of the text's `total` bytes have been read so far.
    #[inline(always)]
    pub fn reserve_element(&mut self, read: usize, total: usize) {
        if self.bytes.len() - self.at < MARGIN {
            self.grow_for(read, total);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow_for(&mut self, read: usize, total: usize) {
        let unread = (total - read) as f64 / read.max(1) as f64;
        self.grow((self.at as f64 * unread.min(4.0) * 1.05) as usize);
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, length: usize) {
        let needed = self.at.saturating_add(length).saturating_add(2 * MARGIN);
        lengthen(self.bytes, needed.max(self.bytes.len() / 2 * 3));
    }

    /// Writes a piece. The caller has reserved the room.
    #[inline(always)]
    pub fn piece<const N: usize>(&mut self, piece: &Piece<N>) {
        self.block(&piece.block, piece.length);
    }

    #[inline(always)]
    fn block<const N: usize>(&mut self, block: &[u8; N], length: usize) {
        self.bytes[self.at..self.at + N].copy_from_slice(block);
        self.at += length;
    }

    /// Writes `text[start..end]`, which needs no escaping. The caller has reserved the room.
    #[inline(always)]
    pub fn plain(&mut self, text: &[u8], start: usize, end: usize) {
        let length = end - start;
        if length <= SHORT
            && let Some(block) = text[start..].first_chunk::<SHORT>()
        {
            self.block(block, length);
        } else {
            self.raw(&text[start..end]);
        }
    }

    /// Writes bytes that need no escaping, and makes room for them.
    #[inline(never)]
    pub fn raw(&mut self, text: &[u8]) {
        self.reserve(text.len());
        self.bytes[self.at..self.at + text.len()].copy_from_slice(text);
        self.at += text.len();
        self.reserve(0);
    }

    /// Writes `,"line":…,"column":…`.
    #[inline(always)]
    pub fn place(&mut self, line: usize, column: usize) {
        if line != self.line {
            self.set_line(line);
        }
        self.bytes[self.at..self.at + 48].copy_from_slice(&self.line_piece);
        self.at += self.line_length;
        self.number(column);
    }

    #[inline(always)]
    fn set_line(&mut self, line: usize) {
        const BEFORE: &[u8; 8] = b",\"line\":";
        const AFTER: &[u8; 10] = b",\"column\":";
        self.line = line;
        self.line_piece[..8].copy_from_slice(BEFORE);
        let mut at = 8;
        if line < 1000 {
            let (digits, count) = NUMBERS[line];
            self.line_piece[8..12].copy_from_slice(&digits);
            at += count as usize;
        } else if line < 1_000_000 {
            let (digits, count) = NUMBERS[line / 1000];
            self.line_piece[8..12].copy_from_slice(&digits);
            at += count as usize;
            at += three_digits(&mut self.line_piece[at..], line % 1000);
        } else {
            let digits = line.to_string();
            self.line_piece[8..8 + digits.len()].copy_from_slice(digits.as_bytes());
            at += digits.len();
        }
        self.line_piece[at..at + 10].copy_from_slice(AFTER);
        self.line_length = at + 10;
    }

    #[inline(always)]
    fn number(&mut self, number: usize) {
        if number < 1000 {
            let (digits, count) = &NUMBERS[number];
            self.block(digits, *count as usize);
        } else {
            self.large_number(number);
        }
    }

    #[cold]
    #[inline(never)]
    fn large_number(&mut self, number: usize) {
        let digits = number.to_string();
        self.raw(digits.as_bytes());
    }

    /// Writes a number, in most cases one below a million.
    #[inline(always)]
    pub fn offset(&mut self, number: usize) {
        if number < 1000 {
            let (digits, count) = &NUMBERS[number];
            self.block(digits, *count as usize);
        } else if number < 1_000_000 {
            let (digits, count) = &NUMBERS[number / 1000];
            self.block(digits, *count as usize);
            self.block(&THREE_DIGITS[number % 1000], 3);
        } else {
            self.large_number(number);
        }
    }

    /// Returns a cursor at the end of the output, for at most [`MARGIN`] bytes. What it writes counts
    /// after [`Writer::advance`].
    #[inline(always)]
    pub fn cursor(&mut self) -> Option<Cursor<'_>> {
        Some(Cursor {
            room: self.bytes[self.at..].first_chunk_mut()?,
            at: 0,
        })
    }

    /// Makes what a cursor has written part of the output.
    #[inline(always)]
    pub fn advance(&mut self, length: usize) {
        self.at += length;
    }

    /// Leaves room for what [`Writer::overwrite`] or [`Writer::widen`] writes there later.
    #[inline(always)]
    pub fn leave(&mut self, length: usize) {
        self.at += length;
    }

    /// Writes a number into the room that was left for its `length` digits.
    #[inline(always)]
    pub fn overwrite(&mut self, at: usize, length: usize, mut number: usize) {
        for digit in self.bytes[at..at + length].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }

    /// Writes numbers that are longer than the room that was left for each.
    #[cold]
    #[inline(never)]
    pub fn widen(&mut self, mut gaps: Vec<Gap>) {
        gaps.sort_unstable_by_key(|gap| gap.at);
        let digits = |gap: &Gap| gap.number.max(1).ilog10() as usize + 1;
        let missing = |gap: &Gap| digits(gap) - gap.length;
        let total: usize = gaps.iter().map(missing).sum();
        self.reserve(total);
        let mut end = self.at;
        self.at += total;
        let mut to = self.at;
        for gap in gaps.iter().rev() {
            let after = gap.at + gap.length;
            to -= end - after;
            self.bytes.copy_within(after..end, to);
            to -= digits(gap);
            self.overwrite(to, digits(gap), gap.number);
            end = gap.at;
        }
    }

    /// Writes a text, escaped for JSON in UTF-8.
    #[inline(never)]
    pub fn escaped_utf_8(&mut self, text: &[u8]) {
        let (mut from, mut at) = (0, 0);
        loop {
            at = plain_run(text, at, b'"');
            match text.get(at) {
                None => break,
                Some(0x7f..) => {
                    while text.get(at).is_some_and(|&byte| byte >= 0x7f) {
                        at += 1;
                    }
                }
                Some(_) => {
                    if at > from {
                        self.raw(&text[from..at]);
                    }
                    self.escape(text, at);
                    at += 1;
                    from = at;
                }
            }
        }
        self.raw(&text[from..]);
    }

    /// Writes one byte.
    #[inline(always)]
    pub fn byte(&mut self, byte: u8) {
        self.bytes[self.at] = byte;
        self.at += 1;
    }

    /// Removes a comma at the end of the output.
    #[inline(always)]
    pub fn drop_comma(&mut self) {
        if self.bytes[self.at - 1] == b',' {
            self.at -= 1;
        }
    }

    /// Writes a text, escaped for JSON.
    #[inline(never)]
    pub fn escaped(&mut self, text: &[u8]) {
        let mut at = 0;
        while at < text.len() {
            at = self.clean(text, at);
            if at < text.len() {
                at = self.escape(text, at);
            }
        }
    }

    /// Writes the content of a string, its own escapes resolved.
    #[inline(never)]
    pub fn string(&mut self, text: &[u8], quote: u8, ends: LineEnds, dialect: Dialect) {
        let mut at = 0;
        while at < text.len() {
            at = self.clean(text, at);
            match text[at..] {
                [] => {}
                [b'\\', next, ..] => {
                    if next == b'\\' || next == quote {
                        // Escaped in JSON too, but for an apostrophe.
                        self.escape(text, at + 1);
                        at += 2;
                    } else if let Some(character) = dialect.unescaped(next) {
                        self.escape(&[character], 0);
                        at += 2;
                    } else {
                        at = self.escape(text, at);
                    }
                }
                [b'\r', b'\n', ..] if ends == LineEnds::Folded => at += 1,
                _ => at = self.escape(text, at),
            }
        }
    }

    /// Writes a run of characters that need no escaping, and returns where it ends.
    fn clean(&mut self, text: &[u8], from: usize) -> usize {
        let end = plain_run(text, from, b'"');
        if end > from {
            self.raw(&text[from..end]);
        }
        end
    }

    /// Writes one character, escaped for JSON if needed, and returns where the next one starts.
    fn escape(&mut self, text: &[u8], at: usize) -> usize {
        self.reserve(16);
        let letter = match text[at] {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            byte @ b' '..=b'~' => {
                self.byte(byte);
                return at + 1;
            }
            _ => {
                let (code, length) = decode(&text[at..]);
                if code < 0x10000 {
                    self.unit(code);
                } else {
                    let code = code - 0x10000;
                    self.unit(0xd800 + (code >> 10));
                    self.unit(0xdc00 + (code & 0x3ff));
                }
                return at + length;
            }
        };
        self.block(&[b'\\', letter], 2);
        at + 1
    }

    fn unit(&mut self, unit: u32) {
        let [a, b] = HEX[(unit >> 8 & 0xff) as usize];
        let [c, d] = HEX[(unit & 0xff) as usize];
        self.block(&[b'\\', b'u', a, b, c, d], 6);
    }
}

const LINE: Piece<16> = Piece::new(br#"],"line":"#);
const COLUMN: Piece<16> = Piece::new(br#","column":"#);

/// Writes an element whose length is bounded. Its position is a local variable of the caller, which the
/// processor need not read from memory after each piece.
pub(crate) struct Cursor<'w> {
    room: &'w mut [u8; MARGIN],
    pub at: usize,
}

impl Cursor<'_> {
    #[inline(always)]
    pub fn block<const N: usize>(&mut self, block: &[u8; N], length: usize) {
        self.room[self.at..self.at + N].copy_from_slice(block);
        self.at += length;
    }

    #[inline(always)]
    pub fn piece<const N: usize>(&mut self, piece: &Piece<N>) {
        self.block(&piece.block, piece.length);
    }

    /// Writes the first bytes of a block, which are seldom more than half of it.
    #[inline(always)]
    pub fn text(&mut self, block: &[u8; 2 * SHORT], length: usize) {
        let (first, second) = block.split_at(SHORT);
        self.room[self.at..self.at + SHORT].copy_from_slice(first);
        if length > SHORT {
            self.room[self.at + SHORT..self.at + 2 * SHORT].copy_from_slice(second);
        }
        self.at += length;
    }

    #[inline(always)]
    pub fn digits(&mut self, digits: Digits) {
        self.block(&digits.word.to_le_bytes(), digits.length);
    }

    /// Writes two numbers with a comma.
    #[inline(always)]
    pub fn span(&mut self, start: Digits, end: Digits) {
        self.digits(start);
        self.room[self.at] = b',';
        self.at += 1;
        self.digits(end);
    }

    /// Writes `],"line":…,"column":…`.
    #[inline(always)]
    pub fn place(&mut self, line: Digits, column: Digits) {
        self.piece(&LINE);
        self.digits(line);
        self.piece(&COLUMN);
        self.digits(column);
    }
}

/// The digits of a number below [`Digits::LIMIT`].
#[derive(Clone, Copy)]
pub(crate) struct Digits {
    word: u64,
    pub length: usize,
}

impl Digits {
    pub const LIMIT: usize = 100_000_000;

    #[inline(always)]
    pub fn of(number: usize) -> Self {
        match number / 1000 {
            0 => Digits::first(number),
            high @ 1..1000 => Digits::first(high).and_three(number),
            high => Digits::first(high / 1000).and_three(high).and_three(number),
        }
    }

    #[inline(always)]
    fn first(number: usize) -> Self {
        let (digits, count) = NUMBERS[number];
        Digits {
            word: u32::from_le_bytes(digits).into(),
            length: count as usize,
        }
    }

    /// Appends the last three digits of a number.
    #[inline(always)]
    fn and_three(self, number: usize) -> Self {
        let digits = u32::from_le_bytes(THREE_DIGITS[number % 1000]);
        Digits {
            word: self.word | u64::from(digits) << (8 * self.length),
            length: self.length + 3,
        }
    }
}

/// Room that was left for a number that turned out to be longer.
pub(crate) struct Gap {
    pub at: usize,
    pub length: usize,
    pub number: usize,
}

/// Writes a number below 1000 with three digits, and returns the number of digits.
fn three_digits(to: &mut [u8], number: usize) -> usize {
    to[0] = b'0' + (number / 100) as u8;
    to[1] = b'0' + (number / 10 % 10) as u8;
    to[2] = b'0' + (number % 10) as u8;
    3
}
