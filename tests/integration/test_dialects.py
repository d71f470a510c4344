"""The dialect of a tree, from the caller through a worker to the store and back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridging import bridge
from ck3parse.bridge.engine import SWITCH
from ck3parse.errors import UsageError
from ck3parse.messages import DialectName
from ck3parse.parser import parse_bytes, parser_in_use
from ck3parse.qbuilder_bridge import enqueue_many, enqueue_parse, enqueue_parse_text, parse_file
from ck3parse.store import Store
from ck3parse.tree import RavenRoot, Root
from command import ck3parse, run_json

FILES = {
    "common/a.txt": b"867.1.1 = { birth = yes }\n",
    "common/b.txt": b"\xef\xbb\xbfname = { hsv { 1 } = x }\n",
    "common/broken.txt": b"a = { b = }\nc = 1\n",
    "history/c.txt": b"name = \xd8degard\n",
}


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    folder = tmp_path / "mod"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def expected(dialect: DialectName) -> dict[str, bytes]:
    """Return the trees that a run stores."""
    outcomes = {
        name: parse_bytes(content, name, dialect=dialect) for name, content in FILES.items()
    }
    return {name: outcome.ast_json for name, outcome in outcomes.items() if outcome.ast_json}


def stored(mod: Path, dialect: DialectName) -> dict[str, bytes]:
    version = parser_in_use().version_of(dialect)
    with Store(mod.parent / "out.sqlite", version) as store:
        return {name: ast for _, name, ast in store.asts(recovered=True)}


def test_a_run_keeps_each_dialect_beside_the_other(mod: Path) -> None:
    args = (mod, "--out", "out.sqlite")
    first = run_json(*args, "--dialect", "ck3", cwd=mod.parent, code=1)
    assert (first["parsed"] + first["failed"], first["unchanged"]) == (len(FILES), 0)
    assert stored(mod, "ck3") == expected("ck3")
    assert set(expected("ck3")) == set(FILES)

    other = run_json(*args, cwd=mod.parent, code=1)
    assert (other["parsed"] + other["failed"], other["unchanged"]) == (len(FILES), 0)
    assert stored(mod, "ck3raven") == expected("ck3raven")

    ck3 = {"CK3PARSE_DIALECT": "ck3"}
    again = run_json(*args, cwd=mod.parent, env=ck3, code=1)
    assert (again["parsed"], again["unchanged"]) == (0, first["parsed"])
    assert stored(mod, "ck3") == expected("ck3")

    (mod / "common/a.txt").write_bytes(b"1066.9.15 = { }")
    changed = run_json(*args, cwd=mod.parent, env=ck3, code=1)
    assert changed["parsed"] == 1
    assert b"1066.9.15" in stored(mod, "ck3")["common/a.txt"]
    assert stored(mod, "ck3raven") == expected("ck3raven")


def test_a_broken_file_has_its_diagnostics_in_the_store(mod: Path) -> None:
    run_json(mod, "--out", "out.sqlite", "--dialect", "ck3", cwd=mod.parent, code=1)
    outcome = parse_bytes(FILES["common/broken.txt"], "", dialect="ck3")
    assert outcome.diagnostics
    with Store(mod.parent / "out.sqlite", parser_in_use().version_of("ck3")) as store:
        assert store.diagnostics_of(str(mod))["common/broken.txt"] == outcome.diagnostics
        assert store.ast_json(str(mod), "common/broken.txt") is None
        assert store.ast_json(str(mod), "common/broken.txt", recovered=True) == outcome.ast_json


def test_a_dialect_that_there_is_not_is_wrong_usage(mod: Path) -> None:
    done = ck3parse("run", mod, "--dialect", "ck2", cwd=mod.parent)
    assert done.returncode == 2
    assert "'ck2' is not one of 'ck3raven', 'ck3'" in done.stderr
    done = ck3parse("run", mod, cwd=mod.parent, env={"CK3PARSE_DIALECT": "ck2"})
    assert done.returncode == 2
    assert "CK3PARSE_DIALECT cannot be used" in done.stderr
    own = {"CK3PARSE_PARSER": "ck3parse.parser.reference:parse_bytes"}
    done = ck3parse("run", mod, "--dialect", "ck3", cwd=mod.parent, env=own)
    assert done.returncode == 2
    assert "does not parse the dialect 'ck3'" in done.stderr


@pytest.fixture(scope="module", params=["1", "0"], ids=["workers", "subprocesses"])
def pipeline(request: pytest.FixtureRequest) -> Iterator[None]:
    with bridge({SWITCH: request.param, "CK3PARSE_WORKERS": "1"}):
        yield


@pytest.mark.usefixtures("pipeline")
def test_the_bridge_gives_the_dialect_that_it_is_asked_for(
    mod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mod / "common/a.txt"
    calls: list[DialectName | None] = ["ck3", None, "ck3raven", "ck3"]
    futures = [enqueue_parse(path, dialect=dialect) for dialect in calls]
    trees = [future.result().tree for future in futures]
    assert [type(tree) for tree in trees] == [Root, RavenRoot, RavenRoot, Root]
    assert [node.key for node in (trees[0] or Root("", [])).find("birth")] == ["birth"]
    text = enqueue_parse_text("d = 867.1.1", dialect="ck3").result()
    assert '"kind":"date"' in (text.ast_json or "")
    many = list(enqueue_many([mod / name for name in FILES], dialect="ck3"))
    assert {type(result.tree) for result in many} == {Root}
    assert {result.error_type for result in many if not result.success} == {"ParseError"}

    monkeypatch.setenv("CK3PARSE_DIALECT", "ck3")
    assert isinstance(enqueue_parse(path).result().tree, Root)
    assert isinstance(parse_file(path).tree, RavenRoot)
    with pytest.raises(UsageError, match="no such dialect"):
        enqueue_parse(path, dialect="ck2")  # type: ignore[arg-type]
