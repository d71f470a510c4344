//! What must hold of every parse.

use ck3parse_core::{Ast, Dialect, Error, ErrorKind, Options};
use serde_json::Value;

/// Shallow enough for a JSON parser that recurses.
pub const OPTIONS: Options = Options {
    dialect: Dialect::Ck3Raven,
    max_depth: 40,
};

/// Checks that a tree is ASCII, no longer than its bound, JSON, and of as many nodes as it says.
pub fn check_ast(ast: &Ast, source: &[u8]) {
    assert!(ast.json.is_ascii());
    assert!(ast.json.len() <= 128 * source.len() + 256);
    let tree: Value = serde_json::from_slice(ast.json).expect("the tree is JSON");
    assert_eq!(count_nodes(&tree), ast.node_count);
}

/// Checks that an error stands in the text where it says, and is of a kind that can stand there.
pub fn check_error(error: &Error, text: &str) {
    let line = text
        .split('\n')
        .nth(error.line as usize - 1)
        .expect("the line is there");
    let columns = line.chars().count() as u64;
    assert!((1..=columns + 1).contains(&error.column));
    if error.kind == ErrorKind::TooDeep {
        assert_eq!(error.found, OPTIONS.max_depth.to_string().as_bytes());
        return;
    }
    let found = str::from_utf8(&error.found).expect("the text was UTF-8");
    let offset: usize = text
        .split_inclusive('\n')
        .take(error.line as usize - 1)
        .map(str::len)
        .sum();
    let from = line
        .char_indices()
        .nth(error.column as usize - 1)
        .map_or(line.len(), |(at, _)| at);
    assert!(text[offset + from..].starts_with(found));
    if found.is_empty() {
        assert_eq!(offset + from, text.len());
    }
    if error.kind.is_lexical() {
        assert_eq!(found.chars().count(), 1);
    }
}

fn count_nodes(value: &Value) -> u64 {
    match value {
        Value::Array(items) => items.iter().map(count_nodes).sum(),
        Value::Object(members) => {
            assert!(members.contains_key("_type"));
            1 + members.values().map(count_nodes).sum::<u64>()
        }
        _ => 0,
    }
}
