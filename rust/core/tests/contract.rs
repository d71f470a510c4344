//! The contract's cases, which the Python tests read too, and what holds of every text.

use std::fs;
use std::path::PathBuf;

use ck3parse_core::{
    Ast, Buffer, Dialect, Error, ErrorKind, Options, parse_bytes, parse_text, qbuilder_bytes,
};
use serde_json::Value;

const OPTIONS: Options = to_depth(10_000);

const fn to_depth(max_depth: usize) -> Options {
    let dialect = Dialect::Ck3Raven;
    Options { dialect, max_depth }
}

fn tests_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}

fn fixtures() -> Vec<Vec<u8>> {
    let folder = tests_folder().join("fixtures");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).expect("the fixtures are there") {
        let path = entry.expect("a fixture can be read").path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(fs::read(path).expect("a fixture can be read"));
        }
    }
    assert!(!found.is_empty());
    found
}

fn content(data: &[u8], buffer: &mut Buffer) -> Result<(Vec<u8>, u64), Error> {
    parse_bytes(data, b"case.txt", OPTIONS, buffer).map(owned)
}

fn text(text: &str, buffer: &mut Buffer) -> Result<(Vec<u8>, u64), Error> {
    parse_text(text.as_bytes(), b"case.txt", OPTIONS, buffer).map(owned)
}

fn owned(ast: Ast) -> (Vec<u8>, u64) {
    (ast.json.to_vec(), ast.node_count)
}

fn from_hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16);
    pairs.map(|pair| byte(pair).expect("hexadecimal")).collect()
}

#[test]
fn rows() {
    let path = tests_folder().join("contract/rows.jsonl");
    let lines = fs::read_to_string(path).expect("the cases are there");
    let mut buffer = Buffer::new();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).expect("a case is JSON");
        let source = case["source"].as_str().expect("a source").as_bytes();
        let symbol_type = case["type"].as_str().map(str::as_bytes);
        let extracted = qbuilder_bytes(source, b"case.txt", OPTIONS, symbol_type, &mut buffer)
            .map(|(ast, rows)| (owned(ast), rows));
        match extracted {
            Ok((ast, rows)) => {
                let rows: Value = serde_json::from_slice(&rows).expect("rows are JSON");
                assert_eq!(rows["symbols"], case["symbols"], "{line}");
                assert_eq!(rows["refs"], case["refs"], "{line}");
                assert_eq!(Ok(ast), content(source, &mut buffer), "{line}");
            }
            Err(_) => assert!(case["symbols"].is_null(), "{line}"),
        }
    }
}

#[test]
fn cases() {
    let path = tests_folder().join("contract/cases.jsonl");
    let lines = fs::read_to_string(path).expect("the cases are there");
    let mut buffer = Buffer::new();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).expect("a case is JSON");
        let outcome = match case["bytes_hex"].as_str() {
            Some(digits) => content(&from_hex(digits), &mut buffer),
            None => text(
                case["source"].as_str().expect("a case has a source"),
                &mut buffer,
            ),
        };
        let title = &case["case"];
        match outcome {
            Ok((json, node_count)) => {
                assert_eq!(case["ok"], true, "{title}");
                assert_eq!(
                    case["ast_json"].as_str().map(str::as_bytes),
                    Some(&json[..]),
                    "{title}"
                );
                assert_eq!(case["node_count"], node_count, "{title}");
            }
            Err(error) => {
                assert_eq!(case["ok"], false, "{title}");
                let lexical = case["error_type"] == "LexerError";
                assert_eq!(error.kind.is_lexical(), lexical, "{title}");
                assert_eq!(case["line"], error.line, "{title}");
                assert_eq!(case["column"], error.column, "{title}");
            }
        }
    }
}

#[test]
fn cut_off_at_every_byte() {
    let mut buffer = Buffer::new();
    for whole in fixtures() {
        for end in 0..=whole.len() {
            let part = &whole[..end];
            let as_read =
                String::from_utf8_lossy(part.strip_prefix(b"\xef\xbb\xbf").unwrap_or(part))
                    .replace("\r\n", "\n")
                    .replace('\r', "\n");
            let outcome = content(part, &mut buffer);
            assert_eq!(outcome, text(&as_read, &mut buffer));
            if let Ok((json, node_count)) = outcome {
                let tree: Value = serde_json::from_slice(&json).expect("the tree is JSON");
                assert_eq!(nodes_in(&tree), node_count);
            }
        }
    }
}

fn nodes_in(value: &Value) -> u64 {
    match value {
        Value::Array(items) => items.iter().map(nodes_in).sum(),
        Value::Object(members) => 1 + members.values().map(nodes_in).sum::<u64>(),
        _ => 0,
    }
}

#[test]
fn a_buffer_used_again_leaves_nothing_behind() {
    let mut buffer = Buffer::new();
    let long = "key = value\n".repeat(5_000);
    let first = text("a = { b }", &mut buffer);
    assert!(text(&long, &mut buffer).is_ok());
    assert!(text("a = {", &mut buffer).is_err());
    assert_eq!(text("a = { b }", &mut buffer), first);
    buffer.shrink(0);
    assert_eq!(text("a = { b }", &mut buffer), first);
    buffer.shrink(1 << 20);
    assert_eq!(text("a = { b }", &mut buffer), first);
}

#[test]
fn line_ends_are_kept_in_a_text_and_folded_in_a_file() {
    let mut buffer = Buffer::new();
    let source = "'a\r\nb\rc'\r\nd";
    let (kept, _) = text(source, &mut buffer).unwrap();
    assert!(str::from_utf8(&kept).unwrap().contains(r#""a\r\nb\rc""#));
    let (folded, _) = content(source.as_bytes(), &mut buffer).unwrap();
    let folded = str::from_utf8(&folded).unwrap();
    assert!(folded.contains(r#""a\nb\nc""#));
    assert!(folded.contains(r#""value":"d","value_type":"identifier","line":4,"column":1"#));
}

#[test]
fn numbers_of_lines_and_columns_have_any_length() {
    let mut buffer = Buffer::new();
    for count in [
        1usize, 9, 10, 99, 100, 999, 1_000, 9_999, 10_000, 999_999, 1_000_000,
    ] {
        let (line, column) = (count, count + 1);
        let source = format!("{}{}a", "\n".repeat(line - 1), " ".repeat(column - 1));
        let (json, _) = text(&source, &mut buffer).unwrap();
        let expected = format!(r#""line":{line},"column":{column}}}]}}"#);
        assert!(json.ends_with(expected.as_bytes()), "{expected}");
    }
}

#[test]
fn a_million_nested_braces_use_no_stack() {
    const DEPTH: usize = 1_000_000;
    let source = "{".repeat(DEPTH) + &"}".repeat(DEPTH);
    let parse = move || {
        let mut buffer = Buffer::new();
        let mut nodes = |max_depth| {
            parse_text(source.as_bytes(), b"", to_depth(max_depth), &mut buffer)
                .map(|ast| ast.node_count)
        };
        assert_eq!(nodes(DEPTH), Ok(DEPTH as u64 + 1));
        let error = nodes(DEPTH - 1).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooDeep);
        assert_eq!((error.line, error.column), (1, DEPTH as u64));
        assert_eq!(error.found, b"999999");
    };
    let small_stack = std::thread::Builder::new().stack_size(128 << 10);
    small_stack.spawn(parse).unwrap().join().unwrap();
}

#[test]
fn lone_surrogates_and_ill_formed_texts() {
    let mut buffer = Buffer::new();
    let mut parse =
        |text: &[u8]| parse_text(text, b"\xed\xb2\x80", to_depth(1), &mut buffer).map(owned);
    let (json, _) = parse(b"'\xed\xa0\x80'").unwrap();
    let json = String::from_utf8(json).unwrap();
    assert!(json.starts_with(r#"{"_type":"root","filename":"\udc80""#));
    assert!(json.contains(r#""value":"\ud800""#));
    let error = parse(b"a \xed\xa0\x80").unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnexpectedCharacter);
    assert_eq!(error.found, b"\xed\xa0\x80");
    // Found by fuzzing: Latin-1's superscript two, which is no text at all.
    assert_eq!(parse(b"\"a\" \xb2.").unwrap_err().column, 5);
    let (json, _) = parse(b"'\xe5\x90'").unwrap();
    assert!(json.is_ascii());
}
