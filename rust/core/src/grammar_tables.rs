//! What both parsers must agree on: dialects, value types, tokens and errors.
//!
//! Written by `rust/tools/make_grammar_tables.py` from `src/ck3parse/parser/grammar.toml`, with the
//! reference parser's tables.

use crate::dialect::{Spelling, WordSpelling};

/// Contract 1: the AST as qbuilder stores it.
pub(crate) const CK3RAVEN: Spelling = Spelling {
    blanks: b" \t\r",
    comment: b"#",
    quotes: b"\"'",
    name_start: b"_.",
    name_part: b"_.|&'-:/%",
    param_stops: b" \t\n\r={}",
    escapes: &[(b'n', b'\n'), (b't', b'\t')],
};
/// Contract 2: the tree as the game reads script.
#[rustfmt::skip]
pub(crate) const CK3: WordSpelling = WordSpelling {
    word_stops: b"{}=<>!?\"#;",
    word_signs: b".:_-+&/|'%[]$@*",
    spaces: &['\u{0085}', '\u{00a0}', '\u{1680}', '\u{2000}', '\u{2001}', '\u{2002}', '\u{2003}', '\u{2004}', '\u{2005}', '\u{2006}', '\u{2007}', '\u{2008}', '\u{2009}', '\u{200a}', '\u{2028}', '\u{2029}', '\u{202f}', '\u{205f}', '\u{3000}', '\u{feff}'],
    tags: &["rgb", "hsv", "hsv360", "hex", "cylindrical", "cartesian", "LIST"],
};

/// The `value_type` of a value node in contract 1, and its `kind` in contract 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    /// A word, or a lone `-`.
    Identifier,
    /// A quoted string, without its quotes.
    String,
    /// A number.
    Number,
    /// `yes` or `no`.
    Bool,
    /// `$NAME$`, or `-$NAME$`.
    Param,
    /// `@name`, or `-@name`.
    ScriptedValue,
    /// `@[ … ]`.
    InlineExpression,
    /// An operator that stands where a value should be.
    Operator,
    /// Only in `ck3`: `1066.9.15`.
    Date,
    /// Only in `ck3`: `@name`, or `-@name`.
    Variable,
    /// Only in `ck3`: `@[ … ]`, as written.
    Expression,
}

#[rustfmt::skip]
impl ValueType {
    /// The name that stands in the JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Param => "param",
            Self::ScriptedValue => "scripted_value",
            Self::InlineExpression => "inline_expression",
            Self::Operator => "operator",
            Self::Date => "date",
            Self::Variable => "variable",
            Self::Expression => "expression",
        }
    }
}

/// Kinds of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// The end of the text.
    End,
    /// A word other than `yes` and `no`.
    Identifier,
    /// A quoted string.
    String,
    /// A number, with its sign and percent sign.
    Number,
    /// `$NAME$`; the closing `$` may be missing.
    Param,
    /// `yes` or `no`.
    Bool,
    /// Only in recovery: a string without a closing quote, up to where recovery ends it.
    CutString,
    /// `=`
    Equal,
    /// `?=`
    MaybeEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `!=`
    NotEqual,
    /// `==`
    EqualEqual,
    /// `{`
    OpenBrace,
    /// `}`
    CloseBrace,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// `@`
    At,
    /// `,`
    Comma,
    /// `;` or the backtick.
    Semicolon,
    /// A `-` that no digit follows.
    Minus,
    /// Punctuation that only inline expressions use.
    Sign,
    /// Only in `ck3`: three groups of digits with dots between them.
    Date,
    /// Only in `ck3`: `@name`, or `-@name`.
    Variable,
    /// Only in `ck3`: `@[ … ]`.
    Expression,
    /// Only in `ck3`: `@:word`.
    Directive,
}

#[rustfmt::skip]
impl TokenKind {
    pub const ALL: &[Self] = &[Self::End, Self::Identifier, Self::String, Self::Number, Self::Param, Self::Bool, Self::CutString, Self::Equal, Self::MaybeEqual, Self::Less, Self::LessEqual, Self::Greater, Self::GreaterEqual, Self::NotEqual, Self::EqualEqual, Self::OpenBrace, Self::CloseBrace, Self::OpenBracket, Self::CloseBracket, Self::At, Self::Comma, Self::Semicolon, Self::Minus, Self::Sign, Self::Date, Self::Variable, Self::Expression, Self::Directive];

    /// What the token is as a value, if it can be one by itself.
    #[inline(always)]
    pub const fn value_type(self) -> Option<ValueType> {
        match self {
            Self::Identifier => Some(ValueType::Identifier),
            Self::String => Some(ValueType::String),
            Self::Number => Some(ValueType::Number),
            Self::Param => Some(ValueType::Param),
            Self::Bool => Some(ValueType::Bool),
            Self::CutString => Some(ValueType::String),
            Self::Less => Some(ValueType::Operator),
            Self::LessEqual => Some(ValueType::Operator),
            Self::Greater => Some(ValueType::Operator),
            Self::GreaterEqual => Some(ValueType::Operator),
            Self::NotEqual => Some(ValueType::Operator),
            Self::EqualEqual => Some(ValueType::Operator),
            Self::Date => Some(ValueType::Date),
            Self::Variable => Some(ValueType::Variable),
            Self::Expression => Some(ValueType::Expression),
            Self::Directive => Some(ValueType::Identifier),
            _ => None,
        }
    }

    /// Whether the token can be a key.
    #[inline(always)]
    pub const fn is_key(self) -> bool {
        matches!(self, Self::Identifier | Self::String | Self::Number | Self::Param | Self::Bool | Self::CutString | Self::Date | Self::Variable | Self::Expression | Self::Directive)
    }

    /// Whether the token can follow a key.
    #[inline(always)]
    pub const fn is_operator(self) -> bool {
        matches!(self, Self::Equal | Self::MaybeEqual | Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual | Self::NotEqual | Self::EqualEqual)
    }

    /// How the token can be written, if that is fixed.
    pub const fn texts(self) -> &'static [&'static str] {
        match self {
            Self::Bool => &["yes", "no"],
            Self::Equal => &["="],
            Self::MaybeEqual => &["?="],
            Self::Less => &["<"],
            Self::LessEqual => &["<="],
            Self::Greater => &[">"],
            Self::GreaterEqual => &[">="],
            Self::NotEqual => &["!="],
            Self::EqualEqual => &["=="],
            Self::OpenBrace => &["{"],
            Self::CloseBrace => &["}"],
            Self::OpenBracket => &["["],
            Self::CloseBracket => &["]"],
            Self::At => &["@"],
            Self::Comma => &[","],
            Self::Semicolon => &[";", "`"],
            Self::Minus => &["-"],
            Self::Sign => &[":", "+", "*", "/", "?"],
            _ => &[],
        }
    }
}

/// Kinds of errors.
///
/// Where two fit, the one nearer to what the parser is reading applies: after an operator, a `}` is
/// an expected value and the end of the text a missing value; after an `@`, both are an expected
/// name; only between elements are they a stray closing brace and an unclosed block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ErrorKind {
    /// A quote without a closing one: at the opening quote.
    UnclosedString = 1,
    /// A character that starts no token, such as a `!` without `=`.
    UnexpectedCharacter = 2,
    /// A token where an element should be; inside braces, also a `}` after `;`.
    ExpectedElement = 10,
    /// A `}` at the top level, where an element could be.
    StrayClosingBrace = 11,
    /// A token where the value after an operator should be, such as the `{` in `@name = {`.
    ExpectedValue = 12,
    /// The end of the text where a value should be: behind the last character.
    MissingValue = 13,
    /// Something other than a name after `@` or `-@`. `yes` and `no` are not names.
    ExpectedName = 14,
    /// The end of the text inside braces: at the innermost unclosed `{`.
    UnclosedBlock = 15,
    /// The end of the text inside `@[`: at the `@`.
    UnclosedInline = 16,
    /// Braces nested deeper than the limit: at the first `{` past it.
    TooDeep = 17,
    /// Only in recovery: no `{` after an operator, but a `}` that closes nothing else.
    MissingOpener = 18,
    /// Only in recovery: the second of two `{`, of which one is never closed.
    DoubledOpener = 19,
    /// Only in `ck3`: a run of `<>!=?` that is no operator.
    UnknownOperator = 20,
    /// Only in `ck3`: a lone value right before a `{` on its line.
    MissingOperator = 21,
    /// Only in `ck3`: white space other than space, tab and line ends, or a control character.
    UnusualSpace = 22,
    /// Only in `ck3`: the first such character of a word.
    UnusualCharacter = 23,
    /// Only in `ck3`: the first `;` of a file.
    Semicolon = 24,
    /// Only in `ck3`: a word with an odd number of `$`: at the last one.
    UnclosedParam = 25,
}

#[rustfmt::skip]
impl ErrorKind {
    /// Whether it is the lexer's: such an error wins over any of the parser's.
    pub const fn is_lexical(self) -> bool {
        matches!(self, Self::UnclosedString | Self::UnexpectedCharacter | Self::UnusualSpace | Self::UnusualCharacter | Self::Semicolon | Self::UnclosedParam)
    }

    /// Whether it is an error, and not a warning.
    pub const fn is_error(self) -> bool {
        !matches!(self, Self::MissingOperator | Self::UnusualSpace | Self::UnusualCharacter | Self::Semicolon | Self::UnclosedParam)
    }
}
