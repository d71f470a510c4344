"""The options of the commands that ask the index: which playset, and which store."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from ck3parse.cli import streams
from ck3parse.config import read_settings
from ck3parse.errors import UsageError
from ck3parse.index.index import Index


class Asked(msgspec.Struct, frozen=True):
    """Which playset a command is about, and where its index is.

    Attributes:
        paths: the folders of the game and the mods, in load order.
        playset_file: a file that names mods that are loaded after them, or `None`.
        mods: folders in which the mods of an exported playset may be.
        store: the store with the index.
        exclude: patterns of files to skip.
        include: patterns of files to take although they are skipped by default.
        update: whether to bring the index up to date first.
    """

    paths: Sequence[str]
    playset_file: Path | None
    mods: Sequence[str]
    store: Path
    exclude: Sequence[str]
    include: Sequence[str]
    update: bool

    @property
    def max_file_bytes(self) -> int:
        """The size in bytes above which files are not read."""
        return read_settings().max_file_bytes

    def opened(self) -> Index:
        """Bring the index up to date, say in what time, and open it.

        Raises:
            UsageError: no playset is known.
            Ck3parseError: it cannot be brought up to date.
        """
        if self.update:
            self._refresh()
        return Index(self.store)

    def _refresh(self) -> None:
        from ck3parse.index.playset import given_playset
        from ck3parse.index.refresh import refresh

        paths = self.paths or ([] if self.playset_file else self._known_paths())
        playset = given_playset(paths, self.playset_file, self.mods)
        settings = read_settings()
        done = refresh(
            playset,
            self.store,
            settings,
            include=self.include,
            exclude=self.exclude,
            reading_order=settings.reading_order,
            say=lambda text: streams.note(f"ck3parse: {text}") if text else None,
        )
        for warning in done.warnings:
            streams.say(f"ck3parse: {warning}")
        read = f"{done.read:,} read" if done.read else "nothing changed"
        failed = f", {done.failed:,} with errors" if done.failed else ""
        streams.note(
            f"index up to date in {done.seconds:.2f} s: {_files(done.files)}, {read}{failed}"
        )

    def _known_paths(self) -> list[str]:
        """Return the folders of the playset that the store has."""
        paths: list[str] = []
        if self.store.exists():
            with Index(self.store) as index:
                paths = [source.path for source in index.sources()]
        if not paths:
            raise UsageError(
                f"the store {self.store} has no playset yet: give the folders of the playset in"
                " load order, or --playset FILE, or name another store with --store"
            )
        return paths


def _files(count: int) -> str:
    return f"{count:,} file{'s' * (count != 1)}"


def playset_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a playset and a store to a command.

    Args:
        function: the command. It gets what they say as its argument `asked`.
    """

    @click.argument("paths", metavar="[PATH...]", nargs=-1)
    @click.option(
        "--playset",
        "playset_file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Read the mods after PATH... from dlc_load.json, an exported playset, or a list of"
        " folders, as in run.",
    )
    @click.option(
        "--mods",
        metavar="FOLDER",
        multiple=True,
        help="Look here for the mods of an exported playset, as in run.",
    )
    @click.option(
        "--store",
        "--out",
        metavar="FILE",
        default="ck3parse.sqlite",
        show_default=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="The store with the index, which run writes.",
    )
    @click.option(
        "--exclude", metavar="PATTERN", multiple=True, help="Skip matching files, as in run."
    )
    @click.option(
        "--include", metavar="PATTERN", multiple=True, help="Take matching files, as in run."
    )
    @click.option(
        "--no-update",
        is_flag=True,
        help="Answer from the index as it is, without looking at files.",
    )
    @functools.wraps(function)
    def command(
        paths: Sequence[str],
        playset_file: Path | None,
        mods: Sequence[str],
        store: Path,
        exclude: Sequence[str],
        include: Sequence[str],
        no_update: bool,
        **others: Any,
    ) -> None:
        asked = Asked(paths, playset_file, mods, store, exclude, include, not no_update)
        function(asked=asked, **others)

    return command
