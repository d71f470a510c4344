"""Another program has locked the store when the index is ended, and the user gives up."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bridging import program
from ck3parse.store.lock import LOCK_PATIENCE_S
from command import ck3parse, run_json
from store_content import content_of
from store_lock import holder_of, locked

END_LIMIT_S = LOCK_PATIENCE_S / 2
"""It gives up by itself after `LOCK_PATIENCE_S`."""
GATE = """
import sys
from ck3parse.store import Store
end_index = Store.end_index
def at_the_gate(store):
    print("ending", file=sys.stderr, flush=True)
    sys.stdin.readline()
    end_index(store)
Store.end_index = at_the_gate
from ck3parse.__main__ import main
main()
"""


@pytest.mark.parametrize("command", ["run", "find"])
@pytest.mark.parametrize(
    ("how", "what"),
    [("BEGIN IMMEDIATE", "write to"), ("SELECT name FROM sqlite_schema", "read")],
    ids=["a writer", "a reader"],
)
def test_an_interrupt_is_answered(command: str, how: str, what: str, tmp_path: Path) -> None:
    mod = tmp_path / "mod" / "common" / "traits"
    mod.mkdir(parents=True)
    for number in range(20):
        (mod / f"{number}.txt").write_text(f"trait_{number} = {{ a = {number} }}\n", "utf-8")
    args = {"run": ["run", "--json"], "find": ["find", "trait_7"]}[command]
    store = tmp_path / "store.sqlite"
    with program(GATE, *args, mod.parents[1], "--out", store) as process:
        assert process.stdin
        assert process.stderr
        while process.stderr.readline() != "ending\n":
            assert process.poll() is None
        with locked(store, how) as other:
            process.stdin.write("\n")
            process.stdin.flush()
            who = holder_of(other) if what == "write to" else "another program"
            while f"waiting for {who} to {what} {store}" not in process.stderr.readline():
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=END_LIMIT_S)
            assert other.poll() is None
    assert process.returncode == 130, err
    assert "Traceback" not in err
    if command == "run":
        report = json.loads(out)
        assert (report["interrupted"], report["parsed"], report["error"]) == (True, 20, None)

    again = ck3parse("find", "trait_7", "--store", store, mod.parents[1], cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "20 files, nothing changed" in again.stderr
    run_json(mod.parents[1], "--out", "whole.sqlite", cwd=tmp_path)
    assert content_of(store) == content_of(tmp_path / "whole.sqlite")
    with closing(sqlite3.connect(store)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
