"""Files that are too large or too deep, or change while they are read."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from ck3parse.parser import parse_bytes
from reliability import Case
from trial import Mod, Trial, assert_right, asts_of, written

pytestmark = pytest.mark.thorough

END_LIMIT_S = 60.0
GIGABYTE = 1 << 30


def parsed_here(paths: Iterable[Path]) -> dict[str, bytes | None]:
    return {path.name: parse_bytes(path.read_bytes(), path.name).ast_json for path in paths}


def test_a_memory_bomb_is_one_failure(quick: Mod, tmp_path: Path, case: Case) -> None:
    case.of("hostile", "a memory bomb")
    pids = tmp_path / "pids"
    with (
        written(tmp_path / "bad", {"bomb.txt": "fault = bomb # ".ljust(40)}) as bad,
        Trial(tmp_path, quick.folder, bad, env={"FAULTY_PIDS": str(pids)}) as trial,
    ):
        report = trial.end(END_LIMIT_S, code=1)
    assert len(set(pids.read_text().split())) <= 2  # no process was lost to it
    assert_right(report, trial.store, quick, {"bomb.txt": "MemoryError"})
    case.did(report, trial.seconds)


def test_a_line_of_a_gigabyte_is_not_read(quick: Mod, tmp_path: Path, case: Case) -> None:
    case.of("hostile", "a line of 1 GB, above the limit")
    with written(tmp_path / "bad", {"line.txt": "a"}) as bad:
        os.truncate(bad / "line.txt", GIGABYTE)
        with Trial(tmp_path, quick.folder, bad) as trial:
            report = trial.end(END_LIMIT_S, code=1)
    assert_right(report, trial.store, quick, {"line.txt": "FileTooLarge"})
    case.did(report, trial.seconds)


def test_a_line_of_a_gigabyte_is_one_failure_where_it_may_be_read(
    quick: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("hostile", "a line of 1 GB, below a raised limit")
    env = {"CK3PARSE_MAX_FILE_BYTES": str(2 * GIGABYTE)}
    with written(tmp_path / "bad", {"line.txt": "a"}) as bad:
        os.truncate(bad / "line.txt", GIGABYTE)
        with Trial(tmp_path, quick.folder, bad, env=env) as trial:
            report = trial.end(END_LIMIT_S, code=1)
    (failure,) = report["failures"]
    assert failure["error_type"] in ("MemoryError", "LexerError")  # depending on memory
    assert_right(report, trial.store, quick, {"line.txt": failure["error_type"]})
    case.did(report, trial.seconds)


def test_a_long_line_is_parsed(quick: Mod, tmp_path: Path, case: Case) -> None:
    case.of("hostile", "a line of 32 MB, one string")
    line = b'a = "' + b"x" * (32 << 20) + b'"'
    with (
        written(tmp_path / "bad", {"line.txt": line}) as bad,
        Trial(tmp_path, quick.folder, bad) as trial,
    ):
        report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, quick, also_parsed=1)
    assert asts_of(trial.store, bad) == parsed_here([bad / "line.txt"])
    case.did(report, trial.seconds)


@pytest.mark.parametrize("depth", [100_000, 9_000])
def test_nested_braces_are_one_result(depth: int, quick: Mod, tmp_path: Path, case: Case) -> None:
    case.of("hostile", f"{depth:,} nested braces")
    text = "a={" * depth + "}" * depth
    with (
        written(tmp_path / "bad", {"deep.txt": text}) as bad,
        Trial(tmp_path, quick.folder, bad) as trial,
    ):
        report = trial.end(END_LIMIT_S, code=1 if depth > 10_000 else 0)
    if depth > 10_000:
        assert_right(report, trial.store, quick, {"deep.txt": "ParseError"})
    else:
        assert_right(report, trial.store, quick, also_parsed=1)
        assert asts_of(trial.store, bad) == {
            "deep.txt": parse_bytes(text.encode(), "deep.txt").ast_json
        }
    case.did(report, trial.seconds)


@contextlib.contextmanager
def again_and_again(change: Callable[[], None]) -> Iterator[None]:
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.0005):
            change()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_files_that_grow_have_the_ast_of_what_was_there(
    quick: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("hostile", "20 files that grow while they are read")
    with written(tmp_path / "bad", {f"log{n}.txt": f"start = {n}\n" for n in range(20)}) as bad:
        paths = sorted(bad.iterdir())

        def grow() -> None:
            for path in paths:
                with path.open("ab") as file:
                    file.write(b"more = { a = 1 }\n")

        with again_and_again(grow), Trial(tmp_path, quick.folder, bad) as trial:
            report = trial.end(END_LIMIT_S)
        assert_right(report, trial.store, quick, also_parsed=len(paths))
        for name, ast in asts_of(trial.store, bad).items():
            assert ast in prefixes_of((bad / name).read_bytes(), name, around=ast)
        with Trial(tmp_path, quick.folder, bad) as again:
            report = again.end(END_LIMIT_S)
        assert asts_of(trial.store, bad) == {
            p.name: parse_bytes(p.read_bytes(), p.name).ast_json for p in paths
        }
    case.did(report, trial.seconds, "the AST of what was there; the next run had the rest")


def prefixes_of(data: bytes, name: str, *, around: bytes) -> list[bytes | None]:
    """Return the AST of as many lines of a text as an AST has."""
    lines = data.splitlines(keepends=True)
    count = around.count(b'"more"') + 1
    return [parse_bytes(b"".join(lines[:count]), name).ast_json]


def test_files_that_are_swapped_have_the_ast_of_one_or_the_other(
    quick: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("hostile", "20 files that are swapped while they are read")
    texts = [f"version = {n} ".ljust(20_000 * (n + 1)).encode() for n in range(3)]
    with written(tmp_path / "bad", {f"s{n}.txt": texts[0] for n in range(20)}) as bad:
        paths = sorted(bad.iterdir())
        spare = tmp_path / "spare"
        turn = iter(range(1, 1 << 30))

        def swap() -> None:
            spare.write_bytes(texts[next(turn) % 3])
            os.replace(spare, paths[next(turn) % 20])

        with again_and_again(swap), Trial(tmp_path, quick.folder, bad) as trial:
            report = trial.end(END_LIMIT_S)
        assert_right(report, trial.store, quick, also_parsed=20)
        for name, ast in asts_of(trial.store, bad).items():
            assert ast in [parse_bytes(text, name).ast_json for text in texts]
        with Trial(tmp_path, quick.folder, bad) as again:
            report = again.end(END_LIMIT_S)
        assert asts_of(trial.store, bad) == {
            p.name: parse_bytes(p.read_bytes(), p.name).ast_json for p in paths
        }
    case.did(report, trial.seconds, "the AST of one or the other; the next run had the last")
