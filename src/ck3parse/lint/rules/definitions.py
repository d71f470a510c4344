"""The rule about names that a mod defines twice. `ck3parse.lint.duplicates` finds them."""

from ck3parse.lint.rules.rule import Rule

DUPLICATE = "CK3-W011"

RULES = (
    Rule(
        DUPLICATE,
        "warning",
        "duplicate-definition",
        help="remove or rename one of them",
        why="One mod defines a name of a kind twice, with different contents: in a file, or in two."
        " The game uses one of them, usually the one that it reads last, and says nothing about"
        " the other. What adds up, such as on_actions and the history of titles, and what another"
        " mod overrides, is not reported.",
    ),
)
