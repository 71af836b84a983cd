"""Plots of a run as SVG, for light and for dark pages: bars, whiskers from the best round to the worst, targets.

Written by hand: a plot is a dozen rectangles and some text, which a page can then style, and a human read.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.run import ComparisonOfRun, FigureOfRun

WIDTH = 760
_LABEL, _VALUE = 170, 250  # widths to the left and to the right of the bars
_ROW, _BAR, _TITLE = 26, 14, 42

_TIMES = "\N{MULTIPLICATION SIGN}"

_STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #333 }
.title { font-weight: 600; font-size: 13px }
.ours { fill: #2a6f97 } .peer { fill: #bbb } .missed { fill: #c1121f }
.whisker { stroke: #333; stroke-opacity: .55 } .target { stroke: #d98c00; stroke-width: 2 }
.value { fill: #666 }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .value { fill: #aaa } .peer { fill: #666 } .ours { fill: #61a5c2 } .missed { fill: #ff6b6b }
  .whisker { stroke: #ddd }
}
</style>
"""


def plot(comparison: ComparisonOfRun) -> str:
    """Draw one comparison, without its title."""
    rows, height = _rows(comparison, WIDTH, 0.0)
    return _svg(WIDTH, height, comparison["title"], rows)


def summary(comparisons: Sequence[ComparisonOfRun], title: str, columns: int = 2) -> str:
    """Draw several small, each under its title."""
    width = 560
    parts: list[str] = []
    top = 0.0
    for begin in range(0, len(comparisons), columns):
        tallest = 0.0
        for column, comparison in enumerate(comparisons[begin : begin + columns]):
            rows, height = _rows(comparison, width, _TITLE)
            head, _, what = comparison["title"].rpartition(": ")
            heading = f'<text class="title" x="0" y="16">{escape(head)}</text>\n'
            heading += f'<text class="value" x="0" y="33">{escape(what)}</text>\n'
            parts.append(f'<g transform="translate({column * (width + 40)} {top:g})">\n{heading}{rows}</g>\n')
            tallest = max(tallest, height)
        top += tallest + 18
    return _svg(columns * width + (columns - 1) * 40, top, title, "".join(parts))


def _svg(width: float, height: float, title: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img">\n<title>{escape(title)}</title>\n{_STYLE}{body}</svg>\n'
    )


def _rows(comparison: ComparisonOfRun, width: float, top: float) -> tuple[str, float]:
    figures = comparison["figures"]
    longest = max((max(figure["rounds"]) for figure in figures), default=0.0) or 1.0
    bounds = {target["server"]: _bounds(comparison, target["server"]) for target in comparison["targets"]}
    longest = max([longest, *(bound for each in bounds.values() for bound in each.values())])
    scale = (width - _LABEL - _VALUE) / longest
    parts = []
    for number, figure in enumerate(figures):
        y = top + number * _ROW
        parts.append(_row(comparison, figure, y, scale, width, bounds.get(figure["server"], {})))
    return "".join(parts), top + len(figures) * _ROW


def _row(
    comparison: ComparisonOfRun, figure: FigureOfRun, y: float, scale: float, width: float, bounds: dict[str, float]
) -> str:
    middle = y + _ROW / 2
    low, high = (_LABEL + value * scale for value in (min(figure["rounds"]), max(figure["rounds"])))
    is_ours = any(target["server"] == figure["server"] for target in comparison["targets"])
    whose = "ours" if is_ours else "peer"
    long = max(figure["median"] * scale, 1)
    parts = [
        f'<text x="{_LABEL - 8}" y="{middle + 4:g}" text-anchor="end">{escape(figure["server"])}</text>\n',
        f'<rect class="{whose}" x="{_LABEL}" y="{middle - _BAR / 2:g}" width="{long:.1f}" height="{_BAR}" rx="2"/>\n',
        f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{middle:g}" y2="{middle:g}"/>\n',
    ]
    for wanted, bound in bounds.items():
        x = _LABEL + bound * scale
        parts.append(
            f'<line class="target" x1="{x:.1f}" x2="{x:.1f}" y1="{middle - _BAR / 2 - 2:g}" '
            f'y2="{middle + _BAR / 2 + 2:g}"><title>wanted: at most {escape(wanted)}</title></line>\n'
        )
    parts.append(_value(comparison, figure, width - _VALUE + 12, middle + 4))
    return "".join(parts)


def _value(comparison: ComparisonOfRun, figure: FigureOfRun, x: float, y: float) -> str:
    ratios = "".join(
        f'<tspan class="{"value" if target["reached"] else "missed"}" dx="8">{target["measured"]:.2f} '
        f"{_TIMES} {escape(target['peer'])}</tspan>"
        for target in comparison["targets"]
        if target["server"] == figure["server"] and target["peer"] is not None
    )
    ratios += "".join(
        f'<tspan class="missed" dx="8">wanted: {short(target["at_most"])}</tspan>'
        for target in comparison["targets"]
        if target["server"] == figure["server"] and target["peer"] is None and not target["reached"]
    )
    amount = f"{short(figure['median'])} {comparison['unit']}"
    return f'<text x="{x:g}" y="{y:g}">{escape(amount)}{ratios}</text>\n'


def _bounds(comparison: ComparisonOfRun, server: str) -> dict[str, float]:
    """Return how far a server's bar may reach, read from the target's wording."""
    medians = {figure["server"]: figure["median"] for figure in comparison["figures"]}
    bounds = {}
    for target in comparison["targets"]:
        if target["server"] == server and target["peer"] is None:
            bounds[f"{short(target['at_most'])} {comparison['unit']}"] = target["at_most"]
        elif target["server"] == server and target["peer"] in medians:
            bounds[f"{target['at_most']:.2f} of {target['peer']}"] = target["at_most"] * medians[target["peer"]]
    return bounds


def short(value: float) -> str:
    """Write a number with as many digits as say something."""
    return f"{value:.0f}" if value >= 100 or value == round(value) else f"{value:.3g}"
