//! How fast files are parsed, all of them from memory into one buffer that is used again: in both
//! dialects, `ck3` with a visitor that takes only the spans of keys and values, and the rows of `ck3/1`.
//!
//! `cargo run --release --example bench -- FOLDER [RUNS]`

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs, io, process};

use ck3parse_core::ck3::{self, Span, Visitor};
use ck3parse_core::{Buffer, Dialect, Options, index, parse_bytes};

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

/// Takes the spans of keys and values.
#[derive(Default)]
struct Spans {
    found: Vec<(Span, Span)>,
    ends: Vec<usize>,
}

const NONE: Span = Span { start: 0, end: 0 };

impl Visitor for Spans {
    fn value(&mut self, value: Span) {
        self.found.push((NONE, value));
    }

    fn assign(&mut self, key: Span, value: Span) {
        self.found.push((key, value));
    }

    fn open(&mut self, key: Span) {
        self.found.push((key, NONE));
    }

    fn close(&mut self, end: usize) {
        self.ends.push(end);
    }
}

/// What one run did: bytes of output, nodes, and files in which nothing is to be reported.
type Done = (usize, u64, usize);

/// A way to parse all files, and the seconds that each run took.
struct Way<'w> {
    name: &'static str,
    run: &'w mut dyn FnMut() -> Done,
    seconds: Vec<f64>,
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
    println!("{} files, {source} bytes", files.len());

    let max_depth = 10_000;
    let mut buffer = Buffer::new();
    let mut ck3raven = || {
        let dialect = Dialect::Ck3Raven;
        let options = Options { dialect, max_depth };
        let mut done: Done = (0, 0, 0);
        for (path, data) in paths.iter().zip(&files) {
            let name = path.as_os_str().as_encoded_bytes();
            if let Ok(ast) = parse_bytes(data, name, options, &mut buffer) {
                done.0 += ast.json.len();
                done.1 += ast.node_count;
                done.2 += 1;
            }
        }
        done
    };
    let mut ck3_buffer = Buffer::new();
    let mut ck3 = || {
        let options = ck3::Options {
            max_depth,
            max_faults: 101,
            windows_1252: false,
            comments: false,
        };
        let mut done: Done = (0, 0, 0);
        for data in &files {
            let parsed = ck3::parse(data, options, &mut ck3_buffer);
            done.0 += parsed.ast.json.len();
            done.1 += parsed.ast.node_count;
            done.2 += usize::from(parsed.fault_count == 0);
        }
        done
    };
    let mut spans = Spans::default();
    let mut visited = || {
        let mut done: Done = (0, 0, 0);
        for data in &files {
            spans.found.clear();
            spans.ends.clear();
            done.2 += usize::from(ck3::visit(data, max_depth, &mut spans));
            done.1 += spans.found.len() as u64;
        }
        done
    };
    let mut rows_buffer = Buffer::new();
    let mut rows = || {
        let options = index::Options {
            find: "top",
            kind: "trait",
            max_depth,
            windows_1252: false,
        };
        let mut done: Done = (0, 0, 0);
        for data in &files {
            let rows = index::rows(data, options, &mut rows_buffer);
            done.0 += rows.map_or(0, <[u8]>::len);
        }
        done
    };
    let way = |name, run| Way {
        name,
        run,
        seconds: Vec::new(),
    };
    let mut ways: [Way; 4] = [
        way("ck3raven", &mut ck3raven),
        way("ck3", &mut ck3),
        way("ck3, spans", &mut visited),
        way("ck3/1", &mut rows),
    ];
    let mut done = [(0, 0, 0); 4];
    for _ in 0..runs.max(1) {
        for (way, done) in ways.iter_mut().zip(&mut done) {
            let start = Instant::now();
            *done = (way.run)();
            way.seconds.push(start.elapsed().as_secs_f64());
        }
    }
    for (way, (output, nodes, sound)) in ways.iter_mut().zip(done) {
        way.seconds.sort_by(f64::total_cmp);
        let (best, median) = (way.seconds[0], way.seconds[way.seconds.len() / 2]);
        println!(
            "{:10} {:6.1} MB/s of source (best {:6.1}), {output} bytes, {nodes} nodes, {sound} sound",
            way.name,
            source as f64 / median / 1e6,
            source as f64 / best / 1e6,
        );
    }
    Ok(())
}
