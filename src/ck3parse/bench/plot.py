"""Bar charts and line charts as SVG, drawn by matplotlib, which the extra `plot` installs."""

import importlib.util
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

_WIDTH_IN = 7.6
_TITLE_IN = 0.5
_PANEL_IN = 0.5
"""Height of a panel in inches, apart from its bars."""
_BAR_IN = 0.25
_LINES_IN = 4.2
_NOTE_IN = 0.17
_LOG_RATIO = 50.0
"""A scale is logarithmic if the largest value is more than this many times the smallest."""
_COLOURS = ("#0b6e99", "#d9730d", "#4d6461", "#ad1a72", "#dfab01")
_STYLE = {
    "font.family": "sans-serif",
    "svg.fonttype": "none",  # text stays text, which can be searched
    "svg.hashsalt": "ck3parse",  # the same figures give the same file
}


class Bar(NamedTuple):
    """One bar: its label, its length, the value as text, and the number of its colour."""

    label: str
    value: float
    text: str
    colour: int


class Panel(NamedTuple):
    """Bars that share a scale."""

    title: str
    bars: Sequence[Bar]


class Line(NamedTuple):
    """A line through points in order of `x`. All coordinates must be positive."""

    label: str
    points: Sequence[tuple[float, float]]


def is_available() -> bool:
    """Return whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def bar_chart(title: str, panels: Sequence[Panel], notes: Sequence[str] = ()) -> str:
    """Return panels of horizontal bars, one below the other, as an SVG document.

    Args:
        title: of the whole chart.
        panels: each has its own scale, which is logarithmic if its values are far apart.
        notes: lines of text below the chart.
    """
    heights = [_PANEL_IN + _BAR_IN * len(panel.bars) for panel in panels]
    figure = _figure(title, sum(heights), notes)
    rows = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, panel in zip(rows, panels, strict=True):
        _draw_panel(axes, panel)
    return _svg(figure)


def line_chart(
    title: str, lines: Sequence[Line], *, x: str, y: str, notes: Sequence[str] = ()
) -> str:
    """Return lines over two logarithmic axes as an SVG document.

    Args:
        title: of the whole chart.
        lines: each is drawn in its own colour.
        x: label of the horizontal axis, with its unit.
        y: label of the vertical axis, with its unit.
        notes: lines of text below the chart.
    """
    figure = _figure(title, _LINES_IN, notes)
    axes = figure.subplots()
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        across, up = zip(*line.points, strict=True)
        axes.plot(across, up, "o-", markersize=4, label=line.label, color=colour)
    axes.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,g}")
    axes.grid(color="#ddd")
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color("#ddd")
    figure.legend(loc="outside right upper", frameon=False)
    return _svg(figure)


def _draw_panel(axes: Any, panel: Panel) -> None:
    values = [bar.value for bar in panel.bars]
    colours = [_COLOURS[bar.colour % len(_COLOURS)] for bar in panel.bars]
    bars = axes.barh(range(len(values)), values, 0.74, color=colours)
    heading = panel.title
    axes.margins(x=0.15)
    positive = [value for value in values if value > 0]
    if positive and max(positive) / min(positive) > _LOG_RATIO:
        heading += " (logarithmic)"
        axes.set_xscale("log")
        # Bars on this scale have no natural start. This one leaves the shortest visible.
        axes.set_xlim(left=min(positive) / 3)
    axes.bar_label(bars, [bar.text for bar in panel.bars], padding=4)
    axes.set_title(heading, loc="left", fontsize="medium", fontweight="bold")
    axes.set_yticks(range(len(values)), [bar.label for bar in panel.bars])
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.xaxis.set_visible(False)
    axes.spines[:].set_visible(False)


def _figure(title: str, height_in: float, notes: Sequence[str]) -> Any:
    from matplotlib.figure import Figure  # most commands need no plot

    height_in += _TITLE_IN + _NOTE_IN * len(notes)
    figure = Figure((_WIDTH_IN, height_in), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize="large", fontweight="bold")
    if notes:
        figure.supxlabel("\n".join(notes), x=0.01, ha="left", fontsize="small", color="#666")
    return figure


def _svg(figure: Any) -> str:
    import matplotlib as mpl

    with mpl.rc_context(_STYLE), io.StringIO() as document:
        figure.savefig(document, format="svg", metadata={"Date": None})
        return document.getvalue()
