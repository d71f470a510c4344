"""The options of the commands that ask the index: which playset, and which store."""

import contextlib
import functools
import gc
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from ck3parse.cli import streams
from ck3parse.cli.playset_options import mods_option, playset_option
from ck3parse.config import read_settings
from ck3parse.errors import Ck3parseError, StoreError, UsageError
from ck3parse.index.index import Index
from ck3parse.index.selection import Selection
from ck3parse.jobs.paths import nothing_in
from ck3parse.plurals import counted

_Answer = TypeVar("_Answer")
_COLLECTED_OBJECTS = 500_000
"""New objects after which garbage is collected."""


_only_if_watched = False


class NotWatchedError(Exception):
    """A command is not answered, as nobody keeps the index up to date."""


def answer_only_if_watched() -> None:
    """Have commands in this process raise `NotWatchedError` instead of looking at files."""
    global _only_if_watched
    _only_if_watched = True


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

    def write_json(self, answer: dict[str, Any]) -> None:
        """Write an answer as JSON, with the broker."""
        streams.write_json(answer | {"broker_url": read_settings().shown_broker_url})

    def opened(self) -> Index:
        """Bring the index up to date, say in what time, and open it.

        Raises:
            UsageError: no playset is known.
            Ck3parseError: it cannot be brought up to date.
        """
        if self.update and not self._is_kept():
            self._refresh()
        return Index(self.store)

    def answered(self, ask: Callable[[Index], _Answer]) -> tuple[Index, _Answer]:
        """Do what `opened` does, and ask the index a question that takes long.

        It is asked while the files are looked at, and again if that changes the index.

        Args:
            ask: asks the question.

        Returns:
            The index, and the answer.

        Raises:
            UsageError: as for `opened`.
            Ck3parseError: as for `opened`, and what `ask` raises.
        """
        # This is looked up first, as it needs the store closed.
        if not self.update or self._is_kept():
            return _asked(Index(self.store), ask)
        with contextlib.ExitStack() as stack:
            try:
                early = stack.enter_context(Index(self.store))
            except Ck3parseError:  # it is made, or upgraded, first
                self._refresh()
                return _asked(Index(self.store), ask)
            before = early.changes()
            with ThreadPoolExecutor(1) as beside:
                answering = beside.submit(ask, early)
                self._refresh()
            if answering.exception() is None and early.changes() == before:
                stack.pop_all()
                return early, answering.result()
        return _asked(Index(self.store), ask)

    def _is_kept(self) -> bool:
        """Return whether another process keeps the index up to date, and say so."""
        from ck3parse.index.watch_mark import is_up_to_date

        if is_up_to_date(self.store, self._selection(), read_settings()):
            streams.note("index kept up to date by run --watch")
            return True
        if _only_if_watched:
            raise NotWatchedError
        return False

    def _refresh(self) -> None:
        from ck3parse.index.refresh import refresh

        selection = self._selection()
        settings = read_settings()
        # Trees in another dialect answer as well, and those in this one may be there already.
        dialect = selection.dialect or settings.dialect
        playset = selection.playset()
        done = refresh(
            playset,
            self.store,
            settings.given(dialect=dialect),
            selection=selection,
            include=selection.include,
            exclude=selection.exclude,
            reading_order=settings.reading_order,
            say=streams.note_waiting,
        )
        if not done.files:
            streams.say(f"ck3parse: {nothing_in(playset.paths)}")
        for warning in done.warnings:
            streams.say(f"ck3parse: {warning}")
        read = f"{done.read:,} read" if done.read else "nothing changed"
        failed = f", {done.failed:,} with errors" if done.failed else ""
        streams.note(
            f"index up to date in {done.seconds:.2f} s:"
            f" {counted(done.files, 'file')}, {read}{failed}"
        )

    def _selection(self) -> Selection:
        """Return which files the index shall be of: what was given, or what the store has."""
        is_given = self.paths or self.playset_file
        known = None
        # A store of an older version is upgraded when it is brought up to date.
        with contextlib.suppress(StoreError) if is_given else contextlib.nullcontext():
            known = known_selection(self.store)
        if is_given:
            return Selection.given(
                self.paths, self.playset_file, self.mods, include=self.include,
                exclude=self.exclude, dialect=known.dialect if known else None,
            )  # fmt: skip
        if known is None:
            what = (
                f"the store {self.store} has no playset"
                if os.path.exists(self.store)
                else f"there is no store {self.store}"
            )
            raise UsageError(
                f"{what} yet: give the folders of the playset in load order, or --playset FILE, or"
                " name another store with --store"
            )
        return msgspec.structs.replace(
            known,
            include=list(self.include) or known.include,
            exclude=list(self.exclude) or known.exclude,
        )


def _asked(index: Index, ask: Callable[[Index], _Answer]) -> tuple[Index, _Answer]:
    try:
        return index, ask(index)
    except BaseException:
        index.close()
        raise


def known_selection(store: Path) -> Selection | None:
    """Return the files that a store has an index of, if it exists and has one."""
    if not os.path.exists(store):
        return None
    with Index(store) as index:
        sources = [source.path for source in index.sources()]
        return index.selection() or (Selection(sources) if sources else None)


def playset_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a playset and a store to a command.

    Args:
        function: the command. It gets what they say as its argument `asked`.
    """

    @click.argument("paths", metavar="[PATH...]", nargs=-1, type=click.Path())
    @playset_option
    @mods_option
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
        # A plan and an answer have an object per file or place, and no cycles: collecting garbage
        # at the usual pace took a ninth of the processor's time at 20,000 files, and freed nothing.
        gc.set_threshold(_COLLECTED_OBJECTS)
        asked = Asked(paths, playset_file, mods, store, exclude, include, not no_update)
        function(asked=asked, **others)

    return command
