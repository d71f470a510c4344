"""Builds leave the database that a worker like qbuilder's own leaves, item by item."""

import contextlib
import hashlib
import itertools
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridging import bridge
from ck3parse.bridge.engine import SWITCH
from ck3parse.errors import StoreError
from ck3parse.qbuilder import parsing
from ck3parse.qbuilder.installed import Qbuilder
from ck3parse.qbuilder.observers import Observers
from ck3parse.qbuilder.progress import Summary
from ck3parse.qbuilder_bridge import run_build_worker
from command import FAULTY
from polling import wait_until
from qbuilder_database import SCHEMAS, Queued, connect, content, enqueue, make_database
from qbuilder_worker import Worker
from stand_in_qbuilder import build

EVENT = "namespace = test\ntest.1 = {\n\ttrigger = { has_trait = brave }\n}\n"
TRAIT = "brave = {\n\tindex = 1\n\topposites = { craven }\n}\ncraven = { index = 2 }\n"
FILES = {
    "events/first.txt": EVENT,
    "events/same.txt": EVENT,
    "events/bom.txt": "\ufeff" + EVENT,
    "common/traits/traits.txt": TRAIT,
    "common/traits/again.txt": TRAIT,
    "common/traits/empty.txt": "",
    "common/traits/broken.txt": "a = {",
    "common/traits/broken_too.txt": "a = {",
    "common/traits/lexer.txt": 'a = "b',
    "common/religion/religions/r.txt": "r = { faiths = { f = { } g = { } } }",
    "common/landed_titles/t.txt": "e_e = { k_k = { d_d = { c_c = { b_b = { } } } } }",
    "common/scripted_effects/large.txt": "".join(
        f"effect_{n} = {{ add_trait = brave has_culture = culture:c{n} }}\n" for n in range(400)
    ),
    "crash/dies.txt": "fault = segfault ",
    "crash/hangs.txt": "fault = hang",
    "gui/window.txt": "window = { name = w }",
    "gui/the_same.txt": "window = { name = w }",
    "history/provinces/a.txt": "1 = { culture = a }\n2 = { culture = a }\n",
    "history/provinces/b.txt": "\ufeff2 = { culture = b }\n",
    "history/provinces/latin.txt": "3 = { culture = c } # \xe9\n",
    "history/provinces/boom.txt": "4 = { culture = d }\nboom\n",
    "history/provinces/mixed.txt": "5 = { culture = e }\n",
    "history/provinces/after.txt": "5 = { culture = f }\n",
    "history/provinces/broken.txt": "5 = { culture = g\n",
    "localization/l.yml": "l_english:\n",
    "flash.txt": "flash = { has_trait = craven }",
    "stored.txt": "stored = { has_trait = brave }",
}
HASH = hashlib.sha256(b"the content of two files").hexdigest()
STORED = (
    '{"_type":"root","filename":"f","children":[{"_type":"block","name":"of_before",'
    '"line":7,"column":8,"children":[]}]}'
)
QUEUE = [
    Queued("gone.txt", content_hash=hashlib.sha256(EVENT.encode()).hexdigest()),
    Queued("events/first.txt"),
    Queued("events/same.txt"),
    Queued("events/bom.txt"),
    Queued("common/traits/traits.txt"),
    Queued("common/traits/again.txt"),
    Queued("common/traits/empty.txt"),
    Queued("common/traits/broken.txt"),
    Queued("common/traits/broken_too.txt"),
    Queued("common/traits/lexer.txt"),
    Queued("common/religion/religions/r.txt"),
    Queued("common/landed_titles/t.txt"),
    Queued("common/scripted_effects/large.txt"),
    Queued("gui/window.txt", "E_GUI"),
    Queued("gui/the_same.txt"),
    Queued("history/provinces/a.txt", "E_LOOKUP_PROVINCES"),
    Queued("history/provinces/b.txt", "E_LOOKUP_PROVINCES"),
    Queued("history/provinces/latin.txt", "E_LOOKUP_PROVINCES"),
    Queued("history/provinces/boom.txt", "E_LOOKUP_PROVINCES"),
    Queued("history/provinces/none.txt", "E_LOOKUP_PROVINCES"),
    Queued("history/provinces/mixed.txt", "E_MIXED"),
    Queued("history/provinces/after.txt", "E_LOOKUP_PROVINCES"),  # writes the same row
    Queued("history/provinces/broken.txt", "E_MIXED"),
    Queued("localization/l.yml", "E_LOC"),
    Queued("no_row.txt", has_file=False),
    Queued("no_root.txt", has_root=False),
    Queued("events", "E_SCRIPT"),  # a folder
    Queued("skipped.txt", "E_SKIP"),
    Queued("unknown.txt", "E_UNHEARD_OF"),
    Queued("events/first.txt", "E_NEW"),
    Queued("flash.txt", priority=1),
    Queued("stored.txt"),
    # Two contents under one hash: the file changed after it was queued, and nobody compares.
    Queued("common/traits/traits.txt", "E_GUI", content_hash=HASH),
    Queued("events/first.txt", "E_GUI", content_hash=HASH),
]
DIES, HANGS = Queued("crash/dies.txt"), Queued("crash/hangs.txt")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mod"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode("latin-1" if "\xe9" in text else "utf-8"))
    return root


def one_by_one(db: sqlite3.Connection, qbuilder: Qbuilder, timeout_s: int = 30) -> dict[str, int]:
    return Worker(db, qbuilder, timeout_s).run()


def prepared(path: Path, root: Path, items: list[Queued], schema: int) -> sqlite3.Connection:
    """Return a database in which some has been done already, and some was left undone."""
    db = make_database(path, root, items, schema)
    digest = hashlib.sha256(FILES["stored.txt"].encode()).hexdigest()
    db.execute(
        "INSERT INTO asts (file_id, content_hash, parser_version_id, ast_blob, node_count)"
        " VALUES (1, ?, 1, ?, 2)",
        (
            digest,
            STORED,
        ),
    )
    expired = "UPDATE build_queue SET status = 'processing', lease_expires_at = 1,"
    for build_id, reclaims in ((2, 0), (5, 3)):
        db.execute(
            f"{expired} lease_holder = 'worker-7', reclaim_count = ? WHERE build_id = ?",
            (reclaims, build_id),
        )
    db.commit()
    return db


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("switch", ["1", "0"])
def test_bulk_leaves_what_one_by_one_leaves(
    root: Path, tmp_path: Path, qbuilder: Qbuilder, switch: str, schema: int
) -> None:
    # A hanging file takes its time limit several times; a subprocess needs some of it to start.
    items = [*QUEUE, DIES, HANGS] if switch == "1" else [*QUEUE, DIES]
    timeout_s = 4 if switch == "1" else 30
    with bridge({**FAULTY, SWITCH: switch, "CK3PARSE_WORKERS": "2"}):
        bulk = prepared(tmp_path / "bulk.db", root, items, schema)
        single = prepared(tmp_path / "single.db", root, items, schema)
        done = build(bulk, qbuilder, timeout_ms=timeout_s * 1000)
        assert done == one_by_one(single, qbuilder, timeout_s)
        status = dict(bulk.execute("SELECT status, count(*) FROM build_queue GROUP BY 1"))
    found, expected = content(bulk), content(single)
    for table in expected:
        assert found[table] == expected[table], table
    assert status["completed"] > 20
    assert len(found["symbols"]) > 400
    assert len(found["refs"]) > 400
    assert found["province_lookup"]


def test_a_build_prints_and_tells_what_it_does(
    root: Path, tmp_path: Path, qbuilder: Qbuilder, capsys: pytest.CaptureFixture[str]
) -> None:
    del qbuilder
    told: list[tuple[Any, ...]] = []

    class Telling:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *args: told.append((name, *args))

    items = [Queued("events/first.txt"), Queued("common/traits/broken.txt"), Queued("x", "E_SKIP")]
    db = make_database(tmp_path / "q.db", root, items)
    with bridge({SWITCH: "1"}):
        done = run_build_worker(db, None, Telling(), False, 5.0, None, Telling())
    assert done == {"items_processed": 5, "completed": 2, "errors": 3}
    message = db.execute("SELECT error_message FROM build_queue WHERE build_id = 2").fetchone()[0]
    assert message.startswith("RuntimeError: ParseError: Parse error at line 1, column 5: ")
    assert told[0][:2] == ("log_event", "worker_start")
    assert ("set_state", "building") in told
    assert ("item_claimed", 3, "x", "E_SKIP", ()) in told
    assert ("item_complete", 1, "events/first.txt") in told
    assert told.count(("item_error", 2, "common/traits/broken.txt", message, None)) == 3
    assert told.count(("record_item", "completed")) == 2
    assert told.count(("record_item", "error")) == 3
    assert ("set_idle",) in told
    assert told[-1][:2] == ("log_event", "worker_exit")
    out = capsys.readouterr().out
    assert "Building: events/first.txt [E_SCRIPT]\n" in out
    assert f"  Error: {message}\n" in out
    assert db.row_factory is sqlite3.Row


def test_observers_that_raise_lose_no_item(
    root: Path, tmp_path: Path, qbuilder: Qbuilder, caplog: pytest.LogCaptureFixture
) -> None:
    class Raising:
        def __getattr__(self, name: str) -> Callable[..., None]:
            def fail(*_: object) -> None:
                raise OSError(f"no {name}")

            return fail

    bulk = make_database(tmp_path / "bulk.db", root, QUEUE)
    single = make_database(tmp_path / "single.db", root, QUEUE)
    with bridge({SWITCH: "1"}):
        build(bulk, qbuilder, observers=Observers(Raising(), Raising()))
        one_by_one(single, qbuilder)
    assert content(bulk) == content(single)
    assert "the build goes on" in caplog.text


def test_a_number_of_items_is_kept(root: Path, tmp_path: Path, qbuilder: Qbuilder) -> None:
    db = make_database(tmp_path / "q.db", root, QUEUE)
    with bridge({SWITCH: "1"}):
        assert build(db, qbuilder, max_items=5)["items_processed"] == 5
        left = db.execute("SELECT count(*) FROM build_queue WHERE status = 'processing'")
        assert left.fetchone()[0] == 0
        build(db, qbuilder)
        single = make_database(tmp_path / "single.db", root, QUEUE)
        one_by_one(single, qbuilder)
    assert content(db) == content(single)


def test_more_bytes_than_are_in_flight_are_built(
    tmp_path: Path, qbuilder: Qbuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those for which there was no room are sent later, though nothing more is claimed."""
    monkeypatch.setattr(parsing, "MAX_BYTES", 1000)
    names = [f"events/{number}.txt" for number in range(20)]
    (tmp_path / "mod/events").mkdir(parents=True)
    for number, name in enumerate(names):
        (tmp_path / "mod" / name).write_text(f"event_{number} = {{ {'a = b ' * 100}}}\n")
    bulk = make_database(tmp_path / "bulk.db", tmp_path / "mod", [Queued(name) for name in names])
    with bridge({SWITCH: "1"}):
        done = build(bulk, qbuilder)
    assert done["completed"] == len(names)


def test_a_daemon_takes_new_items_until_it_is_shut_down(
    root: Path, tmp_path: Path, qbuilder: Qbuilder
) -> None:
    path, event = tmp_path / "q.db", threading.Event()
    make_database(path, root, QUEUE[:5]).close()
    done: list[Summary] = []

    def daemon() -> None:
        db = connect(path)
        done.append(build(db, qbuilder, poll_interval_s=0.05, shutdown_event=event))
        db.close()

    other = connect(path)

    def completed() -> int:
        sql = "SELECT count(*) FROM build_queue WHERE status = 'completed'"
        count: int = other.execute(sql).fetchone()[0]
        return count

    with bridge({SWITCH: "1"}):
        thread = threading.Thread(target=daemon)
        thread.start()
        try:
            wait_until(lambda: completed() == 4, 30, "the first items are done")
            enqueue(other, root, [Queued("flash.txt", priority=1)])
            wait_until(lambda: completed() == 5, 30, "the new item is done")
        finally:
            event.set()
            thread.join(30)
    assert done == [{"items_processed": 8, "completed": 5, "errors": 3}]


def test_a_stream_of_priorities_leaves_turns_to_the_rest(
    tmp_path: Path, qbuilder: Qbuilder
) -> None:
    root, path, event = tmp_path / "mod", tmp_path / "q.db", threading.Event()
    root.mkdir()
    (root / "urgent.txt").write_text("".join(f"u_{n} = {{ a = b }}\n" for n in range(50)))
    for number in range(40):
        (root / f"{number}.txt").write_text(f"t_{number} = {{ add_trait = brave }}\n")
    history = root / "history" / "provinces"
    history.mkdir(parents=True)
    (history / "a.txt").write_text("1 = { culture = a }\n")
    rest = [Queued(f"{number}.txt") for number in range(40)]
    rest.append(Queued("history/provinces/a.txt", "E_LOOKUP_PROVINCES"))
    make_database(path, root, rest).close()
    hashes = map("{:064}".format, itertools.count())

    def build_until_told() -> None:
        with contextlib.closing(connect(path, timeout=30)) as db:
            build(db, qbuilder, shutdown_event=event)

    with contextlib.closing(connect(path, timeout=30)) as other, bridge({SWITCH: "1"}):

        def count(which: str) -> int:
            sql = f"SELECT count(*) FROM build_queue WHERE {which}"  # noqa: S608
            found: int = other.execute(sql).fetchone()[0]
            return found

        def all_the_rest_is_done_beside_more() -> bool:
            if count("priority = 1 AND status = 'pending'") < 400:
                urgent = (Queued("urgent.txt", "E_SCRIPT", 1, next(hashes)) for _ in range(400))
                enqueue(other, root, urgent)
            return count("priority = 0 AND status != 'completed'") == 0

        all_the_rest_is_done_beside_more()
        thread = threading.Thread(target=build_until_told)
        thread.start()
        try:
            wait_until(all_the_rest_is_done_beside_more, 120, "the rest is done")
            assert count("priority = 1 AND status = 'completed'") > 0
            assert count("priority = 1 AND status = 'pending'") > 0
        finally:
            event.set()
            thread.join(30)


def test_without_qbuilder_only_scripts_are_built(root: Path, tmp_path: Path) -> None:
    items = [Queued("events/first.txt"), Queued("history/provinces/a.txt", "E_LOOKUP_PROVINCES")]
    db = make_database(tmp_path / "q.db", root, items)
    with bridge({SWITCH: "1"}):
        assert build(db, Qbuilder("no_such_qbuilder"))["completed"] == 1
    status = db.execute("SELECT status FROM build_queue ORDER BY build_id").fetchall()
    assert [row[0] for row in status] == ["completed", "pending"]


def test_a_trigger_of_another_form_fires_for_each_row(
    root: Path, tmp_path: Path, qbuilder: Qbuilder
) -> None:
    db = make_database(tmp_path / "q.db", root, [Queued("common/scripted_effects/large.txt")])
    db.executescript(
        "CREATE TABLE seen (name TEXT); CREATE TRIGGER others AFTER INSERT ON symbols"
        " BEGIN INSERT INTO seen VALUES (NEW.name); END;"
    )
    with bridge({SWITCH: "1"}):
        build(db, qbuilder)
    assert db.execute("SELECT count(*) FROM seen").fetchone()[0] == 400


def test_another_or_no_schema_is_refused_in_one_sentence(
    root: Path, tmp_path: Path, qbuilder: Qbuilder
) -> None:
    del qbuilder
    with pytest.raises(StoreError, match="it has no tables"):
        run_build_worker(connect(tmp_path / "empty.db"))
    db = make_database(tmp_path / "q.db", root, [])
    db.executescript("DROP TABLE refs_fts; DROP TABLE refs")
    with pytest.raises(StoreError, match="the table refs is missing"):
        run_build_worker(db)
    (tmp_path / "text.db").write_text("not a database at all" * 100)
    with (
        contextlib.closing(sqlite3.connect(tmp_path / "text.db")) as text,
        pytest.raises(StoreError, match="cannot be read"),
    ):
        run_build_worker(text)


def test_a_read_only_database_is_refused_in_one_sentence(
    root: Path, tmp_path: Path, qbuilder: Qbuilder
) -> None:
    make_database(tmp_path / "q.db", root, QUEUE).close()
    with (
        contextlib.closing(sqlite3.connect(f"file:{tmp_path / 'q.db'}?mode=ro", uri=True)) as db,
        bridge({SWITCH: "1"}),
        pytest.raises(StoreError, match=r"cannot be written .*readonly"),
    ):
        build(db, qbuilder)


def test_a_full_disk_stops_the_build_and_loses_nothing(
    root: Path, tmp_path: Path, qbuilder: Qbuilder
) -> None:
    db = make_database(tmp_path / "q.db", root, QUEUE)
    single = make_database(tmp_path / "single.db", root, QUEUE)
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 3}")
    with bridge({SWITCH: "1"}):
        with pytest.raises(StoreError, match=r"cannot be written .*full"):
            build(db, qbuilder)
        db.execute("PRAGMA max_page_count = 1000000")
        build(db, qbuilder)
        one_by_one(single, qbuilder)
    assert content(db) == content(single)


def test_a_lock_of_another_writer_is_waited_for(
    root: Path, tmp_path: Path, qbuilder: Qbuilder
) -> None:
    path = tmp_path / "q.db"
    make_database(path, root, QUEUE).close()
    single = make_database(tmp_path / "single.db", root, QUEUE)
    db, other = connect(path, timeout=0.1), connect(path)
    said: list[str] = []
    with bridge({SWITCH: "1"}):
        other.execute("BEGIN IMMEDIATE")
        releasing = threading.Timer(1.0, other.rollback)
        releasing.start()
        build(db, qbuilder, say=said.append)
        releasing.join()
        one_by_one(single, qbuilder)
    assert any("database is locked" in line for line in said)
    assert content(db) == content(single)


def test_a_broken_routing_table_is_refused_in_one_sentence(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "path" / "broken_qbuilder"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "routing_table.json").write_text('{"envelopes": {}}')
    monkeypatch.syspath_prepend(str(package.parent))
    db = make_database(tmp_path / "q.db", root, [])
    with pytest.raises(Exception, match=r"routing table .* cannot be read"):
        build(db, Qbuilder("broken_qbuilder"))
