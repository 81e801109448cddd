"""Reads Railway: one method a question, typed in and out.

It never writes, and never reads the value of a variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from autofix.errors import ConfigError, RailwayError
from autofix.models import Architecture, Deployment, Window
from autofix.observe.architecture import build_architecture, build_deployments
from autofix.observe.graphql import GraphqlClient, QueryError, load_query
from autofix.observe.wire import (
    Connection,
    HttpLogLine,
    LogLine,
    WireArchitecture,
    WireDeployment,
    WireHttp,
    WirePlatform,
    WireSeries,
    parse,
)
from autofix.settings import Settings

HTTP_BATCH = 10
"""Services a request: two aliases each, and twenty aliases are known to pass."""
LOG_LIMIT = 5_000
"""Most lines that one request returns."""

L = TypeVar("L", LogLine, HttpLogLine)


@dataclass(frozen=True)
class HttpReading:
    """HTTP metrics by service id, and why the others could not be read."""

    services: Mapping[str, WireHttp] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


class RailwayClient:
    """One environment of one project. A context manager; safe to share between threads."""

    def __init__(
        self,
        settings: Settings,
        transport: httpx.BaseTransport | None = None,
        *,
        attempts: int = 3,
        timeout: float = 30.0,
        wait: float = 0.5,
        patience: float = 60.0,
    ) -> None:
        """Needs a token, a project id and an environment id; ConfigError names what is missing.

        Args:
            settings: address, token, project and environment.
            transport: what carries requests; tests pass `httpx.MockTransport`.
            attempts: how often one request is sent at most.
            timeout: seconds for each of connect, read and write.
            wait: seconds before the second attempt; doubles from there.
            patience: longest wait in seconds that the API may ask for.
        """
        settings.railway_auth()
        settings.require("railway_project_id", "railway_environment_id")
        self._project = settings.railway_project_id
        self._environment = settings.railway_environment_id
        self._graphql = GraphqlClient(
            settings, transport, attempts=attempts, timeout=timeout, wait=wait, patience=patience
        )

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give back the connections."""
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._graphql.close()

    def fetch_architecture(self) -> Architecture:
        """What runs in the environment. An ephemeral environment is refused: it is not watched."""
        data = self._ask("architecture", projectId=self._project, environmentId=self._environment)
        wire = parse(WireArchitecture, data)
        if wire.environment.is_ephemeral:
            raise ConfigError(
                f"RAILWAY_ENVIRONMENT_ID is the ephemeral environment {wire.environment.name}: "
                "pull request environments are not watched; set the id of a lasting one"
            )
        return build_architecture(wire, self._fetch_platform())

    def fetch_resources(self, window: Window, step: timedelta) -> list[WireSeries]:
        """CPU, memory and disk of every service of the environment, in one request.

        The points of one answer grow with services and steps, and the API caps them somewhere
        above 30,000: an environment of several hundred services needs a longer step.
        """
        data = self._ask(
            "resources",
            projectId=self._project,
            environmentId=self._environment,
            start=_rfc3339(window.start),
            end=_rfc3339(window.end),
            step=_seconds(step),
        )
        return [parse(WireSeries, item) for item in data.get("metrics") or []]

    def fetch_http(
        self, service_ids: Sequence[str], window: Window, step: timedelta
    ) -> HttpReading:
        """Requests per status code and latency percentiles, ten services a request.

        One failing alias nulls a whole answer. Its batch is then split, and only the services
        that fail alone are reported as failed, each with its reason.
        """
        services: dict[str, WireHttp] = {}
        failed: dict[str, str] = {}
        unique = list(dict.fromkeys(service_ids))
        for i in range(0, len(unique), HTTP_BATCH):
            batch = unique[i : i + HTTP_BATCH]
            try:
                services |= self._fetch_http_batch(batch, window, step)
            except QueryError as error:
                if not error.aliases or len(batch) == 1:
                    failed |= dict.fromkeys(batch, str(error))
                    continue
                alone = self._fetch_http_alone(batch, window, step)
                services |= alone.services
                failed |= alone.failed
            except RailwayError as error:
                failed |= dict.fromkeys(batch, str(error))
        return HttpReading(services, failed)

    def fetch_environment_log(
        self, window: Window, *, filter_: str = "", limit: int = 1_000
    ) -> list[LogLine]:
        """The newest `limit` lines of all services within the window, oldest first."""
        data = self._ask(
            "environment_log",
            environmentId=self._environment,
            filter=filter_ or None,
            start=_rfc3339(window.start),
            end=_rfc3339(window.end),
            limit=min(limit, LOG_LIMIT),
        )
        lines = [parse(LogLine, item) for item in data.get("environmentLogs") or []]
        return _within(lines, window, limit)

    def fetch_deployment_logs(
        self,
        deployment_id: str,
        start: datetime,
        end: datetime,
        *,
        limit: int = 1_000,
        filter_: str = "",
    ) -> list[LogLine]:
        """The newest `limit` lines of one deployment in ``[start, end)``, oldest first."""
        data = self._ask(
            "deployment_log",
            deploymentId=deployment_id,
            filter=filter_ or None,
            start=_rfc3339(start),
            end=_rfc3339(end),
            limit=min(limit, LOG_LIMIT),
        )
        lines = [parse(LogLine, item) for item in data.get("deploymentLogs") or []]
        return _within(lines, Window(start=start, end=end), limit)

    def fetch_http_logs(
        self,
        deployment_id: str,
        start: datetime,
        end: datetime,
        *,
        limit: int = 1_000,
        filter_: str = "",
    ) -> list[HttpLogLine]:
        """The newest `limit` requests to one deployment in ``[start, end)``, oldest first."""
        data = self._ask(
            "http_log",
            deploymentId=deployment_id,
            filter=filter_ or None,
            start=_rfc3339(start),
            end=_rfc3339(end),
            limit=min(limit, LOG_LIMIT),
        )
        lines = [parse(HttpLogLine, item) for item in data.get("httpLogs") or []]
        return _within(lines, Window(start=start, end=end), limit)

    def fetch_deployments(self, service_id: str, *, limit: int = 10) -> tuple[Deployment, ...]:
        """The last deployments of one service, newest first."""
        data = self._ask(
            "deployments",
            projectId=self._project,
            environmentId=self._environment,
            serviceId=service_id,
            first=limit,
        )
        found = parse(Connection[WireDeployment], data.get("deployments") or {})
        return build_deployments(found.nodes)

    def _ask(self, name: str, **variables: Any) -> dict[str, Any]:
        return self._graphql.execute(load_query(name), variables)

    def _fetch_platform(self) -> WirePlatform | None:
        """Railway's own status; None when this token may not read it: it decides nothing."""
        try:
            return parse(WirePlatform, self._ask("platform").get("platformStatus") or {})
        except RailwayError:
            return None

    def _fetch_http_batch(
        self, service_ids: Sequence[str], window: Window, step: timedelta
    ) -> dict[str, WireHttp]:
        variables: dict[str, Any] = {
            "environmentId": self._environment,
            "start": _rfc3339(window.start),
            "end": _rfc3339(window.end),
            "step": _seconds(step),
        }
        variables |= {f"service{i}": service_id for i, service_id in enumerate(service_ids)}
        data = self._graphql.execute(build_http_query(len(service_ids)), variables)
        return {
            service_id: parse(
                WireHttp,
                {"statuses": data.get(f"statuses{i}"), "durations": data.get(f"durations{i}")},
            )
            for i, service_id in enumerate(service_ids)
        }

    def _fetch_http_alone(
        self, service_ids: Iterable[str], window: Window, step: timedelta
    ) -> HttpReading:
        services: dict[str, WireHttp] = {}
        failed: dict[str, str] = {}
        for service_id in service_ids:
            try:
                services |= self._fetch_http_batch([service_id], window, step)
            except RailwayError as error:
                failed[service_id] = str(error)
        return HttpReading(services, failed)


def build_http_query(count: int) -> str:
    """`http.graphql` for this many services, its fields repeated under numbered aliases."""
    text = re.sub(r"^#.*\n", "", load_query("http"), flags=re.MULTILINE)
    head, rest = text.split(") {\n", 1)
    fields = rest.rstrip().removesuffix("}").rstrip()
    declared = "\n".join(f"  $service{i}: String!" for i in range(count))
    head = head.replace("  $service0: String!", declared)
    repeated = "\n".join(
        re.sub(r"\b(statuses|durations|service)0\b", rf"\g<1>{i}", fields) for i in range(count)
    )
    return f"{head}) {{\n{repeated}\n}}\n"


def _within(lines: list[L], window: Window, limit: int) -> list[L]:
    """Oldest first, only the window's; the API returns one line more than asked, the oldest."""
    inside = [line for line in lines if window.start <= line.at < window.end]
    return sorted(inside, key=lambda line: line.at)[-limit:]


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _seconds(step: timedelta) -> int:
    return max(1, round(step.total_seconds()))
