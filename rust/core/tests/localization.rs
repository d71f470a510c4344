//! Localization files: the cases, which the Python tests read too.

use std::fs;
use std::path::PathBuf;

use ck3parse_core::Buffer;
use ck3parse_core::localization::scan;
use serde_json::{Value, json};

#[test]
fn entries_of_the_cases() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/contract/localization-cases.jsonl");
    let lines = fs::read_to_string(path).expect("the cases are there");
    let mut buffer = Buffer::new();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).expect("a case is JSON");
        let data = match (case["text"].as_str(), case["latin_1"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (_, Some(bytes)) => bytes.chars().map(|byte| byte as u8).collect(),
            _ => panic!("a case has a text"),
        };
        let found = scan(&data, true, 101, &mut buffer);
        let entries: Vec<Vec<Value>> = serde_json::from_slice(found.json).expect("JSON");
        let shown: Vec<&[Value]> = entries.iter().map(|entry| &entry[..4]).collect();
        assert_eq!(json!(shown), case["entries"], "{}", case["name"]);
        let places: Vec<Value> = found
            .faults
            .iter()
            .map(|fault| json!([fault.line, fault.column, fault.end_column]))
            .collect();
        let told = case["diagnostics"].as_array().expect("a list");
        let wanted: Vec<Value> = told
            .iter()
            .map(|each| json!(each.as_array().unwrap()[1..]))
            .collect();
        assert_eq!(places, wanted, "{}", case["name"]);
    }
}
