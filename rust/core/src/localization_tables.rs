//! What both parsers of localization files must agree on.
//!
//! Written by `rust/tools/make_localization_tables.py` from
//! `src/ck3parse/localization/grammar.toml`.

/// What a key consists of besides letters and digits.
pub(crate) const KEY_SIGNS: &[u8] = b"-_.'";

/// White space inside a line, as inclusive pairs of code points in ascending order.
#[rustfmt::skip]
pub(crate) static BLANKS: [(u32, u32); 11] = [
    (0x9, 0x9),
    (0xB, 0xC),
    (0x20, 0x20),
    (0x85, 0x85),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
];

/// Numbers of more digits are not read.
pub(crate) const NUMBER_DIGITS: usize = 18;

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FaultKind {
    /// CK3-L001.
    NoBom = 1,
    /// CK3-L002.
    TwoBoms = 2,
    /// CK3-L003.
    Utf16 = 3,
    /// CK3-L004.
    NoHeader = 4,
    /// CK3-L005.
    SecondHeader = 5,
    /// CK3-L006.
    BehindHeader = 6,
    /// CK3-L007.
    NoKey = 7,
    /// CK3-L008.
    NoColon = 8,
    /// CK3-L009.
    NoOpeningQuote = 9,
    /// CK3-L010.
    NoClosingQuote = 10,
    /// CK3-L011.
    BehindText = 11,
    /// CK3-L012.
    LargeNumber = 12,
    /// CK3-L013.
    UnclosedChain = 13,
    /// CK3-L014.
    UnclosedValue = 14,
    /// CK3-L015.
    UnclosedFormat = 15,
}
