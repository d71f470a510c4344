//! How fast files are parsed, all of them from memory into one buffer that is used again.
//!
//! `cargo run --release --example bench -- FOLDER [RUNS]`

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs, io, process};

use ck3parse_core::{Buffer, Dialect, Options, parse_bytes};

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
        eprintln!("usage: bench FOLDER [RUNS]");
        process::exit(2);
    };
    let runs: usize = arguments
        .next()
        .and_then(|runs| runs.parse().ok())
        .unwrap_or(5);
    let mut paths = Vec::new();
    files_under(Path::new(&folder), &mut paths)?;
    paths.sort();
    let files = paths.iter().map(fs::read).collect::<io::Result<Vec<_>>>()?;
    let source: usize = files.iter().map(Vec::len).sum();

    let options = Options {
        dialect: Dialect::Ck3Raven,
        max_depth: 10_000,
    };
    let mut buffer = Buffer::new();
    let mut times = Vec::new();
    let (mut output, mut nodes, mut parsed) = (0, 0, 0);
    for _ in 0..runs.max(1) {
        (output, nodes, parsed) = (0, 0, 0);
        let start = Instant::now();
        for (path, data) in paths.iter().zip(&files) {
            let name = path.as_os_str().as_encoded_bytes();
            if let Ok(ast) = parse_bytes(data, name, options, &mut buffer) {
                output += ast.json.len();
                nodes += ast.node_count;
                parsed += 1;
            }
        }
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!(
        "{} files, {parsed} parsed, {source} bytes to {output} bytes of JSON, {nodes} nodes",
        files.len()
    );
    println!(
        "{:.0} ms, {:.1} MB/s of source, {:.0} MB/s of JSON (median of {}, best {:.0} ms)",
        median * 1e3,
        source as f64 / median / 1e6,
        output as f64 / median / 1e6,
        times.len(),
        times[0] * 1e3
    );
    Ok(())
}
