"""Signs of likely mistakes, without which some rules find nothing and need not look.

The native module looks for all of them in one pass over a text, which takes a fraction of the time
of the rules. Without it, each rule looks for itself, and finds the same.
"""

from enum import IntFlag

ONCE = (
    "theme",
    "window",
    "picture",
    "next_building",
    "cost_gold",
    "interface_priority",
    "transfer_behavior",
    "ai_score",
    "use_de_jure_wargoal_only",
    "sort_order",
    "decision_group_type",
    "ai_check_interval",
    "attacker_score_from_battles_scale",
    "attacker_score_from_occupation_scale",
    "defender_score_from_battles_scale",
    "defender_score_from_occupation_scale",
)
"""Keys of events, decisions, buildings and wars' causes that the game reads once in a block. Each
holds a word or a number."""

HOLD_KEYS = (
    *("limit", "trigger", "trigger_if", "trigger_else_if", "trigger_else", "is_valid", "is_shown"),
    *("NOT", "OR", "AND", "NOR", "NAND", "if", "else_if", "else", "while", "allow", "potential"),
    *("effect", "immediate", "after", "hidden_effect", "show_as_tooltip", "random", "option"),
    *("ai_will_do", "modifier", "root", "prev", "liege", "this"),
)
"""Keys of blocks that hold keys with values, and never values alone. The native module knows others
by their form, as `rules.script` does."""


class Sign(IntFlag):
    """What a text has, as numbered in `rust/core/src/signs.rs`."""

    DOUBLE_EQUALS = 1
    """`==`, and behind it a block, a string, `yes` or `no`."""
    SET_AGAIN = 2
    """A key that the game reads once is set again, to another value."""
    PAIR = 4
    """Two words that may lack an operator between them."""
    VALUES = 8
    """More than one value after an operator."""
    QUOTE = 16
    """A quote in a word, or a string that does not end on its line."""


ANY = Sign(31)
"""What a text may have that was not looked at."""


def signs_of(text: str, *, native: bool) -> Sign:
    r"""Return at least the signs that a text has.

    Args:
        text: the text of a file, with `\n` as the only line end.
        native: whether the native module may look. It knows dialect `ck3` only.
    """
    if not native:
        return ANY
    from ck3parse.parser.native import signs

    return Sign(signs(text, ONCE, HOLD_KEYS))
