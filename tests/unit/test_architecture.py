"""ARCHITECTURE.md and the other pages name what is there.

The picture of the packages is drawn from the import contract and the imports themselves. After a
change of either, `CK3PARSE_WRITE_DOCS=1 python -m pytest tests/unit/test_architecture.py` draws it
anew.
"""

import os
import re
import tomllib
from pathlib import Path

import grimp
import pytest

import ck3parse

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "ARCHITECTURE.md"
PAGES = sorted(
    {*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")}
    # The changelog may name files that are gone; benchmarks and tests write the others.
    - {REPOSITORY / "CHANGELOG.md"}
    - {REPOSITORY / "docs" / f"{name}.md" for name in ("performance", "reliability")}
)
_FENCE = re.compile(r"(?<=```mermaid\n).*?(?=```)", re.DOTALL)
_FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|pyi|rs|sql|json|jsonl|toml|md))`")
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


def floors() -> list[list[str]]:
    """Return the packages of each floor of the contract, from the top."""
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [re.findall(r"\w+", layer) for layer in layers]


def imports() -> dict[str, set[str]]:
    """Return which other packages each package imports, by what its modules import."""
    graph = grimp.build_graph("ck3parse", cache_dir=None)
    found: dict[str, set[str]] = {}
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            packages = [*(name.split(".")[1] for name in (importer, imported) if "." in name)]
            if len(set(packages)) == 2:
                found.setdefault(packages[0], set()).add(packages[1])
    return found


def below(package: str, imported: dict[str, set[str]]) -> set[str]:
    """Return every package that one imports, directly or not."""
    direct = imported.get(package, set())
    return direct.union(*(below(other, imported) for other in direct))


def picture() -> str:
    """Return the floors and the imports between them, without those that follow from others."""
    imported = imports()
    lines = ["flowchart TD"]
    for number, packages in enumerate(floors(), 1):
        if len(packages) == 1:
            lines.append(f"    {packages[0]}")
        else:
            lines += [
                f'    subgraph floor{number} [" "]',
                *(f"        {p}" for p in packages),
                "    end",
            ]
    for package in (package for packages in floors() for package in packages):
        direct = imported.get(package, set())
        implied = set().union(*(below(other, imported) for other in direct))
        lines += [f"    {package} --> {other}" for other in sorted(direct - implied)]
    return "\n".join(lines) + "\n"


def test_the_picture_shows_the_contract_and_the_imports() -> None:
    wanted, text = picture(), PAGE.read_text("utf-8")
    if os.environ.get("CK3PARSE_WRITE_DOCS") == "1":
        PAGE.write_text(_FENCE.sub(lambda _: wanted, text, count=1), "utf-8")
    found = _FENCE.search(PAGE.read_text("utf-8"))
    assert found, "ARCHITECTURE.md has no picture"
    assert found[0] == wanted, (
        "the imports changed: run\n"
        "CK3PARSE_WRITE_DOCS=1 python -m pytest tests/unit/test_architecture.py"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_files_that_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    package = Path(ck3parse.__file__).parent
    folders = [REPOSITORY, package, REPOSITORY / "rust", REPOSITORY / "rust" / "core" / "src"]
    missing = {
        name
        for name in _FILE.findall(text)
        if not any((folder / name).exists() for folder in folders)
    }
    missing |= {name for name in _LINK.findall(text) if not (page.parent / name).exists()}
    assert not missing, f"{page.name} names files that do not exist"
