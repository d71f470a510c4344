//! The tree of dialect `ck3` and jomini's tape as one flat form, and how the two differ.
//!
//! The flat form lists scalars, operators, headers and braces in the order of the file, so that two
//! trees with equal lists have the same nesting. Where the lists differ, they are compared again
//! from the next scalar at the same place in the file on. What stands before it is one difference,
//! and `Difference` names its reason.

use std::fmt;
use std::ops::Range;

use ck3parse_core::Buffer;
use ck3parse_core::ck3::{self, Options};
use jomini::text::Operator;
use jomini::{Scalar, TextTape, TextToken};
use serde_json::Value;

/// A part of the flat form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A key or a value, by its bytes in the file; of a string, with its quotes.
    Scalar(Range<usize>),
    /// The word before the brace of a block: `rgb` in `color = rgb { 1 2 3 }`.
    Header(String),
    /// An operator.
    Operator(String),
    /// An opening brace.
    Open,
    /// A closing brace.
    Close,
}

/// Why two trees differ at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// jomini ends a string after `\"`; the game knows no escapes.
    Escape,
    /// jomini ends a word at `[` and `]`.
    Brackets,
    /// jomini ends an expression at its first `]`, wherever it began.
    Expression,
    /// Control characters and Unicode white space separate tokens; for jomini they are text.
    Space,
    /// `^Z` ends the text.
    EndOfText,
    /// A lone comma is skipped.
    Comma,
    /// A `"` or `?` ends a word; for jomini it belongs to it.
    EndOfWord,
    /// A run such as `=>` that is no operator.
    UnknownOperator,
    /// An operator without a key before it, as the second one of `a = b = c`.
    LoneOperator,
    /// An operator as a value: `OPERATOR = >=`.
    OperatorAsValue,
    /// jomini leaves out empty braces that follow a value or another brace.
    EmptyBraces,
    /// jomini takes a word on the line before a brace for its header, or a header for a value.
    Header,
    /// A brace too many or too few: the recovery rules of the two differ.
    Brace,
    /// A key without a value.
    MissingValue,
    /// jomini gives up at an error, so that the rest of the file cannot be compared.
    Stops,
    /// Anything else. There should be none.
    Unnamed,
}

impl fmt::Display for Difference {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str(match self {
            Self::Escape => "a backslash before a quote in a string",
            Self::Brackets => "[ or ] in a word",
            Self::Expression => "brackets in an expression",
            Self::Space => "unusual white space",
            Self::EndOfText => "text after ^Z",
            Self::Comma => "a lone comma",
            Self::EndOfWord => "a quote or ? right after a word",
            Self::UnknownOperator => "an unknown operator",
            Self::LoneOperator => "an operator without a key",
            Self::OperatorAsValue => "an operator as a value",
            Self::EmptyBraces => "empty braces that jomini leaves out",
            Self::Header => "a header in another line or in a list",
            Self::Brace => "a brace too many or too few",
            Self::MissingValue => "a key without a value",
            Self::Stops => "jomini stops at an error",
            Self::Unnamed => "unnamed",
        })
    }
}

/// A place where two trees differ.
#[derive(Debug)]
pub struct Found {
    /// Why.
    pub difference: Difference,
    /// The bytes of the file that it concerns.
    #[allow(dead_code, reason = "the test needs the reason only")]
    pub place: Range<usize>,
}

/// Compares the tree of a file with jomini's tape of it.
///
/// `data` is in UTF-8 or Windows-1252: jomini does not read UTF-16.
pub fn differences(data: &[u8]) -> Vec<Found> {
    let mut tape = TextTape::new();
    let stopped = TextTape::parser()
        .parse_slice_into_tape(data, &mut tape)
        .is_err();
    let theirs = jomini_events(data, &tape);
    let options = Options {
        max_depth: 60, // serde_json reads no deeper JSON by default
        max_faults: 0,
        windows_1252: false,
        comments: false,
    };
    let mut buffer = Buffer::new();
    let tree = ck3::parse(data, options, &mut buffer);
    let root: Value = serde_json::from_slice(tree.ast.json).expect("the tree is JSON");
    let mut ours = Vec::new();
    for child in root["children"].as_array().expect("a root has children") {
        push_node(child, &mut ours);
    }
    compare(data, &theirs, stopped, &ours)
}

fn jomini_events(data: &[u8], tape: &TextTape) -> Vec<Event> {
    let start = data.as_ptr() as usize;
    let place = |scalar: &Scalar, quotes: usize| {
        let bytes = scalar.as_bytes();
        let from = bytes.as_ptr() as usize - start;
        from - quotes..from + bytes.len() + quotes
    };
    let tokens = tape.tokens();
    let mut events = Vec::with_capacity(tokens.len() * 2);
    for (index, token) in tokens.iter().enumerate() {
        let scalar = match token {
            TextToken::Array { .. } | TextToken::Object { .. } => {
                events.push(Event::Open);
                continue;
            }
            TextToken::End(_) => {
                events.push(Event::Close);
                continue;
            }
            TextToken::Operator(operator) => {
                events.push(Event::Operator(symbol(*operator).to_string()));
                continue;
            }
            TextToken::Header(scalar) => {
                let text = String::from_utf8_lossy(scalar.as_bytes()).into_owned();
                events.push(Event::Header(text));
                continue;
            }
            TextToken::MixedContainer => continue,
            TextToken::Quoted(scalar) => place(scalar, 1),
            TextToken::Unquoted(scalar)
            | TextToken::Parameter(scalar)
            | TextToken::UndefinedParameter(scalar) => place(scalar, 0),
        };
        let end = scalar.end;
        events.push(Event::Scalar(scalar));
        // The tape has the `=` of a key only where it is not clear that there is one.
        let told = tokens[index + 1..]
            .iter()
            .find(|next| !matches!(next, TextToken::MixedContainer))
            .is_some_and(|next| matches!(next, TextToken::Operator(_)));
        let after = &data[skip_space(data, end)..];
        if !told && after.starts_with(b"=") && !after.starts_with(b"==") {
            events.push(Event::Operator("=".to_string()));
        }
    }
    events
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Exact => "==",
        other => other.symbol(),
    }
}

fn push_node(node: &Value, events: &mut Vec<Event>) {
    if let Some(word) = node["word"].as_str() {
        let start = offsets(&node["span"]).start;
        events.push(Event::Scalar(start..start + word.len()));
    }
    if node["key"].is_string() {
        events.push(Event::Scalar(offsets(&node["key_span"])));
        let operator = node["op"].as_str().expect("a key has an operator");
        events.push(Event::Operator(operator.to_string()));
    }
    if let Some(tag) = node["tag"].as_str() {
        events.push(Event::Header(tag.to_string()));
    }
    if node["value"].is_string() {
        let of_its_own = node["_type"] == "value";
        let span = if of_its_own { "span" } else { "value_span" };
        events.push(Event::Scalar(offsets(&node[span])));
    }
    if let Some(children) = node["children"].as_array() {
        events.push(Event::Open);
        for child in children {
            push_node(child, events);
        }
        events.push(Event::Close);
    }
}

fn offsets(span: &Value) -> Range<usize> {
    let offset = |index: usize| {
        let number = span[index].as_u64().expect("a span has two offsets");
        usize::try_from(number).expect("an offset is in memory")
    };
    offset(0)..offset(1)
}

fn compare(data: &[u8], theirs: &[Event], stopped: bool, ours: &[Event]) -> Vec<Found> {
    let (mut left, mut right) = (0, 0);
    let mut found = Vec::new();
    let mut from = 0;
    while left < theirs.len() || right < ours.len() {
        if theirs.get(left) == ours.get(right) {
            if let Some(Event::Scalar(place)) = ours.get(right) {
                from = place.end;
            }
            left += 1;
            right += 1;
            continue;
        }
        let (next_left, next_right) = next_common(theirs, left, ours, right);
        let to = match ours.get(next_right) {
            Some(Event::Scalar(place)) => place.start,
            _ => data.len(),
        };
        let place = from..to.max(from);
        let difference = if stopped && next_left == theirs.len() {
            Difference::Stops
        } else {
            reason(
                &data[place.clone()],
                &theirs[left..next_left],
                &ours[right..next_right],
                data,
            )
        };
        found.push(Found { difference, place });
        (left, right) = (next_left, next_right);
    }
    found
}

/// Returns where both lists have the same scalar next, or their ends.
fn next_common(
    theirs: &[Event],
    mut left: usize,
    ours: &[Event],
    mut right: usize,
) -> (usize, usize) {
    loop {
        let next_left = scalar_from(theirs, &mut left);
        let next_right = scalar_from(ours, &mut right);
        let (Some(there), Some(here)) = (next_left, next_right) else {
            return (theirs.len(), ours.len());
        };
        if there == here {
            return (left, right);
        }
        if (there.start, there.end) < (here.start, here.end) {
            left += 1;
        } else {
            right += 1;
        }
    }
}

fn scalar_from<'e>(events: &'e [Event], at: &mut usize) -> Option<&'e Range<usize>> {
    while let Some(event) = events.get(*at) {
        if let Event::Scalar(place) = event {
            return Some(place);
        }
        *at += 1;
    }
    None
}

fn reason(place: &[u8], theirs: &[Event], ours: &[Event], data: &[u8]) -> Difference {
    let code = without_comments(place);
    let has = |piece: &[u8]| code.windows(piece.len()).any(|window| window == piece);
    let texts = |events: &[Event]| -> Vec<Vec<u8>> {
        let scalars = events.iter().filter_map(|event| match event {
            Event::Scalar(place) => Some(data[place.clone()].to_vec()),
            _ => None,
        });
        scalars.collect()
    };
    let (their_texts, our_texts) = (texts(theirs), texts(ours));
    let braces = |events: &[Event]| {
        let count = |wanted: &Event| events.iter().filter(|event| *event == wanted).count();
        (count(&Event::Open), count(&Event::Close))
    };
    let operators = |events: &[Event]| -> Vec<String> {
        let found = events.iter().filter_map(|event| match event {
            Event::Operator(symbol) => Some(symbol.clone()),
            _ => None,
        });
        found.collect()
    };
    let headers = |events: &[Event]| {
        let is_header = |event: &&Event| matches!(event, Event::Header(_));
        events.iter().filter(is_header).count()
    };
    let (their_braces, our_braces) = (braces(theirs), braces(ours));

    if has(b"\x1a") {
        Difference::EndOfText
    } else if has(b"\\\"") {
        Difference::Escape
    } else if has(b"@[") {
        Difference::Expression
    } else if has(b"[") || has(b"]") {
        Difference::Brackets
    } else if their_texts.iter().any(|text| has_unusual_space(text)) {
        Difference::Space
    } else if their_texts.iter().any(|text| text == b",") {
        Difference::Comma
    } else if their_texts.iter().any(|text| ends_later(text)) {
        Difference::EndOfWord
    } else if our_texts.iter().any(|text| is_operator(text)) {
        Difference::OperatorAsValue
    } else if has_unknown_operator(&code) {
        Difference::UnknownOperator
    } else if headers(theirs) != headers(ours) {
        Difference::Header
    } else if their_texts == our_texts
        && our_braces.0 > their_braces.0
        && our_braces.0 - their_braces.0 == our_braces.1 - their_braces.1.min(our_braces.1)
        && operators(theirs) == operators(ours)
    {
        Difference::EmptyBraces
    } else if their_braces != our_braces {
        Difference::Brace
    } else if operators(theirs) != operators(ours)
        || their_texts.iter().any(|text| is_operator(text))
    {
        if ends_with_operator_and_line(&code) {
            Difference::MissingValue
        } else {
            Difference::LoneOperator
        }
    } else {
        Difference::Unnamed
    }
}

fn ends_with_operator_and_line(code: &[u8]) -> bool {
    let last = code.iter().rposition(|byte| b"<>=!?".contains(byte));
    last.is_some_and(|last| code[last..].contains(&b'\n'))
}

fn ends_later(text: &[u8]) -> bool {
    let quoted = text.first() == Some(&b'"');
    !quoted && text.iter().any(|byte| matches!(byte, b'"' | b'?'))
}

fn is_operator(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| b"<>=!?".contains(byte))
}

fn has_unknown_operator(code: &[u8]) -> bool {
    const KNOWN: [&[u8]; 8] = [b"=", b"==", b"?=", b"!=", b"<", b"<=", b">", b">="];
    code.split(|byte| !b"<>=!?".contains(byte))
        .any(|run| !run.is_empty() && !KNOWN.contains(&run))
}

fn has_unusual_space(text: &[u8]) -> bool {
    let is_space = |character: char| {
        character.is_whitespace() || character.is_control() || character == '\u{feff}'
    };
    text.first() != Some(&b'"') && String::from_utf8_lossy(text).contains(is_space)
}

fn skip_space(data: &[u8], mut at: usize) -> usize {
    while let Some(byte) = data.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b';' => at += 1,
            b'#' => at = end_of_comment(data, at),
            _ => break,
        }
    }
    at
}

fn end_of_comment(data: &[u8], at: usize) -> usize {
    let length = data[at..].iter().position(|byte| *byte == b'\n');
    length.map_or(data.len(), |length| at + length)
}

fn without_comments(place: &[u8]) -> Vec<u8> {
    let mut code = Vec::with_capacity(place.len());
    let mut at = 0;
    let mut in_string = false;
    while let Some(byte) = place.get(at) {
        if *byte == b'#' && !in_string {
            at = end_of_comment(place, at);
            continue;
        }
        in_string ^= *byte == b'"';
        code.push(*byte);
        at += 1;
    }
    code
}
