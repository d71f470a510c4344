//! The tree of dialect `ck3` has the scalars, operators, headers and nesting of jomini's tape, but for
//! named differences. `examples/jomini.rs` compares a folder.

mod compare;

use std::fs;
use std::path::{Path, PathBuf};

use compare::{Difference, differences};

fn scripts_under(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            scripts_under(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
}

#[test]
fn sound_scripts_differ_only_where_they_have_odd_forms() {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = Vec::new();
    for folder in [
        "tests/fixtures",
        "examples/small_mod/common",
        "examples/small_mod/events",
    ] {
        scripts_under(&repository.join(folder), &mut paths);
    }
    paths.retain(|path| !path.ends_with("broken.txt"));
    assert!(paths.len() > 10);
    let mut found = Vec::new();
    for path in paths {
        let data = fs::read(&path).expect("a script can be read");
        let name = path.file_name().expect("a script has a name");
        let name = name.to_string_lossy().into_owned();
        found.extend(
            reasons(&data)
                .into_iter()
                .map(|reason| (name.clone(), reason)),
        );
    }
    found.sort();
    found.dedup();
    let expected = [
        ("effect.txt", Difference::Comma),
        ("effect.txt", Difference::OperatorAsValue),
        ("names.txt", Difference::Escape),
    ];
    assert_eq!(
        found,
        expected.map(|(name, reason)| (name.to_string(), reason))
    );
}

#[test]
fn ordinary_forms_do_not_differ() {
    for script in [
        "867.1.1 = { }",
        "d = 1066.9.15",
        "1010_root = x 00_level = { a }",
        "a.$P$.b = has_$P$ flag:$X$ = $a|1$",
        "c = hsv { 1 2 } d = rgb{ 1 }",
        "foo@bar = { k@event_target:t = { } }",
        "a = -foo b = +5 c = .5 d = 5.0f",
        "x = { 'Ali mansa'l }",
        "@v = 3 a = @v b = @[ (a+b)*2 ]",
        "limit ?= { a >= 1 b <= 2 c != 3 d == 4 e < 5 f > 6 }",
        "\"a\"=\"b\" c=\"over\nlines\"",
        "a = { { 1 2 } { 3 4 } } # a comment\nb = 1 # another",
        "a = 1;\nb = { c;d }",
        "foo { a = 1 }",
        "a = { b = 1 c }",
    ] {
        assert_eq!(reasons(script.as_bytes()), [], "{script}");
        let with_mark = [b"\xef\xbb\xbf", script.as_bytes()].concat();
        assert_eq!(reasons(&with_mark), [], "{script}");
    }
}

#[test]
fn each_difference_has_its_reason() {
    let mut wrong = Vec::new();
    for (script, reason) in [
        ("a = \"b \\\" c\" d = 1 e = \"\"", Difference::Escape),
        ("a = { b[c]d e }", Difference::Brackets),
        ("a = { @[ b[1] + 2 ] c }", Difference::Expression),
        ("a = b\u{a0}c = 1", Difference::Space),
        ("a = 1 \u{1a}", Difference::Stops),
        ("a = { 1 , 2 }", Difference::Comma),
        ("a?= 1 b = 2", Difference::EndOfWord),
        ("a => 16 b = 1", Difference::UnknownOperator),
        ("a = b = c d = 1", Difference::LoneOperator),
        ("OPERATOR = >= a = 1", Difference::OperatorAsValue),
        ("a = \"x\" { } b = 2", Difference::EmptyBraces),
        ("a = b\n{ 1 2 } c = 1", Difference::Header),
        (
            "a = {\n\tb = { c = 1 }\n\t}\n\td = 1\n}\ne = 2",
            Difference::Brace,
        ),
        ("a = { b = } c = 1", Difference::Stops),
        ("a =\nb = 2 c = 3", Difference::MissingValue),
    ] {
        let found = reasons(script.as_bytes());
        if !found.contains(&reason) || found.contains(&Difference::Unnamed) {
            wrong.push((script, reason, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn reasons(data: &[u8]) -> Vec<Difference> {
    let found = differences(data);
    found.into_iter().map(|each| each.difference).collect()
}
