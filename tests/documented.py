"""The commands and Python examples in README.md and docs/."""

import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]
PAGES = [
    REPOSITORY / "README.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
_FENCE = re.compile(r"^( *)(```+)(\w*)[^\n]*\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:\$ |- run: |eval \"\$\()?((?:[A-Z][A-Z0-9_]*=\S+ )*ck3parse(?: .*)?)")
_PROGRAM = re.compile(
    r"(?:\$ |- run: )?(?:sudo )?(?:[A-Z][A-Z0-9_]*=\S+ )*"
    r"((?:\S*/)?(?:pip|celery|docker|kubectl|make|pytest|python[0-9.]*|cargo|export) (?! ).*)"
)
_PYTHON = re.compile(r"^(?:import ck3parse|from ck3parse\b.* import )", re.MULTILINE)
_ENDS = {"|", ">", "<", "&&", ";", "&"}


class Command(NamedTuple):
    """A command line of a page.

    Attributes:
        page: the page, relative to the repository.
        line: its line there, from 1.
        text: the command, as it would be typed.
    """

    page: str
    line: int
    text: str

    @property
    def words(self) -> list[str]:
        """What follows `ck3parse`, up to a pipe or redirection."""
        words = shlex.split(self.text)
        words = words[next(at for at, word in enumerate(words) if word == "ck3parse") + 1 :]
        end = next((at for at, word in enumerate(words) if word in _ENDS), len(words))
        return words[:end]


class Program(NamedTuple):
    """A command line of another program than `ck3parse`.

    Attributes:
        page: the page, relative to the repository.
        line: its line there, from 1.
        text: the command, as it would be typed, without variables before it.
    """

    page: str
    line: int
    text: str

    @property
    def words(self) -> list[str]:
        """The program, without folder and version, and what follows up to a pipe or redirection."""
        program, *words = shlex.split(re.sub(r"\$\([^)]*\)", "x", self.text))
        end = next((at for at, word in enumerate(words) if word in _ENDS), len(words))
        return [program.rpartition("/")[2].rstrip("0123456789."), *words[:end]]


class Example(NamedTuple):
    """A Python program of a page."""

    page: str
    line: int
    text: str


def commands() -> Iterator[Command]:
    """Yield each `ck3parse` command that stands in a block of code."""
    for page, line, block in _blocks():
        for found in in_text(page, block):
            yield found._replace(line=line + found.line - 1)


def in_text(where: str, text: str) -> Iterator[Command]:
    """Yield each command that is a line of a text, such as of the help of a command."""
    for line, each in enumerate(text.splitlines(), 1):
        if found := _COMMAND.fullmatch(each.strip()):
            # Two blanks separate a command from what it does.
            text = re.split(r" {2,}|\s#\s|\)\"", found[1], maxsplit=1)[0]
            yield Command(where, line, text)


def programs(also: Iterable[tuple[str, str]] = ()) -> Iterator[Program]:
    """Yield each command of another program that stands in a block of code.

    Args:
        also: texts to look into, too, each with what to call it as a page.
    """
    for page, first, block in [
        *_blocks([*PAGES, REPOSITORY / "CONTRIBUTING.md"]),
        *((page, 1, text) for page, text in also),
    ]:
        line, whole = first, block.replace("\\\n", "\0")
        for each in whole.splitlines():
            joined = re.sub(r"\s*\0\s*", " ", each.strip())
            # Two blanks separate a command from what it does.
            for part in re.split(r" {2,}|\s#\s", joined, maxsplit=1)[0].split(" && "):
                if found := _PROGRAM.fullmatch(part):
                    yield Program(page, line, found[1])
            line += 1 + each.count("\0")


def examples() -> Iterator[Example]:
    """Yield each block of Python that imports ck3parse."""
    for page, line, block in _blocks():
        if _PYTHON.search(block):
            yield Example(page, line, block)


def _blocks(pages: Iterable[Path] = PAGES) -> Iterator[tuple[str, int, str]]:
    """Yield page, first line and text of each block of code, fenced or indented."""
    for path in pages:
        page = path.relative_to(REPOSITORY).as_posix()
        text = path.read_text("utf-8")
        for fence in _FENCE.finditer(text):
            line = text.count("\n", 0, fence.start()) + 2
            yield page, line, textwrap.dedent(fence[4])
        rest = _FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), text)
        lines = rest.splitlines()
        at = 0
        while at < len(lines):
            if not lines[at].startswith("    ") or (at and lines[at - 1].strip()):
                at += 1
                continue
            first = at
            while at < len(lines) and (lines[at].startswith("    ") or not lines[at].strip()):
                at += 1
            yield page, first + 1, textwrap.dedent("\n".join(lines[first:at]) + "\n")
