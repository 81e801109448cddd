"""Shapes as Railway sends them: unknown fields are ignored, null stands for empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from autofix.errors import RailwayError

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


def _empty_if_null(value: Any) -> Any:
    return [] if value is None else value


def _text_if_null(value: Any) -> Any:
    return "" if value is None else value


Many = Annotated[list[T], BeforeValidator(_empty_if_null)]
Text = Annotated[str, BeforeValidator(_text_if_null)]


class Wire(BaseModel):
    """Something read from Railway."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Edge(Wire, Generic[T]):
    """One edge of a connection."""

    node: T


class PageInfo(Wire):
    """Whether a connection goes on."""

    more: bool | None = Field(default=False, alias="hasNextPage")
    cursor: str | None = Field(default=None, alias="endCursor")


class Connection(Wire, Generic[T]):
    """A list as GraphQL connections send it."""

    edges: Many[Edge[T]] = []
    page: PageInfo | None = Field(default=None, alias="pageInfo")

    @property
    def nodes(self) -> list[T]:
        """Its items."""
        return [edge.node for edge in self.edges]


class WireMeta(Wire):
    """What a deployment knows of its origin; every key is optional."""

    repo: str | None = None
    branch: str | None = None
    commit: str | None = Field(default=None, alias="commitHash")
    commit_message: str | None = Field(default=None, alias="commitMessage")
    image: str | None = None


class WireDeployment(Wire):
    """One deployment."""

    id: str
    service_id: Text = Field(default="", alias="serviceId")
    status: str
    created_at: AwareDatetime = Field(alias="createdAt")
    status_at: AwareDatetime | None = Field(default=None, alias="statusUpdatedAt")
    meta: Annotated[WireMeta, BeforeValidator(lambda v: v if isinstance(v, dict) else {})] = (
        WireMeta()
    )


class WireSource(Wire):
    """What a service is deployed from."""

    image: str | None = None
    repo: str | None = None


class WireDomain(Wire):
    """One domain."""

    domain: str


class WireDomains(Wire):
    """The domains of a service."""

    service_domains: Many[WireDomain] = Field(default=[], alias="serviceDomains")
    custom_domains: Many[WireDomain] = Field(default=[], alias="customDomains")


class WireServiceInstance(Wire):
    """A service in one environment."""

    service_id: str = Field(alias="serviceId")
    service_name: str = Field(alias="serviceName")
    replicas: int | None = Field(default=None, alias="numReplicas")
    region: str | None = None
    cron_schedule: str | None = Field(default=None, alias="cronSchedule")
    root_directory: str | None = Field(default=None, alias="rootDirectory")
    watch_patterns: Many[str] = Field(default=[], alias="watchPatterns")
    source: WireSource | None = None
    domains: WireDomains | None = None
    latest: WireDeployment | None = Field(default=None, alias="latestDeployment")
    active: Many[WireDeployment] = Field(default=[], alias="activeDeployments")


class WireVolumeName(Wire):
    """A volume's own record."""

    name: Text = ""


class WireVolume(Wire):
    """A volume in one environment."""

    service_id: str | None = Field(default=None, alias="serviceId")
    mount_path: Text = Field(default="", alias="mountPath")
    used_mb: float = Field(alias="currentSizeMB")
    size_mb: float = Field(alias="sizeMB")
    volume: WireVolumeName | None = None


class WireTrigger(Wire):
    """Which branch's pushes deploy a service."""

    service_id: str | None = Field(default=None, alias="serviceId")
    repository: str
    branch: str


class WireEnvironment(Wire):
    """One environment."""

    id: str
    name: str
    is_ephemeral: bool | None = Field(default=False, alias="isEphemeral")
    services: Connection[WireServiceInstance] = Field(
        default=Connection[WireServiceInstance](), alias="serviceInstances"
    )
    volumes: Connection[WireVolume] = Field(
        default=Connection[WireVolume](), alias="volumeInstances"
    )
    triggers: Connection[WireTrigger] = Field(
        default=Connection[WireTrigger](), alias="deploymentTriggers"
    )
    deployments: Connection[WireDeployment] = Connection[WireDeployment]()


class WireProject(Wire):
    """One project."""

    id: str
    name: str


class WireIncident(Wire):
    """A trouble of Railway's own."""

    message: Text = ""
    status: Text = ""


class WirePlatform(Wire):
    """What Railway says about itself."""

    is_stable: bool = Field(alias="isStable")
    incident: WireIncident | None = None


class WireArchitecture(Wire):
    """The answer of `architecture.graphql`."""

    project: WireProject
    environment: WireEnvironment
    platform: WirePlatform | None = Field(default=None, alias="platformStatus")


class WirePoint(Wire):
    """One value at one time; `ts` in Unix seconds, the start of the step."""

    ts: int
    value: float | None = None


class WireTags(Wire):
    """What a series or a log line belongs to."""

    service_id: str | None = Field(default=None, alias="serviceId")
    deployment_id: str | None = Field(default=None, alias="deploymentId")
    instance_id: str | None = Field(default=None, alias="deploymentInstanceId")


class WireSeries(Wire):
    """One measurement of one service."""

    measurement: str
    tags: WireTags = WireTags()
    points: Many[WirePoint] = Field(default=[], alias="values")


class WireStatusSeries(Wire):
    """Requests per step with one status code."""

    status: int = Field(alias="statusCode")
    samples: Many[WirePoint] = []


class WireDurations(Wire):
    """Latency percentiles of one step, milliseconds."""

    ts: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class WireDurationSeries(Wire):
    """Latency percentiles of one service."""

    samples: Many[WireDurations] = []


class WireHttp(Wire):
    """HTTP metrics of one service."""

    statuses: Many[WireStatusSeries] = []
    durations: WireDurationSeries = WireDurationSeries()


class WireRun(Wire):
    """One run of a cron service."""

    status: Text = ""
    created_at: AwareDatetime = Field(alias="createdAt")
    completed_at: AwareDatetime | None = Field(default=None, alias="completedAt")


class WireStamp(Wire):
    """A log line of which only time and owner were read. Nanoseconds tell two lines apart."""

    at: AwareDatetime = Field(alias="timestamp")
    raw: str = Field(alias="timestamp")
    tags: WireTags | None = None


class WireRequest(Wire):
    """A request of which only time, status and duration were read."""

    at: AwareDatetime = Field(alias="timestamp")
    status: int = Field(alias="httpStatus")
    total_ms: float = Field(alias="totalDuration")


class WireName(Wire):
    """A name."""

    name: str


class WireFields(Wire):
    """The fields of one type of the schema."""

    fields: Many[WireName] = []

    @property
    def names(self) -> frozenset[str]:
        """Their names."""
        return frozenset(field.name for field in self.fields)


class WireAttribute(Wire):
    """A field of a structured log line; the value arrives JSON-encoded."""

    key: str
    value: Text = ""


class LogLine(Wire):
    """One line of a log."""

    at: AwareDatetime = Field(alias="timestamp")
    message: Text = ""
    severity: Text = ""
    attributes: Many[WireAttribute] = []
    tags: WireTags | None = None

    @property
    def is_error(self) -> bool:
        """Whether it was logged as an error; stderr counts as one."""
        return self.severity.lower() in {"error", "err", "fatal", "critical"}


class HttpLogLine(Wire):
    """One request as the edge saw it."""

    at: AwareDatetime = Field(alias="timestamp")
    request_id: Text = Field(default="", alias="requestId")
    method: Text = ""
    path: Text = ""
    status: int = Field(alias="httpStatus")
    total_ms: float = Field(alias="totalDuration")
    app_ms: float | None = Field(default=None, alias="upstreamRqDuration")
    details: Text = Field(default="", alias="responseDetails")


def parse(model: type[M], data: Mapping[str, Any]) -> M:
    """The data as this model; RailwayError naming the first field that does not fit."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RailwayError(f"an answer of another shape: {place}: {first['msg']}") from error
