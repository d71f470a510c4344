//! A file's bytes: no panic, a sound tree or error, and the same as from the text they stand for and
//! beside rows.

#![no_main]

mod checks;

use ck3parse_core::{Buffer, parse_bytes, parse_text, qbuilder_bytes};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let (mut buffer, mut text_buffer) = (Buffer::new(), Buffer::new());
    let outcome = parse_bytes(data, b"fuzz.txt", checks::OPTIONS, &mut buffer);

    let bare = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let text = String::from_utf8_lossy(bare)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let text_outcome = parse_text(
        text.as_bytes(),
        b"fuzz.txt",
        checks::OPTIONS,
        &mut text_buffer,
    );
    assert_eq!(outcome, text_outcome);

    let mut rows_buffer = Buffer::new();
    for symbol_type in [None, Some(&b"title"[..]), Some(b"religion")] {
        let extracted = qbuilder_bytes(
            data,
            b"fuzz.txt",
            checks::OPTIONS,
            symbol_type,
            &mut rows_buffer,
        );
        let ast = extracted.map(|(ast, rows)| {
            check_rows(&rows);
            ast
        });
        assert_eq!(outcome, ast);
    }
    match outcome {
        Ok(ast) => checks::check_ast(&ast, text.as_bytes()),
        Err(error) => checks::check_error(&error, &text),
    }
});

/// Checks that rows are ASCII, and JSON of two lists.
fn check_rows(rows: &[u8]) {
    assert!(rows.is_ascii());
    let rows: Value = serde_json::from_slice(rows).expect("rows are JSON");
    assert!(rows["symbols"].is_array() && rows["refs"].is_array());
}
