"""Our Mermaid charts as pictures, for pages that show Mermaid as text.

Prefect's older pages do; an SVG in an image's address is drawn by both of them. GitHub draws Mermaid and no
such address, so what goes there keeps the chart as it is.
"""

from __future__ import annotations

import base64
import re
from html import escape

_CHART = re.compile(
    r'```mermaid\nxychart-beta\n  title "(?P<title>[^"\n]*)"\n  x-axis (?P<axis>[^\n]*)\n'
    r'  y-axis "[^"\n]*" 0 --> (?P<top>[0-9.e+-]+)\n  line \[(?P<values>[^\]\n]*)\]\n'
    r"(?:  line \[(?P<flat>[^\]\n,]*)[^\]\n]*\]\n)?```"
)
_SPAN = re.compile(r'"(?P<what>[^"]*)" 0 --> (?P<length>[0-9.e+-]+)')
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 200, 54, 40, 26
_TEXT = '<text x="{x}" y="{y}" font-family="sans-serif" font-size="12" fill="#8b949e"{more}>{text}</text>'


def draw_charts(markdown: str) -> str:
    """The text with each of our charts as an image; whatever else it holds stays as it is."""
    return _CHART.sub(_as_image, markdown)


def _as_image(found: re.Match[str]) -> str:
    svg = base64.b64encode(_draw(found).encode()).decode()
    return f"![{found['title']}](data:image/svg+xml;base64,{svg})"


def _draw(found: re.Match[str]) -> str:
    values = [float(v) for v in found["values"].split(",")]
    top = float(found["top"])
    parts = [
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="#0d1117"/>',
        _text(12, 18, found["title"]),
        _text(_LEFT - 6, _y(top, top) + 4, f"{top:,.4g}", ' text-anchor="end"'),
        _text(_LEFT - 6, _y(0, top) + 4, "0", ' text-anchor="end"'),
        f'<path d="M{_LEFT} {_y(0, top)}H{_WIDTH - 14}" stroke="#30363d"/>',
    ]
    if span := _SPAN.fullmatch(found["axis"]):
        unit, _, begin = span["what"].partition(" from ")
        parts.append(_text(_LEFT, _HEIGHT - 8, begin))
        end = f"+ {span['length']} {unit}"
        parts.append(_text(_WIDTH - 14, _HEIGHT - 8, end, ' text-anchor="end"'))
    if found["flat"]:
        y = _y(float(found["flat"]), top)
        parts.append(
            f'<path d="M{_LEFT} {y}H{_WIDTH - 14}" stroke="#d29922" stroke-dasharray="5 4"/>'
        )
    step = (_WIDTH - 14 - _LEFT) / max(1, len(values) - 1)
    line = " ".join(f"{_LEFT + i * step:.1f},{_y(v, top)}" for i, v in enumerate(values))
    parts.append(f'<polyline points="{line}" fill="none" stroke="#f85149" stroke-width="2"/>')
    size = f'width="{_WIDTH}" height="{_HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'


def _y(value: float, top: float) -> float:
    return round(_HEIGHT - _BOTTOM - value / top * (_HEIGHT - _BOTTOM - _TOP), 1)


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return _TEXT.format(x=x, y=y, text=escape(text), more=more)
