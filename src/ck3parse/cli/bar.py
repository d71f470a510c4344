"""The progress bar that a terminal sees."""

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
    """Files and MB of all, files a second and failures."""

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
    """A bar on stderr that goes when it is done.

    Args:
        files: how many there are to parse.
        size: bytes of them together.
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
        """Show how far the run is: files and bytes done, and how many files failed."""
        self.update(
            self._task, completed=work_units(files, size), files=files, size=size, failed=failed
        )

    def describe(self, text: str) -> None:
        """Show what is being done, in a few words."""
        self.update(self._task, description=text)
