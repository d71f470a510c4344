//! A localization file's bytes: no panic, JSON of entries whose spans are in order inside the file, parts
//! inside their texts, and the same entries with parts and without.

#![no_main]

use ck3parse_core::Buffer;
use ck3parse_core::localization::scan;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let (mut buffer, mut parts_buffer) = (Buffer::new(), Buffer::new());
    let found = scan(data, false, 101, &mut buffer);
    let with_parts = scan(data, true, 101, &mut parts_buffer);

    assert_eq!(found.header, with_parts.header);
    assert!(found.fault_count <= with_parts.fault_count);
    assert!(with_parts.json.len() <= 128 * data.len() + 256);
    let plain: Vec<Vec<Value>> = serde_json::from_slice(found.json).expect("entries are JSON");
    let entries: Vec<Vec<Value>> = serde_json::from_slice(with_parts.json).expect("entries are JSON");
    assert_eq!(plain.len() as u64, found.entry_count);
    assert_eq!(entries.len() as u64, with_parts.entry_count);
    let mut at = 0;
    for (entry, plain) in entries.iter().zip(&plain) {
        assert_eq!(&entry[..10], &plain[..]);
        for offset in &entry[4..10] {
            assert!(at <= number(offset));
            at = number(offset);
        }
        let (start, end) = (number(&entry[8]), number(&entry[9]));
        assert!(data[start - 1] == b'"' && data[end] == b'"');
        let mut from = start;
        for part in entry[10].as_array().expect("parts are a list") {
            assert!(from <= number(&part[1]) && number(&part[1]) < number(&part[2]));
            assert!(number(&part[2]) <= end);
            from = number(&part[1]);
        }
    }
    for fault in &with_parts.faults {
        assert!(fault.line > 0 && fault.column > 0 && fault.column <= fault.end_column);
    }
});

fn number(value: &Value) -> usize {
    value.as_u64().expect("an offset") as usize
}
