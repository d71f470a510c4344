"""What `ck3parse check` does with its findings beside a report: fixes, a baseline, ck3-tiger's."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ck3parse.cli import streams
from ck3parse.lint.baseline import Baseline, write_baseline
from ck3parse.lint.checker import Check, Checked
from ck3parse.lint.excerpt import printable, relative_path
from ck3parse.lint.tiger import read_report, with_reports
from ck3parse.parser import parser_in_use
from ck3parse.plurals import counted


class Extra:
    """Options of `check` that few checks have.

    Args:
        check: checks the files.
        paths: the files and folders that were given.
        baseline: the findings that are known, or `None`.
        tiger: the file of ck3-tiger's report.

    Attributes:
        known: how many findings of the baseline were left out last.

    Raises:
        UsageError: the report cannot be used.
    """

    def __init__(
        self, check: Check, paths: Sequence[str], *, baseline: Baseline | None, tiger: Path | None
    ) -> None:
        self._max_bytes = check.max_file_bytes
        self._paths = paths
        self._baseline = baseline
        self.known = 0
        self._reports = read_report(tiger) if tiger else []

    def applied(self, checked: list[Checked], data: bytes | None = None) -> list[Checked]:
        """Return files with what ck3-tiger reports, and without what is known.

        Args:
            checked: the files.
            data: the content of the only file, if it is not what is at its path.
        """
        if self._reports:
            checked = with_reports(checked, self._reports, self._paths)
        if self._baseline:
            before = _count(checked)
            checked = self._baseline.without_known(checked, data)
            self.known = before - _count(checked)
        return checked

    def write_baseline(self, checked: Sequence[Checked], path: Path) -> None:
        """Write a baseline of what was found.

        Raises:
            OutputError: it cannot be written.
        """
        count = write_baseline(checked, path, max_bytes=self._max_bytes)
        streams.note(f"{counted(count, 'finding')} written to {path}")

    def print_diff(self, checked: Sequence[Checked]) -> bool:
        """Print what a fix would change.

        Returns:
            Whether it would change something.
        """
        from ck3parse.lint.fixes import diff, fixed_files

        count = 0
        for fixed in fixed_files(checked, parser_in_use(), max_bytes=self._max_bytes):
            count += fixed.mended
            shown = diff(fixed, relative_path(fixed.path))
            if sys.stdout.isatty():
                shown = "".join(f"{printable(line)}\n" for line in shown.split("\n")[:-1])
            sys.stdout.write(shown)
        streams.note(f"would fix {count:,}")
        return count > 0

    def fix(self, checked: Sequence[Checked]) -> int:
        """Mend what can be mended.

        Returns:
            How many findings were mended.

        Raises:
            OutputError: a file cannot be written.
        """
        from ck3parse.lint.fixes import fixed_files, write

        count = 0
        for fixed in fixed_files(checked, parser_in_use(), max_bytes=self._max_bytes):
            if write(fixed):
                count += fixed.mended
            else:
                streams.say(
                    f"{relative_path(fixed.path)} has changed meanwhile, and is left as it is"
                )
        return count


def _count(checked: Sequence[Checked]) -> int:
    return sum(len(each.diagnostics) for each in checked)
