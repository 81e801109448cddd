"""What a person tunes, as flow parameters: the Prefect UI shows them as a form.

Their values per project stand in prefect.yaml, the one place.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Parameters(BaseModel):
    """A frozen group of parameters that refuses names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Autonomy(StrEnum):
    """Where a run stops."""

    report = "report"
    plan = "plan"
    pull_request = "pull_request"


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
    min_requests: int = Field(
        default=50, ge=1, description="Fewer requests in the window say nothing about HTTP"
    )
    sustained_share: float = Field(
        default=0.6,
        gt=0,
        le=1,
        description="Share of the window's samples that must be in breach before a level counts",
    )


class ServiceSelection(Parameters):
    """Which services are watched."""

    include: list[str] = Field(
        default_factory=list, description="Names; only these are watched. Empty: all"
    )
    exclude: list[str] = Field(default_factory=list, description="Names that are never watched")

    def selects(self, name: str) -> bool:
        """Whether a service of this name is watched."""
        return (not self.include or name in self.include) and name not in self.exclude


class Caps(Parameters):
    """Limits that are code. Reaching one ends the run with its name."""

    new_pull_requests_per_tick: int = Field(default=2, ge=0, le=20)
    session_minutes: float = Field(default=30, gt=0, le=240)
    session_steps: int = Field(default=120, ge=1, le=1000)
    session_cost: float = Field(default=5.0, gt=0, description="US dollars")
    plan_input_tokens: int = Field(default=12_000, ge=1_000)
    patch_files: int = Field(default=20, ge=1)
    patch_lines: int = Field(default=800, ge=1)
    minimum_confidence: float = Field(
        default=0.5, ge=0, le=1, description="A less confident plan stops at `plan`"
    )
