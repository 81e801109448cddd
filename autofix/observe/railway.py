"""Reads Railway: one method a question, typed in and out.

It never writes, and never reads the value of a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

import httpx

from autofix.errors import ConfigError, RailwayError
from autofix.models import Architecture, Deployment, Window
from autofix.observe import details
from autofix.observe.answers import QueryError, Refusal
from autofix.observe.api import ACTIVE, Api
from autofix.observe.architecture import build_architecture, build_deployments
from autofix.observe.batches import Batched, read_in_batches
from autofix.observe.graphql import (
    GraphqlClient,
    Traffic,
    load_query,
    render_time,
    repeat_query,
    without_field,
)
from autofix.observe.http_metrics import HttpReading, fetch_http
from autofix.observe.identity import explain_refusal
from autofix.observe.limits import ApiLimits, Sampling
from autofix.observe.log_counts import LogCounts, fetch_log_counts
from autofix.observe.pages import read_pages
from autofix.observe.resources import Resources, fetch_resources
from autofix.observe.wire import (
    Connection,
    HttpLogLine,
    LogLine,
    WireArchitecture,
    WireDeployment,
    WireRun,
    parse,
)
from autofix.settings import Settings

_RUN_SELECTIONS, _RUNS = 8, 50

L = TypeVar("L", LogLine, HttpLogLine)
P = ParamSpec("P")
R = TypeVar("R")


class RailwayClient:
    """One environment of one project. A context manager; safe to share between threads."""

    def __init__(
        self,
        settings: Settings,
        transport: httpx.BaseTransport | None = None,
        *,
        limits: ApiLimits = ApiLimits(),  # noqa: B008 - frozen
        attempts: int = 3,
        timeout: float = 30.0,
        deadline: float = 90.0,
        wait: float = 0.5,
        patience: float = 60.0,
    ) -> None:
        """Needs a token, a project id and an environment id; ConfigError names what is missing.

        Args:
            settings: address, token, project and environment.
            transport: what carries requests; tests pass `httpx.MockTransport`.
            limits: how much is asked for at once.
            attempts: how often one request is sent at most.
            timeout: seconds for each of connect, read and write.
            deadline: seconds for one whole answer.
            wait: seconds before the second attempt; doubles from there.
            patience: longest wait in seconds that the API may ask for.
        """
        settings.railway_auth()
        settings.require("railway_project_id", "railway_environment_id")
        self._settings = settings
        self.limits = limits
        graphql = GraphqlClient(
            settings,
            transport,
            limits=limits,
            attempts=attempts,
            timeout=timeout,
            deadline=deadline,
            wait=wait,
            patience=patience,
        )
        self._api = Api(
            graphql, limits, settings.railway_project_id, settings.railway_environment_id
        )
        self._reads_platform = True

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
        """Give back the threads and the connections."""
        self._api.close()

    @property
    def traffic(self) -> Traffic:
        """What was asked and answered so far."""
        return self._api.graphql.traffic

    @property
    def server_time(self) -> datetime | None:
        """The newest date of an answer, by Railway's clock; None when no answer told."""
        return self._api.graphql.server_time

    def submit(self, read: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Start a read beside others. Reads that batch by themselves are called directly."""
        return self._api.pool.submit(read, *args, **kwargs)

    def fetch_architecture(self) -> Architecture:
        """What runs in the environment. An ephemeral environment is refused: it is not watched.

        Raises:
            ConfigError: the environment belongs to a pull request.
            RailwayError: it cannot be read; a refusal says whose token it is.
        """
        try:
            data = self._read_architecture()
        except QueryError as error:
            if error.refusal is not Refusal.denied:
                raise
            raise explain_refusal(error, self._settings, self._api.ask) from error
        wire = parse(WireArchitecture, data)
        if wire.environment.is_ephemeral:
            raise ConfigError(
                f"RAILWAY_ENVIRONMENT_ID is the ephemeral environment {wire.environment.name}: "
                "pull request environments are not watched; set the id of a lasting one"
            )
        architecture = build_architecture(wire)
        services = tuple(
            service.model_copy(
                update={"own": self._settings.is_own(service.id, service.repository)}
            )
            for service in architecture.services
        )
        return architecture.model_copy(update={"services": services})

    def fetch_resources(
        self,
        window: Window,
        sampling: Sampling,
        services: Collection[str],
        *,
        errors: bool = False,
    ) -> Resources:
        """Metrics of services of the environment, in one request where they fit.

        Args:
            window: what is looked at.
            sampling: measurements, step, and into how many requests the window is cut.
            services: ids of those that are kept; Railway answers for one or for all.
            errors: whether the newest error lines are read with it; where that fails, the
                metrics are read without them.
        """
        return fetch_resources(self._api, window, sampling, services, errors=errors)

    def fetch_http(
        self,
        service_ids: Iterable[str],
        window: Window,
        step: timedelta,
        serving: Mapping[str, Sequence[str]] | None = None,
    ) -> HttpReading:
        """Requests per status code and latency percentiles, up to ten services a request.

        A schema that has no such metrics is read by raw request logs instead; where those do not
        fit, `sampled` says of which part the metrics are.

        Args:
            service_ids: who is asked about.
            window: what is looked at.
            step: distance of two samples.
            serving: by service id the deployments that served in the window; only those can be
                read by request logs.
        """
        return fetch_http(self._api, service_ids, window, step, serving)

    def fetch_cron_runs(self, service_ids: Iterable[str]) -> Batched[Connection[WireRun]]:
        """The latest runs of cron services, up to twenty services a request."""
        size = self.limits.batch(1, _RUN_SELECTIONS)
        return read_in_batches(service_ids, size, self._ask_runs, self._api.pool)

    def fetch_log_counts(self, window: Window) -> LogCounts:
        """Error lines and the platform's own lines of all services, in one request.

        Where the errors do not fit, earlier pages follow up to a cap; of the platform's lines the
        newest page must do.
        """
        return fetch_log_counts(self._api, window)

    def fetch_environment_log(
        self, window: Window, *, filter_: str = "", limit: int = 1_000
    ) -> list[LogLine]:
        """The newest `limit` lines of all services within the window, oldest first."""
        data = self._api.ask(
            "environment_log",
            environmentId=self._api.environment,
            filter=filter_ or None,
            start=render_time(window.start),
            end=render_time(window.end),
            limit=min(limit, self.limits.log_rows),
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
        data = self._api.ask(
            "deployment_log",
            deploymentId=deployment_id,
            filter=filter_ or None,
            start=render_time(start),
            end=render_time(end),
            limit=min(limit, self.limits.log_rows),
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
        data = self._api.ask(
            "http_log",
            deploymentId=deployment_id,
            filter=filter_ or None,
            start=render_time(start),
            end=render_time(end),
            limit=min(limit, self.limits.log_rows),
        )
        lines = [parse(HttpLogLine, item) for item in data.get("httpLogs") or []]
        return _within(lines, Window(start=start, end=end), limit)

    def fetch_deployments(self, service_id: str, *, limit: int = 10) -> tuple[Deployment, ...]:
        """The last deployments of one service, newest first."""
        data = self._api.ask(
            "deployments",
            projectId=self._api.project,
            environmentId=self._api.environment,
            serviceId=service_id,
            first=limit,
        )
        found = parse(Connection[WireDeployment], data.get("deployments") or {})
        return build_deployments(found.nodes)

    def fetch_history(self, service_id: str, *, limit: int = 15) -> list[details.Deployed]:
        """The last deployments of one service with their configuration, newest first."""
        return details.fetch_history(self._api, service_id, limit)

    def roll_back(self, deployment_id: str) -> None:
        """Ask once for what an earlier deployment served; RailwayError when that is refused.

        The only thing that is ever changed on Railway.
        """
        answer = self._api.graphql.change(load_query("rollback"), {"id": deployment_id})
        if answer.get("deploymentRollback") is not True:
            raise RailwayError(f"the rollback to {deployment_id} was not accepted")

    def fetch_steps(self, deployment_id: str) -> list[details.DeployStep]:
        """The steps of one deploy in their order."""
        return details.fetch_steps(self._api, deployment_id)

    def fetch_build_log(self, deployment_id: str, *, limit: int = 1_000) -> list[LogLine]:
        """The newest `limit` lines of one build, oldest first."""
        return details.fetch_build_log(self._api, deployment_id, limit)

    def fetch_dns_log(
        self, service_id: str, window: Window, before: datetime, *, limit: int = 1_000
    ) -> tuple[list[details.DnsLine], list[details.DnsLine]]:
        """Look-ups of one service in one request: those that failed, and those outside the project.

        Args:
            service_id: who looked up.
            window: in which names outside the project were asked for.
            before: since when failed ones are read, to the window's end.
            limit: the newest of each; oldest first.

        Raises:
            QueryError: the schema has no such log.
        """
        return details.fetch_dns_log(self._api, service_id, window, before, limit)

    def fetch_flow_log(
        self, service_id: str, window: Window, before: datetime, *, limit: int = 1_000
    ) -> tuple[list[details.FlowLine], list[details.FlowLine]]:
        """Flows of one service in one request: those with dropped packets, and all.

        Args:
            service_id: whose flows.
            window: in which all are read.
            before: since when dropped ones are read, to the window's end.
            limit: the newest of each; oldest first.

        Raises:
            QueryError: the schema has no such log.
        """
        return details.fetch_flow_log(self._api, service_id, window, before, limit)

    def fetch_variables(self) -> list[details.VariableName]:
        """Names of all variables of the environment, and what they refer to; never a value."""
        return details.fetch_variables(self._api)

    def fetch_limits(self, service_id: str) -> details.Limits:
        """What a service may use, and whether that was set for it."""
        return details.fetch_limits(self._api, service_id)

    def _read_architecture(self) -> dict[str, Any]:
        try:
            return self._read_pages()
        except QueryError as error:
            if self._reads_platform and "platformStatus" in error.aliases:
                # it decides nothing, and not every token may ask for it
                self._reads_platform = False
            elif (
                error.refusal is not Refusal.invalid
                or self._api.is_probed
                or not self._finds_missing({ACTIVE})
            ):
                raise
            return self._read_architecture()

    def _finds_missing(self, fields: set[str]) -> bool:
        self._api.probe()
        return self._api.lacks(frozenset(fields))

    def _read_pages(self) -> dict[str, Any]:
        query = load_query("architecture")
        if self._api.lacks(frozenset({ACTIVE})):
            query = without_field(query, ACTIVE)
        ids = {"projectId": self._api.project, "environmentId": self._api.environment}
        return read_pages(
            lambda variables: self._api.execute(query, {**ids, **variables}),
            self.limits.page,
            self.limits.pages,
            platform=self._reads_platform,
        )

    def _ask_runs(self, service_ids: Sequence[str]) -> dict[str, Connection[WireRun]]:
        variables: dict[str, Any] = {"environmentId": self._api.environment, "first": _RUNS}
        variables |= {f"service{i}": service_id for i, service_id in enumerate(service_ids)}
        query = repeat_query("cron_runs", len(service_ids))
        data = self._api.execute(query, variables, splittable=len(service_ids) > 1)
        return {
            service_id: parse(Connection[WireRun], data.get(f"runs{i}") or {})
            for i, service_id in enumerate(service_ids)
        }


def _within(lines: list[L], window: Window, limit: int) -> list[L]:
    """Oldest first, only the window's; the API returns one line more than asked, the oldest."""
    inside = [line for line in lines if window.start <= line.at < window.end]
    return sorted(inside, key=lambda line: line.at)[-limit:]
