"""A few lines of Railway: answers by query name, and whatever faults a test asks for."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx

from autofix.observe.limits import ApiLimits
from autofix.observe.railway import RailwayClient
from autofix.settings import Settings

Reply = httpx.Response | Exception | None


def make_settings(**fields: Any) -> Settings:
    defaults = {
        "railway_token": "secret-railway-token",
        "railway_project_id": "p1",
        "railway_environment_id": "e1",
        "railway_api_url": "https://railway.test/graphql/v2",
    }
    return Settings(_env_file=None, **(defaults | fields))


def deployment(service: str, at: str = "2026-03-02T12:00:00Z", **fields: Any) -> dict[str, Any]:
    meta = {"repo": f"acme/{service}", "branch": "main", "commitHash": "a" * 40}
    default = {"id": f"d-{service}", "serviceId": service, "status": "SUCCESS", "createdAt": at}
    return default | {"meta": meta} | fields


def instance(service: str, **fields: Any) -> dict[str, Any]:
    default = {
        "serviceId": service,
        "serviceName": service,
        "numReplicas": None,
        "source": {"image": None, "repo": f"acme/{service}"},
        "domains": {"serviceDomains": [{"domain": f"{service}.test"}], "customDomains": []},
        "latestDeployment": deployment(service),
        "activeDeployments": [deployment(service)],
    }
    return default | fields


def edges(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"edges": [{"node": node} for node in nodes]}


def page(nodes: list[dict[str, Any]], variables: dict[str, Any], name: str) -> dict[str, Any]:
    after = variables[f"{name}After"]
    start = int(after) if after and after.isdigit() else 0
    end = start + variables["page"]
    info = {"hasNextPage": end < len(nodes), "endCursor": str(end)}
    return {"pageInfo": info, **edges(nodes[start:end])}


class RailwayApp:
    """Answers queries from its fields; `faults` come first, one a request, None for none."""

    def __init__(self, *services: dict[str, Any], **environment: Any) -> None:
        self.services = list(services)
        self.environment = environment
        self.metrics: list[dict[str, Any]] = []
        self.statuses: dict[str, list[dict[str, Any]]] = {}
        self.durations: dict[str, list[dict[str, Any]]] = {}
        self.logs: dict[str, list[dict[str, Any]]] = {}
        self.broken: set[str] = set()
        """Service ids whose HTTP aliases fail, and names of queries that fail."""
        self.faults: list[Callable[[httpx.Request], httpx.Response] | httpx.Response | None] = []
        self.token: dict[str, Any] | None = None
        """What a live token belongs to."""
        self.lacking: set[str] = set()
        """Fields that an older schema does not have."""
        self.runs: dict[str, dict[str, Any]] = {}
        self.history: dict[str, list[dict[str, Any]]] = {}
        """Deployments by service id, as the history asks for them."""
        self.steps: dict[str, list[dict[str, Any]]] = {}
        self.lookups: dict[str, list[dict[str, Any]]] = {}
        self.flows: dict[str, list[dict[str, Any]]] = {}
        self.variables: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self.requests: list[dict[str, Any]] = []
        self.headers: list[httpx.Headers] = []

    def client(self, **options: Any) -> RailwayClient:
        limits = ApiLimits(requests_per_second=1e6, **options.pop("limits", {}))
        settings = options.pop("settings", None) or make_settings()
        transport = httpx.MockTransport(self)
        return RailwayClient(settings, transport, limits=limits, **({"wait": 0.001} | options))

    def names(self) -> list[str]:
        return [request["name"] for request in self.requests]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        name = re.search(r"^query (\w+)", body["query"], re.MULTILINE)[1]  # type: ignore[index]
        with self.lock:
            self.requests.append({"name": name, **body})
            self.headers.append(request.headers)
            fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, httpx.Response):
            return fault
        if fault is not None:
            return fault(request)
        for field in self.lacking:
            if field in body["query"]:
                return invalid(field)
        if name in self.broken:
            return errors("Problem processing request", path=[name])
        return getattr(self, f"answer_{name}")(body["variables"])

    def answer_Architecture(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        if variables["platform"] and "platform" in self.broken:
            return errors("Not Authorized", path=["platformStatus"])
        environment = {
            "id": variables["environmentId"],
            "name": "production",
            "isEphemeral": False,
            "serviceInstances": page(self.services, variables, "services"),
            "volumeInstances": edges([]),
            "deploymentTriggers": edges([]),
            "deployments": edges([]),
        }
        status = {"platformStatus": {"isStable": True, "incident": None}}
        return data(
            project={"id": variables["projectId"], "name": "shop"},
            environment=environment | self.environment,
            **(status if variables["platform"] else {}),
        )

    def answer_Schema(self, _: dict[str, Any]) -> httpx.Response:  # noqa: N802
        newer = {"httpMetricsGroupedByStatus", "httpDurationMetrics"} - self.lacking
        instance = {"latestDeployment", "activeDeployments"} - self.lacking
        return data(
            query={"fields": [{"name": name} for name in {"httpLogs"} | newer]},
            instance={"fields": [{"name": name} for name in instance]},
        )

    def answer_HttpSample(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        ids = {k[10:]: v for k, v in variables.items() if k.startswith("deployment")}
        for i, of in ids.items():
            if of in self.broken:
                return errors("Problem processing request", path=[f"requests{i}"])
        return data(**{f"requests{i}": self.logs.get(f"http {d}", []) for i, d in ids.items()})

    def answer_ProjectToken(self, _: dict[str, Any]) -> httpx.Response:  # noqa: N802
        return data(projectToken=self.token) if self.token else errors("Project Token not found")

    def answer_Me(self, _: dict[str, Any]) -> httpx.Response:  # noqa: N802
        return data(me={"id": "u1"}) if self.token else errors("Not Authorized", path=["me"])

    def answer_Resources(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        groups = {"usage": "_USAGE", "limits": "_LIMIT", "disk": "DISK_", "network": "NETWORK_"}
        answer: dict[str, Any] = {name: [] for name in groups if variables[name]}
        for series in self.metrics:
            name = next(g for g in reversed(groups) if groups[g] in series["measurement"])
            if name in answer:
                answer[name].append(series)
        if variables["errors"]:
            if "log errors" in self.broken:
                return errors("Problem processing request", path=["errors"])
            answer["errors"] = self.logs.get("errors", [])
        return data(**answer)

    def answer_LogCounts(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        wanted = [name for name in ("errors", "platform") if variables[name]]
        for name in wanted:
            if f"log {name}" in self.broken:
                return errors("Problem processing request", path=[name])
        found = {name: self.logs.get(name, []) for name in wanted}
        start, end = (datetime.fromisoformat(variables[name]) for name in ("start", "end"))
        for name, rows in found.items():
            inside = [r for r in rows if start <= datetime.fromisoformat(r["timestamp"]) <= end]
            found[name] = inside[-variables["limit"] - 1 :]
        return data(**found)

    def answer_CronRuns(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        ids = {k[7:]: v for k, v in variables.items() if k.startswith("service")}
        for i, service in ids.items():
            if service in self.broken:
                return errors("Problem processing request", path=[f"runs{i}"])
        return data(**{f"runs{i}": self.runs.get(s, edges([])) for i, s in ids.items()})

    def answer_Http(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        ids = {k: v for k, v in variables.items() if k.startswith("service")}
        for key, service in ids.items():
            if service in self.broken:
                return errors("Problem processing request", path=[f"statuses{key[7:]}"])
        answer: dict[str, Any] = {}
        for key, service in ids.items():
            answer[f"statuses{key[7:]}"] = self.statuses.get(service, [])
            answer[f"durations{key[7:]}"] = {"samples": self.durations.get(service, [])}
        return data(**answer)

    def answer_EnvironmentLog(self, _: dict[str, Any]) -> httpx.Response:  # noqa: N802
        return data(environmentLogs=self.logs.get("environment", []))

    def answer_DeploymentLog(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        lines = self.logs.get(variables["deploymentId"], [])
        wanted = variables["filter"] or ""
        if wanted == "@level:error":
            lines = [line for line in lines if line["severity"] == "error"]
        elif wanted:
            lines = [line for line in lines if wanted in line["message"]]
        return data(deploymentLogs=_newest(lines, variables))

    def answer_HttpLog(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        assert "startDate" not in variables
        rows = self.logs.get(f"http {variables['deploymentId']}", [])
        if variables["filter"]:
            rows = [r for r in rows if _http_matches(r, variables["filter"])]
        return data(httpLogs=_newest(rows, variables))

    def answer_DeploymentHistory(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        return data(deployments=edges(self.history.get(variables["serviceId"], [])))

    def answer_DeploymentSteps(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        return data(deploymentEvents=edges(self.steps.get(variables["deploymentId"], [])))

    def answer_BuildLog(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        return data(buildLogs=self.logs.get(f"build {variables['deploymentId']}", []))

    def answer_DnsLog(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        rows = self.lookups.get(variables["serviceId"], [])
        failed = [r for r in rows if r["rcode"] != "NOERROR"]
        since = variables | {"start": variables["before"]}
        return data(
            failed=_inside(failed, "queriedAt", since),
            outside=_inside(rows, "queriedAt", variables),
        )

    def answer_FlowLog(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        rows = self.flows.get(variables["serviceId"], [])
        dropped = [r for r in rows if r.get("dropCause")]
        since = variables | {"start": variables["before"]}
        return data(
            dropped=_inside(dropped, "captureStart", since),
            all=_inside(rows, "captureStart", variables),
        )

    def answer_Variables(self, _: dict[str, Any]) -> httpx.Response:  # noqa: N802
        return data(environment={"variables": edges(self.variables)})

    def answer_Deployments(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        return data(deployments=edges(self.logs.get(f"deployments {variables['serviceId']}", [])))


def _http_matches(row: dict[str, Any], filter_: str) -> bool:
    """The filters that are asked for: a least value, or a span."""
    name, _, wanted = filter_.removeprefix("@").partition(":")
    if wanted.startswith(">="):
        return bool(row[name] >= float(wanted[2:]))
    low, _, high = wanted.partition("..")
    return float(low) <= row[name] <= float(high)


def _newest(rows: list[dict[str, Any]], variables: dict[str, Any]) -> list[dict[str, Any]]:
    """One more than asked, in any order, as Railway does."""
    inside = _inside(rows, "timestamp", variables)
    ordered = sorted(inside, key=lambda r: datetime.fromisoformat(r["timestamp"]))
    kept = {id(row) for row in ordered[-variables["limit"] - 1 :]}
    return [row for row in inside if id(row) in kept]


def _inside(
    rows: list[dict[str, Any]], name: str, variables: dict[str, Any]
) -> list[dict[str, Any]]:
    start, end = (datetime.fromisoformat(variables[n]) for n in ("start", "end"))
    return [r for r in rows if start <= datetime.fromisoformat(r[name]) <= end]


def data(**fields: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": fields})


def errors(message: str, path: list[str] | None = None, status: int = 200) -> httpx.Response:
    error = {"message": message, "path": path, "traceId": "785"}
    return httpx.Response(status, json={"errors": [error], "data": None})


def invalid(field: str) -> httpx.Response:
    error = {
        "message": f'Cannot query field "{field}" on type "Query".',
        "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"},
    }
    return httpx.Response(400, json={"errors": [error]})
