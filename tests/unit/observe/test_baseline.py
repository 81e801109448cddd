from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from autofix.errors import RailwayError
from autofix.models import Window
from autofix.observe.baseline import baseline_window, read_baseline
from autofix.observe.frames import validate
from autofix.observe.observation import select
from autofix.parameters import ServiceSelection
from tests.unit.observe.railway_app import RailwayApp, instance


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-{text}+00:00").astimezone(UTC)


@pytest.mark.parametrize("minute", [0, 7, 59])
def test_every_look_of_an_hour_has_the_same_baseline(minute: int) -> None:
    """It ends with the last full hour, never after the window's end."""
    window = Window.ending(at(f"02T14:{minute:02}"), timedelta(minutes=30))
    assert baseline_window(window) == Window(start=at("01T14:00"), end=at("02T14:00"))


def read(app: RailwayApp, window: Window, **limits: int) -> pd.DataFrame:
    with app.client(attempts=1, limits=limits) as client:
        architecture = client.fetch_architecture()
        services = select(architecture, ServiceSelection(exclude=["other"]))
        return read_baseline(client, architecture, services, window)


def point(text: str, value: float) -> dict[str, float]:
    return {"ts": int(at(text).timestamp()), "value": value}


@pytest.fixture
def app() -> RailwayApp:
    app = RailwayApp(*(instance(f"s{i:02}") for i in range(25)), instance("other"))
    values = [point("02T03:00", 0.2), point("02T14:10", 9), point("01T13:59", 9)]
    for service in ("s00", "other"):
        app.metrics.append(
            {"measurement": "CPU_USAGE", "tags": {"serviceId": service}, "values": values}
        )
    app.statuses["s00"] = [{"statusCode": 200, "samples": [point("02T03:00", 50)]}]
    app.logs["errors"] = [{"timestamp": "2026-03-02T03:00:07Z", "tags": {"serviceId": "s00"}}]
    return app


def test_it_costs_one_request_and_one_for_ten_services(app: RailwayApp, window: Window) -> None:
    """Metrics and error lines together, then HTTP; only the day, only the watched services."""
    frame = validate(read(app, window))
    assert app.names()[1:].count("Resources") == 1
    assert app.names()[1:].count("Http") == 3
    assert len(app.names()) == 5
    assert "other" not in set(frame["service"])
    by_name = frame[frame["service"] == "s00"].groupby("measurement")["value"].sum()
    assert by_name.to_dict() == {"CPU_USAGE": 0.2, "HTTP_2XX": 50, "LOG_ERRORS": 1}
    step = app.requests[1]["variables"]["step"]
    assert step == 300


def test_a_large_environment_is_read_at_a_longer_step_and_without_limits(
    app: RailwayApp, window: Window
) -> None:
    """It stays one request."""
    read(app, window, points=26 * 2 * 24)
    variables = next(r["variables"] for r in app.requests if r["name"] == "Resources")
    assert (variables["step"], variables["limits"], variables["usage"]) == (3600, False, True)
    assert app.names().count("Resources") == 1


def test_error_lines_that_cannot_be_read_cost_only_themselves(
    app: RailwayApp, window: Window
) -> None:
    """The metrics are asked for again without them."""
    app.broken = {"log errors"}
    frame = read(app, window)
    assert set(frame["measurement"]) == {"CPU_USAGE", "HTTP_2XX"}


def test_a_log_longer_than_a_page_counts_back_to_its_oldest_line(
    app: RailwayApp, window: Window
) -> None:
    """Before it there is no row: the rate there is not known."""
    app.logs["errors"] = [
        {"timestamp": f"2026-03-02T13:{m:02}:30Z", "tags": {"serviceId": "s00"}} for m in range(60)
    ]
    frame = read(app, window, log_rows=60)
    errors = frame[frame["measurement"] == "LOG_ERRORS"]
    assert errors["ts"].min() == at("02T13:05")
    assert set(errors.loc[errors["service"] == "s00", "value"]) == {5.0}


def test_metrics_that_cannot_be_read_are_an_error(app: RailwayApp, window: Window) -> None:
    """No baseline is better than an empty one that would be kept for an hour."""
    app.broken = {"Resources"}
    with pytest.raises(RailwayError):
        read(app, window)
