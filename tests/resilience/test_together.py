"""Several programs use one store at the same time."""

import contextlib
import random
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

from ck3parse.config import Settings
from ck3parse.embedded.broker import EmbeddedBroker
from ck3parse.messaging.app import make_app
from ck3parse.parser import parse_bytes, parser_in_use
from ck3parse.pipeline.plan import make_plan
from ck3parse.pipeline.run import Run
from ck3parse.pipeline.window import Window
from ck3parse.store import Store
from command import ck3parse, run_json, start
from reliability import Case
from servers import Server, Worker

START_LIMIT_S = 60.0
RUN_LIMIT_S = 60.0
MAX_BYTES = 1_000_000
ROOTS = 4
ROUNDS = 3
NATIVE = {"CK3PARSE_PARSER": ""}
TEXTS = [f"key_{number} = {{ a = {number} }}\n" * (number + 1) for number in range(120)]

_WITHOUT_A_TREE = """
    SELECT name FROM files AS f WHERE state = 'parsed' AND NOT EXISTS (
        SELECT 1 FROM asts AS a
        WHERE a.content_hash = f.content_hash AND a.parser_version_id = f.parser_version_id
        AND (a.ast_blob NOT NULL OR f.parser_version_id NOT IN (
            SELECT parser_version_id FROM parser_versions WHERE version NOT LIKE '%;recover;%'))
    )
"""


def without_a_tree(store: Path) -> list[str]:
    with closing(sqlite3.connect(store, timeout=60)) as db:
        return [name for (name,) in db.execute(_WITHOUT_A_TREE)]


def asts_of(store: Path) -> dict[tuple[str, str], bytes]:
    with Store(store, parser_in_use().version) as opened:
        return {(root, name): ast for root, name, ast in opened.asts()}


def right_asts(*roots: Path) -> dict[tuple[str, str], bytes]:
    found = {}
    for root in roots:
        for path in root.iterdir():
            ast = parse_bytes(path.read_bytes(), path.name).ast_json
            assert ast is not None
            found[str(root), path.name] = ast
    return found


def run_of(root: Path, store: Path) -> None:
    run_json(root, "--out", store, "--workers", "1", cwd=store.parent)


@contextlib.contextmanager
def window() -> Iterator[Window]:
    with EmbeddedBroker(1) as broker:
        broker.wait_ready(START_LIMIT_S, worker=True)
        app = make_app(broker.client_settings(Settings()))
        with closing(Window(app, workers=1)) as opened:
            yield opened


def make(root: Path, **texts: str) -> Path:
    root.mkdir()
    for name, text in texts.items():
        (root / f"{name}.txt").write_text(text)
    return root


def test_what_was_known_when_planned_is_there_when_recorded(tmp_path: Path, case: Case) -> None:
    """Issue 19, line 1."""
    case.of("together", "another run tidies a content away between plan and record")
    m1, m2 = make(tmp_path / "m1", x=TEXTS[1]), make(tmp_path / "m2", x=TEXTS[1], y=TEXTS[2])
    out = tmp_path / "out.sqlite"
    run_of(m1, out)
    (m1 / "x.txt").unlink()
    with Store(out, parser_in_use().version) as store, window() as opened:
        plan = make_plan([str(m2)], store, max_bytes=MAX_BYTES)
        assert [found.name for found, _ in plan.known] == ["x.txt"]
        run_of(m1, out)
        run = Run(plan, store, timeout_ms=30_000, max_bytes=MAX_BYTES)
        run.record_known()
        recorded = [each for outcomes in run.outcomes(opened) for each in outcomes]
        store.tidy()
    assert sorted(found.name for found, result in recorded if result.ok) == ["x.txt", "y.txt"]
    assert (plan.known, plan.file_count) == ([], 2)
    assert without_a_tree(out) == []
    assert asts_of(out) == right_asts(m2)
    case.saw(2, 2, 0.0, "parsed after all")


def test_a_parsed_file_without_its_tree_is_parsed_again(tmp_path: Path, case: Case) -> None:
    """Issue 19, line 1: an earlier version damaged stores in this way."""
    case.of("together", "an earlier version lost trees")
    mod = make(tmp_path / "mod", x=TEXTS[1], y=TEXTS[2], z=TEXTS[3])
    out = tmp_path / "out.sqlite"
    run_of(mod, out)
    with closing(sqlite3.connect(out)) as db, db:
        db.execute("DELETE FROM asts WHERE file_id = (SELECT min(file_id) FROM files)")
    assert len(without_a_tree(out)) == 1
    report = run_json(mod, "--out", out, "--workers", "1", cwd=tmp_path)
    assert (report["parsed"], report["unchanged"]) == (1, 2)
    assert asts_of(out) == right_asts(mod)
    case.did(report, report["seconds"])


def shuffled(root: Path, chance: random.Random) -> None:
    """Fill a root with another choice of the same few contents, under other names."""
    for path in root.iterdir():
        if chance.random() < 0.5:
            path.unlink()
    for text in chance.sample(TEXTS, len(TEXTS) // 2):
        (root / f"{chance.randrange(100)}.txt").write_text(text)


def test_many_runs_at_once_leave_no_file_without_its_tree(tmp_path: Path, case: Case) -> None:
    """Issue 19, line 1."""
    case.of("together", f"{ROOTS * ROUNDS} runs, {ROOTS} at a time, some killed, and checks")
    out = tmp_path / "out.sqlite"
    Store(out, parser_in_use().version).close()
    roots = [make(tmp_path / f"m{number}") for number in range(ROOTS)]
    ended = Event()
    seen: list[str] = []

    def watch() -> None:
        while not ended.wait(0.02):
            seen.extend(without_a_tree(out))

    def work(number: int, url: str) -> None:
        chance = random.Random(number)
        for round_ in range(ROUNDS):
            shuffled(roots[number], chance)
            # Others run over one root of mine too, while it changes.
            also = roots[(number + 1) % ROOTS]
            args = ("run", "--json", roots[number], also, "--out", out, "--broker", url)
            process = start(*args, cwd=tmp_path)
            if round_ == 1:
                with contextlib.suppress(Exception):
                    process.communicate(timeout=chance.random())
                process.send_signal(signal.SIGKILL)
            _, err = process.communicate(timeout=RUN_LIMIT_S)
            # A file can go between walk and read.
            assert process.returncode in (0, 1, -signal.SIGKILL), err
            assert b"Traceback" not in err
            if round_ == 2:
                ck3parse("check", roots[number], "--cache", out, cwd=tmp_path)

    with Server(tmp_path) as server, Worker(server.url, tmp_path, env=NATIVE).wait_ready():
        with ThreadPoolExecutor(ROOTS + 1) as pool:
            watching = pool.submit(watch)
            try:
                list(pool.map(work, range(ROOTS), [server.url] * ROOTS))
            finally:
                ended.set()
            watching.result()
        assert seen == []
        report = run_json(*roots, "--out", out, "--broker", server.url, cwd=tmp_path)
    assert without_a_tree(out) == []
    assert asts_of(out) == right_asts(*roots)
    case.did(report, report["seconds"], "each has its tree at any time")
