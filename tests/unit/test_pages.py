"""The examples in README.md and the documentation of trees do what they say."""

import doctest
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from ck3parse.messages import DialectName
from ck3parse.parser import parse_bytes
from ck3parse.tree import Element, RavenElement, Tree

REPOSITORY = Path(__file__).parents[2]
TREES = REPOSITORY / "docs" / "reference" / "tree.md"
NODES = [kind for group in (Tree, Element, RavenElement) for kind in get_args(group)]
DIALECTS = REPOSITORY / "docs" / "dialects.md"


def code(fence: str, page: Path) -> list[str]:
    return re.findall(rf"```{fence}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def as_written(node: Any) -> str:
    parts = [node.key, getattr(node, "op", None), getattr(node, "tag", None)]
    has_braces = "children" in node.__struct_fields__
    parts.append("{}" if has_braces else node.value)
    return " ".join(part for part in parts if part)


def test_the_examples_of_nodes() -> None:
    examples = code("pycon", TREES)
    source = "\n".join(examples)
    test = doctest.DocTestParser().get_doctest(source, {}, TREES.name, str(TREES), 0)
    assert len(test.examples) > 20
    told: list[str] = []
    assert doctest.DocTestRunner().run(test, out=told.append).failed == 0, "".join(told)


@pytest.mark.parametrize("kind", NODES, ids=lambda kind: kind.__name__)
def test_every_node_has_an_example(kind: type) -> None:
    text = TREES.read_text("utf-8")
    assert re.search(rf"::: ck3parse\.tree\.{kind.__name__}\n\n```pycon", text)


@pytest.mark.parametrize(("column", "dialect"), [(2, "ck3"), (3, "ck3raven")])
def test_what_each_dialect_makes_of_a_script(column: int, dialect: DialectName) -> None:
    rows = re.findall(r"^\| `(.*)` \| (.*) \| (.*) \|$", DIALECTS.read_text("utf-8"), re.MULTILINE)
    rows = [row for row in rows if row[0] != "ck3"]
    assert len(rows) > 5
    for row in rows:
        outcome = parse_bytes(row[0].encode(), "a.txt", dialect=dialect)
        made = "an error"
        if outcome.tree:
            made = " and ".join(f"`{as_written(node)}`" for node in outcome.tree.children)
        assert made == row[column - 1], row[0]


def test_the_library_example_of_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    text = (REPOSITORY / "README.md").read_text("utf-8")
    (example,) = re.findall(r"(?:^    .*\n)*^    tree = .*\n(?:^    .*\n)*", text, re.MULTILINE)
    exec(re.sub("^    ", "", example, flags=re.MULTILINE), {})  # noqa: S102
    told = re.findall(r"^    # prints (.*)$", example, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == told
