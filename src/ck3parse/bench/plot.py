"""Plots as SVG, which every browser shows and which needs no library to write."""

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

_WIDTH = 760
_LABEL_WIDTH = 210
_VALUE_WIDTH = 110
_BAR_HEIGHT = 20
_BAR_STEP = 27
_TITLE_HEIGHT = 30
_LINE_HEIGHT = 17
_MARGIN = 16
_LOG_RATIO = 50.0
"""Values that are further apart than this are drawn on a logarithmic scale."""
_COLOURS = ("#0b6e99", "#d9730d", "#4d6461", "#ad1a72", "#dfab01")


class Bar(NamedTuple):
    """One bar: what it is of, its length, the figure as text, and which colour it has."""

    label: str
    value: float
    text: str
    colour: int


class Panel(NamedTuple):
    """Bars that can be compared with one another."""

    title: str
    bars: Sequence[Bar]


class Line(NamedTuple):
    """Points to join, in order of `x`; all are above zero."""

    label: str
    points: Sequence[tuple[float, float]]


def bar_chart(title: str, panels: Sequence[Panel], notes: Sequence[str] = ()) -> str:
    """Return panels of horizontal bars, one below the other, as an SVG document.

    Args:
        title: what the whole is about.
        panels: each with a scale of its own, which is logarithmic where values are far apart.
        notes: lines to stand below.
    """
    parts: list[str] = []
    y = _MARGIN + _TITLE_HEIGHT
    for panel in panels:
        values = [bar.value for bar in panel.bars if bar.value > 0]
        logarithmic = bool(values) and max(values) / min(values) > _LOG_RATIO
        heading = panel.title + (" (logarithmic)" if logarithmic else "")
        parts.append(_text(_MARGIN, y + 14, heading, weight="bold"))
        y += _TITLE_HEIGHT
        for bar in panel.bars:
            length = _share(bar.value, values, logarithmic=logarithmic)
            length *= _WIDTH - _LABEL_WIDTH - _VALUE_WIDTH - 2 * _MARGIN
            left = _MARGIN + _LABEL_WIDTH
            colour = _COLOURS[bar.colour % len(_COLOURS)]
            parts.append(_text(left - 8, y + 15, bar.label, anchor="end"))
            parts.append(
                f'<rect x="{left}" y="{y}" width="{max(length, 1):.1f}" height="{_BAR_HEIGHT}"'
                f' fill="{colour}"/>'
            )
            parts.append(_text(left + length + 6, y + 15, bar.text))
            y += _BAR_STEP
        y += 8
    return _document(title, parts, y, notes)


def line_chart(
    title: str, lines: Sequence[Line], *, x: str, y: str, notes: Sequence[str] = ()
) -> str:
    """Return lines over two logarithmic axes as an SVG document.

    Args:
        title: what the whole is about.
        lines: what to draw, each in a colour of its own.
        x: what goes to the right, with its unit.
        y: what goes upwards, with its unit.
        notes: lines to stand below.
    """
    left, top, right, bottom = 80.0, _MARGIN + _TITLE_HEIGHT + 8.0, _WIDTH - 190.0, 400.0
    across = _Axis([point[0] for line in lines for point in line.points], left, right)
    up = _Axis([point[1] for line in lines for point in line.points], bottom, top)
    parts = []
    for value, place in across.ticks():
        parts.append(_grid(place, top, place, bottom))
        parts.append(_text(place, bottom + 18, f"{value:,g}", anchor="middle"))
    for value, place in up.ticks():
        parts.append(_grid(left, place, right, place))
        parts.append(_text(left - 8, place + 4, f"{value:,g}", anchor="end"))
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [(across.place(px), up.place(py)) for px, py in line.points]
        joined = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        parts.append(
            f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts += [
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>' for px, py in places
        ]
        key = top + 14 + number * 22
        parts.append(
            f'<rect x="{right + 16}" y="{key - 10}" width="12" height="12" fill="{colour}"/>'
        )
        parts.append(_text(right + 34, key, line.label))
    parts.append(_text((left + right) / 2, bottom + 40, x, anchor="middle"))
    parts.append(_text(left, top - 10, y))
    return _document(title, parts, int(bottom) + 56, notes)


class _Axis:
    """A logarithmic axis, from one power of ten to another."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low = math.floor(math.log10(min(values)))
        self._high = max(math.ceil(math.log10(max(values))), self._low + 1)
        self._start, self._end = start, end

    def place(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[tuple[float, float]]:
        powers = [10.0**power for power in range(self._low, self._high + 1)]
        return [(value, self.place(value)) for value in powers]


def _share(value: float, values: Sequence[float], *, logarithmic: bool) -> float:
    if value <= 0:
        return 0.0
    if not logarithmic:
        return value / max(values)
    low = math.log10(min(values)) - 0.5  # the shortest bar is still one
    return (math.log10(value) - low) / (math.log10(max(values)) - low)


def _document(title: str, parts: Sequence[str], height: float, notes: Sequence[str]) -> str:
    foot = [
        _text(_MARGIN, height + 12 + number * _LINE_HEIGHT, note, size=11, colour="#666")
        for number, note in enumerate(notes)
    ]
    full = int(height + len(notes) * _LINE_HEIGHT + _MARGIN)
    size = f'viewBox="0 0 {_WIDTH} {full}" width="{_WIDTH}" height="{full}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">',
            f"<title>{html.escape(title)}</title>",
            f'<rect width="{_WIDTH}" height="{full}" fill="white"/>',
            _text(_MARGIN, _MARGIN + 14, title, size=16, weight="bold"),
            *parts,
            *foot,
            "</svg>\n",
        ]
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    anchor: str = "start",
    weight: str = "normal",
    colour: str = "#222",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
        f' font-weight="{weight}" fill="{colour}">{html.escape(text)}</text>'
    )


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'
