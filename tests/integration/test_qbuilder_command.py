"""The commands `ck3parse qbuilder check` and `ck3parse qbuilder build`."""

import json
from pathlib import Path
from typing import Any

import pytest

from command import ck3parse
from json_schemas import fits
from qbuilder_database import Queued, connect, make_database
from stand_in_qbuilder import STAND_IN

FILES = {
    "events/a.txt": "a = { has_trait = brave }",
    "events/b.txt": "b = {",
    "p.txt": "1 = { culture = a }",
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / "mod" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mod" / name).write_text(text)
    items = [
        Queued("events/a.txt"),
        Queued("events/b.txt"),
        Queued("p.txt", "E_LOOKUP_PROVINCES"),
    ]
    make_database(tmp_path / "q.db", tmp_path / "mod", items).close()
    return tmp_path / "q.db"


def qbuilder(*args: str | Path, cwd: Path, code: int) -> dict[str, Any]:
    done = ck3parse("qbuilder", *args, "--json", cwd=cwd)
    assert done.returncode == code, done.stderr
    report: dict[str, Any] = fits(f"qbuilder {args[0]}", done.stdout)
    return report


def test_check_says_what_it_found(database: Path) -> None:
    here = database.parent
    report = qbuilder("check", "--db", database, "--qbuilder", STAND_IN, cwd=here, code=0)
    assert report["schema"] == "7"
    assert report["roots"] == "content_versions"
    assert report["qbuilder"] == str(STAND_IN / "qbuilder")
    assert report["unknown_steps"] == ["a_step_of_next_year"]
    assert report["queue"] == {"pending": 3}
    assert sorted(report["bulk_triggers"]) == [
        "refs_ai",
        "refs_write_protect_insert",
        "symbols_ai",
        "symbols_write_protect_insert",
    ]
    done = ck3parse("qbuilder", "check", "--db", database, cwd=here)
    assert done.returncode == 0
    assert "not installed: only scripts can be built" in done.stdout


def test_check_names_each_problem(database: Path) -> None:
    db = connect(database)
    db.executescript("DROP TABLE refs_fts; DROP TABLE refs; DROP TABLE builder_sessions")
    db.close()
    report = qbuilder("check", "--db", database, cwd=database.parent, code=1)
    assert report["problems"] == [
        "the table refs is missing",
        "the table builder_sessions is missing",
    ]


def test_build_runs_to_the_end_of_the_queue(database: Path) -> None:
    here = database.parent
    report = qbuilder("build", "--db", database, "--qbuilder", STAND_IN, cwd=here, code=1)
    assert (report["completed"], report["errors"], report["failed"]) == (2, 3, 1)
    assert report["left"] == 0
    (failure,) = report["failures"]
    assert failure["path"] == "events/b.txt"
    assert failure["error"].startswith("RuntimeError: ParseError: Parse error at line 1, column 5")
    again = qbuilder("build", "--db", database, "--qbuilder", STAND_IN, cwd=here, code=0)
    assert again["items_processed"] == 0
    assert not database.with_name("q.db.writer.lock").exists()


def test_build_without_qbuilder_leaves_lookups(database: Path) -> None:
    done = ck3parse("qbuilder", "build", "--json", "--db", database, cwd=database.parent)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert (report["completed"], report["left"]) == (1, 1)
    assert "ck3parse: qbuilder is not installed, so items of lookup tables" in done.stderr


def test_build_respects_the_writer_lock(database: Path) -> None:
    database.with_name("q.db.writer.lock").touch()
    done = ck3parse(
        *("qbuilder", "build", "--db", database, "--qbuilder", STAND_IN), cwd=database.parent
    )
    assert done.returncode == 2
    assert done.stderr.startswith("ck3parse: another process builds ")


def test_build_without_a_broker_gives_the_items_back(database: Path) -> None:
    done = ck3parse(
        *("qbuilder", "build", "--db", database, "--broker", "redis://127.0.0.1:1/0"),
        cwd=database.parent,
        env={"CK3PARSE_PATIENCE_S": "1"},
    )
    assert done.returncode == 3, done.stderr
    assert "3 left in the queue" in done.stdout
    db = connect(database)
    rows = db.execute("SELECT status, retry_count, reclaim_count FROM build_queue").fetchall()
    db.close()
    assert [tuple(row) for row in rows] == [("pending", 0, 0)] * 3


def test_no_database_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "q.db").write_text("no database" * 1000)
    for command in ("check", "build"):
        done = ck3parse("qbuilder", command, "--db", "q.db", cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "check that the file is qbuilder's database" in done.stderr
