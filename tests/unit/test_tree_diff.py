"""Two definitions are compared by their trees."""

import pytest

from ck3parse.index.tree_diff import Difference, compare, rows
from ck3parse.tree import TreeError

LEFT = """brave = { # a comment
\ticon = brave.dds
\topposites = { craven }
\tcost = 10
\tdesc = { first_valid = { triggered_desc = { trigger = { a = b } desc = x } desc = y } }
\tmartial = 2
\tcolor = rgb { 1 2 3 }
}"""


def changes(left: str, right: str) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (
            each.change,
            "/".join(each.path),
            each.left.inline if each.left else None,
            each.right.inline if each.right else None,
        )
        for each in compare(left, right).changes()
    ]


def test_blanks_comments_and_line_ends_count_for_nothing() -> None:
    other = LEFT.replace("\n\t", "\r\n\r\n    ").replace(" # a comment", "").replace(" = ", "=")
    assert compare(LEFT, other).change == "equal"
    assert changes(LEFT, other) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("cost = 10", "cost = 11", [("changed", "brave/cost", "cost = 10", "cost = 11")]),
        ("cost = 10", "cost > 10", [("changed", "brave/cost", "cost = 10", "cost > 10")]),
        ("\tcost = 10\n", "", [("removed", "brave/cost", "cost = 10", None)]),
        ("cost = 10", "cost = 10 new = yes", [("added", "brave/new", None, "new = yes")]),
        ("craven", "craven shy", [("added", "brave/opposites/shy", None, "shy")]),
        (
            "a = b",
            "a = c",
            [
                (
                    "changed",
                    "brave/desc/first_valid/triggered_desc/trigger/a",
                    "a = b",
                    "a = c",
                )
            ],
        ),
        (
            "rgb { 1 2 3 }",
            "hsv { 1 2 3 }",
            [("changed", "brave/color", "color = rgb { 1 2 3 }", "color = hsv { 1 2 3 }")],
        ),
        ("brave = {", "bold = {", [("changed", "bold", None, None)]),
        (
            "brave.dds",
            '"brave.dds"',
            [("changed", "brave/icon", "icon = brave.dds", 'icon = "brave.dds"')],
        ),
    ],
)
def test_one_change(old: str, new: str, expected: list[tuple[str, str, str, str]]) -> None:
    assert changes(LEFT, LEFT.replace(old, new)) == expected


def test_an_element_that_moved_is_neither_removed_nor_added() -> None:
    right = LEFT.replace("\tmartial = 2\n", "").replace("\ticon", "\tmartial = 2\n\ticon")
    assert changes(LEFT, right) == [("moved", "brave/martial", "martial = 2", "martial = 2")]
    right = right.replace("martial = 2", "martial = 3")
    assert changes(LEFT, right) == [("changed", "brave/martial", "martial = 2", "martial = 3")]


def test_repeated_keys_are_paired_in_their_order() -> None:
    left = "a = { modifier = { x = 1 } modifier = { x = 2 } modifier = { x = 3 } }"
    right = "a = { modifier = { x = 1 } modifier = { x = 3 } }"
    assert changes(left, right) == [("removed", "a/modifier", "modifier = { x = 2 }", None)]


def test_lines_are_those_of_the_files() -> None:
    (only,) = compare(LEFT, LEFT.replace("10", "11"), left_line=7, right_line=100).changes()
    assert only.left
    assert only.right
    assert (only.left.line, only.right.line) == (10, 103)


def test_side_by_side() -> None:
    right = LEFT.replace("10", "11").replace("}\n}", "}\n\tnew = { a = b c = { d } }\n}")
    shown = [(row.change, row.left, row.right) for row in rows(compare(LEFT, right), context=1)]
    assert shown == [
        ("equal", "brave = {", "brave = {"),
        ("equal", "  icon = brave.dds", "  icon = brave.dds"),
        ("equal", "  opposites = { craven }", "  opposites = { craven }"),
        ("changed", "  cost = 10", "  cost = 11"),
        ("equal", "  desc = {", "  desc = {"),
        ("equal", "… 9 equal lines", "… 9 equal lines"),
        ("equal", "  color = rgb { 1 2 3 }", "  color = rgb { 1 2 3 }"),
        ("added", "", "  new = {"),
        ("added", "", "    a = b"),
        ("added", "", "    c = { d }"),
        ("added", "", "  }"),
        ("equal", "}", "}"),
    ]


def test_all_lines_are_kept_without_a_context() -> None:
    whole = rows(compare(LEFT, LEFT), context=None)
    assert [row.left.strip() for row in whole] == [row.right.strip() for row in whole]
    assert "trigger = { a = b }" in [row.left.strip() for row in whole]
    assert not any("equal lines" in row.left for row in whole)


def test_a_script_value_and_a_block_of_one_name() -> None:
    assert changes("gold = 10", "gold = { value = 10 }") == [
        ("changed", "gold", "gold = 10", "gold = { value = 10 }"),
        ("added", "gold/value", None, "value = 10"),
    ]


def test_texts_with_syntax_errors_are_compared_by_what_is_sound() -> None:
    assert [each[0] for each in changes("a = { b = 1 c = }", "a = { b = 2 c = }")] == ["changed"]
    assert isinstance(compare("", "a = b"), Difference)
    assert isinstance(compare("}", "{"), Difference)


def test_what_is_nested_too_deeply_is_said() -> None:
    deep = "a = {" * 90_000
    with pytest.raises(TreeError, match="nested too deeply"):
        compare(deep, "a = {}")


def test_large_blocks_take_no_minutes() -> None:
    left, right = (
        "a = {" + " ".join(str(each % size) for each in range(20_000)) + "}" for size in (10, 11)
    )
    assert compare(left, right).change == "changed"
