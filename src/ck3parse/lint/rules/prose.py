"""The rule about files that are no script at all."""

from collections.abc import Iterator

import msgspec

from ck3parse.lint.rules.rule import Finding, Rule, Source

NOT_SCRIPT = "CK3-W010"

_FEWEST_WORDS = 10
"""How many words outside of blocks a file must have."""

_WORDS_PER_ELEMENT = 2
"""How many times as many words as keys it must have."""


class _Node(msgspec.Struct):
    """As much of a node as the rule needs."""

    type: str = msgspec.field(name="_type")


class _Root(msgspec.Struct):
    children: list[_Node]


_decode = msgspec.json.Decoder(_Root).decode


def _not_script(source: Source) -> Iterator[Finding]:
    # What the parser finds nothing wrong with costs nobody time, whatever it is.
    if not source.outcome.diagnostics or source.outcome.ast_json is None:
        return
    try:
        nodes = _decode(source.outcome.ast_json).children
    except (msgspec.DecodeError, RecursionError):
        return
    words = sum(node.type == "value" for node in nodes)
    if words >= _FEWEST_WORDS and words > _WORDS_PER_ELEMENT * (len(nodes) - words):
        yield Finding(
            1, 1, 0, f"this does not look like script: {words:,} words are outside of any block"
        )


RULES = (
    Rule(
        NOT_SCRIPT,
        "warning",
        "not-script",
        help="give the file another ending than .txt, or exclude it",
        why="Most of the file is words without keys, braces or operators, as in a text for people"
        " or a table. Nothing else is reported about it.",
        bad="Ideas (for later):\n- a new feast, with dancing, music, food and an old friend",
        find=_not_script,
    ),
)
