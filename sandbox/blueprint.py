"""What runs in the sandbox, as data: one application of the shop `acme`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from uuid import UUID, uuid5

SERVICES = Path(__file__).parent / "services"
HEALTHY = SERVICES / "_healthy"

_NAMESPACE = UUID("6f1c2a52-52b1-4c1e-9d0f-7d1c6a3c9b10")
PROJECT_NAME = "acme-shop"
ENVIRONMENT_NAME = "production"
REGION = "europe-west4"


def stable_id(*parts: str) -> str:
    """The same id for the same thing in every start of the sandbox."""
    return str(uuid5(_NAMESPACE, "/".join(parts)))


PROJECT_ID = stable_id("project", PROJECT_NAME)
ENVIRONMENT_ID = stable_id("environment", ENVIRONMENT_NAME)


class Role(StrEnum):
    """How a service is reached."""

    web = "web"
    """Over HTTP, through the edge."""
    tcp = "tcp"
    """By other services alone."""
    worker = "worker"
    cron = "cron"


@dataclass(frozen=True)
class ServiceSpec:
    """One service as it is declared."""

    name: str
    role: Role
    cpu_limit: float
    """vCPUs."""
    memory_limit_mb: float
    image: str | None = None
    """Deployed from this image and not from a repository."""
    cron_schedule: str | None = None
    mount_path: str | None = None
    volume_mb: int = 0
    references: dict[str, str] = field(default_factory=dict)
    """Variables that hold the private address of another service."""
    upstreams: dict[str, str] = field(default_factory=dict)
    """Variables that hold the address of somebody outside of the project."""

    @property
    def id(self) -> str:
        """The service's id on the platform."""
        return stable_id("service", self.name)

    @property
    def repository(self) -> str | None:
        """``owner/name``; None for an image."""
        return None if self.image else f"acme/{self.name}"

    @property
    def domain(self) -> str | None:
        """Its name at the edge; None without HTTP."""
        return f"{self.name}.up.sandbox.test" if self.role is Role.web else None

    @property
    def source(self) -> Path:
        """The folder its code is in."""
        return SERVICES / self.name

    @property
    def health_path(self) -> str | None:
        """What is asked to see that a deployment is up."""
        return "/health" if self.role is Role.web else None


BLUEPRINT: tuple[ServiceSpec, ...] = (
    ServiceSpec(
        "orders-db",
        Role.tcp,
        cpu_limit=0.18,
        memory_limit_mb=128,
        image="acme/rowstore:1.4",
        mount_path="/var/lib/rowstore",
        volume_mb=500,
    ),
    ServiceSpec("catalog-api", Role.web, cpu_limit=0.22, memory_limit_mb=75),
    ServiceSpec(
        "orders-web",
        Role.web,
        cpu_limit=0.5,
        memory_limit_mb=128,
        references={"ORDERS_DB": "orders-db"},
    ),
    ServiceSpec("billing-api", Role.web, cpu_limit=0.25, memory_limit_mb=128),
    ServiceSpec(
        "checkout-api",
        Role.web,
        cpu_limit=0.1,
        memory_limit_mb=128,
        upstreams={"PAYWELL_URL": "http://api.paywell.test"},
    ),
    ServiceSpec("image-resizer", Role.web, cpu_limit=0.1, memory_limit_mb=128),
    ServiceSpec("search-api", Role.web, cpu_limit=0.12, memory_limit_mb=128),
    ServiceSpec("mailer", Role.worker, cpu_limit=0.1, memory_limit_mb=64),
    ServiceSpec(
        "nightly-report",
        Role.cron,
        cpu_limit=0.25,
        memory_limit_mb=64,
        cron_schedule="* * * * *",
    ),
)
BY_NAME = {spec.name: spec for spec in BLUEPRINT}
CURABLE = tuple(spec.name for spec in BLUEPRINT if spec.upstreams or (HEALTHY / spec.name).is_dir())
"""Services that can be deployed without what makes them sick: a fault, or a provider that is down."""
