"""The progress bar of a run, for terminals."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ck3parse.cli.work_units import work_units

_MB = 1e6


class _Counts(ProgressColumn):
    """Shows files and MB done, files per second, and failures."""

    def render(self, task: Task) -> Text:
        files, size, failed = task.fields["files"], task.fields["size"], task.fields["failed"]
        rate = files / task.elapsed if task.elapsed else 0
        text = Text(
            f"{files:,} of {task.fields['total_files']:,} files"
            f"  {size / _MB:,.1f} of {task.fields['total_size'] / _MB:,.1f} MB"
            f"  {rate:,.0f} files/s"
        )
        if failed:
            text.append(f"  {failed:,} failed", style="red")
        return text


class Bar(Progress):
    """A progress bar on stderr that disappears when it stops.

    Args:
        files: number of files to parse.
        size: their total size in bytes.
    """

    def __init__(self, files: int, size: int) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            _Counts(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self.add_task(
            "parsing",
            total=work_units(files, size),
            files=0,
            size=0,
            failed=0,
            total_files=files,
            total_size=size,
        )

    def show(self, files: int, size: int, failed: int) -> None:
        """Show how many files and bytes are done, and how many files failed."""
        self.update(
            self._task, completed=work_units(files, size), files=files, size=size, failed=failed
        )

    def describe(self, text: str) -> None:
        """Show a few words in front of the bar."""
        self.update(self._task, description=text)
