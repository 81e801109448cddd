"""The nouns of the pipeline, as frozen models. No behaviour beyond small properties.

Times are aware UTC datetimes, windows are closed-open, money is US dollars, shares are 0…1
and percentages are 0…100; a field that means something else says so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A frozen value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --------------------------------------------------------------------------- observe


class Window(Model):
    """The time span ``[start, end)``."""

    start: AwareDatetime
    end: AwareDatetime

    @classmethod
    def ending(cls, end: datetime, length: timedelta) -> Window:
        """The window of ``length`` that ends at ``end``."""
        return cls(start=end - length, end=end)

    @property
    def length(self) -> timedelta:
        """How long the window is."""
        return self.end - self.start


class ServiceKind(StrEnum):
    """What a service is for; decides which signals judge it."""

    web = "web"
    worker = "worker"
    cron = "cron"
    database = "database"


class Deployment(Model):
    """One deployment of one service."""

    id: str
    service_id: str
    status: str
    """Railway's DeploymentStatus, e.g. ``SUCCESS``, ``CRASHED``, ``REMOVED``, ``SLEEPING``."""
    created_at: AwareDatetime
    status_at: AwareDatetime | None = None
    """Since when it has its status; None when that was not asked for."""
    commit: str | None = None
    """Full commit hash; None when deployed from an image or by upload."""
    commit_message: str | None = None
    repository: str | None = None
    """``owner/name``."""
    branch: str | None = None


class Service(Model):
    """A service as it stands in one environment."""

    id: str
    name: str
    kind: ServiceKind
    repository: str | None = None
    """``owner/name`` it is deployed from; None for an image."""
    branch: str | None = None
    """The branch whose pushes are deployed."""
    image: str | None = None
    root_directory: str = ""
    """The service's folder in its repository; empty for the whole repository."""
    watch_patterns: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    replicas: int = 1
    region: str | None = None
    cron_schedule: str | None = None
    sleeping: bool = False
    own: bool = False
    """One of this tool's own services: reported, never repaired."""
    deployment: Deployment | None = None
    """The deployment that serves now."""


class Volume(Model):
    """A volume and how full it is."""

    name: str
    service_id: str | None = None
    mount_path: str = ""
    used_mb: float
    size_mb: float


class PlatformStatus(Model):
    """What Railway says about itself."""

    stable: bool
    incident: str | None = None


class Architecture(Model):
    """What runs in one environment."""

    project_id: str
    project_name: str
    environment_id: str
    environment_name: str
    services: tuple[Service, ...]
    volumes: tuple[Volume, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    """Recent deployments of the whole environment, newest first."""
    platform: PlatformStatus | None = None

    def service(self, service_id: str) -> Service:
        """The service with this id; KeyError when there is none."""
        for service in self.services:
            if service.id == service_id:
                return service
        raise KeyError(service_id)


class Level(Model):
    """Average, maximum and limit of one resource over a window."""

    average: float
    maximum: float
    limit: float | None = None
    unit: str


class ServiceSummary(Model):
    """How one service did over a window. None and empty mean "not measured", never zero."""

    service_id: str
    window: Window
    cpu: Level | None = None
    memory: Level | None = None
    disk: Level | None = None
    requests: int = 0
    status_codes: dict[int, int] = Field(default_factory=dict)
    """Requests per HTTP status code."""
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    restarts: int | None = None
    unknown: str | None = None
    """Why the service could not be read; None when it could."""

    def rate(self, status_class: int) -> float | None:
        """Percent of requests whose status begins with this digit; None without requests."""
        if not self.requests:
            return None
        hits = sum(n for code, n in self.status_codes.items() if code // 100 == status_class)
        return 100 * hits / self.requests


# --------------------------------------------------------------------------- detect


class Signal(StrEnum):
    """What is judged."""

    cpu = "cpu"
    memory = "memory"
    disk = "disk"
    http_5xx = "http_5xx"
    http_4xx = "http_4xx"
    latency = "latency"
    log_errors = "log_errors"
    crash_loop = "crash_loop"
    build_failure = "build_failure"
    cron_failed = "cron_failed"
    silence = "silence"


class Severity(StrEnum):
    """How bad."""

    warning = "warning"
    critical = "critical"


class Pattern(StrEnum):
    """In which way a signal is in trouble; verdicts rest on it."""

    level = "level"
    """Over a fixed level for long enough."""
    trend = "trend"
    """On its way to a limit while what it is used for stays level: a leak."""
    step = "step"
    """Changed against the service's own baseline and stayed there."""
    counted = "counted"
    """Happened so many times."""


class Finding(Model):
    """A breach judged worth naming: one service, one signal, one tick."""

    ts: AwareDatetime
    """The tick: the end of the window that was judged."""
    service_id: str
    service: str
    signal: Signal
    severity: Severity
    onset: AwareDatetime
    """When the trouble began, as far as the window shows."""
    value: float
    threshold: float
    unit: str
    reason: str
    """One line that explains the finding with numbers and units."""
    pattern: Pattern = Pattern.level
    baseline: float | None = None
    """The service's own normal in the same unit; None when it is not known."""
    hours_left: float | None = None
    """Of a trend: estimated hours until the limit is reached."""
    deployment_id: str | None = None
    """The deployment that shortly precedes the onset, if there is one."""


class Incident(Model):
    """The findings of one service in one environment that belong together."""

    fingerprint: str
    episode: int = 1
    attempt: int = 1
    environment_id: str
    service: Service
    findings: tuple[Finding, ...]
    onset: AwareDatetime
    deployed_commit: str | None
    """The commit that was deployed when the incident opened."""
    window: Window
    """The window in which the findings were made."""
    earlier: tuple[str, ...] = ()
    """What was tried before and what came of it, a line each, the newest last."""

    @property
    def work_id(self) -> str:
        """One incident's turn: fingerprint, episode and attempt."""
        return f"{self.fingerprint}-e{self.episode}-a{self.attempt}"

    @property
    def severity(self) -> Severity:
        """The worst of its findings."""
        worst = any(f.severity is Severity.critical for f in self.findings)
        return Severity.critical if worst else Severity.warning


class Outcome(StrEnum):
    """What a merged fix did."""

    recovered = "recovered"
    unchanged = "unchanged"
    worse = "worse"
    inconclusive = "inconclusive"


class IncidentState(StrEnum):
    """Where an incident stands between ticks."""

    open = "open"
    """Due, or about to be."""
    handed_on = "handed_on"
    """A run has its turn, or had it and ended without a pull request."""
    proposed = "proposed"
    """A pull request is open."""
    merged = "merged"
    """Its pull request was merged, and what it did is not known yet."""
    declined = "declined"
    """A person closed its pull request without merging it."""
    kept_off = "kept_off"
    """A person's label says to do nothing."""
    settled = "settled"
    """Its fix has an outcome that calls for a person."""
    ended = "ended"


class Declined(Model):
    """A person's no, and what it was said to."""

    pull_request: str = ""
    """Its address; empty for a plan that was declined before there was one."""
    plan_of: str = ""
    """The work id whose plan was declined; empty for a pull request."""
    reason: str = ""
    """What the person said, where one was asked."""
    at: AwareDatetime
    commit: str | None
    """What was deployed when it was seen."""
    critical: tuple[Signal, ...]
    """Signals that were critical when it was seen."""


class IncidentRecord(Model):
    """What is remembered of an incident between ticks."""

    fingerprint: str
    episode: int
    attempt: int
    environment_id: str
    service_id: str
    service: str
    first_signal: Signal
    deployed_commit: str | None
    onset: AwareDatetime
    opened_at: AwareDatetime
    last_seen: AwareDatetime
    quiet_ticks: int = 0
    state: IncidentState = IncidentState.open
    why: str = ""
    """One line on why it is in this state."""
    handed_on_at_autonomy: str | None = None
    """The autonomy at which it was handed on last."""
    handed_on_signals: tuple[tuple[Signal, Severity], ...] = ()
    """What was found when it was handed on last."""
    handed_on_commit: str | None = None
    """What was deployed when it was handed on last."""
    signals: tuple[Signal, ...] = ()
    """Every signal that belonged to it so far."""
    verdict: str | None = None
    action: str = ""
    """The exact thing to do for a person, where the verdict is not a fix in code."""
    pull_request: str | None = None
    """Address of its newest pull request."""
    outcome: Outcome | None = None
    """What that did after its merge."""
    settled_commit: str | None = None
    """What was deployed when the outcome was seen."""
    declined: Declined | None = None
    earlier: tuple[str, ...] = ()
    """Pull requests before this attempt and what came of them, a line each."""
    cost: float = 0.0
    """US dollars of its sessions, as far as prices are known."""
    muted: bool = False
    """Set by a person in the Prefect UI: nothing is done about it while true."""
    next_look: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None

    @property
    def work_id(self) -> str:
        """One incident's turn: fingerprint, episode and attempt."""
        return f"{self.fingerprint}-e{self.episode}-a{self.attempt}"


# --------------------------------------------------------------------------- investigate


class EvidenceItem(Model):
    """A redacted, bounded fact with its source and time span."""

    id: str
    """``E1``, ``E2``, … unique within one fix."""
    source: str
    """Where it was read: ``metrics``, ``deployment log``, ``http log``, ``deployments``, …"""
    start: AwareDatetime
    end: AwareDatetime
    why: str
    """Why it is here, in one line."""
    text: str


class VerdictKind(StrEnum):
    """What to do."""

    code_fix = "code_fix"
    raise_limit = "raise_limit"
    scale_replicas = "scale_replicas"
    rollback = "rollback"
    wait_upstream = "wait_upstream"
    insufficient_evidence = "insufficient_evidence"
    no_action = "no_action"


class Verdict(Model):
    """What the evidence supports, settled by code."""

    kind: VerdictKind
    reason: str
    action: str = ""
    """The exact thing to do, for a person; empty where an agent goes on."""
    evidence: tuple[str, ...] = ()
    """Ids of the evidence items it rests on."""


class Chart(Model):
    """One signal over the window, in parts of equal length, for a small picture."""

    signal: Signal
    label: str
    """What is shown, e.g. ``p95``."""
    unit: str
    start: AwareDatetime
    end: AwareDatetime
    values: tuple[float | None, ...]
    """The highest value of each part; None where nothing was measured."""
    threshold: float | None = None
    onset: AwareDatetime


class ServiceContext(Model):
    """All that is known about one affected service: the input of a fix."""

    incident: Incident
    summary: ServiceSummary
    evidence: tuple[EvidenceItem, ...]
    verdict: Verdict
    charts: tuple[Chart, ...] = ()
    """Signals in trouble, the worst first."""


# --------------------------------------------------------------------------- plan


class RootCause(Model):
    """Why a service suffers."""

    service: str = Field(description="Name of the affected service")
    cause: str = Field(description="What is wrong, in two or three sentences")
    evidence: list[str] = Field(description="Ids of the evidence items that show it, e.g. E2")
    file: str | None = Field(default=None, description="File it is in, if the evidence shows it")
    function: str | None = Field(default=None, description="Function it is in, if known")
    confidence: float = Field(ge=0, le=1, description="0 to 1")


class FixStep(Model):
    """One step of the fix; becomes one item of the agent's todo list."""

    title: str = Field(description="One line, imperative")
    detail: str = Field(default="", description="What exactly to do, and how to see it is done")


class FixPlan(Model):
    """A plan to fix the affected services of one repository, or a statement that there is none."""

    answer: Literal["fix", "insufficient_evidence"] = Field(
        description="insufficient_evidence when the evidence does not show a cause"
    )
    title: str = Field(description="One line for the pull request, imperative, under 70 characters")
    summary: str = Field(description="What happened and why, in at most five sentences")
    architecture: str = Field(
        default="", description="The part of the architecture that matters here, in two sentences"
    )
    affected_services: list[str] = Field(description="Names of the services the fix is for")
    root_causes: list[RootCause]
    steps: list[FixStep] = Field(description="Ordered steps of the fix; tests belong to them")
    files: list[str] = Field(
        default_factory=list, description="Files expected to change, relative to the repository"
    )
    dependencies: list[str] = Field(
        default_factory=list,
        description="Packages the fix needs new or in another version, by their exact names in the "
        "manifest; normally none",
    )
    debugging: list[str] = Field(
        default_factory=list, description="How to reproduce it, also under the same load"
    )
    recommendations: list[str] = Field(default_factory=list, description="Beyond this change")
    verification: list[str] = Field(
        default_factory=list, description="How to see that it helped: which signal, which level"
    )
    risks: list[str] = Field(default_factory=list)
    do_not_touch: list[str] = Field(
        default_factory=list, description="Code and behaviour that this fix must leave as it is"
    )
    missing: str = Field(
        default="", description="With insufficient_evidence: what one would need to know"
    )

    @property
    def confidence(self) -> float:
        """The confidence of its weakest root cause; 0 without one."""
        return min((cause.confidence for cause in self.root_causes), default=0.0)


class PlanResult(Model):
    """A plan with what it cost and where it came from."""

    plan: FixPlan
    model: str
    """As the endpoint names itself."""
    prompt_version: str
    input_tokens: int
    """Of all calls for this plan, as the endpoint counts them."""
    output_tokens: int
    calls: int = 1
    cost: float | None = None
    """US dollars; None where no prices are set."""
    objections: tuple[str, ...] = ()
    """What was wrong with the first answer, when it was sent back."""


# --------------------------------------------------------------------------- change


class Todo(Model):
    """One item of the agent's todo list."""

    content: str
    status: str


class CommandRun(Model):
    """A shell command the agent ran, read from its tool parts and not from its words."""

    command: str
    exit_status: int | None


class SessionEnd(StrEnum):
    """How an agent's session ended."""

    completed = "completed"
    nothing_to_change = "nothing_to_change"
    refused = "refused"
    failed = "failed"
    deadline = "deadline"
    step_limit = "step_limit"
    cost_limit = "cost_limit"
    lost = "lost"


class SessionResult(Model):
    """A session from submit to its typed end."""

    end: SessionEnd
    reason: str = ""
    session_id: str
    directory: str
    """The session directory on the OpenCode server."""
    base: str
    """Commit the work started from."""
    head: str | None = None
    """Newest commit of the agent's branch; None when there is none."""
    todos: tuple[Todo, ...] = ()
    commands: tuple[CommandRun, ...] = ()
    answer: str = ""
    """The agent's closing words; never used as a proof of anything."""
    steps: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    """From the prompt to the newest sign of life, by the server's clock."""
    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""
    """The agent's model, as the server names it."""


class Denial(Model):
    """One reason why commits may not be published."""

    rule: str
    path: str
    reason: str


class FileChange(Model):
    """One changed file of a patch."""

    path: str
    status: str
    """Git's letter: A, M, D or T."""
    added: int
    removed: int


class GateResult(Model):
    """What the gate says about base..head."""

    base: str
    head: str
    denials: tuple[Denial, ...] = ()
    files: tuple[FileChange, ...] = ()
    patch: str = ""
    """For people; the verdict never rests on it."""
    notes: tuple[str, ...] = ()
    """Allowed, and worth a reviewer's look: existing tests that were changed."""

    @property
    def allowed(self) -> bool:
        """True when nothing was denied."""
        return not self.denials


class PullRequest(Model):
    """A pull request as the forge reports it."""

    repository: str
    number: int
    url: str
    author: str = ""
    """Who opened it: comments by anyone else are never taken for ours."""
    title: str = ""
    branch: str
    base: str
    head_commit: str | None = None
    state: Literal["open", "closed"]
    draft: bool = False
    merged: bool = False
    merge_commit: str | None = None
    """What the merge put on the base branch; None before it."""
    mergeable: bool | None = None
    """False when it conflicts with its base; None when the forge does not know yet, or was not
    asked for this pull request alone."""
    labels: tuple[str, ...] = ()
    body: str = ""
    created_at: AwareDatetime | None = None
    merged_at: AwareDatetime | None = None
    closed_at: AwareDatetime | None = None


class Skipped(Model):
    """Nothing was done, and why."""

    reason: str
    pull_request: PullRequest | None = None
