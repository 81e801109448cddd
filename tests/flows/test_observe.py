"""The shells around observe, on Prefect's test server: what is read once an hour and kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prefect import flow

from autofix.models import Window
from autofix.parameters import ServiceSelection
from tasks.observe import observe_project
from tests.support.railway_server import serve_railway
from tests.unit.observe.railway_app import RailwayApp, instance

pytestmark = pytest.mark.flow
STEP = timedelta(seconds=60)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[RailwayApp]:
    """The fake behind a real loopback server, and the settings that lead to it."""
    app = RailwayApp(instance("api"))

    with serve_railway(app) as url:
        for name, value in {
            "RAILWAY_API_URL": url,
            "RAILWAY_TOKEN": "secret-railway-token",
            "RAILWAY_PROJECT_ID": "p1",
            "RAILWAY_ENVIRONMENT_ID": "e1",
        }.items():
            monkeypatch.setenv(name, value)
        yield app


def measure(app: RailwayApp, window: Window) -> None:
    start = int(window.start.timestamp())
    points = [{"ts": start + 300 * i, "value": 0.5} for i in range(-24, 24)]
    app.metrics = [{"measurement": "CPU_USAGE", "tags": {"serviceId": "api"}, "values": points}]


@flow
def tick(window: Window, exclude: tuple[str, ...] = ()) -> Any:
    return observe_project(window, STEP, ServiceSelection(exclude=list(exclude)))


def later(window: Window, minutes: int) -> Window:
    shift = timedelta(minutes=minutes)
    return Window(start=window.start + shift, end=window.end + shift)


def test_the_baseline_is_read_once_an_hour(
    app: RailwayApp, window: Window, prefect_server: None
) -> None:
    """Ticks of one hour share it; the next hour, and other services, have their own."""
    measure(app, window)
    first = tick(window)
    assert set(first.baseline["measurement"]) >= {"CPU_USAGE"}
    assert len(app.requests) == 1 + 2 + 3, "architecture, baseline, metrics, logs and HTTP"
    second = tick(later(window, 10))
    assert second.baseline.equals(first.baseline)
    assert len(app.requests) == 6 + 4
    tick(later(window, 60), ("other",))
    assert len(app.requests) == 10 + 6


def test_a_baseline_that_cannot_be_read_does_not_sink_the_look(
    app: RailwayApp, window: Window, prefect_server: None
) -> None:
    """The tick goes on without; the failure is not kept, so the next tick tries again."""
    window = later(window, 24 * 60)
    measure(app, window)
    whole = app.answer_Resources

    def refuse(variables: dict[str, Any]) -> httpx.Response:
        return httpx.Response(404) if variables["errors"] else whole(variables)

    app.answer_Resources = refuse  # type: ignore[method-assign]
    assert tick(window).baseline is None
    app.answer_Resources = whole  # type: ignore[method-assign]
    assert tick(later(window, 1)).baseline is not None
