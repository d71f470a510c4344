"""Who wins in playsets made by hand: `tests/fixtures/playsets.toml`."""

import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ck3parse.config import Settings
from ck3parse.index.index import Index
from ck3parse.index.playset import playset_of
from ck3parse.index.refresh import refresh

CASES = tomllib.loads(
    (Path(__file__).parents[1] / "fixtures" / "playsets.toml").read_text("utf-8")
)["playset"]


@pytest.fixture(params=CASES, ids=lambda case: str(case["about"]))
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


def test_winners_conflicts_and_replaced_files(case: dict[str, Any], tmp_path: Path) -> None:
    for name, content in case["files"].items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    out = tmp_path / "out.sqlite"
    refresh(
        playset_of(tmp_path / name for name in case["sources"]),
        out,
        Settings(),
        reading_order=case.get("reading_order", "paths"),
    )
    prefix = f"{tmp_path}/"
    with closing(sqlite3.connect(out)) as db:
        winners = {
            f"{kind} {name}": f"{file.removeprefix(prefix)}:{line}" if decided else ""
            for kind, name, file, line, decided in db.execute(
                "SELECT kind, name, file, line, decided FROM winners"
            )
        }
        merged, conflicts, equal = (
            [
                f"{kind} {name}"
                for kind, name in db.execute(
                    f"SELECT kind, name FROM {which} ORDER BY kind, name"  # noqa: S608
                )
            ]
            for which in (
                "overlaps WHERE wins = 'merge'",
                "conflicts WHERE NOT equal",
                "conflicts WHERE equal",
            )
        )
        replaced = {
            file.removeprefix(prefix): (by_file or by_source).removeprefix(prefix)
            for file, by_source, by_file in db.execute(
                "SELECT file, by_source, by_file FROM replaced_files"
            )
        }
    with Index(out) as index:
        told = {
            f"{each.kind} {each.name}"
            for each in index.conflicts()
            if each.kind != "file" and not each.equal
        }
    # It leaves out what a source repeats itself.
    assert told <= set(conflicts)
    expected = case.get("winners", {})
    assert {name: winners.get(name) for name in expected} == expected
    assert conflicts == case.get("conflicts", [])
    assert equal == case.get("equal", [])
    assert merged == case.get("merged", [])
    assert replaced == case.get("replaced", {})
