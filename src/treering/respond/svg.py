"""A series as an SVG element: bars over time, with a title and a description for those who do not see it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from treering.model.times import format_ns

if TYPE_CHECKING:
    from treering.respond.casefile import Series

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 720, 160, 64, 24, 10


def chart(series: Series) -> str:
    """Return the chart of `series`; its texts are escaped, it loads and runs nothing."""
    values = [value for _, value in series.points]
    high = max(values, default=0.0) or 1.0
    name, unit = html.escape(series.title), html.escape(series.unit)
    about = f"highest {max(values, default=0):.4g} {unit}, {len(values)} points"
    inside = _bars(series, high) if values else f'<text x="{_LEFT}" y="60">no data</text>'
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg" font-size="11" '
        f'fill="currentColor"><title>{name}</title><desc>{about}</desc>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 10}" text-anchor="end">{high:.4g} {unit}</text>'
        f'<text x="{_LEFT - 6}" y="{_HEIGHT - _BOTTOM}" text-anchor="end">0</text>{inside}</svg>'
    )


def _bars(series: Series, high: float) -> str:
    first, last = series.points[0][0], series.points[-1][0]
    steps = [b[0] - a[0] for a, b in zip(series.points, series.points[1:], strict=False)]
    step = min((step for step in steps if step > 0), default=1)
    span = max(1, last - first + step)
    width = max(1.0, (_WIDTH - _LEFT) * step / span - 1)
    room = _HEIGHT - _BOTTOM - _TOP
    found = []
    for time_ns, value in series.points:
        left = _LEFT + (_WIDTH - _LEFT) * (time_ns - first) / span
        tall = max(0.0, value) / high * room
        top = _HEIGHT - _BOTTOM - tall
        found.append(f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{tall:.1f}" opacity=".7"/>')
    base = _HEIGHT - _BOTTOM
    ends = f'<text x="{_LEFT}" y="{_HEIGHT - 8}">{_clock(first)}</text>'
    ends += f'<text x="{_WIDTH}" y="{_HEIGHT - 8}" text-anchor="end">{_clock(last)}</text>'
    axis = f'<line x1="{_LEFT}" y1="{base}" x2="{_WIDTH}" y2="{base}" stroke="currentColor"/>'
    return "".join(found) + axis + ends


def _clock(ns: int) -> str:
    return format_ns(ns)[:16].replace("T", " ")
