import base64
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from autofix.models import Chart, Signal
from autofix.plan.drawing import draw_charts
from autofix.plan.picture import render_chart

START = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


def chart(values, threshold):
    return Chart(
        signal=Signal.http_5xx,
        label="5xx <&>",
        unit="%",
        start=START,
        end=START + timedelta(minutes=len(values)),
        values=tuple(values),
        threshold=threshold,
        onset=START,
    )


@pytest.mark.parametrize("values", [[1.0, 2.0, 9.5, 4.0], [1.0, None, 3.0, None, 5.0], [0, 0, 0]])
@pytest.mark.parametrize("threshold", [5.0, None])
def test_every_chart_of_ours_becomes_a_picture(values, threshold):
    """Well formed, a point for each value, its threshold a line of its own; the text around stays."""
    text = f"before\n\n{render_chart(chart(values, threshold), 'billing-api')}\n\nafter"
    drawn = draw_charts(text)
    assert "mermaid" not in drawn
    assert drawn.startswith("before\n\n![")
    assert drawn.endswith("\n\nafter")
    encoded = re.search(r"\(data:image/svg\+xml;base64,([^)]*)\)", drawn)
    assert encoded
    svg = ET.fromstring(base64.b64decode(encoded[1]))  # noqa: S314 - our own
    points = svg.find("{*}polyline").attrib["points"].split()
    assert len(points) == sum(v is not None for v in values)
    dashed = [p for p in svg.findall("{*}path") if "stroke-dasharray" in p.attrib]
    assert len(dashed) == (threshold is not None)


def test_a_chart_of_somebody_else_stays():
    """Only what has the form of our own is touched."""
    text = "```mermaid\ngraph TD\n  A --> B\n```"
    assert draw_charts(text) == text
