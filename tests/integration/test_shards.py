"""Shards of a playset, each parsed by a run of its own, and merged."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from command import ck3parse, run_json
from index_playset import make_playset
from json_schemas import fits
from servers import Server
from services import running
from store_content import content_of

EXAMPLE = Path(__file__).parents[2] / "docs" / "shards.md"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a playset, and the store of all of its files."""
    folder = tmp_path_factory.mktemp("playset")
    parts = make_playset(folder)
    (parts[1] / "events").mkdir(exist_ok=True)
    (parts[1] / "events" / "broken.txt").write_text("a.1 = { b = { c }", "utf-8")
    run_json(*parts, "--index", "--out", "whole.sqlite", cwd=folder, code=1)
    return folder


def sources(place: Path) -> list[str]:
    return [str(place / name) for name in ("game", "mod_a", "mod_b")]


def test_a_shard_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a = 1", encoding="utf-8")
    done = ck3parse("run", "a.txt", "--shard", "1/1", cwd=tmp_path)
    assert "ck3parse: shard 1/1: 1 of 1 file\n" in done.stderr
    done = ck3parse("merge", "ck3parse.sqlite", "--out", "all.sqlite", cwd=tmp_path)
    assert done.stdout.startswith("1 file, 1 content and 0 definitions in all.sqlite, merged in")


@pytest.mark.parametrize("count", [2, 4, 8])
def test_merged_shards_are_one_run(place: Path, tmp_path: Path, count: int) -> None:
    stores, totals = [], set()
    for number in range(1, count + 1):
        store = f"{number}.sqlite"
        args = ["--shard", f"{number}/{count}", "--out", store]
        done = ck3parse("run", *sources(place), "--index", *args, cwd=tmp_path)
        assert done.returncode in (0, 1), done.stderr
        said = re.search(rf"shard {number}/{count}: \d+ of (\d+) files", done.stderr)
        assert said
        totals.add(said[1])
        stores.append(store)
    assert len(totals) == 1
    done = ck3parse("merge", *stores, "--out", "all.sqlite", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert content_of(tmp_path / "all.sqlite") == content_of(place / "whole.sqlite")
    # Nothing is left to do.
    report = run_json(*sources(place), "--index", "--out", "all.sqlite", cwd=tmp_path, code=1)
    assert (report["parsed"], report["failed"]) == (0, 1)
    answer = ck3parse("find", "brave", "--store", "all.sqlite", cwd=tmp_path)
    assert "nothing changed" in answer.stderr
    assert answer.stdout == ck3parse("find", "brave", "--store", place / "whole.sqlite",
                                     cwd=tmp_path).stdout  # fmt: skip


def test_shards_one_after_another_in_one_store(place: Path, tmp_path: Path) -> None:
    for number in (2, 1):
        args = ["--shard", f"{number}/2", "--out", "all.sqlite"]
        ck3parse("run", *sources(place), "--index", *args, cwd=tmp_path)
    assert content_of(tmp_path / "all.sqlite") == content_of(place / "whole.sqlite")


@pytest.mark.parametrize("command", ["run", "find"])
def test_all_files_after_a_shard_in_one_store(place: Path, tmp_path: Path, command: str) -> None:
    store = tmp_path / "all.sqlite"
    ck3parse("run", *sources(place), "--index", "--shard", "1/2", "--out", store, cwd=tmp_path)
    args = ["brave"] if command == "find" else []
    ck3parse(command, *args, *sources(place), "--out", store, cwd=tmp_path)
    assert content_of(store) == content_of(place / "whole.sqlite")


def test_a_shard_that_is_missing(place: Path, tmp_path: Path) -> None:
    ck3parse("run", *sources(place), "--shard", "2/3", "--out", "2.sqlite", cwd=tmp_path)
    done = ck3parse("merge", "2.sqlite", "--out", "all.sqlite", "--json", cwd=tmp_path)
    assert done.returncode == 1
    merged = fits("merge", done.stdout)
    assert merged["missing_shards"] == ["1/3", "3/3"]
    assert merged["store"] == str(tmp_path / "all.sqlite")
    assert "no store has shard 1/3, 3/3" in done.stderr
    done = ck3parse("merge", "2.sqlite", "--out", "all.sqlite", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "all.sqlite exists" in done.stderr


def test_the_chord_of_the_page(place: Path, tmp_path: Path) -> None:
    module, settings = re.findall(r"```python\n(.*?)```", EXAMPLE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "shards.py").write_text(module, "utf-8")
    (tmp_path / "shards_settings.py").write_text(settings, "utf-8")
    programs = os.path.dirname(sys.executable)
    with Server(tmp_path) as server:
        env = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(tmp_path),
            "SHARDS_BROKER_URL": server.url,
            "SHARDS_CONFIG": "shards_settings",
            "CK3PARSE_WORKERS": "1",
        }
        command = [sys.executable, "-m", "celery", "--app", "shards", "worker", "-n"]
        with (
            running([*command, "one@%h"], cwd=tmp_path, env=env),
            running([*command, "two@%h"], cwd=tmp_path, env=env),
        ):
            start = (
                "import shards, sys, pathlib;"
                "answer = shards.run_on_all_machines(sys.argv[2:], 3, pathlib.Path(sys.argv[1]));"
                "print(answer.get(timeout=120))"
            )
            done = subprocess.run(
                [sys.executable, "-c", start, str(tmp_path), *sources(place)],
                env=env, cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "playset.sqlite")]
    run_json(*sources(place), "--out", "whole.sqlite", cwd=tmp_path, code=1)
    assert content_of(tmp_path / "playset.sqlite") == content_of(tmp_path / "whole.sqlite")
