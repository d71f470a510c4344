//! Dialect `ck3`: the cases, which the Python tests read too, and what holds of every text.

use std::fs;
use std::path::PathBuf;

use ck3parse_core::Buffer;
use ck3parse_core::ck3::{self, Options, Span, Visitor};
use serde_json::Value;

const OPTIONS: Options = Options {
    max_depth: 10_000,
    max_faults: 101,
    windows_1252: false,
    comments: false,
};

fn tests_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}

fn cases() -> Vec<Value> {
    let path = tests_folder().join("contract/ck3-cases.jsonl");
    let lines = fs::read_to_string(path).expect("the cases are there");
    let case = |line| serde_json::from_str(line).expect("a case is JSON");
    lines.lines().map(case).collect()
}

fn content(case: &Value) -> Vec<u8> {
    if let Some(source) = case["source"].as_str() {
        return source.as_bytes().to_vec();
    }
    let digits = case["bytes_hex"].as_str().expect("a case has a source");
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16);
    pairs.map(|pair| byte(pair).expect("hexadecimal")).collect()
}

#[test]
fn trees_of_the_cases() {
    let mut buffer = Buffer::new();
    for case in cases() {
        let options = Options {
            windows_1252: case["tree"]["encoding"] == "windows-1252",
            ..OPTIONS
        };
        let parsed = ck3::parse(&content(&case), options, &mut buffer);
        let title = &case["case"];
        let tree: Value = serde_json::from_slice(parsed.ast.json).expect("the tree is JSON");
        assert_eq!(tree, case["tree"], "{title}");
        assert_eq!(case["nodes"], parsed.ast.node_count, "{title}");
        assert_eq!(case["ok"], parsed.first_error.is_none(), "{title}");
        let codes = case["codes"].as_array().expect("a case has codes");
        assert_eq!(codes.len(), parsed.fault_count, "{title}");
    }
}

#[test]
fn listing_comments_changes_nothing_else() {
    // With comments, the recovering parser reads each text.
    let mut buffer = Buffer::new();
    for case in cases() {
        let data = content(&case);
        let plain = ck3::parse(&data, OPTIONS, &mut buffer).ast.json.to_vec();
        let comments = true;
        let options = Options {
            comments,
            ..OPTIONS
        };
        let listed = ck3::parse(&data, options, &mut buffer).ast.json;
        let plain = plain.strip_suffix(b"}").expect("an object");
        let rest = listed.strip_prefix(plain).expect("the same tree");
        assert!(rest.starts_with(b",\"comments\":["), "{}", case["case"]);
    }
}

#[derive(Default)]
struct Told {
    spans: Vec<(Span, Option<Span>)>,
    depth: i64,
}

impl Visitor for Told {
    fn value(&mut self, value: Span) {
        self.spans.push((value, None));
    }

    fn assign(&mut self, key: Span, value: Span) {
        self.spans.push((key, Some(value)));
    }

    fn open(&mut self, key: Span) {
        self.depth += 1;
        self.spans.push((key, None));
    }

    fn close(&mut self, _: usize) {
        self.depth -= 1;
    }
}

#[test]
fn a_visitor_is_told_each_node() {
    let mut buffer = Buffer::new();
    let mut sound = 0;
    for case in cases() {
        let data = content(&case);
        let mut told = Told::default();
        let parsed = ck3::parse(&data, OPTIONS, &mut buffer);
        if ck3::visit(&data, 100, &mut told) {
            sound += 1;
            assert_eq!(parsed.fault_count, 0, "{}", case["case"]);
            assert_eq!(told.spans.len() as u64 + 1, parsed.ast.node_count);
            assert_eq!(told.depth, 0);
        }
    }
    assert!(sound > 40);
}

#[test]
fn a_million_nested_braces_use_no_stack() {
    const DEPTH: usize = 1_000_000;
    let source = "a={".repeat(DEPTH) + &"}".repeat(DEPTH);
    let parse = move || {
        let mut buffer = Buffer::new();
        for (max_depth, faults) in [(DEPTH, 0), (1_000, 1)] {
            let options = Options {
                max_depth,
                ..OPTIONS
            };
            let parsed = ck3::parse(source.as_bytes(), options, &mut buffer);
            assert_eq!(parsed.ast.node_count, max_depth as u64 + 1);
            assert_eq!(parsed.fault_count, faults);
        }
    };
    let small_stack = std::thread::Builder::new().stack_size(128 << 10);
    small_stack.spawn(parse).unwrap().join().unwrap();
}

#[test]
fn cut_off_at_every_byte() {
    let mut buffer = Buffer::new();
    for entry in fs::read_dir(tests_folder().join("fixtures")).expect("fixtures are there") {
        let path = entry.expect("a fixture can be read").path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let whole = fs::read(path).expect("a fixture can be read");
        for end in 0..=whole.len().min(3_000) {
            let parsed = ck3::parse(&whole[..end], OPTIONS, &mut buffer);
            let tree: Value = serde_json::from_slice(parsed.ast.json).expect("the tree is JSON");
            assert_eq!(nodes_in(&tree), parsed.ast.node_count);
        }
    }
}

fn nodes_in(value: &Value) -> u64 {
    match value {
        Value::Array(items) => items.iter().map(nodes_in).sum(),
        Value::Object(members) => 1 + members.get("children").map_or(0, nodes_in),
        _ => 0,
    }
}
