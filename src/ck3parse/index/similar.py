"""Names that one may have meant by a name that does not exist."""

from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher

ALIKE = 0.7
"""How much of two names must agree for one to be suggested in place of the other."""

VERY_ALIKE = 0.8
"""How much must agree for other names not to be looked for."""

MANY_CANDIDATES = 20_000
"""How many names are taken with a part of the wanted one."""

_FEW_CANDIDATES = 2_000
"""How many names are compared with the wanted one, letter by letter."""

Ranked = list[tuple[float, str]]
"""Names with how much they agree, from 0 to 1, the best first."""


class Wanted:
    """A name that does not exist.

    Args:
        name: the name.

    Attributes:
        beginning: what is likely to be right.
        lengths: the lengths of names that can be similar, the smallest and the largest.
    """

    def __init__(self, name: str) -> None:
        self._name = name.lower()
        length = len(name)
        self.beginning = name[: max(3, length // 2)]
        self.lengths = int(length * ALIKE / (2 - ALIKE)), int(length * (2 - ALIKE) / ALIKE) + 1
        # A few mistakes leave one of four parts as it is.
        size = max(3, -(-length // 4))
        parts = [self._name[at : at + size] for at in range(0, length, size)]
        self._parts = [part for part in parts if len(part) > 2] or [self._name]

    def in_lines(self, text: str) -> list[str]:
        """Return the lines of a text that have a part of the name, those with most parts first.

        Args:
            text: names, one a line.
        """
        lower = text.lower()
        if len(lower) != len(text):  # some letters of Turkish, for example
            text = lower
        found: Counter[int] = Counter()
        for part in self._parts:
            at = lower.find(part)
            for _ in range(MANY_CANDIDATES):
                if at < 0:
                    break
                found[lower.rfind("\n", 0, at) + 1] += 1
                end = lower.find("\n", at)
                at = lower.find(part, end) if end >= 0 else -1
        best = (start for start, _ in found.most_common(_FEW_CANDIDATES))
        text += "\n"
        return [text[start : text.index("\n", start)] for start in best]

    def ranked(self, names: Iterable[str], count: int) -> Ranked:
        """Return the names that are most similar.

        Args:
            names: names.
            count: how many to return at most.
        """
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(self._name)
        bounds = []
        for name in set(names):
            matcher.set_seq1(name.lower())
            if matcher.real_quick_ratio() >= ALIKE and (bound := matcher.quick_ratio()) >= ALIKE:
                bounds.append((-bound, name))
        best: Ranked = []
        for bound, name in sorted(bounds):
            if len(best) >= count and best[-1][0] >= -bound:
                break  # none of the others can be better
            matcher.set_seq1(name.lower())
            if (alike := matcher.ratio()) >= ALIKE:
                best = sorted([*best, (alike, name)], key=lambda each: (-each[0], each[1]))[:count]
        return best
