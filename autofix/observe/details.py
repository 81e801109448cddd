"""What the look from above lacks, of one service at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BeforeValidator, Field

from autofix.models import Deployment, Window
from autofix.observe.api import Api
from autofix.observe.architecture import build_deployment
from autofix.observe.graphql import render_time
from autofix.observe.wire import Connection, LogLine, Many, Text, Wire, WireDeployment, parse

_VARIABLE_PAGE, _VARIABLE_PAGES = 500, 10
_STEPS = 50


def _mapping(value: Any) -> Any:
    return value if isinstance(value, dict) else {}


Loose = Annotated[dict[str, Any], BeforeValidator(_mapping)]
"""JSON of any shape; what is no mapping counts as an empty one."""


class WireHistoryMeta(Wire):
    """What a deployment was made from, and how it is configured; every key is optional."""

    reason: Text = ""
    patch: str | None = Field(default=None, alias="patchId")
    manifest: Loose = Field(default={}, alias="serviceManifest")
    author: str | None = Field(default=None, alias="commitAuthor")


class WireHistory(Wire):
    """One deployment of a service's history."""

    can_roll_back: bool | None = Field(default=None, alias="canRollback")
    meta: Annotated[WireHistoryMeta, BeforeValidator(_mapping)] = WireHistoryMeta()


class Deployed(Wire):
    """One deployment with its configuration."""

    deployment: Deployment
    reason: str = ""
    """``deploy``, ``redeploy`` or ``rollback``, where the platform says it."""
    can_roll_back: bool | None = None
    """Whether its image is still there; None when the platform does not say."""
    config: dict[str, str] = Field(default_factory=dict)
    """Flat names to values of its start command, health check, replicas, limits, schedule, …"""


class DeployStep(Wire):
    """One step of a deploy."""

    step: str
    started: AwareDatetime = Field(alias="createdAt")
    completed: AwareDatetime | None = Field(default=None, alias="completedAt")
    payload: Loose = Field(default={})

    @property
    def error(self) -> str:
        """Why it failed; empty when it did not."""
        return str(self.payload.get("error") or "")


class DnsLine(Wire):
    """One look-up of a name."""

    at: AwareDatetime = Field(alias="queriedAt")
    name: Text = Field(default="", alias="qname")
    type: Text = Field(default="", alias="qtype")
    code: Text = Field(default="", alias="rcode")
    zone: Text = Field(default="", alias="queryZone")

    @property
    def has_failed(self) -> bool:
        """Whether the look-up did not give an answer."""
        return self.code.upper() not in {"NOERROR", ""}


class FlowLine(Wire):
    """Packets between one service and a peer."""

    at: AwareDatetime = Field(alias="captureStart")
    direction: Text = ""
    address: Text = Field(default="", alias="dstAddr")
    port: int = Field(default=0, alias="dstPort")
    bytes: int = Field(default=0, alias="byteCount")
    latency_ms: float | None = Field(default=None, alias="l4LatencyMs")
    drop_cause: str | None = Field(default=None, alias="dropCause")
    peer_kind: Text = Field(default="", alias="peerKind")
    peer_service: str | None = Field(default=None, alias="peerServiceId")


LineT = TypeVar("LineT", DnsLine, FlowLine)


class VariableName(Wire):
    """A variable without its value."""

    name: str
    service_id: str | None = Field(default=None, alias="serviceId")
    """None for one that all services share."""
    references: Many[str] = Field(default=[])
    """What its value is made of, e.g. ``orders-db.RAILWAY_PRIVATE_DOMAIN``."""
    created: AwareDatetime | None = Field(default=None, alias="createdAt")
    updated: AwareDatetime | None = Field(default=None, alias="updatedAt")


class Limits(Wire):
    """What a service may use."""

    cpu: float | None = None
    """vCPU."""
    memory_gb: float | None = None
    is_override: bool = False
    """Whether somebody set them for this service; the plan's own are often far away."""


def fetch_build_log(api: Api, deployment_id: str, limit: int) -> list[LogLine]:
    """The newest lines of one build, oldest first."""
    data = api.ask("build_log", deploymentId=deployment_id, limit=_rows(api, limit))
    return _newest([parse(LogLine, item) for item in data.get("buildLogs") or []], limit)


def fetch_steps(api: Api, deployment_id: str) -> list[DeployStep]:
    """The steps of one deploy in their order."""
    data = api.ask("deployment_steps", deploymentId=deployment_id, first=_STEPS)
    found = parse(Connection[DeployStep], data.get("deploymentEvents") or {})
    return sorted(found.nodes, key=lambda step: step.started)


def fetch_history(api: Api, service_id: str, limit: int) -> list[Deployed]:
    """The last deployments of one service with their configuration, newest first."""
    data = api.ask(
        "deployment_history",
        projectId=api.project,
        environmentId=api.environment,
        serviceId=service_id,
        first=limit,
    )
    edges = (data.get("deployments") or {}).get("edges") or []
    found = [_deployed(edge.get("node") or {}) for edge in edges]
    return sorted(found, key=lambda d: (d.deployment.created_at, d.deployment.id), reverse=True)


def fetch_dns_log(
    api: Api, service_id: str, window: Window, before: datetime, limit: int
) -> tuple[list[DnsLine], list[DnsLine]]:
    """What `RailwayClient.fetch_dns_log` promises."""
    return _ask_network(
        api, "dns_log", DnsLine, ("failed", "outside"), service_id, window, before, limit
    )


def fetch_flow_log(
    api: Api, service_id: str, window: Window, before: datetime, limit: int
) -> tuple[list[FlowLine], list[FlowLine]]:
    """What `RailwayClient.fetch_flow_log` promises."""
    return _ask_network(
        api, "flow_log", FlowLine, ("dropped", "all"), service_id, window, before, limit
    )


def fetch_variables(api: Api) -> list[VariableName]:
    """Names of all variables of the environment, and what they refer to; never a value."""
    found: list[VariableName] = []
    after: str | None = None
    for _ in range(_VARIABLE_PAGES):
        data = api.ask(
            "variables",
            environmentId=api.environment,
            projectId=api.project,
            page=_VARIABLE_PAGE,
            after=after,
        )
        page = parse(
            Connection[VariableName], (data.get("environment") or {}).get("variables") or {}
        )
        found += page.nodes
        if not (page.page and page.page.more and page.page.cursor) or page.page.cursor == after:
            break
        after = page.page.cursor
    return found


def fetch_limits(api: Api, service_id: str) -> Limits:
    """What the service may use, and whether that was set for it."""
    data = api.ask("limits", environmentId=api.environment, serviceId=service_id)
    containers = _mapping(_mapping(data.get("limits")).get("containers"))
    memory = _number(containers.get("memoryBytes"))
    return Limits(
        cpu=_number(containers.get("cpu")),
        memory_gb=None if memory is None else memory / 1e9,
        is_override=bool(data.get("override")),
    )


def _ask_network(
    api: Api,
    query: str,
    line: type[LineT],
    names: tuple[str, str],
    service_id: str,
    window: Window,
    before: datetime,
    limit: int,
) -> tuple[list[LineT], list[LineT]]:
    """Both parts of an answer, by their names in the query."""
    data = api.ask(
        query,
        environmentId=api.environment,
        serviceId=service_id,
        before=render_time(before),
        start=render_time(window.start),
        end=render_time(window.end),
        limit=_rows(api, limit),
    )
    first, second = (
        _newest([parse(line, item) for item in data.get(name) or []], limit) for name in names
    )
    return first, second


def _deployed(node: dict[str, Any]) -> Deployed:
    wire, history = parse(WireDeployment, node), parse(WireHistory, node)
    return Deployed(
        deployment=build_deployment(wire),
        reason=history.meta.reason,
        can_roll_back=history.can_roll_back,
        config=dict(_flat(_mapping(history.meta.manifest.get("deploy"))))
        | dict(_flat(_mapping(history.meta.manifest.get("build")), "build.")),
    )


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Leaves of nested JSON by their dotted names; what is not set is left out."""
    rows: list[tuple[str, str]] = []
    for name, item in value.items():
        if isinstance(item, dict):
            rows += _flat(item, f"{prefix}{name}.")
        elif item is not None and item != []:
            rows.append((f"{prefix}{name}", str(item)))
    return rows


def _rows(api: Api, limit: int) -> int:
    return min(limit, api.limits.log_rows)


def _newest(rows: list[Any], limit: int) -> list[Any]:
    """Oldest first; the API returns one row more than asked, the oldest."""
    return sorted(rows, key=lambda row: row.at)[-limit:]


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if value > 0 else None
