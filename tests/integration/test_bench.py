import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from command import FAULTY, ck3parse
from json_schemas import fits

WAYS = ["subprocess", "serial", "pipeline"]


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    folder = tmp_path / "mod"
    folder.mkdir()
    for number in range(20):
        (folder / f"f{number}.txt").write_text(f"key_{number} = {{ a = {number} }}\n" * number)
    (folder / "f1.txt").write_text("large = yes\n" * 2000)
    (folder / "twin.txt").write_text("large = yes\n" * 2000)
    (folder / "bad.txt").write_text("a = {")
    return folder


def test_it_measures_all_ways_on_the_same_files(mod: Path) -> None:
    args = ("--rounds", "1", "--sample", "4", "--workers", "1", "--json")
    done = ck3parse("bench", mod, *args, "--plot", mod.parent / "b.svg", cwd=mod.parent)
    assert done.returncode == 0, done.stderr
    bench = fits("bench", done.stdout)
    assert (bench["files"], bench["sample"], bench["rounds"], bench["workers"]) == (22, 4, 1, 1)
    assert [way["way"] for way in bench["ways"]] == WAYS
    assert [way["files"] for way in bench["ways"]] == [4, 22, 22]
    assert [way["failed"] for way in bench["ways"]][1:] == [1, 1]
    assert [way["twins"] for way in bench["ways"]] == [0, 0, 1]
    for way in bench["ways"]:
        assert way["files_per_s"] > 0
        assert 0 < way["file_ms"]["p50"] <= way["file_ms"]["p95"] <= way["file_ms"]["p99"]
        assert way["projected_s"]["25000"] < way["projected_s"]["92000"]
        assert way["peak_mb"]["client"] > 1
    assert bench["ways"][0]["peak_mb"]["children"] > 1
    assert {"client", "worker", "broker"} <= bench["ways"][2]["peak_mb"].keys()
    assert bench["machine"]["parser"].startswith(("native", "python"))
    assert bench["machine"]["versions"]["celery"]
    drawing = ET.parse(mod.parent / "b.svg").getroot()  # noqa: S314 - our own
    words = {text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert {"subprocess per file", "one process", "pipeline"} <= words
    assert {path.name for path in mod.parent.iterdir()} == {"mod", "b.svg"}


@pytest.mark.thorough
def test_processes_of_each_kind_are_told_apart(tmp_path: Path) -> None:
    mod = tmp_path / "mod"
    mod.mkdir()
    for number in range(100):  # long enough to be looked at more than once
        (mod / f"f{number}.txt").write_text(f"fault = slow # {number}")
    args = ("--rounds", "1", "--sample", "1", "--workers", "1", "--json")
    done = ck3parse("bench", mod, *args, cwd=tmp_path, env=FAULTY)
    assert done.returncode == 0, done.stderr
    peaks = json.loads(done.stdout)["ways"][2]["peak_mb"]
    assert {"client", "worker", "children", "broker"} <= peaks.keys()
    assert min(peaks.values()) > 1


@pytest.mark.thorough
def test_the_table_says_what_was_measured(mod: Path) -> None:
    done = ck3parse("bench", mod, "--rounds", "1", "--sample", "1", cwd=mod.parent)
    assert done.returncode == 0, done.stderr
    for words in ("files/s", "MB/s", "p99", "92,000 files", "medians of 1 round;", "Python 3."):
        assert words in done.stdout
    assert "1 file has the content of another" in done.stdout
    assert "warming up: pipeline" in done.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["missing"], "missing"),
        (["mod", "--plot", "b.png"], "SVG"),
        (["mod", "--plot", "missing/b.svg", "--rounds", "1", "--sample", "1"], "cannot be written"),
        (["."], "no script files"),
    ],
)
def test_usage(args: list[str], words: str, mod: Path) -> None:
    empty = mod.parent / "empty"
    empty.mkdir()
    done = ck3parse("bench", *args, cwd=empty if args == ["."] else mod.parent)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
