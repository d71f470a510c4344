"""`ck3parse run --extract` keeps the rows of extractors in the store, made by a real worker."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from ck3parse.extractors.ast_decoding import tree_of
from ck3parse.extractors.qbuilder import extract
from ck3parse.parser import parser_in_use
from ck3parse.store import Extracted, Store
from command import ck3parse, run_json
from extractor_packages import install

TRAIT = "brave = { index = 1 }\ncraven = { opposites = { brave } has_trait = brave }\n"
FILES = {
    "common/traits/a.txt": TRAIT,
    "common/traits/b.txt": "lazy = { index = 2 }",
    "common/culture/a.txt": TRAIT,
    "events/e.txt": "namespace = e\ne.1 = { trigger = { has_trait = brave } }",
    "events/broken.txt": "e.1 = {",
}
NOTING = '''
"""Extractors that note for which files they were called, in the file `calls` beside this one."""

from pathlib import Path

from ck3parse.extractors import Extractor

CALLS = Path(__file__).with_name("calls")


def noted(tree, relpath):
    with CALLS.open("a") as calls:
        calls.write(f"{relpath}\\n")
    return {"keys": [[relpath, node.get("name") or node["key"]] for node in tree["children"]]}


def fails(tree, relpath):
    noted(tree, relpath)
    raise ValueError("it always fails")


ONE, TWO = Extractor("noted", 1, noted), Extractor("noted", 2, noted)
FAILS = Extractor("fails", 1, fails)
'''


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    write(tmp_path / "mod", FILES)
    return tmp_path / "mod"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "noting.py").write_text(NOTING)
    install(folder, "noting", {name: f"noting:{name}" for name in ("ONE", "TWO", "FAILS")})
    return folder


def write(mod: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (mod / name).parent.mkdir(parents=True, exist_ok=True)
        (mod / name).write_text(text)


def kept(folder: Path, extractor: str) -> list[Extracted]:
    with Store(folder / "ck3parse.sqlite", parser_in_use().version) as store:
        return list(store.extractions(extractor))


def test_rows_of_qbuilder_are_kept_beside_the_index(mod: Path, tmp_path: Path) -> None:
    report = run_json("--index", "--extract", "qbuilder/1", mod, cwd=tmp_path, code=1)
    assert (report["parsed"], report["failed"]) == (4, 1)
    found = kept(tmp_path, "qbuilder/1")
    names = sorted(name for name in FILES if name != "events/broken.txt")
    assert [(each.root, each.name, each.relpath) for each in found] == [
        (str(mod), name, name) for name in names
    ]
    with Store(tmp_path / "ck3parse.sqlite", parser_in_use().version) as store:
        for each in found:
            assert each.rows is not None
            ast = store.ast_json(each.root, each.name)
            assert ast is not None
            expected = json.loads(json.dumps(extract(tree_of(ast), each.relpath)))
            assert json.loads(each.rows) == expected
    # The same content has other rows at another place.
    symbols = {each.name: json.loads(each.rows or b"")["symbols"] for each in found}
    assert symbols["common/traits/a.txt"][0] == ["brave", "trait", 1, 1]
    assert symbols["common/culture/a.txt"] != symbols["common/traits/a.txt"]
    with closing(sqlite3.connect(tmp_path / "ck3parse.sqlite")) as db:
        files, blob = db.execute(
            "SELECT count(*), max(rows) FROM extracted WHERE extractor = 'qbuilder/1'"
        ).fetchone()
        assert files == 4
        assert json.loads(zstandard.decompress(blob)).keys() == {"symbols", "refs"}
        assert db.execute("SELECT count(*) FROM definitions").fetchone()[0] > 0


def test_rows_are_made_once_for_each_content_place_and_version(
    mod: Path, package: Path, tmp_path: Path
) -> None:
    calls = package / "calls"
    calls.touch()

    def called(*args: str | Path, extractors: Sequence[str] = ("noted/1",)) -> list[str]:
        """Run, and return the files for which an extractor was called."""
        calls.write_text("")
        options = [option for name in extractors for option in ("--extract", name)]
        env = {"PYTHONPATH": str(package)}
        run_json(*options, mod, *args, cwd=tmp_path, env=env, code=1)
        return sorted(calls.read_text().split())

    sound = sorted(name for name in FILES if name != "events/broken.txt")
    assert called(extractors=()) == []
    assert called() == sound  # their contents were known
    assert called() == []
    before = {each.name: each.rows for each in kept(tmp_path, "noted/1")}
    assert sorted(before) == sound

    write(mod, {"common/traits/b.txt": "lazier = { index = 20 }"})
    assert called() == ["common/traits/b.txt"]
    (mod / "events/e.txt").rename(mod / "events/f.txt")
    assert called() == ["events/f.txt"]
    found = {each.name: each.rows for each in kept(tmp_path, "noted/1")}
    assert (
        found["events/f.txt"] == b'{"keys":[["events/f.txt","namespace"],["events/f.txt","e.1"]]}'
    )
    assert found["common/traits/b.txt"] != before["common/traits/b.txt"]
    assert found["common/traits/a.txt"] == before["common/traits/a.txt"]
    assert "events/e.txt" not in found

    write(tmp_path / "other", {"common/traits/a.txt": TRAIT, "events/x.txt": "x = { }"})
    assert called(tmp_path / "other") == ["events/x.txt"]  # the other is the same at the same place
    places = [*(each.relpath for each in kept(tmp_path, "noted/1"))]
    both = ["noted/1", "noted/2"]
    assert called(tmp_path / "other", extractors=both) == sorted(places)  # of noted/2
    assert called(tmp_path / "other", extractors=both) == []
    assert len(kept(tmp_path, "noted/2")) == len(kept(tmp_path, "noted/1")) == 6


def test_errors_are_kept_and_told(mod: Path, package: Path, tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(package)}
    for _ in range(2):
        report = run_json("--extract", "fails/1", mod, cwd=tmp_path, env=env, code=1)
        (warning,) = (each for each in report["warnings"] if "fails/1" in each)
        assert warning.startswith("4 files in the store have no rows of fails/1, the first because")
        assert "it always fails" in warning
    assert len((package / "calls").read_text().split()) == 4
    assert all(each.rows is None and each.error for each in kept(tmp_path, "fails/1"))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--extract", "qbuilder/9"], "there is no extractor 'qbuilder/9', only ck3/1, "),
        (["--extract", "ck3/1"], "ask for --index"),
        (["--extract", "qbuilder/1", "--dialect", "ck3"], "extractors read trees of the dialect"),
        (["--extract", "qbuilder/1", "--watch"], "leave out --extract"),
    ],
    ids=["unknown", "index", "dialect", "watch"],
)
def test_what_cannot_be_kept_is_refused(
    mod: Path, tmp_path: Path, args: list[str], says: str
) -> None:
    done = ck3parse("run", *args, mod, cwd=tmp_path)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.replace("│", " ").split())
    assert not (tmp_path / "ck3parse.sqlite").exists()
