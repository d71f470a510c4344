"""`ck3parse check --watch`: checks files again when they change."""

import os
import sys
from collections.abc import Callable, Sequence
from time import strftime
from typing import NoReturn

from ck3parse.cli import streams
from ck3parse.cli.interrupts import Interrupts
from ck3parse.errors import UsageError
from ck3parse.files.watching import FEW, Watch
from ck3parse.lint.checker import Checked
from ck3parse.lint.excerpt import printable, relative_path
from ck3parse.lint.formats import ContentOf, summary
from ck3parse.plurals import counted

_Format = Callable[[Sequence[Checked], ContentOf], str]


def watch_files(
    paths: Sequence[str],
    check_all: Callable[[], list[Checked]],
    check_some: Callable[[set[str]], list[Checked]],
    form: _Format,
) -> NoReturn:
    """Check all files, and then those that change, until the command is interrupted.

    Args:
        paths: the files and folders to watch.
        check_all: checks all of them.
        check_some: checks the files at some absolute paths, and in folders there.
        form: the output format.

    Raises:
        KeyboardInterrupt: the command was interrupted.
    """
    Interrupts()
    with Watch(paths) as watch:
        checked = check_all()
        sys.stdout.write(form(checked, _path_itself))
        streams.note(summary(checked))
        streams.note("watching for changes: end with Ctrl-C")
        known = {each.path: each for each in checked}
        for changed in watch.batches():
            if len(changed) > FEW:
                try:
                    checked = check_all()
                except UsageError as error:  # a given path is gone
                    streams.say(f"ck3parse: {error}")
                    continue
                gone = sorted(known.keys() - {each.path for each in checked})
                # The others say what they said before.
                checked = [each for each in checked if known.get(each.path) != each]
                title = f"{len(changed):,} changes"
            else:
                checked = check_some(changed)
                gone = _gone(known, changed)
                title = ", ".join(_shown(each.path) for each in checked)
            _report(checked, gone, title, form)
            known.update((each.path, each) for each in checked)
            for path in gone:
                del known[path]
    raise AssertionError


def _report(checked: Sequence[Checked], gone: Sequence[str], title: str, form: _Format) -> None:
    sys.stdout.write(form(checked, _path_itself))
    now = strftime("%H:%M:%S")
    if checked:
        streams.note(f"{now} {title}: {summary(checked)}")
    if len(gone) > FEW:
        streams.note(f"{now} {counted(len(gone), 'file is', 'files are')} gone")
    else:
        for path in gone:
            streams.note(f"{now} {_shown(path)}: gone")


def _gone(known: dict[str, Checked], changed: set[str]) -> list[str]:
    """Return the known files that do not exist any more, by what changed."""
    missing = {path for path in changed if not os.path.exists(path)}
    gone = missing & known.keys()
    if folders := tuple(os.path.join(path, "") for path in missing - gone):
        gone.update(path for path in known if path.startswith(folders))
    return sorted(gone)


def _path_itself(path: str) -> str:
    return path


def _shown(path: str) -> str:
    return printable(relative_path(path))
