"""A `ck3parse run` with a fault, and checks of its outcome."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, Self

from ck3parse.store import Store
from command import FAULTY, run_json, start
from polling import wait_until

PARSER = FAULTY["CK3PARSE_PARSER"]
START_LIMIT_S = 30.0


class Mod(NamedTuple):
    """A folder of healthy files, with what an undisturbed run made of them.

    Attributes:
        folder: the folder.
        asts: the AST of each file, by its name.
        words: the names that the index has of each file; `None` if they are not known.
    """

    folder: Path
    asts: dict[str, bytes]
    words: dict[str, set[str]] | None = None

    @classmethod
    def made(cls, folder: Path, count: int, *, size: int = 0, slow: bool = False) -> Self:
        """Write the files, and parse them undisturbed.

        Args:
            folder: the folder to create.
            count: the number of files.
            size: the minimum size of each file in bytes: 20,000 make a batch of 50.
            slow: whether each takes five milliseconds, so that there is time to disturb a run.

        Returns:
            The mod.
        """
        folder.mkdir()
        for number in range(count):
            head = "fault = slow\n" if slow else ""
            text = f"{head}key_{number} = {{ a = {number} b = yes }}\n"
            padding = "#".ljust(max(0, size + number - len(text)), ".")
            (folder / f"f{number:04}.txt").write_text(text + padding)
        store = folder.with_suffix(".sqlite")
        report = run_json(folder, "--out", store, cwd=folder.parent, env=FAULTY)
        assert report["parsed"] == count
        made = asts_of(store, folder)
        assert len(made) == count
        words = words_of(store, folder)
        assert all(f"key_{number}" in words[name] for number, name in enumerate(sorted(made)))
        return cls(folder, made, words)


class Trial:
    """A running `ck3parse run`; a context manager that kills it if it has not ended.

    Args:
        folder: its current folder.
        *paths: the paths to parse.
        broker: the URL of a broker; empty: an embedded one.
        timeout_ms: the time limit of a file in milliseconds.
        env: further variables of its environment.
        store: its store; default: `out.sqlite` in the folder.
        wait: whether it waits for a worker.
        **options: options for `subprocess.Popen`.

    Attributes:
        store: its store.
        seconds: the duration of the run, after its end.
        err: what it has written to stderr, after its end.
        process: its process.
    """

    def __init__(
        self,
        folder: Path,
        *paths: Path,
        broker: str = "",
        timeout_ms: int = 30_000,
        env: Mapping[str, str] | None = None,
        store: Path | None = None,
        wait: bool = False,
        **options: Any,
    ) -> None:
        self.store = store or folder / "out.sqlite"
        self.seconds = 0.0
        self.err = ""
        self._began = monotonic()
        where = ("--broker", broker) if broker else ("--workers", "2")
        self.process = start(
            *("run", "--json", "--out", self.store, "--timeout-ms", str(timeout_ms), *where),
            *(("--wait",) if wait else ()),
            *paths,
            cwd=folder,
            env={**FAULTY, "PYTHONFAULTHANDLER": "1", **(env or {})},
            **options,
        )

    def recorded(self) -> int:
        """Return the number of files that have a result in the store."""
        return recorded(self.store)

    def wait_recorded(self, count: int = 1) -> None:
        """Wait until the store has a number of results, and check that the run has not ended."""
        wait_until(
            lambda: self.recorded() >= count or self.process.poll() is not None,
            START_LIMIT_S,
            f"{count} results are in the store",
        )
        assert self.process.poll() is None, self.process.communicate()

    def end(self, limit_s: float, code: int = 0) -> dict[str, Any]:
        """Wait for the end, check the exit code, and return the report, which may be empty."""
        try:
            out, err = self.process.communicate(timeout=limit_s - (monotonic() - self._began))
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # it says where it was
            _, err = self.process.communicate()
            raise AssertionError(
                f"not within {limit_s:g} s: the run has ended; {self.recorded()} results are in"
                f" the store; it said: {os.fsdecode(err)}"
            ) from None
        self.seconds = monotonic() - self._began
        self.err = os.fsdecode(err)
        assert self.process.returncode == code, self.err
        assert "Traceback" not in self.err, self.err
        report: dict[str, Any] = json.loads(out) if out else {}
        return report

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def recorded(store: Path) -> int:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
            count: int = db.execute("SELECT count(*) FROM files").fetchone()[0]
    except sqlite3.OperationalError:  # not made yet
        return 0
    return count


class Ended(NamedTuple):
    """How a store says that its last run ended: the columns of `runs` by these names."""

    finished_at: str | None
    parsed: int
    unchanged: int
    failed: int
    exit_code: int | None


def last_run(store: Path) -> Ended:
    """Return the row of the last run in a store."""
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        columns = ", ".join(Ended._fields)
        return Ended(*db.execute(f"SELECT {columns} FROM runs ORDER BY run_id DESC").fetchone())  # noqa: S608


def asts_of(store: Path, root: Path) -> dict[str, bytes]:
    """Return the ASTs of a root, by the names of their files."""
    with Store(store, PARSER) as opened:
        return {name: ast for path, name, ast in opened.asts() if path == str(root)}


def words_of(store: Path, root: Path) -> dict[str, set[str]]:
    """Return the names that the index has of each file below a root, by the names of the files."""
    found: dict[str, set[str]] = {}
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        for path, word in db.execute("SELECT file, name FROM uses"):
            if Path(path).is_relative_to(root):
                found.setdefault(str(Path(path).relative_to(root)), set()).add(word)
    return found


def assert_right(
    report: Mapping[str, Any],
    store: Path,
    mod: Mod,
    failures: Mapping[str, str] | None = None,
    also_parsed: int = 0,
) -> None:
    """Check that each file has one result, and the right one, and is in the index.

    Args:
        report: the report of the run.
        store: its store.
        mod: healthy files, each of which must have its AST.
        failures: the expected error type of each bad file, by its name.
        also_parsed: the number of further files, which must all be parsed.
    """
    failures = failures or {}
    told = {os.path.basename(f["path"]): f["error_type"] for f in report["failures"]}
    assert told == failures, told.items() ^ failures.items()
    files = len(mod.asts) + len(failures) + also_parsed
    assert report["files"] == files
    assert report["parsed"] + report["unchanged"] == files - len(failures)
    assert report["failed"] == len(report["failures"])
    assert recorded(store) == files
    assert asts_of(store, mod.folder) == mod.asts
    if mod.words is not None:
        words = words_of(store, mod.folder)
        assert {name: words.get(name) for name in mod.asts} == mod.words


@contextlib.contextmanager
def written(folder: Path, files: Mapping[str, str | bytes]) -> Iterator[Path]:
    """Write files into a folder, and yield it."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    yield folder
