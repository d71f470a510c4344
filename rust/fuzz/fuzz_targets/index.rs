//! What a script file defines and uses: no panic, JSON within its length bound, definitions in order and
//! inside the file, each name once, and the places of the names. The rows are read as a store reads them,
//! and their words written as it writes them.

#![no_main]

use std::collections::BTreeSet;

use ck3parse_core::index::{Options, Place, Rows, WordLists, Words, parse_bytes, places, rows};
use ck3parse_core::{Buffer, Dialect};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// The tables `find` in `ck3.toml`.
const FINDERS: [&str; 13] = [
    "nothing",
    "top",
    "colors",
    "defines",
    "on_actions",
    "faiths",
    "doctrines",
    "laws",
    "genes",
    "template_lists",
    "titles",
    "events",
    "gui",
];
/// Shallow enough for a debug build's recursion, and reached by short inputs.
const MAX_DEPTH: usize = 40;
const MAX_NAME: usize = 200;
/// How many names are searched for in an input.
const SEARCHED: usize = 6;

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let windows_1252 = choice & 1 == 1;
    let options = Options {
        find: FINDERS[usize::from(choice >> 1) % FINDERS.len()],
        kind: "a kind",
        max_depth: MAX_DEPTH,
        windows_1252,
    };
    let mut buffer = Buffer::new();
    let json = rows(data, options, &mut buffer).expect("there is such a table");
    assert!(json.is_ascii());
    assert!(json.len() <= 2048 * data.len() + 64);
    let found: Value = serde_json::from_slice(json).expect("the rows are JSON");
    is_made_with_the_tree(data, options, json);

    let mut at = 0;
    for definition in found["definitions"].as_array().expect("a list") {
        let name = definition[0].as_str().expect("a text");
        let (start, end) = (number(&definition[2]), number(&definition[3]));
        assert!(!name.is_empty());
        assert!(at <= start && start < end && end <= data.len());
        assert!(number(&definition[4]) > 0);
        // The text without comments is at most as long as the file's, decoded, with spaces between tokens.
        assert!(number(&definition[5]) >> 32 <= 8 * data.len());
        assert!(definition[6].is_null() || definition[6].is_i64());
        at = start;
    }
    let words = found["words"].as_array().expect("a list");
    let names: BTreeSet<&str> = words
        .iter()
        .map(|word| word.as_str().expect("a text"))
        .collect();
    assert_eq!(names.len(), words.len());
    for name in &names {
        assert!(!name.is_empty() && name.len() <= MAX_NAME);
    }
    for name in names.iter().take(SEARCHED) {
        let found = places(data, name.as_bytes(), MAX_DEPTH, windows_1252);
        assert!(!found.is_empty());
        check(&found, data, name);
    }

    store(json, &found);
    // The rows of a worker that made others.
    if let Ok(mut read) = Rows::new(data) {
        while let Ok(Some(_)) = read.definition() {}
        let _ = read.words_in_lower_case(&mut Words::default());
    }

    let mut other = Buffer::new();
    let without = Options {
        find: "nothing",
        ..options
    };
    let json = rows(data, without, &mut other).expect("there is such a table");
    let of_nothing: Value = serde_json::from_slice(json).expect("the rows are JSON");
    assert_eq!(of_nothing["words"], found["words"]);
});

/// Checks that rows are read as they are, and that their words can be written.
fn store(json: &[u8], found: &Value) {
    let mut read = Rows::new(json).expect("the rows of this version");
    for definition in found["definitions"].as_array().expect("a list") {
        let row = read.definition().expect("a row").expect("as many rows");
        assert_eq!(row.name, definition[0].as_str().expect("a text"));
        assert_eq!(row.kind, definition[1].as_str().expect("a text"));
        for (at, number) in row.numbers.iter().enumerate() {
            assert_eq!(Some(*number), definition[2 + at].as_u64());
        }
        assert_eq!(row.priority, definition[6].as_i64());
    }
    assert_eq!(read.definition(), Ok(None));
    let mut words = Words::default();
    read.words_in_lower_case(&mut words).expect("words");
    let expected = found["words"].as_array().expect("a list");
    assert_eq!(words.iter().len(), expected.len());
    for (word, expected) in words.iter().zip(expected) {
        let expected = expected.as_str().expect("a text").to_ascii_lowercase();
        assert_eq!(word, expected.as_bytes());
    }
    let mut lists = WordLists::default();
    lists.begin(1).expect("the first document");
    lists.add(words.iter());
    // The blocks of an empty index.
    lists.segment(&[0; 7], &[]).expect("a segment");
}

/// Checks that places are in order, inside the file, and hold the name.
fn check(places: &[Place], data: &[u8], name: &str) {
    let is_utf_8 = std::str::from_utf8(data).is_ok();
    let mut at = 0;
    for place in places {
        assert!(at <= place.start && place.start < place.end && place.end <= data.len());
        assert!(place.line > 0 && place.column > 0);
        if is_utf_8 {
            assert_eq!(&data[place.start..place.end], name.as_bytes());
        }
        at = place.start;
    }
}

fn number(value: &Value) -> usize {
    value.as_u64().expect("a number") as usize
}

/// Checks that one pass makes the same rows and tree as two do.
fn is_made_with_the_tree(data: &[u8], options: Options, rows: &[u8]) {
    let parsed = ck3parse_core::Options {
        dialect: Dialect::Ck3Raven,
        max_depth: MAX_DEPTH,
    };
    let (mut tree_buffer, mut rows_buffer, mut buffer) =
        (Buffer::new(), Buffer::new(), Buffer::new());
    let made = parse_bytes(
        data,
        b"a",
        parsed.dialect,
        options,
        &mut tree_buffer,
        &mut rows_buffer,
    );
    let (tree, made) = made.expect("there is such a table");
    assert!(made == rows);
    assert!(tree == ck3parse_core::parse_bytes(data, b"a", parsed, &mut buffer));
}
