"""The report of conflicts as one HTML file that needs no network.

The page is `report.html`; this module puts the data into it, as JSON in a script element.
"""

from collections.abc import Sequence
from importlib.resources import files as package_files
from typing import Any

import msgspec

from ck3parse.index.answers import OUTCOMES, Conflict, Place


class RuleText(msgspec.Struct, frozen=True):
    """What the report says of a rule.

    Attributes:
        id: its id.
        certainty: how sure it is.
        source: where it is known from.
        note: more about it, or empty.
    """

    id: str
    certainty: str
    source: str
    note: str


def html_report(
    conflicts: Sequence[Conflict],
    *,
    title: str,
    about: str,
    sources: Sequence[str],
    rules: Sequence[RuleText],
) -> str:
    """Return the report.

    Args:
        conflicts: what to show.
        title: the heading.
        about: a sentence below it.
        sources: the names of the mods, in the order of the playset.
        rules: those that the conflicts name.

    Returns:
        A whole HTML page.
    """
    source_numbers = _Numbers(sources)
    kinds, outcomes = _Numbers(), _Numbers()
    known = {rule.id: rule for rule in rules}
    rule_numbers = _Numbers()

    def place(of: Place) -> list[Any]:
        return [source_numbers[of.source], of.file or "replace_path in its descriptor", of.line]

    rows = [
        [
            each.name,
            kinds[each.kind],
            rule_numbers[each.rule, each.certainty],
            outcomes[OUTCOMES[each.how]],
            int(each.decided),
            int(each.equal),
            place(each.winner),
            place(each.loser),
        ]
        for each in conflicts
    ]
    data = {
        "title": title,
        "about": about,
        "sources": source_numbers.values,
        "kinds": kinds.values,
        "rules": [
            RuleText(name, certainty, known[name].source, known[name].note)
            if name in known
            else RuleText(name, certainty, "ck3parse", "")
            for name, certainty in rule_numbers.values
        ],
        "outcomes": outcomes.values,
        "conflicts": rows,
    }
    encoded = msgspec.json.encode(data).decode()
    # A text must not end the script element. U+2028 is a line end in scripts of some years ago.
    for character in "<>&\u2028\u2029":
        encoded = encoded.replace(character, f"\\u{ord(character):04x}")
    page = package_files("ck3parse.index").joinpath("report.html").read_text("utf-8")
    return page.replace("@DATA@", encoded, 1)


class _Numbers:
    """Numbers values in the order in which they are first asked for."""

    def __init__(self, values: Sequence[Any] = ()) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}
        for value in values:
            self[value]

    def __getitem__(self, value: Any) -> int:
        if value not in self._numbers:
            self._numbers[value] = len(self.values)
            self.values.append(value)
        return self._numbers[value]
