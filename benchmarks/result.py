"""Results of benchmarks, as text and as sections of docs/performance.md."""

import argparse
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One figure.

    Attributes:
        what: what was measured.
        value: the figure.
        unit: its unit.
        ratio: ratio to the baseline of the same run, or `None`.
        note: a remark.
    """

    what: str
    value: float
    unit: str
    ratio: float | None = None
    note: str = ""


class Result(NamedTuple):
    """A table of figures.

    Attributes:
        title: the title of the table.
        about: how the figures were measured, and what the baseline is.
        rows: the figures.
        plot: an SVG document, or empty.
    """

    title: str
    about: str
    rows: Sequence[Row]
    plot: str = ""


def show(result: Result) -> None:
    """Print a result as text."""
    print(f"{result.title}\n{result.about}")
    width = max(len(row.what) for row in result.rows)
    for row in result.rows:
        ratio = "" if row.ratio is None else f"{row.ratio:9.2f} x"
        print(
            f"  {row.what:{width}} {row.value:12,.3f} {row.unit:12}{ratio:11} {row.note}".rstrip()
        )


def run_alone(
    about: str | None, measure: "Callable[..., list[Result]]", files: int | None = None
) -> None:
    """Measure as the options of the command line say, and print the results.

    Args:
        about: the help of the command: the benchmark's docstring.
        measure: the benchmark. It takes `quick`, and `count` if there is a number of files.
        files: the default number of files, if it can be chosen.
    """
    options = argparse.ArgumentParser(description=about)
    options.add_argument("--quick", action="store_true")
    if files is not None:
        options.add_argument("--files", dest="count", type=int, default=files)
    for result in measure(**vars(options.parse_args())):
        show(result)


def markdown(result: Result, plot_path: str = "") -> str:
    """Return a result as Markdown.

    Args:
        result: what to render.
        plot_path: path of its plot relative to the document; empty if there is none.
    """
    lines = [f"## {result.title}", "", result.about, ""]
    lines += ["| what | figure | unit | ratio | |", "|---|---:|---|---:|---|"]
    for row in result.rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        lines.append(f"| {row.what} | {row.value:,.3f} | {row.unit} | {ratio} | {row.note} |")
    if plot_path:
        lines += ["", f"![{result.title}]({plot_path})"]
    return "\n".join(lines) + "\n"
