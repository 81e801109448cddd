"""No network but loopback, settings from nowhere but the test, builders for the nouns."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from autofix.models import (
    Deployment,
    EvidenceItem,
    Finding,
    Incident,
    Service,
    ServiceContext,
    ServiceKind,
    ServiceSummary,
    Severity,
    Signal,
    Verdict,
    VerdictKind,
    Window,
)
from tests.support.streams import STREAMS, StreamScheduling, find_stream

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# read when prefect is imported; a folder of another run holds results that would be found again
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-")
atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)

# how long an example takes says more about what else runs
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
WINDOW = Window.ending(NOW, timedelta(minutes=30))
_SETTINGS = ("RAILWAY_", "OPENAI_", "OPENCODE_", "GITHUB_", "AUTOFIX_")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The streams of tests that wait for processes begin first."""
    items.sort(key=lambda item: find_stream(item.nodeid) not in STREAMS)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Which tests run one after the other in one process."""
    return StreamScheduling(config, log)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of the person's own environment or `.env` reaches a test."""
    for name in list(os.environ):
        if name.startswith(_SETTINGS):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Prefect's test server, with a database of its own in a temporary folder; the only one."""
    from prefect.testing.utilities import prefect_test_harness  # noqa: PLC0415 - most need none

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def window() -> Window:
    return WINDOW


@pytest.fixture
def make_service() -> Callable[..., Service]:
    def make(name: str = "billing-api", **fields: Any) -> Service:
        deployment = Deployment(
            id=f"dep-{name}",
            service_id=f"svc-{name}",
            status="SUCCESS",
            created_at=NOW - timedelta(days=1),
            commit="c" * 40,
            commit_message="Add tax lines",
            repository=f"acme/{name}",
            branch="main",
        )
        defaults: dict[str, Any] = {
            "id": f"svc-{name}",
            "name": name,
            "kind": ServiceKind.web,
            "repository": f"acme/{name}",
            "branch": "main",
            "domains": (f"{name}.example.test",),
            "deployment": deployment,
        }
        return Service(**(defaults | fields))

    return make


@pytest.fixture
def make_finding() -> Callable[..., Finding]:
    def make(service: str = "billing-api", **fields: Any) -> Finding:
        defaults: dict[str, Any] = {
            "ts": NOW,
            "service_id": f"svc-{service}",
            "service": service,
            "signal": Signal.http_5xx,
            "severity": Severity.critical,
            "onset": NOW - timedelta(minutes=25),
            "value": 6.2,
            "threshold": 5.0,
            "unit": "%",
            "reason": "5xx 6.2 % over 30 min (threshold 5.0 %), 1,240 requests, since 14:05 UTC",
        }
        return Finding(**(defaults | fields))

    return make


@pytest.fixture
def make_context(
    make_service: Callable[..., Service], make_finding: Callable[..., Finding]
) -> Callable[..., ServiceContext]:
    def make(name: str = "billing-api", *, items: int = 2, **fields: Any) -> ServiceContext:
        service = fields.pop("service", None) or make_service(name)
        evidence = tuple(
            EvidenceItem(
                id=f"E{i}",
                source="deployment log",
                start=WINDOW.start,
                end=WINDOW.end,
                why="errors in the window",
                text=f"line {i} of {name}",
            )
            for i in range(1, items + 1)
        )
        incident = Incident(
            fingerprint="0123456789",
            environment_id="env-1",
            service=service,
            findings=(make_finding(name),),
            onset=NOW - timedelta(minutes=25),
            deployed_commit="c" * 40,
            window=WINDOW,
        )
        defaults: dict[str, Any] = {
            "incident": incident,
            "summary": ServiceSummary(
                service_id=service.id,
                window=WINDOW,
                requests=1240,
                status_codes={200: 1163, 500: 77},
                p50_ms=12.0,
                p95_ms=48.0,
                p99_ms=80.0,
            ),
            "evidence": evidence,
            "verdict": Verdict(
                kind=VerdictKind.code_fix, reason="errors in our code", evidence=("E1",)
            ),
        }
        return ServiceContext(**(defaults | fields))

    return make
