//! A file's bytes: no panic, a sound tree or error, and the same as from the text they stand for.

#![no_main]

mod checks;

use ck3parse_core::{Buffer, parse_bytes, parse_text};
use libfuzzer_sys::fuzz_target;

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
    match outcome {
        Ok(ast) => checks::check_ast(&ast, text.as_bytes()),
        Err(error) => checks::check_error(&error, &text),
    }
});
