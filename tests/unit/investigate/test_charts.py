from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from autofix.investigate.charts import MOST, build_charts
from autofix.models import Architecture, Incident, Severity, Signal, Window
from autofix.observe.frames import build_frame
from autofix.observe.observation import Observation

STEP = timedelta(minutes=2)


@pytest.fixture
def incident(make_service: Any, make_finding: Any, window: Window) -> Incident:
    return Incident(
        fingerprint="0123456789",
        environment_id="e1",
        service=make_service(),
        findings=(make_finding(),),
        onset=window.start,
        deployed_commit=None,
        window=window,
    )


def observation(incident: Incident, **series: list[float]) -> Observation:
    start = incident.window.start.timestamp()
    rows = [
        (start + 120 * i, incident.service.id, name, value)
        for name, values in series.items()
        for i, value in enumerate(values)
    ]
    whole = Architecture(
        project_id="p", project_name="p", environment_id="e", environment_name="e",
        services=(incident.service,),
    )  # fmt: skip
    return Observation(incident.window, STEP, whole, (incident.service,), build_frame(rows))


@pytest.mark.parametrize(
    ("signal", "series", "label", "values"),
    [
        (
            Signal.memory,
            {"MEMORY_USAGE_GB": [0.1, 0.2], "MEMORY_LIMIT_GB": [0.4, 0.4]},
            "memory",
            [25, 50],
        ),
        (Signal.http_5xx, {"HTTP_2XX": [9, 8, 0], "HTTP_5XX": [1, 2, 0]}, "5xx", [10, 20]),
        (Signal.latency, {"HTTP_P95_MS": [120.04, 3004.4]}, "p95", [120, 3004]),
        (Signal.silence, {"HTTP_2XX": [9, 0]}, "requests", [9, 0]),
        (Signal.log_errors, {"LOG_ERRORS": [0, 4]}, "error lines", [0, 4]),
    ],
)
def test_a_signal_becomes_its_values_over_the_window(
    incident: Incident, make_finding: Any, signal: Signal, series: Any, label: str, values: Any
) -> None:
    """In the unit it is judged in; a step without requests has no rate."""
    found = incident.model_copy(update={"findings": (make_finding(signal=signal),)})
    (chart,) = build_charts(observation(found, **series), found)
    assert (chart.label, chart.signal) == (label, signal)
    assert list(chart.values[: len(values)]) == pytest.approx(values)
    assert set(chart.values[len(values) :]) == {None}
    assert len(chart.values) == 15, "no part is shorter than a step"


def test_a_threshold_is_drawn_only_in_the_charts_own_unit(
    incident: Incident, make_finding: Any
) -> None:
    """Percent against percent; nothing else would mean anything."""
    series = {"HTTP_2XX": [9.0], "HTTP_5XX": [1.0], "RESTARTS": [1.0]}
    findings = (
        make_finding(),
        make_finding(signal=Signal.crash_loop, unit="restarts", threshold=3),
    )
    found = incident.model_copy(update={"findings": findings})
    assert [c.threshold for c in build_charts(observation(found, **series), found)] == [5.0, None]


def test_the_critical_signals_come_first_and_few_are_drawn(
    incident: Incident, make_finding: Any
) -> None:
    """A signal that was not measured has no picture."""
    signals = [Signal.cpu, Signal.latency, Signal.http_5xx, Signal.silence, Signal.log_errors]
    findings = tuple(
        make_finding(
            signal=s, severity=Severity.critical if s is Signal.http_5xx else Severity.warning
        )
        for s in signals
    )
    found = incident.model_copy(update={"findings": findings})
    series = {"HTTP_2XX": [9.0], "HTTP_5XX": [1.0], "HTTP_P95_MS": [9.0], "LOG_ERRORS": [1.0]}
    charts = build_charts(observation(found, **series), found)
    assert [c.signal for c in charts] == [Signal.http_5xx, Signal.latency, Signal.silence]
    assert len(charts) == MOST
