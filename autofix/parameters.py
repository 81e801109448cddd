"""What a person tunes, as flow parameters: the Prefect UI shows them as a form.

Their values per project stand in prefect.yaml, the one place.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from autofix.models import Signal


class Parameters(BaseModel):
    """A frozen group of parameters that refuses names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Autonomy(StrEnum):
    """Where a run stops."""

    report = "report"
    plan = "plan"
    approve = "approve"
    """A person reads the plan before the agent starts."""
    pull_request = "pull_request"

    @property
    def repairs(self) -> bool:
        """Whether a run at this level may come to a pull request."""
        return self in {Autonomy.approve, Autonomy.pull_request}


class WindowParameters(Parameters):
    """The slice of time that is judged."""

    minutes: float = Field(
        default=30, ge=1, le=24 * 60, title="Minutes", description="Length of the window"
    )
    step_seconds: int | None = Field(
        default=None,
        ge=1,
        le=3600,
        title="Step (seconds)",
        description="Distance of two samples; as fine as the API bears when empty",
    )

    @property
    def length(self) -> timedelta:
        """The window's length."""
        return timedelta(minutes=self.minutes)

    @property
    def step(self) -> timedelta | None:
        """Distance of two samples as a person chose it; None: as fine as the API bears."""
        return None if self.step_seconds is None else timedelta(seconds=self.step_seconds)


class Levels(Parameters):
    """Where a signal becomes a warning, and where it becomes critical."""

    warning: float = Field(ge=0)
    critical: float = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Levels:
        if self.critical < self.warning:
            msg = f"critical ({self.critical:g}) is below warning ({self.warning:g}); swap them"
            raise ValueError(msg)
        return self


class Thresholds(Parameters):
    """Levels per signal, and when they count."""

    cpu_percent: Levels = Field(
        default=Levels(warning=70, critical=90),
        title="CPU",
        description="CPU, percent of the limit",
    )
    memory_percent: Levels = Field(
        default=Levels(warning=70, critical=90),
        title="Memory",
        description="Memory, percent of the limit",
    )
    disk_percent: Levels = Field(
        default=Levels(warning=80, critical=95),
        title="Disk",
        description="Volumes, percent of their size",
    )
    http_5xx_percent: Levels = Field(
        default=Levels(warning=1, critical=5),
        title="5xx",
        description="Server errors, percent of requests",
    )
    http_4xx_percent: Levels = Field(
        default=Levels(warning=10, critical=25),
        title="4xx",
        description="Client errors, percent of requests",
    )
    latency_p95_ms: Levels = Field(
        default=Levels(warning=1000, critical=3000),
        title="Latency p95",
        description="95th percentile, milliseconds",
    )
    restarts: Levels = Field(
        default=Levels(warning=1, critical=3),
        title="Restarts",
        description="Unplanned restarts in the window",
    )
    log_errors_per_hour: Levels = Field(
        default=Levels(warning=60, critical=600),
        title="Error lines",
        description="Error lines an hour of a service without HTTP; they must also be a multiple "
        "of its own normal",
    )
    cron_failures: Levels = Field(
        default=Levels(warning=1, critical=3),
        title="Cron failures",
        description="Runs of a cron that failed or never began, in the window",
    )
    hours_to_limit: float = Field(
        default=6,
        gt=0,
        le=72,
        description="A leak, or a volume that fills up, counts when its limit is this near",
    )
    step_factor: float = Field(
        default=3,
        gt=1,
        description="Latency or an error rate at this multiple of the service's own normal is a "
        "regression, also below the levels",
    )
    min_requests: int = Field(
        default=50, ge=1, description="Fewer requests in the window say nothing about HTTP"
    )
    sustained_share: float = Field(
        default=0.6,
        gt=0,
        le=1,
        description="Share of the window's samples that must be in breach before a level counts",
    )


class ServiceOverride(Parameters):
    """Other thresholds for one service; what is left empty stays as it is for all."""

    service: str = Field(min_length=1, title="Service", description="Its name")
    cpu_percent: Levels | None = Field(default=None, title="CPU")
    memory_percent: Levels | None = Field(default=None, title="Memory")
    disk_percent: Levels | None = Field(default=None, title="Disk")
    http_5xx_percent: Levels | None = Field(default=None, title="5xx")
    http_4xx_percent: Levels | None = Field(default=None, title="4xx")
    latency_p95_ms: Levels | None = Field(default=None, title="Latency p95")
    restarts: Levels | None = Field(default=None, title="Restarts")
    log_errors_per_hour: Levels | None = Field(default=None, title="Error lines")
    cron_failures: Levels | None = Field(default=None, title="Cron failures")
    hours_to_limit: float | None = Field(default=None, gt=0, le=72)
    step_factor: float | None = Field(default=None, gt=1)
    min_requests: int | None = Field(default=None, ge=1)
    sustained_share: float | None = Field(default=None, gt=0, le=1)

    def apply(self, thresholds: Thresholds) -> Thresholds:
        """The thresholds of this service."""
        own = {name: getattr(self, name) for name in Thresholds.model_fields}
        return thresholds.model_copy(update={n: v for n, v in own.items() if v is not None})


def _day_begins(value: Any) -> Any:
    """A plain date is the moment at which it begins, UTC."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value.strip())
        except ValueError:
            return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return value


class Mute(Parameters):
    """Something known that is not to be named until a date."""

    service: str = Field(min_length=1, title="Service", description="Its name")
    signal: Signal | None = Field(
        default=None, title="Signal", description="Only this signal; every signal when empty"
    )
    until: Annotated[AwareDatetime, BeforeValidator(_day_begins)] = Field(
        title="Until",
        description="When it ends; a date without a time ends as that day begins, UTC",
    )
    reason: str = Field(default="", title="Why", description="Shown in the report")

    def covers(self, service: str, signal: Signal, at: datetime) -> bool:
        """Whether this signal of this service is muted at this moment."""
        return service == self.service and self.signal in {None, signal} and at < self.until


class Rules(Parameters):
    """What the detector goes by: levels for all, for some services, and what is muted."""

    thresholds: Thresholds = Field(default_factory=Thresholds)
    overrides: tuple[ServiceOverride, ...] = ()
    mutes: tuple[Mute, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> Rules:
        names = [override.service for override in self.overrides]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"overrides: {twice} stands there twice; put both into one")
        return self

    def of(self, service: str) -> Thresholds:
        """The thresholds of the service of this name."""
        for override in self.overrides:
            if override.service == service:
                return override.apply(self.thresholds)
        return self.thresholds

    def mute_of(self, service: str, signal: Signal, at: datetime) -> Mute | None:
        """The mute that covers this signal at this moment, if there is one."""
        return next((m for m in self.mutes if m.covers(service, signal, at)), None)

    def unknown_names(self, known: Collection[str]) -> tuple[str, ...]:
        """Services that are named here and do not exist."""
        named = [override.service for override in self.overrides]
        named += [mute.service for mute in self.mutes]
        return tuple(dict.fromkeys(name for name in named if name not in known))


class ServiceSelection(Parameters):
    """Which services are watched."""

    include: list[str] = Field(
        default_factory=list, description="Names; only these are watched. Empty: all"
    )
    exclude: list[str] = Field(default_factory=list, description="Names that are never watched")

    def selects(self, name: str) -> bool:
        """Whether a service of this name is watched."""
        return (not self.include or name in self.include) and name not in self.exclude


class VerificationParameters(Parameters):
    """How it is looked again after a merge."""

    warm_up_minutes: float = Field(
        default=5,
        ge=0,
        le=120,
        title="Warm-up (minutes)",
        description="How long a deployment is live before it is looked at",
    )
    min_requests: int = Field(
        default=100,
        ge=1,
        title="Fewest requests",
        description="Fewer in either window claim nothing about a service with HTTP",
    )
    rollback: bool = Field(
        default=False,
        title="Roll back by itself",
        description="When a fix made it worse: ask Railway for the rollback, once, and never "
        "across what looks like a migration. Off: it is proposed in a comment",
    )

    @property
    def warm_up(self) -> timedelta:
        """How long a deployment is live before it is looked at."""
        return timedelta(minutes=self.warm_up_minutes)


class Caps(Parameters):
    """Limits that are code. Reaching one ends the run with its name."""

    new_pull_requests_per_tick: int = Field(default=2, ge=0, le=20)
    pull_requests_per_day: int = Field(
        default=10, ge=0, le=200, description="Opened in 24 hours, in all repositories"
    )
    open_pull_requests_per_repository: int = Field(
        default=3, ge=1, le=50, description="Of ours, waiting in one repository"
    )
    agent_sessions: int = Field(
        default=3, ge=1, le=20, description="Sessions at the same time on the agent's server"
    )
    session_minutes: float = Field(default=30, gt=0, le=240)
    session_steps: int = Field(default=120, ge=1, le=1000)
    session_cost: float = Field(default=5.0, gt=0, description="US dollars")
    plan_input_tokens: int = Field(
        default=12_000, ge=4_000, le=12_000, description="One prompt, by an estimate"
    )
    plan_output_tokens: int = Field(
        default=16_000, ge=1_000, description="One answer, thinking included"
    )
    plan_tokens: int = Field(
        default=60_000, ge=5_000, description="All calls for one plan, in and out"
    )
    plan_cost: float = Field(default=1.0, gt=0, description="One plan, US dollars; needs prices")
    plan_tokens_per_day: int = Field(
        default=600_000, ge=5_000, description="All plans of 24 hours, in and out"
    )
    plan_cost_per_day: float = Field(
        default=10.0, gt=0, description="All plans of 24 hours, US dollars; needs prices"
    )
    patch_files: int = Field(default=20, ge=1)
    patch_lines: int = Field(default=800, ge=1)
    minimum_confidence: float = Field(
        default=0.5, ge=0, le=1, description="A less confident plan stops at `plan`"
    )
