//! A file's bytes in dialect `ck3`: no panic, a sound tree, spans inside the file and in their order,
//! and the same tree from both parsers.

#![no_main]

use ck3parse_core::Buffer;
use ck3parse_core::ck3::{self, Options};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let (mut buffer, mut listed_buffer) = (Buffer::new(), Buffer::new());
    let options = Options {
        // Shallow enough for a JSON parser that recurses.
        max_depth: 40,
        max_faults: 101,
        windows_1252: data.len() % 2 == 1,
        comments: false,
    };
    let parsed = ck3::parse(data, options, &mut buffer);
    let comments = true;
    let listed = ck3::parse(data, Options { comments, ..options }, &mut listed_buffer);

    assert_eq!(parsed.fault_count, listed.fault_count);
    assert!(parsed.ast.json.len() <= 128 * data.len() + 256);
    let tree: Value = serde_json::from_slice(parsed.ast.json).expect("the tree is JSON");
    let again: Value = serde_json::from_slice(listed.ast.json).expect("the tree is JSON");
    assert_eq!(tree["children"], again["children"]);
    assert_eq!(check(&tree, (0, data.len() as u64)), parsed.ast.node_count);
});

/// Checks that the spans of a node's children are in order and inside its own, and counts nodes.
fn check(node: &Value, (start, end): (u64, u64)) -> u64 {
    let mut at = start;
    let mut count = 1;
    for child in node["children"].as_array().into_iter().flatten() {
        let span = &child["span"];
        let (first, last) = (span[0].as_u64().unwrap(), span[1].as_u64().unwrap());
        assert!(at <= first && first < last && last <= end);
        at = last;
        count += check(child, (first, last));
    }
    count
}
