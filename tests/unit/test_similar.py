import random
from difflib import SequenceMatcher

import pytest

from ck3parse.index.similar import ALIKE, Wanted

NAMES = [
    "brave", "craven", "brave_knight", "add_opinion", "add_opinion_modifier", "Add_Opinion_Value",
    "trait_lunatic_1", "trait_lunatic_2", "İstanbul_county", "k_england", "d_england",
]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("brave_knigth", "brave_knight"),
        ("add_opinon_modifer", "add_opinion_modifier"),
        ("ADD_OPINION_VALUES", "add_opinion_value"),
        ("k_englnad", "k_england"),
        ("istanbul_county", "i̇stanbul_county"),
    ],
)
def test_the_name_that_was_meant_is_the_first(typed: str, meant: str) -> None:
    wanted = Wanted(typed)
    assert wanted.ranked(wanted.in_lines("\n".join(NAMES)), 3)[0][1] == meant


@pytest.mark.parametrize("typed", ["", "x", "zzzz", "\n", "no_such_thing_at_all"])
def test_nothing_is_similar(typed: str) -> None:
    wanted = Wanted(typed)
    assert wanted.ranked(wanted.in_lines("\n".join(NAMES)), 3) == []
    assert wanted.in_lines("") in ([], [""])


def test_the_most_similar_names_are_found_without_comparing_all_in_full() -> None:
    chance = random.Random(7)
    names = [f"thing_{chance.randrange(400)}_{chance.randrange(30)}" for _ in range(3_000)]
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2("thing_77_x")
    alike = {}
    for name in names:
        matcher.set_seq1(name)
        if (ratio := matcher.ratio()) >= ALIKE:
            alike[name] = ratio
    expected = sorted(((ratio, name) for name, ratio in alike.items()), key=lambda x: (-x[0], x[1]))
    found = Wanted("thing_77_x").ranked(names, 5)
    assert [ratio for ratio, _ in found] == [ratio for ratio, _ in expected[:5]]
