"""What evidence comes down to: typed facts, and nothing that the telemetry says in words.

Verdicts rest on these. None stands for what could not be read; it is never taken for zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from autofix.investigate.code.outgoing import Outgoing
from autofix.investigate.traces import Frame
from autofix.models import Deployment, Finding, Incident, Service


@dataclass(frozen=True)
class LogFacts:
    """What its own log shows at and after the onset."""

    errors: int = 0
    """Error messages."""
    has_news: bool = False
    """Whether errors appeared or multiplied at the onset."""
    hosts: Mapping[str, int] = field(default_factory=dict)
    """Error messages that name a host, by host."""
    frames: tuple[Frame, ...] = ()
    """Calls in stack traces that are not of a library, the most frequent trace first."""


@dataclass(frozen=True)
class RouteFacts:
    """Requests to one method and path template, over all statuses."""

    method: str
    path: str
    count: int
    failed: int
    """Answered with 5xx."""
    refused: int
    """Answered with 4xx."""
    answered: int
    """Answered with 1xx to 3xx."""
    p50_ms: float


@dataclass(frozen=True)
class HttpFacts:
    """What the edge saw in the window."""

    worst: tuple[RouteFacts, ...] = ()
    """Routes that fail or are slow, the worst first."""
    refused: int = 0
    """4xx in what was read."""
    refused_elsewhere: int = 0
    """Of these the ones on routes that answered nothing else."""


class Kept(StrEnum):
    """What a deployment shares with the one before it."""

    nothing = "nothing"
    code = "code"
    """The same commit; its configuration differs."""
    all = "all"
    """The same commit and the same configuration: a redeploy."""


@dataclass(frozen=True)
class ChangeFacts:
    """What was deployed before the onset."""

    live: Deployment | None = None
    """What served at the onset."""
    previous: Deployment | None = None
    """What served before that."""
    kept: Kept = Kept.nothing
    can_roll_back: bool | None = None
    """Whether the previous one's image is still there; None when the platform does not say."""
    changed_settings: tuple[str, ...] = ()
    """Names of settings that differ between the two."""
    changed_variables: tuple[str, ...] = ()
    """Names of variables that were set shortly before the onset."""
    served_for: timedelta | None = None
    """How long the previous one served."""
    newest: Deployment | None = None
    """The newest deployment, whatever came of it."""


class Shape(StrEnum):
    """How memory goes between restarts."""

    flat = "flat"
    rising = "rising"


@dataclass(frozen=True)
class ResourceFacts:
    """What it uses of its limits, and how much it is asked."""

    memory: Shape | None = None
    peak_memory_gb: float | None = None
    memory_limit_gb: float | None = None
    cpu_limit: float | None = None
    traffic_factor: float | None = None
    """Requests a second in the trouble, in times of the service's own usual rate."""
    restarts: int | None = None
    volume: str | None = None
    """Name of the fullest volume."""
    volume_used_mb: float = 0.0
    volume_size_mb: float = 0.0


@dataclass(frozen=True)
class Peer:
    """A service that it talks to, or that talks to it."""

    service: Service
    how: tuple[str, ...]
    """How that is known."""
    findings: tuple[Finding, ...] = ()
    """What was found of the peer at this tick."""
    at_limit: bool = False
    """Whether its CPU is at its limit."""
    is_caller: bool = False
    """Whether it is the one that calls."""


@dataclass(frozen=True)
class Upstream:
    """A provider that the service depends on, and how its status page stands."""

    id: str
    name: str
    how: tuple[str, ...]
    """How it is known that the service depends on it."""
    page: str = ""
    errors: int = 0
    """Error messages at and after the onset that name a host of it."""
    failed_lookups: int = 0
    """Failed look-ups of its hosts."""
    known: bool = False
    """Whether its status page could be read."""
    unknown: str = ""
    """Why it could not."""
    incident: str | None = None
    """Title of an unresolved incident that overlaps."""
    incident_url: str = ""
    incident_since: datetime | None = None
    has_guard: bool | None = None
    """Whether the code that calls it names a timeout; None when that was not found."""


@dataclass(frozen=True)
class RunFacts:
    """What became of a cron's runs in the window."""

    failed: int = 0
    succeeded: int = 0
    skipped: int = 0
    """Times at which a run was due while the one before was busy: the platform leaves these out."""
    longest: timedelta | None = None
    """Of those that ended."""
    hangs: bool = False
    """The newest is busy for much longer than any that ended."""


@dataclass(frozen=True)
class CodeFacts:
    """What is known of the repository at the deployed commit."""

    unreachable: str | None = None
    """Why the repository, or the commit in it, cannot be read; None when it can."""
    suspects: tuple[str, ...] = ()
    """``file:line`` of the places that the evidence leads to."""
    head: str | None = None
    """The newest commit of the deployed branch."""
    ahead_by: int | None = None
    """Commits between the deployed one and the head; None when that is not known."""
    changed_suspects: tuple[str, ...] = ()
    """Those of the suspects that the head has changed since."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """``npm:stripe`` and the like, each with the manifest that asks for it."""
    outgoing: tuple[Outgoing, ...] = ()
    """Places that call a provider."""


@dataclass(frozen=True)
class Facts:
    """All of it for one incident."""

    incident: Incident
    logs: LogFacts | None = None
    http: HttpFacts | None = None
    changes: ChangeFacts | None = None
    resources: ResourceFacts | None = None
    runs: RunFacts | None = None
    peers: tuple[Peer, ...] = ()
    neighbours: tuple[Finding, ...] = ()
    """Findings of other services that began at the same time."""
    upstreams: tuple[Upstream, ...] = ()
    platform: str | None = None
    """An incident of the platform itself that is not over."""
    code: CodeFacts | None = None
    failed: Mapping[str, str] = field(default_factory=dict)
    """Why a source could not be read, by its name."""
