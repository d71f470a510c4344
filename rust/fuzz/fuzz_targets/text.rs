//! A text as it is: no panic whatever the bytes, and a sound tree or error where they are UTF-8.

#![no_main]

mod checks;

use ck3parse_core::{Buffer, parse_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut buffer = Buffer::new();
    let outcome = parse_text(data, b"fuzz.txt", checks::OPTIONS, &mut buffer);
    match (outcome, str::from_utf8(data)) {
        (Ok(ast), Ok(_)) => checks::check_ast(&ast, data),
        (Err(error), Ok(text)) => checks::check_error(&error, text),
        (Ok(ast), Err(_)) => assert!(ast.json.is_ascii()),
        (Err(_), Err(_)) => {}
    }
});
