//! How trees of dialect `ck3` differ from jomini's tapes, over the scripts of a folder.
//!
//! `cargo run --release --example jomini -- FOLDER [SHOWN]` counts the differences by their reason, and
//! first shows SHOWN of each. It fails if there is one without a reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

#[path = "../tests/jomini/compare.rs"]
mod compare;

use compare::{Difference, Found};

const SHOWN_BYTES: usize = 120;

fn files_under(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files_under(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let Some(folder) = arguments.next() else {
        eprintln!("usage: jomini FOLDER [SHOWN]");
        process::exit(2);
    };
    let shown = arguments.next().and_then(|shown| shown.parse().ok());
    let mut paths = Vec::new();
    files_under(Path::new(&folder), &mut paths)?;
    paths.sort();

    let mut counts = BTreeMap::<Difference, (usize, usize)>::new();
    let mut skipped = 0;
    for path in &paths {
        let data = fs::read(path)?;
        if data.starts_with(b"\xff\xfe") || data.starts_with(b"\xfe\xff") {
            skipped += 1; // UTF-16, which jomini does not read
            continue;
        }
        let mut in_file = BTreeMap::<Difference, usize>::new();
        for Found { difference, place } in compare::differences(&data) {
            *in_file.entry(difference).or_default() += 1;
            let so_far = counts.get(&difference).map_or(0, |count| count.0) + in_file[&difference];
            if so_far <= shown.unwrap_or(0) {
                let end = place.end.min(place.start + SHOWN_BYTES);
                let text = String::from_utf8_lossy(&data[place.start..end]);
                println!("{difference}: {}:{}: {text:?}", path.display(), place.start);
            }
        }
        for (difference, count) in in_file {
            let total = counts.entry(difference).or_default();
            total.0 += count;
            total.1 += 1;
        }
    }
    println!("{} files, {skipped} of them skipped as UTF-16", paths.len());
    for (difference, (places, files)) in &counts {
        println!("{places:6} places in {files:4} files: {difference}");
    }
    process::exit(i32::from(counts.contains_key(&Difference::Unnamed)))
}
