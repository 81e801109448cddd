"""Railway: whose token it is, what it reaches, and what time it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from autofix.doctor.checks import Check, failed, guarded, passed
from autofix.models import Architecture
from autofix.observe.railway import RailwayClient
from autofix.settings import Settings

MAX_SKEW = timedelta(seconds=30)
_TODO = (
    "create a project token in the project's settings on Railway, and put it into RAILWAY_TOKEN; "
    "RAILWAY_PROJECT_ID and RAILWAY_ENVIRONMENT_ID are in the environment's address"
)


def check_railway(
    settings: Settings, open_client: Callable[[], RailwayClient], now: datetime
) -> tuple[list[Check], Architecture | None]:
    """The token, its reach and the clocks; and what runs, for the checks that follow."""
    found: list[Architecture] = []

    def look() -> Iterator[Check]:
        kind = "project token" if settings.railway_token else "account token"
        with open_client() as client:
            architecture = client.fetch_architecture()
            found.append(architecture)
            services = len(architecture.services)
            yield passed(
                "Railway",
                f"{kind}; project {architecture.project_name}, environment "
                f"{architecture.environment_name}, {services} services",
            )
            if not services:
                yield failed("Railway services", "none", "check RAILWAY_ENVIRONMENT_ID")
            yield from check_clock("Clock (Railway)", client.server_time, now)

    checks = list(guarded("Railway", _TODO, look))
    return checks, found[0] if found else None


def check_clock(name: str, there: datetime | None, here: datetime) -> Iterable[Check]:
    """Whether another side's clock and this machine's agree."""
    if there is None:
        return
    apart = (here - there).total_seconds()
    detail = f"{abs(apart):.0f} s {'ahead' if apart > 0 else 'behind'}"
    if abs(apart) <= MAX_SKEW.total_seconds():
        yield passed(name, detail)
    else:
        yield failed(name, detail, "set this machine's clock right (NTP)")
