"""What all affected services are seen against: read once, narrowed to one, kept without secrets."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from autofix.investigate.scene import narrow, read_scene, redact_scene
from autofix.models import Architecture, Incident, Service, ServiceKind, Window
from autofix.redact import redactor
from tests.unit.observe.railway_app import RailwayApp

STEP = timedelta(seconds=60)
SECRET = "hunter2-hunter2"
DAY = 24 * 3600
NAMES = ("api", "shop", "web")


@pytest.fixture
def services(make_service: Any) -> tuple[Service, ...]:
    database = make_service(
        "db", kind=ServiceKind.database, image="acme/rowstore:1", domains=(), repository=None
    )
    return (*(make_service(name) for name in NAMES), database)


@pytest.fixture
def architecture(services: tuple[Service, ...]) -> Architecture:
    return Architecture(
        project_id="p1",
        project_name="shop",
        environment_id="e1",
        environment_name="production",
        services=services,
    )


@pytest.fixture
def incidents(services: tuple[Service, ...], make_finding: Any, window: Window) -> list[Incident]:
    return [
        Incident(
            fingerprint=f"{n:010}",
            environment_id="e1",
            service=service,
            findings=(make_finding(),),
            onset=window.start + timedelta(minutes=10),
            deployed_commit=None,
            window=window,
        )
        for n, service in enumerate(services[: len(NAMES)])
    ]


@pytest.fixture
def app(services: tuple[Service, ...], window: Window) -> RailwayApp:
    """CPU of every service; `api` is asked twice a second all day, `shop` was there for an hour."""
    app, start = RailwayApp(), int(window.start.timestamp())
    for service in services:
        points = [{"ts": start + 60 * i, "value": 0.1} for i in range(30)]
        tags = {"serviceId": service.id}
        app.metrics.append({"measurement": "CPU_USAGE", "tags": tags, "values": points})
    steps = range(start - DAY, start, 1800)
    app.statuses["svc-api"] = [
        {"statusCode": 200, "samples": [{"ts": ts, "value": 3600.0} for ts in steps]}
    ]
    app.statuses["svc-shop"] = [
        {"statusCode": 200, "samples": [{"ts": ts, "value": 1800.0} for ts in steps[-2:]]}
    ]
    app.variables = [
        {"name": "PORT", "serviceId": "svc-api", "references": []},
        {"name": "STAGE", "serviceId": None, "references": []},
        {"name": "REGION", "serviceId": "svc-db", "references": []},
        {"name": "URL", "serviceId": "svc-db", "references": ["api.RAILWAY_PRIVATE_DOMAIN"]},
    ]
    return app


def test_what_services_have_in_common_is_read_once(
    app: RailwayApp, architecture: Architecture, incidents: list[Incident]
) -> None:
    """As many requests for three services as for one."""
    counts = []
    for affected in (incidents[:1], incidents):
        app.requests.clear()
        with app.client() as client:
            read_scene(client, architecture, affected, STEP)
        counts.append(Counter(app.names()))
    assert counts[0] == counts[1] == {"Variables": 1, "Resources": 1, "LogCounts": 1, "Http": 2}


def test_a_scene_holds_the_affected_and_the_databases(
    app: RailwayApp, architecture: Architecture, incidents: list[Incident], window: Window
) -> None:
    """Ordinary traffic where there is enough of it, and the variables that somebody asks about."""
    with app.client() as client:
        scene = read_scene(client, architecture, incidents[:2], STEP)
    view = scene.views[window]
    assert {s.id for s in view.observation.selected} == {"svc-api", "svc-shop", "svc-db"}
    assert view.usual == {"svc-api": 2.0}
    assert [v.name for v in scene.variables] == ["PORT", "STAGE", "URL"]
    own = narrow(view.observation, [incidents[0].service])
    assert [s.id for s in own.selected] == ["svc-api"]
    assert set(own.samples["service"]) == {"svc-api"}
    assert len(own.samples) < len(view.observation.samples)


def test_incidents_of_different_windows_are_seen_in_their_own(
    app: RailwayApp, architecture: Architecture, incidents: list[Incident], window: Window
) -> None:
    """A person may hand over incidents of several ticks."""
    later = Window(start=window.start + timedelta(minutes=10), end=window.end)
    moved = incidents[1].model_copy(update={"window": later})
    with app.client() as client:
        scene = read_scene(client, architecture, [incidents[0], moved], STEP)
    assert {w: {s.id for s in v.observation.selected} for w, v in scene.views.items()} == {
        window: {"svc-api", "svc-db"},
        later: {"svc-shop", "svc-db"},
    }


@pytest.mark.parametrize("broken", ["Variables", "Resources", "Http"])
def test_a_part_that_fails_takes_nothing_with_it(
    app: RailwayApp,
    architecture: Architecture,
    incidents: list[Incident],
    window: Window,
    broken: str,
) -> None:
    """What could not be read is missing, and says why."""
    app.broken = {broken}
    with app.client(attempts=1) as client:
        scene = read_scene(client, architecture, incidents, STEP)
    view = scene.views[window]
    assert ("Problem processing request" in scene.unread) == (broken == "Variables")
    assert bool(scene.variables) == (broken != "Variables")
    assert bool(view.observation.unknown) == (broken in {"Resources", "Http"})
    assert bool(view.usual) == (broken != "Http")


def test_a_scene_is_kept_without_secrets(
    app: RailwayApp, architecture: Architecture, incidents: list[Incident], window: Window
) -> None:
    """References, by which it is told who queries a database, stay what they are."""
    app.variables[0]["name"] = f"PORT_{SECRET}"
    app.broken = {"Resources"}
    with app.client(attempts=1) as client:
        scene = read_scene(client, architecture, incidents, STEP)
    kept = redact_scene(scene, redactor([SECRET, "Problem processing"]))
    assert SECRET not in str(kept)
    assert "Problem processing" not in str(kept.views[window].observation.unknown)
    assert kept.variables[-1].references == ["api.RAILWAY_PRIVATE_DOMAIN"]

    app.broken = {"Variables"}
    with app.client(attempts=1) as client:
        scene = read_scene(client, architecture, incidents, STEP)
    assert "Problem processing" in scene.unread
    assert "Problem processing" not in redact_scene(scene, redactor(["Problem processing"])).unread
