//! The JSON, written piece by piece into one buffer.
//!
//! Pieces are copied as whole blocks of a fixed size, of which only a part may count: the next
//! piece overwrites the rest. So the buffer always has [`MARGIN`] bytes of room.

use std::panic::resume_unwind;

use crate::chars::{decode, plain_run};
use crate::dialect::Dialect;
use crate::text::LineEnds;

/// Room that [`Writer::reserve`] keeps free, more than the pieces of an element take.
const MARGIN: usize = 1024;

/// The least a buffer has, and what is enough to begin with, in bytes.
const FIRST: usize = 64 << 10;
const LARGE: usize = 8 << 20;

/// Texts up to this length are copied as one block.
const SHORT: usize = 32;

/// What a parse unwinds with when there is no memory for its output, which can be fifty times its
/// input: the process, and what else it does, need not end for that.
#[derive(Debug)]
pub struct OutOfMemory;

fn lengthen(bytes: &mut Vec<u8>, length: usize) {
    if bytes
        .try_reserve_exact(length.saturating_sub(bytes.len()))
        .is_err()
    {
        resume_unwind(Box::new(OutOfMemory));
    }
    bytes.resize(length, 0);
}

/// The output of a parse. A buffer that is used again spares the cost of fresh memory.
#[derive(Debug, Default)]
pub struct Buffer {
    /// All of it initialised; how much of it counts is told by what the parse returns.
    bytes: Vec<u8>,
}

impl Buffer {
    /// A buffer that takes memory when it is used.
    pub const fn new() -> Self {
        Buffer { bytes: Vec::new() }
    }

    /// Gives back the memory past `limit` bytes.
    pub fn shrink(&mut self, limit: usize) {
        self.bytes.truncate(limit);
        self.bytes.shrink_to(limit);
    }
}

/// A piece of JSON: a block of which the first `length` bytes count.
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
    /// `,"line":` the line `,"column":`, for the line that was last asked for.
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

    /// Ends the output and returns it.
    pub fn finish(self) -> &'b [u8] {
        &self.bytes[..self.at]
    }

    /// Makes room for `length` bytes beside [`MARGIN`] more.
    #[inline(always)]
    pub fn reserve(&mut self, length: usize) {
        if self.bytes.len() - self.at < length + MARGIN {
            self.grow(length);
        }
    }

    /// Makes room for an element, if there is none, and for as much again as it seems will come:
    /// so far `read` of the text's `total` bytes have been read.
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

    /// Writes a piece. The room is the caller's to reserve.
    #[inline(always)]
    pub fn piece<const N: usize>(&mut self, piece: &Piece<N>) {
        self.block(&piece.block, piece.length);
    }

    #[inline(always)]
    fn block<const N: usize>(&mut self, block: &[u8; N], length: usize) {
        self.bytes[self.at..self.at + N].copy_from_slice(block);
        self.at += length;
    }

    /// Writes bytes that stand in JSON as they are: `text[start..end]`.
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

    /// Writes bytes that stand in JSON as they are, whatever room there is.
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

    /// Writes one byte.
    #[inline(always)]
    pub fn byte(&mut self, byte: u8) {
        self.bytes[self.at] = byte;
        self.at += 1;
    }

    /// Takes back the comma after the last of a list's members, if there is one.
    #[inline(always)]
    pub fn drop_comma(&mut self) {
        if self.bytes[self.at - 1] == b',' {
            self.at -= 1;
        }
    }

    /// Writes text with what JSON asks to be escaped.
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

    /// Writes what stands between a string's quotes, its own escapes resolved.
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

    /// Writes a run of characters that need no escape, and returns where it ends.
    fn clean(&mut self, text: &[u8], from: usize) -> usize {
        let end = plain_run(text, from, b'"');
        if end > from {
            self.raw(&text[from..end]);
        }
        end
    }

    /// Writes one character as JSON has it, and returns where the next one is.
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

/// Writes a number below 1000 with all three digits, and returns how many they are.
fn three_digits(to: &mut [u8], number: usize) -> usize {
    to[0] = b'0' + (number / 100) as u8;
    to[1] = b'0' + (number / 10 % 10) as u8;
    to[2] = b'0' + (number % 10) as u8;
    3
}
