"""Which definition of a key the game uses, in one mod or in several that are loaded together."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from ck3parse.localization import Entry
from ck3parse.localization.tables import LANGUAGES

REPLACE = "replace"


class TextFile(NamedTuple):
    """A localization file.

    Attributes:
        path: absolute path.
        relpath: the path relative to its mod, with `/`.
        language: its language, or `None`.
        source: the number of its mod in load order.
    """

    path: str
    relpath: str
    language: str | None
    source: int = 0

    @property
    def replaces(self) -> bool:
        """Whether its texts replace those that were read before: a folder is named `replace`."""
        return REPLACE in self.relpath.lower().split("/")[:-1]


class Definition(NamedTuple):
    """A definition of a key.

    Attributes:
        file: where it is.
        entry: its text.
    """

    file: TextFile
    entry: Entry


class Texts:
    """The definitions of keys by language.

    Args:
        files: files with their entries, in any order.

    Attributes:
        used: by language and key, the definition that stays.
        unused: the others, each with the one that stays.
    """

    def __init__(self, files: Iterable[tuple[TextFile, Iterable[Entry]]]) -> None:
        self.used: defaultdict[str, dict[str, Definition]] = defaultdict(dict)
        self.unused: list[tuple[Definition, Definition]] = []
        lost: list[Definition] = []
        for file, entries in sorted(files, key=lambda each: (each[0].source, each[0].relpath)):
            texts = self.used[file.language or ""]
            replaces = file.replaces
            for entry in entries:
                new = Definition(file, entry)
                before = texts.setdefault(entry.key, new)
                if before is new:
                    continue
                if replaces:
                    texts[entry.key] = new
                    lost.append(before)
                else:
                    lost.append(new)
        self.unused = [(each, self.used[each.file.language or ""][each.entry.key]) for each in lost]

    @property
    def languages(self) -> list[str]:
        """The languages with texts, English first."""
        names = [name for name, texts in self.used.items() if name and texts]
        return sorted(names, key=lambda name: (name != LANGUAGES[0], name))

    def all_keys(self) -> list[str]:
        """Return every key once, those of English first, in the order of their definitions."""
        return list(dict.fromkeys(key for name in ["", *self.languages] for key in self.used[name]))

    def first(self, key: str) -> Definition:
        """Return the definition of a key in the first language that has one.

        Args:
            key: one of `all_keys`.
        """
        return next(
            self.used[name][key] for name in [*self.languages, ""] if key in self.used[name]
        )

    def missing(self, language: str) -> list[Definition]:
        """Return the definitions, in other languages, of the keys that a language does not have.

        Args:
            language: such as `german`; it may have no texts at all.
        """
        have = self.used.get(language, {})
        return [self.first(key) for key in self.all_keys() if key not in have]


def folder_languages(relpath: str) -> list[str]:
    """Return the languages that the folders of a file name.

    Args:
        relpath: the path of the file relative to its mod, with `/`.
    """
    return [folder for folder in relpath.lower().split("/")[:-1] if folder in LANGUAGES]
