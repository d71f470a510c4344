"""Every code a diagnostic can have: what it means, an example and what to do about it."""

from typing import NamedTuple

from ck3parse.errors import UsageError

PREFIX = "CK3-"


class Rule(NamedTuple):
    """One code.

    Attributes:
        name: a few words, with hyphens.
        help: the likely fix, in one line.
        why: what is wrong, and what the game makes of it.
        bad: an example that has it.
        good: the example set right.
        on: whether it is looked for unless told otherwise.
    """

    name: str
    help: str
    why: str
    bad: str
    good: str
    on: bool = True

    @property
    def title(self) -> str:
        """The name as words."""
        return self.name.replace("-", " ")


RULES: dict[str, Rule] = {
    "CK3-E000": Rule(
        "unreadable-file",
        "make sure that it exists and that you may read it",
        "The file cannot be read, is too large, or parsing it failed.",
        "",
        "",
    ),
    "CK3-E001": Rule(
        "unclosed-string",
        "add the closing quote",
        "A quote opens a string that no quote closes on its line, and what follows reads as"
        " script. The game would take all up to the next quote for the string.",
        'name = "The Feast\ndesc = "A feast"',
        'name = "The Feast"\ndesc = "A feast"',
    ),
    "CK3-E002": Rule(
        "unexpected-character",
        "remove it, or put the text into quotes or behind a #",
        "No word, number or operator of the script starts with this character.",
        "gold = 100 \\",
        "gold = 100",
    ),
    "CK3-E003": Rule(
        "unexpected-token",
        "remove it, or complete what it belongs to",
        "Something stands where a key, a value or a brace should be: an operator without a key, or"
        " a second one after a value.",
        "has_flag = flag = fed",
        "has_flag = fed",
    ),
    "CK3-E004": Rule(
        "stray-closing-brace",
        "remove this }, or add the { that it should close",
        "There are more closing braces than opening ones. Indentation tells which one is most"
        " likely too many.",
        "a = {\n\tb = 1\n\t}\n\tc = 2\n}",
        "a = {\n\tb = 1\n\tc = 2\n}",
    ),
    "CK3-E005": Rule(
        "unexpected-value",
        "put a value here, or remove the operator",
        "Something stands after an operator that cannot be a value.",
        "gold = = 100",
        "gold = 100",
    ),
    "CK3-E006": Rule(
        "missing-value",
        "add the value, or remove the line",
        "After a key and its operator comes no value, but the end of the block or the next key."
        " The game takes the next thing there is for the value.",
        "override_background = {\n\tevent_background =\n}",
        "override_background = {\n\tevent_background = throne_room\n}",
    ),
    "CK3-E007": Rule(
        "missing-name",
        "write the name of a scripted value after @, without a space",
        "Behind an @ comes neither a name nor a [.",
        "gold = @12",
        "gold = @twelve",
    ),
    "CK3-E008": Rule(
        "missing-closing-brace",
        "add } here",
        "A block is never closed. Indentation tells which one, and where it most likely ends: a"
        " line that starts like `key =` no deeper than the block itself cannot be inside of it.",
        "a = {\n\tb = {\n\t\tc = 1\n\td = 2\n}",
        "a = {\n\tb = {\n\t\tc = 1\n\t}\n\td = 2\n}",
    ),
    "CK3-E009": Rule(
        "unclosed-inline-expression",
        "add the closing ]",
        "An expression that starts with @[ has no ] before a brace, an operator, or the end.",
        "gold = @[ base + 10",
        "gold = @[ base + 10 ]",
    ),
    "CK3-E010": Rule(
        "too-deep",
        "check for braces that are never closed",
        "Braces are nested deeper than the limit (CK3PARSE_MAX_DEPTH). What is deeper is left out.",
        "a = { { { { …",
        "",
    ),
    "CK3-E011": Rule(
        "missing-opening-brace",
        "add { after the operator",
        "A key with an operator is followed by what looks like the content of a block, and a }"
        " further on closes nothing else.",
        "limit =\n\tis_ai = yes\n}",
        "limit = {\n\tis_ai = yes\n}",
    ),
    "CK3-E012": Rule(
        "doubled-opening-brace",
        "remove one of the two {",
        "A block is opened by two braces and closed by one.",
        "a = {{\n\tb = 1\n}",
        "a = {\n\tb = 1\n}",
    ),
    "CK3-E099": Rule(
        "too-many-errors",
        "set right the first ones, and check again; prose is better kept outside of .txt files",
        "Only the first hundred errors of a file are shown.",
        "",
        "",
    ),
    "CK3-W001": Rule(
        "missing-bom",
        "save the file as UTF-8 with BOM",
        "In common/ (but for common/coat_of_arms/) and events/ the game wants UTF-8 with a byte"
        " order mark, and writes `should be in utf8-bom encoding` into its error.log for each file"
        " without one. It reads history/ without.",
        "",
        "",
    ),
    "CK3-W002": Rule(
        "invalid-utf-8",
        "save the file as UTF-8",
        "Some bytes are no UTF-8. They are read as replacement characters.",
        "",
        "",
    ),
    "CK3-W003": Rule(
        "windows-1252",
        "convert the file from Windows-1252 to UTF-8",
        "The file is not UTF-8, but would be sound text in Windows-1252, what older editors call"
        " ANSI. Its letters with accents are lost.",
        "",
        "",
    ),
    "CK3-W004": Rule(
        "double-equals",
        "write = instead of ==",
        "== compares numbers. Before a block, a string, yes or no the game reads =.",
        "is_ai == yes",
        "is_ai = yes",
    ),
    "CK3-W005": Rule(
        "mixed-indentation",
        "indent with tabs, as the game's own files are",
        "Lines are indented by tabs and spaces together.",
        "a = {\n \tb = 1\n}",
        "a = {\n\tb = 1\n}",
        on=False,
    ),
    "CK3-W006": Rule(
        "repeated-key",
        "remove one of them, if the game does not ask for several",
        "A key is given twice in one block. Many keys may be, such as `option`; of others only the"
        " last counts.",
        "a = {\n\tgold = 1\n\tgold = 2\n}",
        "a = {\n\tgold = 2\n}",
        on=False,
    ),
    "CK3-W007": Rule(
        "missing-operator",
        "add = after the key",
        "A line holds a key and a value or block without an operator between them. It reads as two"
        " values.",
        "nick_the_demon { is_bad = yes }",
        "nick_the_demon = { is_bad = yes }",
    ),
}


def chosen(select: list[str], extend: list[str], ignore: list[str]) -> frozenset[str]:
    """Return the codes to show.

    Args:
        select: codes, or how codes begin, with or without `CK3-`; `ALL` for all; empty for those
            that are on by default.
        extend: more of them.
        ignore: those to leave out.

    Raises:
        UsageError: one is the beginning of no code.
    """
    wanted = [code for code in RULES if _matches(code, select)] if select else _on()
    more = [code for code in RULES if _matches(code, extend)]
    for pattern in [*select, *extend, *ignore]:
        if not any(_matches(code, [pattern]) for code in RULES):
            raise UsageError(f"{pattern!r} is not a code: `ck3parse explain` lists them")
    return frozenset(code for code in [*wanted, *more] if not _matches(code, ignore))


def _on() -> list[str]:
    return [code for code, rule in RULES.items() if rule.on]


def _matches(code: str, patterns: list[str]) -> bool:
    for pattern in patterns:
        upper = pattern.strip().upper()
        if upper == "ALL" or (upper and code.startswith(PREFIX + upper.removeprefix(PREFIX))):
            return True
    return False
