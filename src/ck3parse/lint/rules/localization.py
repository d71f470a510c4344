"""Rules for localization files: what their parser reports, and what only the whole mod shows.

`ck3parse.lint.localization` finds the latter.
"""

from ck3parse.lint.rules.rule import Rule

INVALID_UTF_8 = "CK3-L016"
OTHER_LANGUAGE = "CK3-L021"
DUPLICATE_KEY = "CK3-L022"
MISSING_TEXT = "CK3-L023"
UNDEFINED_KEY = "CK3-L024"
COLLIDING_KEYS = "CK3-L025"

_HEADER = "l_english:\n"

RULES = (
    Rule(
        "CK3-L001",
        "warning",
        "localization-without-bom",
        help="save the file as UTF-8 with BOM",
        why="The game expects UTF-8 with a byte order mark in localization/, and may not read a"
        " file without one.",
        fixable=True,
        replacement="\ufeff",
    ),
    Rule(
        "CK3-L002",
        "error",
        "localization-with-two-boms",
        help="remove all but one byte order mark; editors do not show them",
        why="The file starts with more than one byte order mark. The game skips it.",
        fixable=True,
    ),
    Rule(
        "CK3-L003",
        "error",
        "localization-in-utf-16",
        help="save the file as UTF-8 with BOM",
        why="The file is UTF-16, which the game does not read.",
    ),
    Rule(
        "CK3-L004",
        "error",
        "localization-without-header",
        help="start the file with a line such as l_english:",
        why="The first entry stands before the line that names the language.",
        bad=' key:0 "Text"\n',
        good=f'{_HEADER} key:0 "Text"\n',
    ),
    Rule(
        "CK3-L005",
        "warning",
        "second-header",
        help="put the texts of another language into a file of their own",
        why="The language of a file is that of its name. A second header changes nothing.",
        bad=f'{_HEADER} key:0 "Text"\nl_german:\n',
        good=f'{_HEADER} key:0 "Text"\n',
    ),
    Rule(
        "CK3-L006",
        "error",
        "text-behind-header",
        help="put it on a line of its own, or behind a #",
        why="A header ends its line; only a comment may follow.",
        bad="l_english: English\n",
        good="l_english: # English\n",
    ),
    Rule(
        "CK3-L007",
        "error",
        "line-without-key",
        help='write key: "text", put a # before a comment, or join the text to the line above',
        why="A line starts with neither a key nor a comment. The game skips it. A text cannot go on"
        " in the next line; write \\n for a line end in it.",
        bad=f'{_HEADER} "Text"\n',
        good=f'{_HEADER} key: "Text"\n',
    ),
    Rule(
        "CK3-L008",
        "error",
        "key-without-colon",
        help="write a : behind the key",
        why="A line starts with a key, but no : follows. The game skips it.",
        bad=f'{_HEADER} key "Text"\n',
        good=f'{_HEADER} key: "Text"\n',
    ),
    Rule(
        "CK3-L009",
        "error",
        "text-without-opening-quote",
        help="put the text into double quotes",
        why="Behind the colon and the number of a key, the game expects a text in double quotes.",
        bad=f"{_HEADER} key:0 Text\n",
        good=f'{_HEADER} key:0 "Text"\n',
    ),
    Rule(
        "CK3-L010",
        "error",
        "text-without-closing-quote",
        help="add the closing quote at the end of the line",
        why="A text ends at the last quote of its line, and this line has only the first one.",
        bad=f'{_HEADER} key:0 "Text\n',
        good=f'{_HEADER} key:0 "Text"\n',
    ),
    Rule(
        "CK3-L011",
        "warning",
        "text-behind-quote",
        help="remove it, put it inside of the quotes, or behind a #",
        why="Behind the last quote of a line, only a comment may follow.",
        bad=f'{_HEADER} key:0 "Text" more\n',
        good=f'{_HEADER} key:0 "Text" # more\n',
    ),
    Rule(
        "CK3-L012",
        "warning",
        "large-number",
        help="use a small number, or none: the game does not need it",
        why="The number behind a key has more than 18 digits.",
        bad=f'{_HEADER} key:1234567890123456789 "Text"\n',
        good=f'{_HEADER} key:1 "Text"\n',
    ),
    Rule(
        "CK3-L013",
        "error",
        "unclosed-chain",
        help="add the closing ]",
        why="A [ starts a call of the engine, and no ] closes it before the next [ or the end of"
        " the text.",
        bad=f'{_HEADER} key: "[ROOT.GetName is here"\n',
        good=f'{_HEADER} key: "[ROOT.GetName] is here"\n',
    ),
    Rule(
        "CK3-L014",
        "error",
        "unclosed-key",
        help="add the other $, or remove this one",
        why="Two $ enclose a key or a value of the engine. Here one is missing, or what is between"
        " them is no key.",
        bad=f'{_HEADER} key: "It costs $VALUE gold"\n',
        good=f'{_HEADER} key: "It costs $VALUE$ gold"\n',
    ),
    Rule(
        "CK3-L015",
        "warning",
        "unclosed-format",
        help="add #! where the format ends",
        why="A # starts a format, which goes on up to its #!. Without one, it goes on to the end of"
        " the text, or of the text that this one is put into.",
        bad=f'{_HEADER} key: "#bold Text"\n',
        good=f'{_HEADER} key: "#bold Text#!"\n',
    ),
    Rule(
        INVALID_UTF_8,
        "error",
        "localization-not-utf-8",
        help="save the file as UTF-8 with BOM",
        why="Some bytes are not UTF-8, and are read as wrong characters. It is reported once in a"
        " file, at the first of them.",
        fixable=True,
    ),
    Rule(
        OTHER_LANGUAGE,
        "error",
        "languages-differ",
        help="make the name of the file, its header and its folder name the same language",
        why="The name of a file says its language: the first l_<language> in it. The header or the"
        " folder says another one.",
    ),
    Rule(
        DUPLICATE_KEY,
        "warning",
        "duplicate-text",
        help="remove one of them, or rename its key",
        why="A key is defined more than once in one language of the mod. The first definition"
        " stays, unless a later one is in a folder named replace. Files are read in the order of"
        " their paths.",
        bad=f'{_HEADER} key: "Text"\n key: "Other text"\n',
        good=f'{_HEADER} key: "Text"\n other_key: "Other text"\n',
    ),
    Rule(
        MISSING_TEXT,
        "warning",
        "missing-translation",
        help="translate it: `ck3parse loc` exports what is missing",
        why="A key has no text in a language that the mod has texts in.",
        on=False,
    ),
    Rule(
        UNDEFINED_KEY,
        "error",
        "undefined-text",
        help="define the key, or correct its name",
        why="A text has a $key$ that neither the mod nor the game defines, nor does any text of the"
        " game use it. It is looked for with --game only.",
    ),
    Rule(
        COLLIDING_KEYS,
        "error",
        "colliding-keys",
        help="rename one of the keys",
        why="The game finds texts by a hash of their key (MurmurHash3, 32 bits, seed 0). Of two"
        " keys with the same hash, one does not load.",
    ),
    Rule(
        "CK3-L099",
        "error",
        "too-many-errors-in-localization",
        help="fix the first errors and check again",
        why="Only the first hundred errors of a file are shown.",
    ),
)
