"""The progress bar that a terminal sees."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_MB = 1e6


class _Rates(ProgressColumn):
    """MB of all, files a second and failures."""

    def render(self, task: Task) -> Text:
        done, failed = task.fields["size"] / _MB, task.fields["failed"]
        rate = task.finished_speed or task.speed or 0
        text = Text(
            f"{done:,.1f} of {task.fields['total_size'] / _MB:,.1f} MB  {rate:,.0f} files/s"
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
            MofNCompleteColumn(),
            _Rates(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self.add_task("parsing", total=files, size=0, total_size=size, failed=0)

    def show(self, files: int, size: int, failed: int) -> None:
        """Show how far the run is: files and bytes done, and how many files failed."""
        self.update(self._task, completed=files, size=size, failed=failed)

    def describe(self, text: str) -> None:
        """Show what is being done, in a few words."""
        self.update(self._task, description=text)
