"""Rules for what cannot be read or parsed. The parser reports these codes itself.

`ck3parse.parser.diagnostics` maps each kind of syntax error to its code.
"""

from ck3parse.lint.rules.rule import Rule

UNREADABLE = "CK3-E000"
"""The code of a file that cannot be read."""

SYNTAX_ERROR = "CK3-E003"
"""The code of an error from a parser that reports no diagnostics."""

RULES = (
    Rule(
        UNREADABLE,
        "error",
        "unreadable-file",
        help="check that the file exists and that you may read it",
        why="The file cannot be read, is too large, or parsing it failed.",
    ),
    Rule(
        "CK3-E002",
        "error",
        "unexpected-character",
        help="remove it, or put the text into quotes or behind a #",
        why="No word, number or operator of the script starts with this character.",
        bad="gold = 100 \\",
        good="gold = 100",
    ),
    Rule(
        SYNTAX_ERROR,
        "error",
        "unexpected-token",
        help="remove it, or complete what it belongs to",
        why="A key, a value or a brace was expected, but something else was found, such as an"
        " operator without a key or a second operator after a value.",
        bad="has_flag = flag = fed",
        good="has_flag = fed",
    ),
    Rule(
        "CK3-E004",
        "error",
        "stray-closing-brace",
        help="remove this }, or add the { that it should close",
        why="There are more closing braces than opening ones. Indentation shows which one is most"
        " likely wrong.",
        bad="a = {\n\tb = 1\n\t}\n\tc = 2\n}",
        good="a = {\n\tb = 1\n\tc = 2\n}",
    ),
    Rule(
        "CK3-E005",
        "error",
        "unexpected-value",
        help="put a value here, or remove the operator",
        why="What follows the operator cannot be a value.",
        bad="gold = = 100",
        good="gold = 100",
    ),
    Rule(
        "CK3-E006",
        "error",
        "missing-value",
        help="add the value, or remove the line",
        why="A key and its operator are followed by the end of the block or the next key, not by a"
        " value. The game takes whatever comes next as the value.",
        bad="override_background = {\n\tevent_background =\n}",
        good="override_background = {\n\tevent_background = throne_room\n}",
    ),
    Rule(
        "CK3-E007",
        "error",
        "missing-name",
        help="write the name of a scripted value after @, without a space",
        why="An @ is followed by neither a name nor a [.",
        bad="gold = @",
        good="gold = @twelve",
    ),
    Rule(
        "CK3-E008",
        "error",
        "missing-closing-brace",
        help="add } here",
        why="A block is never closed. Indentation shows which one, and where it most likely ends:"
        " a line that starts like `key =` and is indented no deeper than the block itself cannot be"
        " inside it.",
        bad="a = {\n\tb = {\n\t\tc = 1\n\td = 2\n}",
        good="a = {\n\tb = {\n\t\tc = 1\n\t}\n\td = 2\n}",
    ),
    Rule(
        "CK3-E009",
        "error",
        "unclosed-inline-expression",
        help="add the closing ]",
        why="An expression that starts with @[ has no ] before a brace, an operator or the end of"
        " the file.",
        bad="gold = @[ base + 10",
        good="gold = @[ base + 10 ]",
    ),
    Rule(
        "CK3-E010",
        "error",
        "too-deep",
        help="check for braces that are never closed",
        why="Braces are nested deeper than the limit (CK3PARSE_MAX_DEPTH). Deeper blocks are left"
        " out.",
        bad="a = { { { { …",
    ),
    Rule(
        "CK3-E011",
        "error",
        "missing-opening-brace",
        help="add { after the operator",
        why="A key and its operator are followed by what looks like the content of a block, and a"
        " later } closes nothing else.",
        bad="limit =\n\tis_ai = yes\n}",
        good="limit = {\n\tis_ai = yes\n}",
    ),
    Rule(
        "CK3-E012",
        "error",
        "doubled-opening-brace",
        help="remove one of the two {",
        why="A block is opened by two braces and closed by one.",
        bad="a = {{\n\tb = 1\n}",
        good="a = {\n\tb = 1\n}",
    ),
    Rule(
        "CK3-E013",
        "error",
        "unknown-operator",
        help="use one of = == ?= != < <= > >=",
        why="These signs together are no operator. The tree has a plain = in their place.",
        bad="age => 16",
        good="age >= 16",
    ),
    Rule(
        "CK3-W101",
        "warning",
        "missing-operator-before-brace",
        help="add the operator, usually =",
        why="A word is right before a { on the same line. The game reads it as a value, followed by"
        " a block without a name.",
        bad="limit { is_ai = yes }",
        good="limit = { is_ai = yes }",
    ),
    Rule(
        "CK3-W102",
        "warning",
        "unusual-space",
        help="replace it with a space, or remove it",
        why="A control character or white space other than space, tab and line end separates two"
        " words here. Editors do not show it.",
        bad="gold =\u00a0100",
        good="gold = 100",
    ),
    Rule(
        "CK3-W103",
        "warning",
        "unusual-character",
        help="remove it, or put the text into quotes or behind a #",
        why="A word has a character that names in script do not have. The game takes it as part of"
        " the word.",
        bad="desc = feast(desc",
        good="desc = feast_desc",
    ),
    Rule(
        "CK3-W104",
        "warning",
        "semicolon",
        help="remove each ; outside of strings and comments",
        why="Script has no use for a semicolon. It is skipped, and reported once in a file.",
        bad="gold = 100;",
        good="gold = 100",
    ),
    Rule(
        "CK3-W105",
        "warning",
        "unclosed-parameter",
        help="add the closing $",
        why="A parameter is a name between two $ in one word. Here, one of them is missing.",
        bad="gold = $AMOUNT",
        good="gold = $AMOUNT$",
    ),
    Rule(
        "CK3-E099",
        "error",
        "too-many-errors",
        help="fix the first errors and check again; keep prose out of .txt files",
        why="Only the first hundred errors of a file are shown.",
    ),
)
