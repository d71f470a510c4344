"""The views of a store, as `sqlite3` and Datasette see them: `docs/reference/store.md`."""

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ck3parse.config import Settings
from ck3parse.index.playset import playset_of
from ck3parse.index.refresh import refresh

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "store.md"
QUERIES = [
    query
    for block in re.findall(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    for query in block.split(";")
    if query.strip()
]
FILES = {
    "game/common/traits/00.txt": "brave = { a = 1 }\ncraven = { a = 1 }",
    "game/common/traits/01.txt": "calm = { a = 1 }",
    "game/common/scripted_effects/e.txt": "used = { add_trait = brave }\nunused = { a = 1 }",
    "game/events/a.txt": "a.1 = { immediate = { used = yes trigger_event = a.2 } }",
    "mod/descriptor.mod": 'name="My mod"',
    "mod/common/traits/zz.txt": "brave = { a = 2 }",
    "mod/common/traits/01.txt": "calm = { a = 2 }",
    "game/localization/english/a_l_english.yml": '\ufeffl_english:\n trait_brave: "Brave"',
    "mod/localization/english/replace/b_l_english.yml": (
        '\ufeffl_english:\n trait_brave: "Bold $a$"'
    ),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("playset")
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    refresh(playset_of([folder / "game", folder / "mod"]), folder / "out.sqlite", Settings())
    return folder / "out.sqlite"


def test_the_example_queries_of_the_page(store: Path) -> None:
    with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as db:
        answers = [db.execute(query).fetchall() for query in QUERIES]
    assert answers == [
        [],  # no rows of extractors were asked for
        [
            ("trait", "game", "common/traits/00.txt", 1, 1),
            ("trait", "My mod", "common/traits/zz.txt", 1, 1),
        ],
        [("trait", "My mod", "common/traits/zz.txt", 1, 1, "high")],
        [
            ("game", "common/scripted_effects/e.txt"),
            ("game", "common/traits/00.txt"),
            ("My mod", "common/traits/zz.txt"),
        ],
        [("My mod", "game", "trait", 1)],
        [("game", "common/traits/01.txt")],
        [("unused", str(store.parent / "game/common/scripted_effects/e.txt"), 2)],
        [("english", "Bold $a$", "My mod", "localization/english/replace/b_l_english.yml", 2)],
        [("trait_brave", "english", "game", "Brave", "Bold $a$")],
    ]


@pytest.mark.parametrize(
    ("view", "rows"),
    [
        ("definitions", 8),
        ("files_in_effect", 7),
        ("replaced_files", 1),
        ("winners", 6),
        ("overlaps", 1),
        ("conflicts", 1),
        ("uses?name=used", 2),
        ("loc_entries", 2),
        ("loc_uses", 1),
        ("loc_conflicts", 1),
    ],
)
def test_datasette_shows_the_views(store: Path, view: str, rows: int) -> None:
    view_name, _, filters = view.partition("?")
    assert (
        len(json.loads(datasette(store, f"/out/{view_name}.json?_shape=array&{filters}"))) == rows
    )
    assert "<table" in datasette(store, f"/out/{view}")


def datasette(store: Path, path: str) -> str:
    """Return what Datasette answers to a request."""
    done = subprocess.run(
        # A process of its own, as it leaves databases open.
        [sys.executable, "-W", "ignore", "-m", "datasette", store, "--get", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
