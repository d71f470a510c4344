//! `ck3parse.parser._native`: the Python binding of the core.

#![forbid(unsafe_code)]

use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::LocalKey;

use ck3parse_core::index::Value;
use ck3parse_core::{
    Ast, Buffer, Dialect, Error, Options, OutOfMemory, Recovered, ReportedFault, ck3, index,
    localization,
};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PySequence, PyString, PyTuple};

/// How much of its buffer each thread keeps between calls, in bytes.
const KEPT: usize = 16 << 20;

type KeptBuffer = LocalKey<RefCell<Buffer>>;

thread_local! {
    static BUFFER: RefCell<Buffer> = const { RefCell::new(Buffer::new()) };
    /// For rows that are made with an AST.
    static ROWS_BUFFER: RefCell<Buffer> = const { RefCell::new(Buffer::new()) };
}

/// The AST's JSON or `None`, its number of nodes, then the error's kind, token, line and column.
type Outcome<'py> = (
    Option<Bound<'py, PyBytes>>,
    u64,
    u8,
    Bound<'py, PyString>,
    u64,
    u64,
);

/// The outcome, and the rows of a text that parses.
type Extracted<'py> = (Outcome<'py>, Option<Bound<'py, PyBytes>>);

/// An error's kind, place (two lines and columns), token and the line of its brace.
type Fault<'py> = (u8, u64, u64, u64, u64, Bound<'py, PyString>, u64);

/// The AST's JSON, its number of nodes, the first errors and warnings, the number of all of them, and
/// the first error.
type Recovery<'py> = (
    Bound<'py, PyBytes>,
    u64,
    Vec<Fault<'py>>,
    usize,
    Option<Fault<'py>>,
);

/// A fault of a localization file: kind, line, column, end column and what its message names.
type LocalizationFault = (u8, u64, u64, u64, String);

/// The entries' JSON, their number, the header's language and line, the first faults, and the number of
/// all of them.
type Localization<'py> = (
    Bound<'py, PyBytes>,
    u64,
    Option<(String, u64)>,
    Vec<LocalizationFault>,
    u64,
);

/// What is to be written into the tables `data` and `idx` of an FTS5 index.
type Segment<'py> = (
    Vec<(u64, Bound<'py, PyBytes>)>,
    Vec<(u64, Bound<'py, PyBytes>, u64)>,
);

#[pymodule]
mod _native {
    use super::*;

    /// The definitions of contents, to be written at once.
    #[pyclass]
    #[derive(Default)]
    struct DefinitionRows {
        table: index::TableFile,
        names: index::RepeatedNames,
    }

    impl DefinitionRows {
        /// Adds the definitions of a content, each with the id of its kind.
        fn add(&mut self, content_id: u64, found: &[(index::Definition, i64)]) {
            self.names
                .add(found.iter().map(|(definition, _)| &*definition.name));
            for (key, (definition, kind_id)) in (content_id.cast_signed() << 24..).zip(found) {
                let [start, end, line, hash] = definition.numbers.map(u64::cast_signed);
                self.table.push(
                    key,
                    &[
                        Value::Null,
                        Value::Integer(start),
                        Value::Text(&definition.name),
                        Value::Integer(*kind_id),
                        Value::Integer(end),
                        Value::Integer(line),
                        Value::Integer(hash),
                        definition.priority.map_or(Value::Null, Value::Integer),
                    ],
                );
            }
        }
    }

    #[pymethods]
    impl DefinitionRows {
        #[new]
        fn new() -> Self {
            Self::default()
        }

        /// Return the names that came more than once since this was made, and a few others.
        fn repeated_names(&self) -> Vec<&str> {
            self.names.found().collect()
        }

        /// Return them as an SQLite database with one table, or `None` if there are none, and begin
        /// anew.
        fn database<'py>(
            &mut self,
            py: Python<'py>,
            name: &str,
            sql: &str,
        ) -> Option<Bound<'py, PyBytes>> {
            let table = std::mem::take(&mut self.table);
            let made = (!table.is_empty()).then(|| py.detach(|| table.finish(name, sql)));
            made.map(|made| PyBytes::new(py, &made))
        }
    }

    /// The words of contents, to be written at once.
    #[pyclass]
    #[derive(Default)]
    struct WordLists {
        lists: index::WordLists,
    }

    #[pymethods]
    impl WordLists {
        #[new]
        fn new() -> Self {
            Self::default()
        }

        /// About how many bytes of memory it takes.
        fn size(&self) -> usize {
            self.lists.size()
        }

        /// The content that was added last, or 0.
        fn last(&self) -> u64 {
            self.lists.last()
        }

        /// Take the words of contents from their rows, add their definitions to others, and return how
        /// many contents were taken before one with an unknown kind or with rows in another form. If
        /// that is the first one, it is an error.
        fn add(
            &mut self,
            py: Python<'_>,
            contents: Vec<(u64, Bound<'_, PyBytes>)>,
            kind_ids: HashMap<String, i64>,
            definitions: &mut DefinitionRows,
        ) -> PyResult<usize> {
            let contents = contents.iter();
            let contents: Vec<_> = contents.map(|(id, rows)| (*id, rows.as_bytes())).collect();
            let lists = &mut self.lists;
            py.detach(|| {
                // They are filled anew for each content, and not allocated.
                let (mut found, mut words) = (Vec::new(), index::Words::default());
                for (taken, (content_id, rows)) in contents.iter().enumerate() {
                    let read = read_rows(rows, &kind_ids, &mut found, &mut words);
                    match read.and_then(|()| lists.begin(*content_id)) {
                        Err(_) if taken > 0 => return Ok(taken),
                        read => read.map_err(PyValueError::new_err)?,
                    }
                    lists.add(words.iter());
                    definitions.add(*content_id, &found);
                }
                Ok(contents.len())
            })
        }

        /// Return all words as rows of an FTS5 index, whose blocks of segments and totals are given.
        fn segment<'py>(
            &mut self,
            py: Python<'py>,
            structure: &[u8],
            totals: &[u8],
        ) -> PyResult<Segment<'py>> {
            let made = py.detach(|| self.lists.segment(structure, totals));
            let made = made.map_err(PyValueError::new_err)?;
            // Each block is freed once it was copied.
            let data = made.data.into_iter();
            let data = data.map(|(id, block)| (id, PyBytes::new(py, &block)));
            let idx = made.idx.into_iter();
            let idx = idx.map(|(id, term, page)| (id, PyBytes::new(py, &term), page));
            Ok((data.collect(), idx.collect()))
        }
    }

    /// Parse the content of a file.
    #[pyfunction]
    fn parse_bytes<'py>(
        py: Python<'py>,
        data: &[u8],
        name: &Bound<'py, PyString>,
        max_depth: usize,
    ) -> PyResult<Outcome<'py>> {
        let name = wtf8(name)?;
        parse(py, |buffer| {
            ck3parse_core::parse_bytes(data, &name, options(max_depth), buffer)
        })
    }

    /// Parse a text.
    #[pyfunction]
    fn parse_text<'py>(
        py: Python<'py>,
        text: &Bound<'py, PyString>,
        name: &Bound<'py, PyString>,
        max_depth: usize,
    ) -> PyResult<Outcome<'py>> {
        let text = wtf8(text)?;
        let name = wtf8(name)?;
        parse(py, |buffer| {
            ck3parse_core::parse_text(&text, &name, options(max_depth), buffer)
        })
    }

    /// Parse the content of a file, and return its AST, if it is wanted, and the rows of `qbuilder/1`.
    #[pyfunction]
    fn qbuilder_bytes<'py>(
        py: Python<'py>,
        data: &[u8],
        name: &Bound<'py, PyString>,
        max_depth: usize,
        symbol_type: Option<&Bound<'py, PyString>>,
        want_ast: bool,
    ) -> PyResult<Extracted<'py>> {
        let name = wtf8(name)?;
        let symbol_type = symbol_type.map(wtf8).transpose()?;
        extract(py, want_ast, |buffer| {
            let symbol_type = symbol_type.as_deref();
            ck3parse_core::qbuilder_bytes(data, &name, options(max_depth), symbol_type, buffer)
        })
    }

    /// Parse a text, and return its AST, if it is wanted, and the rows of `qbuilder/1`.
    #[pyfunction]
    fn qbuilder_text<'py>(
        py: Python<'py>,
        text: &Bound<'py, PyString>,
        name: &Bound<'py, PyString>,
        max_depth: usize,
        symbol_type: Option<&Bound<'py, PyString>>,
        want_ast: bool,
    ) -> PyResult<Extracted<'py>> {
        let text = wtf8(text)?;
        let name = wtf8(name)?;
        let symbol_type = symbol_type.map(wtf8).transpose()?;
        extract(py, want_ast, |buffer| {
            let symbol_type = symbol_type.as_deref();
            ck3parse_core::qbuilder_text(&text, &name, options(max_depth), symbol_type, buffer)
        })
    }

    /// Parse the content of a broken file: its sound parts, and its first `max_faults` errors.
    #[pyfunction]
    fn recover_bytes<'py>(
        py: Python<'py>,
        data: &[u8],
        name: &Bound<'py, PyString>,
        max_depth: usize,
        max_faults: usize,
    ) -> PyResult<Recovery<'py>> {
        let name = wtf8(name)?;
        recover(py, |buffer| {
            ck3parse_core::recover_bytes(data, &name, options(max_depth), max_faults, buffer)
        })
    }

    /// Parse a broken text: its sound parts, and its first `max_faults` errors.
    #[pyfunction]
    fn recover_text<'py>(
        py: Python<'py>,
        text: &Bound<'py, PyString>,
        name: &Bound<'py, PyString>,
        max_depth: usize,
        max_faults: usize,
    ) -> PyResult<Recovery<'py>> {
        let text = wtf8(text)?;
        let name = wtf8(name)?;
        recover(py, |buffer| {
            ck3parse_core::recover_text(&text, &name, options(max_depth), max_faults, buffer)
        })
    }

    /// Return the rows of `ck3/1` of a file.
    #[pyfunction]
    fn ck3_rows<'py>(
        py: Python<'py>,
        data: &[u8],
        find: &str,
        kind: &str,
        windows_1252: bool,
        max_depth: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let options = index::Options {
            find,
            kind,
            max_depth,
            windows_1252,
        };
        with_buffer(&BUFFER, |buffer| {
            let made = catch_unwind(AssertUnwindSafe(move || {
                py.detach(move || index::rows(data, options, buffer))
            }));
            match made.map_err(out_of_memory)? {
                Some(rows) => bytes(py, rows),
                None => Err(unknown_finder(find)),
            }
        })
    }

    /// Parse the content of a file, and return the rows of `ck3/1` with the outcome.
    #[pyfunction]
    fn parse_with_ck3_rows<'py>(
        py: Python<'py>,
        data: &[u8],
        name: &Bound<'py, PyString>,
        find: &str,
        kind: &str,
        windows_1252: bool,
        max_depth: usize,
    ) -> PyResult<(Outcome<'py>, Bound<'py, PyBytes>)> {
        let name = &*wtf8(name)?;
        let options = index::Options {
            find,
            kind,
            max_depth,
            windows_1252,
        };
        with_buffer(&ROWS_BUFFER, |rows_buffer| {
            with_buffer(&BUFFER, |buffer| {
                let made = catch_unwind(AssertUnwindSafe(move || {
                    py.detach(move || {
                        let dialect = Dialect::Ck3Raven;
                        index::parse_bytes(data, name, dialect, options, buffer, rows_buffer)
                    })
                }));
                let Some((parsed, rows)) = made.map_err(out_of_memory)? else {
                    return Err(unknown_finder(find));
                };
                Ok((outcome(py, parsed)?, bytes(py, rows)?))
            })
        })
    }

    /// Return rows, whose first values are their keys in rising order, as an SQLite database with one
    /// table.
    #[pyfunction]
    fn table_database<'py>(
        py: Python<'py>,
        name: &str,
        sql: &str,
        rows: &Bound<'py, PySequence>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut table = index::TableFile::default();
        for row in rows.try_iter()? {
            let row = row?.cast_into::<PyTuple>()?;
            let key = row.get_item(0)?.extract()?;
            let rest = row.iter().skip(1).collect::<Vec<_>>();
            let values = rest.iter().map(value).collect::<PyResult<Vec<_>>>()?;
            table.push(key, &[&[Value::Null], &values[..]].concat());
        }
        Ok(PyBytes::new(py, &table.finish(name, sql)))
    }

    /// Return the places where a file uses a name: start, end, line, column and the number of the role.
    #[pyfunction]
    fn ck3_places(
        py: Python<'_>,
        data: &[u8],
        name: &[u8],
        max_depth: usize,
        windows_1252: bool,
    ) -> Vec<(usize, usize, usize, usize, u8)> {
        let places = py.detach(|| index::places(data, name, max_depth, windows_1252));
        let place = |place: index::Place| {
            let role = place.role as u8;
            (place.start, place.end, place.line, place.column, role)
        };
        places.into_iter().map(place).collect()
    }

    /// Parse the content of a file in dialect `ck3`: its tree, and what is wrong with it.
    #[pyfunction]
    fn parse_ck3<'py>(
        py: Python<'py>,
        data: &[u8],
        windows_1252: bool,
        max_depth: usize,
        max_faults: usize,
        comments: bool,
    ) -> PyResult<Recovery<'py>> {
        let options = ck3::Options {
            max_depth,
            max_faults,
            windows_1252,
            comments,
        };
        recover(py, |buffer| ck3::parse(data, options, buffer))
    }

    /// Return the number of nodes of a file in dialect `ck3` in which nothing is to be reported.
    #[pyfunction]
    fn sound_ck3_nodes(
        py: Python<'_>,
        data: &[u8],
        windows_1252: bool,
        max_depth: usize,
    ) -> Option<u64> {
        py.detach(|| ck3::sound_nodes(data, max_depth, windows_1252))
    }

    /// Return the signs of likely mistakes in a text whose line ends are `\n`.
    #[pyfunction]
    fn signs(text: &str, once: Vec<String>, blocks: Vec<String>) -> u8 {
        ck3parse_core::signs::signs(text.as_bytes(), &once, &blocks)
    }

    /// Return the hash by which the game finds the text of each key.
    #[pyfunction]
    fn key_hashes(keys: Vec<String>) -> Vec<u32> {
        let keys = keys.iter();
        keys.map(|key| localization::key_hash(key.as_bytes()))
            .collect()
    }

    /// Read the content of a localization file: its entries, and its first `max_faults` faults.
    #[pyfunction]
    fn scan_localization<'py>(
        py: Python<'py>,
        data: &[u8],
        parts: bool,
        max_faults: usize,
    ) -> PyResult<Localization<'py>> {
        with_buffer(&BUFFER, |buffer| {
            let scan = || py.detach(move || localization::scan(data, parts, max_faults, buffer));
            let scanned = catch_unwind(AssertUnwindSafe(scan)).map_err(out_of_memory)?;
            let faults = scanned.faults.into_iter().map(|fault| {
                let place = (fault.line, fault.column, fault.end_column);
                (fault.kind as u8, place.0, place.1, place.2, fault.found)
            });
            Ok((
                bytes(py, scanned.json)?,
                scanned.entry_count,
                scanned.header,
                faults.collect(),
                scanned.fault_count,
            ))
        })
    }
}

/// Reads the definitions of a content, each with the id of its kind, and its words.
fn read_rows<'r>(
    rows: &'r [u8],
    kind_ids: &HashMap<String, i64>,
    found: &mut Vec<(index::Definition<'r>, i64)>,
    words: &mut index::Words,
) -> Result<(), &'static str> {
    let mut rows = index::Rows::new(rows)?;
    found.clear();
    let mut known: Option<(Cow<str>, i64)> = None;
    while let Some(definition) = rows.definition()? {
        let kind_id = match &known {
            Some((kind, id)) if *kind == definition.kind => *id,
            _ => {
                let id = *kind_ids.get(&*definition.kind).ok_or("an unknown kind")?;
                known = Some((definition.kind.clone(), id));
                id
            }
        };
        found.push((definition, kind_id));
    }
    rows.words_in_lower_case(words)
}

/// Returns what SQLite stores of an object: `None`, a text or a number.
fn value<'v>(object: &'v Bound<'_, PyAny>) -> PyResult<Value<'v>> {
    if object.is_none() {
        return Ok(Value::Null);
    }
    match object.cast::<PyString>() {
        Ok(text) => text.to_str().map(Value::Text),
        Err(_) => object.extract().map(Value::Integer),
    }
}

fn options(max_depth: usize) -> Options {
    let dialect = Dialect::Ck3Raven;
    Options { dialect, max_depth }
}

/// Runs the strict parser, and converts its result to Python objects.
fn parse<'py>(
    py: Python<'py>,
    core: impl for<'b> Fn(&'b mut Buffer) -> Result<Ast<'b>, Error> + Send,
) -> PyResult<Outcome<'py>> {
    with_buffer(&BUFFER, |buffer| {
        let parsed = catch_unwind(AssertUnwindSafe(move || py.detach(move || core(buffer))));
        outcome(py, parsed.map_err(out_of_memory)?)
    })
}

fn outcome<'py>(py: Python<'py>, parsed: Result<Ast, Error>) -> PyResult<Outcome<'py>> {
    match parsed {
        Ok(ast) => {
            let json = bytes(py, ast.json)?;
            Ok((Some(json), ast.node_count, 0, PyString::new(py, ""), 0, 0))
        }
        Err(error) => failure(py, &error),
    }
}

fn unknown_finder(find: &str) -> PyErr {
    PyValueError::new_err(format!("no definitions are found by {find:?}"))
}

/// Runs the strict parser with an extractor, and converts its result to Python objects.
fn extract<'py>(
    py: Python<'py>,
    want_ast: bool,
    core: impl for<'b> Fn(&'b mut Buffer) -> Result<(Ast<'b>, Vec<u8>), Error> + Send,
) -> PyResult<Extracted<'py>> {
    with_buffer(&BUFFER, |buffer| {
        let parsed = catch_unwind(AssertUnwindSafe(move || py.detach(move || core(buffer))));
        Ok(match parsed.map_err(out_of_memory)? {
            Ok((ast, rows)) => {
                let json = want_ast.then(|| bytes(py, ast.json)).transpose()?;
                let rows = bytes(py, &rows)?;
                let found = PyString::new(py, "");
                ((json, ast.node_count, 0, found, 0, 0), Some(rows))
            }
            Err(error) => (failure(py, &error)?, None),
        })
    })
}

fn failure<'py>(py: Python<'py>, error: &Error) -> PyResult<Outcome<'py>> {
    let found = string(py, &error.found)?;
    Ok((None, 0, error.kind as u8, found, error.line, error.column))
}

/// Runs the recovering parser, and converts its result to Python objects.
fn recover<'py>(
    py: Python<'py>,
    core: impl for<'b> Fn(&'b mut Buffer) -> Recovered<'b> + Send,
) -> PyResult<Recovery<'py>> {
    with_buffer(&BUFFER, |buffer| {
        let parsed = catch_unwind(AssertUnwindSafe(move || py.detach(move || core(buffer))));
        let recovered = parsed.map_err(out_of_memory)?;
        let faults = recovered.faults.iter().map(|reported| fault(py, reported));
        let faults = faults.collect::<PyResult<Vec<_>>>()?;
        let first_error = recovered.first_error.as_ref();
        let first_error = first_error.map(|first| fault(py, first)).transpose()?;
        let json = bytes(py, recovered.ast.json)?;
        Ok((
            json,
            recovered.ast.node_count,
            faults,
            recovered.fault_count,
            first_error,
        ))
    })
}

fn fault<'py>(py: Python<'py>, reported: &ReportedFault) -> PyResult<Fault<'py>> {
    Ok((
        reported.kind as u8,
        reported.line,
        reported.column,
        reported.end_line,
        reported.end_column,
        string(py, &reported.found)?,
        reported.opener_line,
    ))
}

/// Calls a function with a buffer of this thread.
fn with_buffer<T>(
    kept: &'static KeptBuffer,
    run: impl FnOnce(&mut Buffer) -> PyResult<T>,
) -> PyResult<T> {
    // A signal handler that parses meanwhile must not find this buffer.
    let mut buffer = kept.take();
    let outcome = run(&mut buffer)?;
    buffer.shrink(KEPT);
    kept.set(buffer);
    Ok(outcome)
}

/// Returns a `MemoryError` if the panic was for lack of memory, and resumes any other panic.
fn out_of_memory(payload: Box<dyn Any + Send>) -> PyErr {
    if payload.is::<OutOfMemory>() {
        PyMemoryError::new_err("no memory for the AST")
    } else {
        resume_unwind(payload)
    }
}

/// Returns a copy. A large one is allocated in a slower way that can fail without aborting.
fn bytes<'py>(py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    if json.len() <= KEPT {
        return Ok(PyBytes::new(py, json));
    }
    PyBytes::new_with(py, json.len(), |place| {
        place.copy_from_slice(json);
        Ok(())
    })
}

/// Returns a string as WTF-8: UTF-8 in which a lone surrogate takes three bytes.
fn wtf8<'a>(text: &'a Bound<'_, PyString>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(utf8) = text.to_str() {
        return Ok(Cow::Borrowed(utf8.as_bytes()));
    }
    let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
    Ok(Cow::Owned(bytes.extract::<Vec<u8>>()?))
}

/// Returns the string of a text in WTF-8.
fn string<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
    match str::from_utf8(text) {
        Ok(utf8) => Ok(PyString::new(py, utf8)),
        Err(_) => {
            let bytes = PyBytes::new(py, text);
            let decoded = bytes.call_method1("decode", ("utf-8", "surrogatepass"))?;
            Ok(decoded.cast_into()?)
        }
    }
}
