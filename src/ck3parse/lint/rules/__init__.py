"""Every check rule, and how codes are selected.

A rule is one entry in the `RULES` of a module here, next to its function if it has one: `syntax`
for what the parser reports, `encoding`, `strings` for quotes that pair up wrongly, `prose` for
files that are no script, `definitions` for names that are defined twice, `script` for likely
mistakes in the text, and `localization`. Reports, `ck3parse explain` and `--select` need nothing
else.
"""

from collections.abc import Iterable

from ck3parse.errors import UsageError
from ck3parse.lint.rules import (
    definitions,
    encoding,
    localization,
    prose,
    script,
    strings,
    syntax,
)
from ck3parse.lint.rules.rule import PREFIX, Rule

_MODULES = (syntax, strings, encoding, script, prose, definitions, localization)

RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in sorted(
        (rule for module in _MODULES for rule in module.RULES), key=lambda rule: rule.code
    )
}
"""Each rule by its code, in the order of the codes."""


TIGER = "tiger/"
"""What the codes of ck3-tiger's reports start with."""


def rule_of(code: str) -> Rule:
    """Return the rule of a code, or one that stands for a key of ck3-tiger.

    Args:
        code: the code of a diagnostic.
    """
    if code in RULES:
        return RULES[code]
    key = code.removeprefix(TIGER)
    help_text = f"ck3-tiger reports it as {key}"
    return Rule(code, "warning", key, help_text, "ck3-tiger reports it.")


def select_codes(
    select: Iterable[str], extend_select: Iterable[str], ignore: Iterable[str]
) -> frozenset[str]:
    """Return the codes to report.

    Each argument holds codes or prefixes of codes, with or without `CK3-`; `ALL` stands for every
    code.

    Args:
        select: report these; if empty, the codes that are on by default.
        extend_select: report these too.
        ignore: do not report these.

    Raises:
        UsageError: one of them matches no code.
    """
    selected, ignored = _matching(select), _matching(ignore)
    if not selected:
        selected = {code for code, rule in RULES.items() if rule.on}
    return frozenset((selected | _matching(extend_select)) - ignored)


def _matching(patterns: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        prefix = pattern.strip().upper()
        matching = {
            code
            for code in RULES
            if prefix == "ALL" or (prefix and code.startswith(PREFIX + prefix.removeprefix(PREFIX)))
        }
        if not matching:
            raise UsageError(f"{pattern!r} is not a code: `ck3parse explain` lists them")
        found |= matching
    return found
