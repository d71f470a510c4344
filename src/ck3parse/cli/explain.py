"""`ck3parse explain`: explains a code of `ck3parse check`."""

import difflib
import textwrap

import click

from ck3parse.cli import streams
from ck3parse.lint.rules import RULES
from ck3parse.lint.rules.rule import PREFIX

_WIDTH = 80


@click.command(
    name="explain",
    epilog="""\b
Examples:
  ck3parse explain CK3-E008
  ck3parse explain e8
  ck3parse explain                     list all codes

\b
Exit codes: 0 explained, 2 there is no such code, 4 the output cannot be written, 141 the
program that reads it is gone.""",
)
@click.argument("code", required=False)
def command(code: str | None) -> None:
    """Explain CODE, with an example; without CODE, list all codes.

    These are the codes that `ck3parse check` reports. Case does not matter, and CK3- and the zeros
    after the letter can be left out.
    """
    if code is None:
        for each, rule in RULES.items():
            streams.write(f"{each}  {rule.title}{'' if rule.on else ' (off by default)'}")
        return
    full = PREFIX + _padded(code.strip().upper().removeprefix(PREFIX))
    if full not in RULES:
        known = [each.removeprefix(PREFIX) for each in RULES]
        close = difflib.get_close_matches(full.removeprefix(PREFIX), known, 1)
        hint = f"did you mean {PREFIX}{close[0]}?" if close else "`ck3parse explain` lists them"
        raise click.UsageError(f"{code!r} is not a code: {hint}")
    rule = RULES[full]
    streams.write(f"{full}: {rule.title}{'' if rule.on else ' (off by default)'}\n")
    streams.write(textwrap.fill(rule.why, _WIDTH))
    for head, example in (("For example", rule.bad), ("Instead", rule.good)):
        if example:
            streams.write(f"\n{head}:\n")
            streams.write(textwrap.indent(example.expandtabs(4), "    "))
    streams.write(f"\nHelp: {rule.help}.")


def _padded(code: str) -> str:
    """Return a code such as `E8` with three digits."""
    return code[:1] + code[1:].zfill(3) if code[1:].isdecimal() else code
