"""Answers the schema's root fields from the world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ariadne import (
    MutationType,
    QueryType,
    ScalarType,
    load_schema_from_path,
    make_executable_schema,
)
from graphql import GraphQLSchema

from sandbox.blueprint import ENVIRONMENT_ID, PROJECT_ID, ServiceSpec, stable_id
from sandbox.railway import logs, metrics
from sandbox.railway.logs import parse_time
from sandbox.railway.nodes import Nodes, connection, event_node, execution_node
from sandbox.records import Deployment, LogLine, Request, utc_now
from sandbox.world import World

SCHEMA = Path(__file__).with_name("schema.graphql")

Json = dict[str, Any]


class Refused(Exception):
    """What is asked for does not exist, or the token may not see it; the two look the same."""

    def __init__(self) -> None:
        """Say what the platform says."""
        super().__init__("Not Authorized")


class Resolvers:
    """One method a root field."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._nodes = Nodes(world)

    def project(self, _root: object, _info: object, id: str) -> Json:  # noqa: A002
        _require(id, PROJECT_ID)
        return self._nodes.project()

    def environment(
        self,
        _root: object,
        _info: object,
        id: str,  # noqa: A002
        projectId: str | None = None,  # noqa: N803
    ) -> Json:
        _require(id, ENVIRONMENT_ID)
        _require(projectId, PROJECT_ID, None)
        return self._nodes.environment()

    def project_token(self, _root: object, _info: object) -> Json:
        return {
            "id": stable_id("token"),
            "name": "sandbox",
            "createdAt": self._world.started,
            "projectId": PROJECT_ID,
            "environmentId": ENVIRONMENT_ID,
            "project": self._nodes.project(),
            "environment": self._nodes.environment(),
        }

    def platform_status(self, _root: object, _info: object) -> Json:
        return {"isStable": True}

    def service(self, _root: object, _info: object, id: str) -> Json:  # noqa: A002
        return self._nodes.service(self._spec(id))

    def service_instance(self, _root: object, _info: object, **arguments: Any) -> Json:
        return self._nodes.service_instance(self._spec_of(arguments))

    def service_instance_limits(self, _root: object, _info: object, **arguments: Any) -> Json:
        spec = self._spec_of(arguments)
        memory = int(spec.memory_limit_mb * 1_000_000)
        return {"containers": {"cpu": spec.cpu_limit, "memoryBytes": memory}}

    def deployment(self, _root: object, _info: object, id: str) -> Json:  # noqa: A002
        return self._nodes.deployment(self._deployment(id))

    def deployments(self, _root: object, _info: object, **arguments: Any) -> Json:
        wanted = arguments["input"]
        _require(wanted.get("projectId"), PROJECT_ID, None)
        _require(wanted.get("environmentId"), ENVIRONMENT_ID, None)
        status = wanted.get("status") or {}
        found = [
            node
            for node in self._nodes.deployments()
            if wanted.get("serviceId") in {None, node["serviceId"]}
            and (status.get("in") is None or node["status"] in status["in"])
            and node["status"] not in (status.get("notIn") or ())
        ]
        return connection(found, arguments.get("first"), arguments.get("after"))

    def deployment_events(self, _root: object, _info: object, **arguments: Any) -> Json:
        deployment = self._deployment(arguments["id"])
        steps = [event_node(deployment, i, step) for i, step in enumerate(deployment.steps)]
        return connection(steps, arguments.get("first"), arguments.get("after"))

    def executions(self, _root: object, _info: object, **arguments: Any) -> Json:
        spec = self._spec_of(arguments["input"])
        found = [
            execution_node(deployment, execution)
            for deployment in self._world.registry.of(spec.id)
            for execution in deployment.executions
        ]
        return connection(found[::-1], arguments.get("first"), arguments.get("after"))

    def metrics(self, _root: object, _info: object, **arguments: Any) -> list[Json]:
        _require(arguments.get("projectId"), PROJECT_ID, None)
        _require(arguments.get("environmentId"), ENVIRONMENT_ID, None)
        chosen = [
            deployment
            for deployment in self._world.registry.all()
            if arguments.get("serviceId") in {None, deployment.spec.id}
            and arguments.get("volumeId") in {None, stable_id("volume", deployment.spec.name)}
        ]
        span = (arguments["startDate"], arguments.get("endDate") or utc_now())
        return metrics.resource_metrics(
            chosen,
            arguments["measurements"],
            arguments.get("groupBy") or [],
            span,
            arguments.get("sampleRateSeconds"),
        )

    def http_metrics(self, _root: object, _info: object, **arguments: Any) -> Json:
        requests, span, step = self._requests(arguments)
        return {"samples": metrics.http_counts(requests, span, step)}

    def http_by_status(self, _root: object, _info: object, **arguments: Any) -> list[Json]:
        return metrics.http_counts_by_status(*self._requests(arguments))

    def http_durations(self, _root: object, _info: object, **arguments: Any) -> Json:
        return {"samples": metrics.http_durations(*self._requests(arguments))}

    def http_logs(self, _root: object, _info: object, **arguments: Any) -> list[Json]:
        deployment = self._deployment(arguments["deploymentId"])
        rows = ((deployment, request) for request in tuple(deployment.requests))
        return logs.http_log(rows, arguments)

    def deployment_logs(self, _root: object, _info: object, **arguments: Any) -> list[Json]:
        deployment = self._deployment(arguments["deploymentId"])
        return _between(deployment, tuple(deployment.log), arguments)

    def build_logs(self, _root: object, _info: object, **arguments: Any) -> list[Json]:
        deployment = self._deployment(arguments["deploymentId"])
        return _between(deployment, tuple(deployment.build_log), arguments)

    def environment_logs(self, _root: object, _info: object, **arguments: Any) -> list[Json]:
        _require(arguments["environmentId"], ENVIRONMENT_ID)
        return logs.environment_log(self._lines(), arguments)

    def dns_logs(self, _root: object, _info: object, **arguments: Any) -> list[Json]:
        found = self._deployments_of(arguments)
        return logs.dns_log(((d, lookup) for d in found for lookup in tuple(d.lookups)), arguments)

    def flow_logs(self, _root: object, _info: object, **arguments: Any) -> list[Json]:
        found = self._deployments_of(arguments)
        return logs.flow_log(((d, flow) for d in found for flow in tuple(d.flows)), arguments)

    def limit_override(self, _root: object, _info: object, **arguments: Any) -> Json:
        return self.service_instance_limits(_root, _info, **arguments)

    def rollback(self, _root: object, _info: object, id: str) -> bool:  # noqa: A002
        deployment = self._deployment(id)
        if deployment.spec.image or deployment.status != "REMOVED":
            raise Refused
        self._world.roll_back(deployment)
        return True

    def _deployments_of(self, arguments: Json) -> list[Deployment]:
        """Those of one service, or of all of them."""
        _require(arguments["environmentId"], ENVIRONMENT_ID)
        service = arguments.get("serviceId")
        return self._world.registry.of(service) if service else self._world.registry.all()

    def _lines(self) -> Iterator[tuple[Deployment, LogLine]]:
        for deployment in self._world.registry.all():
            for line in tuple(deployment.log):
                yield deployment, line

    def _requests(
        self, arguments: Json
    ) -> tuple[list[Request], tuple[datetime, datetime], int | None]:
        spec = self._spec_of(arguments)
        wanted = {
            name: arguments[key]
            for key, name in (("method", "method"), ("path", "path"), ("statusCode", "status"))
            if arguments.get(key) is not None
        }
        requests = [
            request
            for deployment in self._world.registry.of(spec.id)
            for request in tuple(deployment.requests)
            if all(getattr(request, name) == value for name, value in wanted.items())
        ]
        return (
            requests,
            (arguments["startDate"], arguments["endDate"]),
            arguments.get("stepSeconds"),
        )

    def _spec_of(self, arguments: Json) -> ServiceSpec:
        _require(arguments["environmentId"], ENVIRONMENT_ID)
        return self._spec(arguments["serviceId"])

    def _spec(self, service_id: str) -> ServiceSpec:
        for spec in self._world.specs:
            if spec.id == service_id:
                return spec
        raise Refused

    def _deployment(self, deployment_id: str) -> Deployment:
        for deployment in self._world.registry.all():
            if deployment.id == deployment_id:
                return deployment
        raise Refused


def build_schema(world: World) -> GraphQLSchema:
    """The executable schema."""
    resolve = Resolvers(world)
    query, mutation = QueryType(), MutationType()
    fields: dict[str, Callable[..., Any]] = {
        "buildLogs": resolve.build_logs,
        "deployment": resolve.deployment,
        "deploymentEvents": resolve.deployment_events,
        "deploymentInstanceExecutions": resolve.executions,
        "deploymentLogs": resolve.deployment_logs,
        "deployments": resolve.deployments,
        "dnsQueryLogs": resolve.dns_logs,
        "environment": resolve.environment,
        "environmentLogs": resolve.environment_logs,
        "httpDurationMetrics": resolve.http_durations,
        "httpLogs": resolve.http_logs,
        "httpMetrics": resolve.http_metrics,
        "httpMetricsGroupedByStatus": resolve.http_by_status,
        "metrics": resolve.metrics,
        "networkFlowLogs": resolve.flow_logs,
        "platformStatus": resolve.platform_status,
        "project": resolve.project,
        "projectToken": resolve.project_token,
        "service": resolve.service,
        "serviceInstance": resolve.service_instance,
        "serviceInstanceLimitOverride": resolve.limit_override,
        "serviceInstanceLimits": resolve.service_instance_limits,
    }
    for name, resolver in fields.items():
        query.set_field(name, resolver)
    mutation.set_field("deploymentRollback", resolve.rollback)
    times = ScalarType("DateTime", serializer=_render_date, value_parser=_parse_date)
    schema: GraphQLSchema = make_executable_schema(
        load_schema_from_path(SCHEMA), query, mutation, times
    )
    return schema


def _between(deployment: Deployment, lines: tuple[LogLine, ...], arguments: Json) -> list[Json]:
    return logs.select_between(
        ((deployment, line) for line in lines),
        arguments.get("filter"),
        arguments.get("limit"),
        arguments.get("startDate"),
        arguments.get("endDate"),
    )


def _require(given: str | None, *allowed: str | None) -> None:
    if given not in allowed:
        raise Refused


def _render_date(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parse_date(value: object) -> datetime:
    return parse_time(str(value))
