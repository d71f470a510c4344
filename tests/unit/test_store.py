import os
import sqlite3
import string
import sys
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from ck3parse.errors import ErrorType, StoreError
from ck3parse.files.walk import Found
from ck3parse.messages import Diagnostic, ParseResult
from ck3parse.store import SCHEMA_VERSION, Store, Vanished

VERSION = "test/1"
OLD_SCHEMAS = Path(__file__).parents[1] / "fixtures" / "stores"


def found(name: str, size: int = 3, mtime_ns: int = 1, root: str = "/mod") -> Found:
    return Found(root, name, size, mtime_ns)


def ast_of(name: str) -> bytes:
    return b'{"_type":"root","filename":"' + name.encode() + b'","children":[]}'


def parsed(name: str, content_hash: str = "h1") -> ParseResult:
    frame = zstandard.compress(ast_of(name))
    return ParseResult("1", f"/mod/{name}", True, frame, 1, content_hash=content_hash, size=3)


def failed(
    content_hash: str | None = "h2", error_type: ErrorType = ErrorType.PARSE_ERROR
) -> ParseResult:
    return ParseResult(
        "1",
        "/mod/b.txt",
        error_type=error_type,
        error="expected a key",
        line=1,
        column=2,
        content_hash=content_hash,
        diagnostics=[Diagnostic(1, 2, 1, 3, "error", "CK3-E001", "expected a key")],
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as db:
        result = db.execute(query).fetchall()
    db.close()
    return result


def test_an_outcome_is_there_after_reopening(path: Path) -> None:
    with Store(path, VERSION) as store:
        store.record([(found("a.txt"), parsed("a.txt")), (found("b.txt", 4, 2), failed())])
    with Store(path, VERSION) as store:
        files = store.files_of(["/mod"])["/mod"]
        assert (files["a.txt"].ok, files["a.txt"].settled, files["a.txt"].size) == (1, 1, 3)
        b = files["b.txt"]
        assert (b.ok, b.settled, b.error_type, b.line, b.column) == (
            False,
            True,
            "ParseError",
            1,
            2,
        )
        assert store.ast_json("/mod", "a.txt") == ast_of("a.txt")
        assert store.ast_json("/mod", "b.txt") is None
        assert list(store.asts()) == [("/mod", "a.txt", ast_of("a.txt"))]


def test_the_asts_table_has_qbuilders_columns(path: Path) -> None:
    Store(path, VERSION).close()
    columns = [row[1] for row in rows(path, "PRAGMA table_info(asts)")]
    assert columns == [
        "ast_id", "file_id", "content_hash", "parser_version_id", "ast_blob", "ast_format",
        "parse_ok", "node_count", "created_at",
    ]  # fmt: skip


def test_a_failure_that_is_not_of_the_content_is_not_settled(path: Path) -> None:
    with Store(path, VERSION) as store:
        store.record([(found("b.txt"), failed(None, ErrorType.PARSE_TIMEOUT))])
        assert not store.files_of(["/mod"])["/mod"]["b.txt"].settled


def test_an_error_type_of_another_version_is_not_settled(path: Path) -> None:
    with Store(path, VERSION) as store:
        store.record([(found("b.txt"), failed())])
        with sqlite3.connect(path) as db:
            db.execute("UPDATE files SET error_type = 'OfALaterVersion'")
        db.close()
        file = store.files_of(["/mod"])["/mod"]["b.txt"]
        assert (file.settled, file.error_type) == (0, "OfALaterVersion")
        assert store.outcome_of("h2") is None


def test_another_parsers_outcome_is_not_settled(path: Path) -> None:
    with Store(path, VERSION) as store:
        store.record([(found("a.txt"), parsed("a.txt"))])
    with Store(path, "own:parser") as store:
        assert not store.files_of(["/mod"])["/mod"]["a.txt"].settled
        assert store.outcome_of("h1") is None
        assert store.sizes() == set()
        assert store.ast_json("/mod", "a.txt") is None


def test_one_content_has_one_ast_and_each_file_its_own_name(path: Path) -> None:
    with Store(path, VERSION) as store:
        twin = ParseResult("2", "/mod/sub/b.txt", True, None, 1, content_hash="h1")
        store.record([(found("a.txt"), parsed("a.txt")), (found("sub/b.txt"), twin)])
        assert store.ast_json("/mod", "sub/b.txt") == ast_of("sub/b.txt")
        assert store.ast_json("/mod", "a.txt") == ast_of("a.txt")
    assert rows(path, "SELECT count(*) FROM asts") == [(1,)]


def test_an_ast_goes_with_its_last_file(path: Path) -> None:
    with Store(path, VERSION) as store:
        twin = ParseResult("2", "/mod/b.txt", True, None, 1, content_hash="h1")
        store.record([(found("a.txt"), parsed("a.txt")), (found("b.txt"), twin)])
        files = store.files_of(["/mod"])["/mod"]
        store.remove([Vanished("/mod", "a.txt", files["a.txt"])])
        store.tidy()
        assert list(store.asts()) == [("/mod", "b.txt", ast_of("b.txt"))]
        stored = rows(path, "SELECT name, ast_blob FROM asts JOIN files USING (file_id)")
        assert isinstance(stored[0][1], bytes)
        assert (stored[0][0], zstandard.decompress(stored[0][1])) == ("b.txt", ast_of("b.txt"))
        store.remove([Vanished("/mod", "b.txt", files["b.txt"])])
        store.tidy()
    assert rows(path, "SELECT count(*) FROM asts") == [(0,)]
    assert rows(path, "SELECT count(*) FROM files") == [(0,)]


def test_a_changed_file_leaves_no_old_ast(path: Path) -> None:
    with Store(path, VERSION) as store:
        store.record([(found("a.txt"), parsed("a.txt"))])
        store.record([(found("a.txt", 4, 9), parsed("a.txt", "h9"))])
        store.tidy()
    assert rows(path, "SELECT content_hash FROM asts") == [("h9",)]


def test_a_file_that_broke_has_no_ast(path: Path) -> None:
    with Store(path, VERSION) as store:
        store.record([(found("a.txt"), parsed("a.txt"))])
        store.record([(found("a.txt", 4, 9), failed())])
        store.tidy()
        assert store.ast_json("/mod", "a.txt") is None
        known = store.outcome_of("h2")
        assert known is not None
        assert (known.ok, known.error_type, known.line, known.column) == (False, "ParseError", 1, 2)
    assert rows(path, "SELECT parse_ok, ast_blob FROM asts") == [(0, None)]
    assert rows(path, "SELECT code, line FROM diagnostics") == [("CK3-E001", 1)]


def test_names_that_json_escapes(path: Path) -> None:
    name = 'q"\\é\x7f😀.txt'
    with Store(path, VERSION) as store:
        store.record([(found(name), parsed("a.txt"))])
        ast = store.ast_json("/mod", name)
    assert ast == (
        b'{"_type":"root","filename":"q\\"\\\\\\u00e9\\u007f\\ud83d\\ude00.txt","children":[]}'
    )


def test_a_newer_store_is_refused(path: Path) -> None:
    Store(path, VERSION).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(StoreError, match="newer ck3parse"):
        Store(path, VERSION)


def test_a_file_of_something_else_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE things (a)")
    db.close()
    with pytest.raises(StoreError, match="another program"):
        Store(path, VERSION)
    assert rows(path, "SELECT name FROM sqlite_schema") == [("things",)]


def test_what_is_no_sqlite_file_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(path, VERSION)


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_one_that_cannot_be_opened_is_closed(path: Path) -> None:
    """Issue 19, line 39: Python 3.13 warns about connections that are not closed."""
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError) as raised:
        Store(path, VERSION)
    assert raised.value.__traceback__  # the frames in it would keep it open
    opened = [os.readlink(fd.path) for fd in os.scandir("/proc/self/fd") if fd.is_symlink()]
    assert str(path) not in opened


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="missing"):
        Store(tmp_path / "missing" / "store.sqlite", VERSION)


def test_an_interrupted_transaction_leaves_nothing(path: Path) -> None:
    class Interrupting(list[tuple[Found, ParseResult]]):
        def __iter__(self):  # type: ignore[no-untyped-def]
            yield found("a.txt"), parsed("a.txt")
            raise KeyboardInterrupt

    with Store(path, VERSION) as store:
        with pytest.raises(KeyboardInterrupt):
            store.record(Interrupting())
        store.record([(found("b.txt"), parsed("b.txt"))])
        assert set(store.files_of(["/mod"])["/mod"]) == {"b.txt"}


def test_a_known_content_is_recorded_only_while_it_is_there(path: Path) -> None:
    """Issue 19, line 1."""
    with Store(path, VERSION) as store, Store(path, VERSION) as other:
        store.record([(found("a.txt"), parsed("a.txt"))])
        known = store.outcome_of("h1")
        assert known is not None
        other.remove([Vanished("/mod", "a.txt", other.files_of(["/mod"])["/mod"]["a.txt"])])
        other.tidy()
        new = parsed("c.txt", "h3")
        gone = store.record(
            [(found("c.txt"), new)], [(found("b.txt"), known), (found("d.txt"), new)]
        )
        assert gone == [found("b.txt")]
        assert store.files_of(["/mod"])["/mod"].keys() == {"c.txt", "d.txt"}
        assert [name for _, name, _ in store.asts()] == ["c.txt", "d.txt"]


@pytest.mark.parametrize("failure", [False, True])
def test_a_file_whose_outcome_was_lost_is_not_settled(path: Path, failure: bool) -> None:
    """Issue 19, line 1: an earlier version damaged stores in this way."""
    with Store(path, VERSION) as store:
        store.record([(found("a.txt"), parsed("a.txt")), (found("b.txt"), failed())])
        with sqlite3.connect(path) as db:
            db.execute("DELETE FROM asts WHERE parse_ok = ?", [not failure])
        db.close()
        files = store.files_of(["/mod"])["/mod"]
        assert (files["a.txt"].settled, files["b.txt"].settled) == (failure, not failure)
        store.record([(found("a.txt"), parsed("a.txt")), (found("b.txt"), failed())])
        assert all(file.settled for file in store.files_of(["/mod"])["/mod"].values())


def test_diagnostics_of_a_content_are_stored_once(path: Path) -> None:
    """Issue 19, line 2: two programs parsed the content at the same time."""
    with Store(path, VERSION) as store, Store(path, VERSION) as other:
        for each in (store, other):
            each.record([(found("b.txt"), failed()), (found("twin.txt"), failed())])
        assert store.diagnostics_of("/mod") == {
            name: failed().diagnostics for name in ("b.txt", "twin.txt")
        }
    assert rows(path, "SELECT count(*) FROM diagnostics") == [(1,)]


def test_a_key_that_was_given_anew_is_not_removed(path: Path) -> None:
    """Issue 19, line 1: another program has given the free key to another file."""
    with Store(path, VERSION) as store, Store(path, VERSION) as other:
        store.record([(found("a.txt"), parsed("a.txt"))])
        vanished = Vanished("/mod", "a.txt", store.files_of(["/mod"])["/mod"]["a.txt"])
        other.remove([vanished])
        other.record([(found("b.txt"), parsed("b.txt"))])
        store.remove([vanished])
        store.tidy()
        assert list(store.asts()) == [("/mod", "b.txt", ast_of("b.txt"))]


CK3 = "ck3/7"


def broken(name: str, content_hash: str = "h2") -> ParseResult:
    """Return the result of a broken file in a dialect that recovers."""
    result = failed(content_hash)
    result.ast, result.node_count = zstandard.compress(ast_of(name)), 1
    return result


def test_both_dialects_of_a_file_are_side_by_side(path: Path) -> None:
    raven, ck3 = parsed("a.txt"), parsed("a.txt")
    ck3.ast = zstandard.compress(b'{"_type":"root","encoding":"utf-8","children":[]}')
    for version, result in ((VERSION, raven), (CK3, ck3)):
        with Store(path, version) as store:
            assert not store.files_of(["/mod"])["/mod"]
            store.record([(found("a.txt"), result)])
            store.tidy()
    for version, result in ((VERSION, raven), (CK3, ck3), (VERSION, raven)):
        with Store(path, version) as store:
            assert store.files_of(["/mod"])["/mod"]["a.txt"].settled
            assert store.outcome_of("h1")
            assert store.ast_json("/mod", "a.txt") == zstandard.decompress(result.ast or b"")
    # A newer version replaces the older one of its own dialect only.
    with Store(path, "ck3/8") as store:
        assert not store.files_of(["/mod"])["/mod"]["a.txt"].settled
        store.record([(found("a.txt"), ck3)])
        store.tidy()
    assert rows(
        path, "SELECT version FROM asts JOIN parser_versions USING (parser_version_id)"
    ) == [
        (VERSION,),
        ("ck3/8",),
    ]
    with Store(path, "ck3/8") as store:
        before = store.files_of(["/mod"])["/mod"]["a.txt"]
        store.remove([Vanished("/mod", "a.txt", before)])
        store.tidy()
        assert not store.files_of(["/mod"])["/mod"]
    with Store(path, VERSION) as store:
        assert store.ast_json("/mod", "a.txt") == ast_of("a.txt")


def test_a_broken_file_has_its_recovered_tree_and_its_diagnostics(path: Path) -> None:
    with Store(path, CK3) as store:
        store.record([(found("a.txt"), parsed("a.txt")), (found("b.txt"), broken("b.txt"))])
        assert store.ast_json("/mod", "b.txt") is None
        assert store.ast_json("/mod", "b.txt", recovered=True) == ast_of("b.txt")
        assert [name for _, name, _ in store.asts()] == ["a.txt"]
        assert [name for _, name, _ in store.asts(recovered=True)] == ["a.txt", "b.txt"]
        assert [each.code for each in store.diagnostics_of("/mod")["b.txt"]] == ["CK3-E001"]
    with Store(path, VERSION) as store:
        store.record([(found("b.txt"), failed())])
        assert store.ast_json("/mod", "b.txt", recovered=True) is None
        assert not list(store.asts(recovered=True))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_store_of_an_older_version_is_upgraded(path: Path, tmp_path: Path, version: int) -> None:
    fresh = tmp_path / "fresh.sqlite"
    with Store(fresh, VERSION) as store:
        store.record([(found("a.txt"), parsed("a.txt")), (found("b.txt"), failed())])
    with closing(sqlite3.connect(path)) as db:
        db.executescript((OLD_SCHEMAS / f"version_{version}.sql").read_text())
        db.execute("ATTACH ? AS fresh", [str(fresh)])
        for table in ("roots", "files", "parser_versions", "asts", "diagnostics"):
            columns = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({table})"))
            db.execute(f"INSERT INTO main.{table} SELECT {columns} FROM fresh.{table}")  # noqa: S608
        db.execute(f"PRAGMA user_version = {version}")
        db.commit()
    with Store(path, VERSION) as store:
        assert store.files_of(["/mod"])["/mod"]["a.txt"].settled
        assert store.ast_json("/mod", "a.txt") == ast_of("a.txt")
    tables = [name for (name,) in rows(path, "SELECT name FROM sqlite_schema WHERE sql NOT NULL")]
    for query in (
        "SELECT * FROM roots",
        "SELECT * FROM files",
        "SELECT * FROM parser_versions",
        "SELECT * FROM asts",
        "SELECT * FROM diagnostics",
        *(f"PRAGMA table_info({table})" for table in tables),
        *(f"PRAGMA {what}(files)" for what in ("index_list", "foreign_key_list")),
        "PRAGMA foreign_key_list(asts)",
        "PRAGMA user_version",
        "SELECT name FROM sqlite_schema ORDER BY name",
        "SELECT name, sql FROM sqlite_schema WHERE type <> 'table' ORDER BY name",
    ):
        assert rows(path, query) == rows(fresh, query), query


def test_the_index_of_version_3_is_made_again(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript((OLD_SCHEMAS / "version_3.sql").read_text())
        for table, values in (
            ("index_contents", (1, "hash", 1, None)),
            ("indexed_files", (1, 1)),
            ("definition_rows", (1, 0, "brave", 1, 9, 1, 7, None)),
            ("repeated_names", ("brave",)),
            ("words (rowid, word)", (1, "brave")),
            ("index_state", ("current", "state")),
        ):
            marks = ", ".join("?" * len(values))
            db.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608
        db.execute("PRAGMA user_version = 3")
        db.commit()
    with Store(path, VERSION) as store:
        assert store.indexed_rules() == {}
        assert not store.is_current("state")
    for table in ("index_contents", "definition_rows", "repeated_names", "word_contents"):
        assert rows(path, f"SELECT * FROM {table}") == []  # noqa: S608


VIEWS = (
    "definitions",
    "uses",
    "files_in_effect",
    "replaced_files",
    "winners",
    "overlaps",
    "conflicts",
    "loc_entries",
    "loc_uses",
    "loc_conflicts",
)


@pytest.mark.parametrize("view", VIEWS)
def test_a_new_store_has_empty_views(path: Path, view: str) -> None:
    Store(path, VERSION).close()
    assert rows(path, f"SELECT * FROM {view}") == []  # noqa: S608


def test_a_word_of_the_index_may_have_any_ascii_punctuation(path: Path) -> None:
    Store(path, VERSION).close()
    words = [f"A{mark}b" for mark in string.punctuation] + ["é!É", "--x"]
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO words (rowid, word) VALUES (1, ?)", [" ".join(words)])
        stored = [term for (term,) in db.execute("SELECT term FROM word_contents")]
    ascii_lower = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
    assert sorted(stored) == sorted(word.translate(ascii_lower) for word in words)
