"""The progress bar of a run, for terminals of any width."""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import Progress, Task, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ck3parse.cli.work_units import work_units
from ck3parse.plurals import counted

_MB = 1e6
_BAR_WIDTHS = 8, 40
"""The least and the most columns of the bar itself."""


class Bar(Progress):
    """A progress bar of one line on stderr that disappears when it stops.

    A narrow terminal shows fewer figures.

    Args:
        files: number of files to parse.
        size: their total size in bytes.
    """

    def __init__(self, files: int, size: int) -> None:
        super().__init__(console=Console(stderr=True), transient=True)
        self._remaining = TimeRemainingColumn()
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

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """Return one line for each task, as wide as the terminal at most."""
        table = Table.grid()
        for task in tasks:
            table.add_row(self._line(task))
        return table

    def _line(self, task: Task) -> Table:
        remaining = self._remaining(task)
        remaining = remaining if isinstance(remaining, Text) else Text(str(remaining))
        # The last column stays free: some terminals go on to the next line after it.
        width = self.console.width - 1
        least, most = _BAR_WIDTHS
        fixed = len(task.description) + remaining.cell_len + 2
        counts, bar = Text(), 0
        for counts in _counts(task):
            bar = min(most, width - fixed - counts.cell_len - 1)
            if bar >= least:
                break
        words = Text(task.description)
        cells: list[Text | ProgressBar] = [words]
        if bar >= least:
            cells.append(ProgressBar(total=task.total, completed=task.completed, width=bar))
        else:  # the words leave no room for it, or less than none
            room = width - counts.cell_len - remaining.cell_len - 2
            words.truncate(max(0, room), overflow="ellipsis")
        line = Table.grid(padding=(0, 1))
        for _ in (*cells, counts, remaining):
            line.add_column(no_wrap=True)
        line.add_row(*cells, counts, remaining)
        return line


def _counts(task: Task) -> Iterator[Text]:
    """Yield the figures of a task, from all of them to the most important."""
    files, total = task.fields["files"], task.fields["total_files"]
    size, total_size = task.fields["size"], task.fields["total_size"]
    done = f"{files:,} of {counted(total, 'file')}"
    rate = f"  {files / task.elapsed if task.elapsed else 0:,.0f} files/s"
    megabytes = f"  {size / _MB:,.1f} of {total_size / _MB:,.1f} MB"
    failed = task.fields["failed"]
    told = f"{failed:,} failed" if failed else ""
    for text in (
        f"{done}{megabytes}{rate}  ",
        f"{done}{rate}  ",
        f"{done}  ",
        f"{files:,}/{total:,} ",
    ):
        yield Text.assemble(text if told else text.rstrip(), (told, "red"))
