"""`ck3parse run --watch`: parses and indexes files again when they change."""

import gc
import os
from pathlib import Path
from time import strftime
from typing import NoReturn

from ck3parse.cli import streams
from ck3parse.cli.answer_server import answering
from ck3parse.config import Settings
from ck3parse.errors import UsageError
from ck3parse.files.walk import Found
from ck3parse.files.watching import Watch
from ck3parse.index.refresh import refresh
from ck3parse.index.selection import Selection
from ck3parse.index.watch_mark import WatchMark, path_of
from ck3parse.lint.excerpt import printable, relative_path
from ck3parse.messages import ParseResult


def refresh_when_changed(
    watch: Watch,
    selection: Selection,
    out: Path,
    settings: Settings,
    *,
    timeout_ms: int,
) -> NoReturn:
    """Bring the store up to date whenever files change, until the command is interrupted.

    Args:
        watch: tells what changes.
        selection: what to parse and index.
        out: the store.
        settings: the broker, limits and dialect.
        timeout_ms: milliseconds that one file may take in a worker.

    Raises:
        KeyboardInterrupt: the command was interrupted.
        BrokerError: no broker or no worker answers.
        StoreError: the store cannot be written.
    """
    gc.enable()
    store = os.path.abspath(out)
    own = {store, store + "-journal", str(path_of(Path(store)))}
    said: set[str] = set()

    def bring_up_to_date(mark: WatchMark) -> None:
        mark.clear()
        try:
            done = refresh(
                selection.playset(),
                out,
                settings,
                selection=selection,
                include=selection.include,
                exclude=selection.exclude,
                timeout_ms=timeout_ms,
                reading_order=settings.reading_order,
                told=_tell,
            )
        except UsageError as error:  # a given path is gone
            streams.say(f"ck3parse: {error}")
            return
        if not done.warnings:  # other commands say them, too
            mark.set(selection, settings)
        for warning in done.warnings:
            if warning not in said:
                streams.say(f"ck3parse: {warning}")
        said.clear()
        said.update(done.warnings)
        if done.read or done.gone:
            counts = f"{done.read:,} read, {done.failed:,} with errors, {done.gone:,} gone"
            streams.note(f"{strftime('%H:%M:%S')} {counts}: up to date in {done.seconds:.2f} s")

    with WatchMark(out) as mark, answering():
        # Another program may have written to the store since.
        bring_up_to_date(mark)
        streams.note("watching for changes: end with Ctrl-C")
        for changed in watch.batches():
            if not changed <= own:
                bring_up_to_date(mark)
    raise AssertionError


def _tell(found: Found, result: ParseResult) -> None:
    """Print what is wrong with a file, a line each."""
    path = printable(relative_path(found.path))
    for each in result.diagnostics:
        streams.write(
            f"{path}:{each.line}:{each.column}: {each.severity} {each.code}"
            f" {printable(each.message)}"
        )
    if result.error and not result.diagnostics:
        place = "" if result.line is None else f":{result.line}:{result.column}"
        streams.write(f"{path}{place}: {result.error_type}: {printable(result.error)}")
