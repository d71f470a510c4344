"""What `ck3parse diff` shows of a key of localization: two texts of each language."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from ck3parse.cli import streams
from ck3parse.errors import UsageError
from ck3parse.index.answers import Text
from ck3parse.lint.excerpt import printable, relative_path


class Pair(NamedTuple):
    """Two texts of a key in one language.

    Attributes:
        left: the one that is compared with.
        right: the one that the game uses, or that was asked for.
    """

    left: Text
    right: Text

    @property
    def equal(self) -> bool:
        """Whether the game would show the same."""
        return self.left.text == self.right.text


def pairs_of(texts: Sequence[Text], mods: Sequence[str]) -> list[Pair]:
    """Return what to compare, language by language.

    Args:
        texts: all texts of a key, as the index returns them.
        mods: the names of at most two mods. Without any, the text that the game uses is compared
            with the one before it, or if it is the first, after it.

    Raises:
        UsageError: there is nothing to compare, or a mod has no such text.
    """
    for mod in mods:
        if not any(each.source.casefold() == mod.casefold() for each in texts):
            names = ", ".join(sorted({repr(each.source) for each in texts}))
            raise UsageError(
                printable(f"the mod {mod!r} has no text of {texts[0].key}: {names} have")
            )
    pairs = []
    for _, group in groupby(texts, lambda each: each.language):
        # The order of loading: what the game does not read was replaced by what it reads.
        ordered = sorted(group, key=lambda each: each.in_effect)
        right = next((each for each in ordered if each.wins), ordered[-1])
        if len(mods) == 2:
            sides = [_of(mods[0], ordered), _of(mods[1], ordered)]
        elif mods:
            sides = [_of(mods[0], [each for each in ordered if each is not right]), right]
        else:
            at = ordered.index(right)
            others = ordered[at - 1 : at] or ordered[1:2]
            sides = [*others, right]
        found = [each for each in sides if each]
        if len(found) == 2:
            pairs.append(Pair(*found))
    if not pairs:
        raise UsageError(
            printable(
                f"{texts[0].key} has no two such texts in any language: there is nothing to compare"
            )
        )
    return pairs


def _of(mod: str, texts: Sequence[Text]) -> Text | None:
    """Return the text of a mod; of several, the last one."""
    of_mod = [each for each in texts if each.source.casefold() == mod.casefold()]
    return of_mod[-1] if of_mod else None


def show(pairs: Sequence[Pair]) -> None:
    """Print pairs of texts."""
    for pair in pairs:
        note = ": equal" if pair.equal else ""
        streams.write(f"{streams.bold(printable(pair.right.language) or '-')}{note}")
        for mark, colour, text in (("-", "red", pair.left), ("+", "green", pair.right)):
            place = printable(f"{text.source}: {relative_path(text.path)}:{text.line}")
            streams.write(streams.dim(f"  {place}"))
            line = f'  {mark} "{printable(text.text)}"'
            streams.write(line if pair.equal else streams.coloured(line, colour))
