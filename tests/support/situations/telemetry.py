"""A project whose telemetry is a function of time, answered over Railway's API as a client asks for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx

from tests.support.situations.series import (
    LIVE,
    ServiceTelemetry,
    at,
    read_durations,
    read_series,
    read_statuses,
)
from tests.unit.investigate.forge_app import ForgeApp
from tests.unit.observe.railway_app import RailwayApp, data, deployment, edges, instance


class World(RailwayApp):
    """A project on Railway, its repositories, and the status pages of the world."""

    def __init__(self) -> None:
        super().__init__()
        self.telemetry: dict[str, ServiceTelemetry] = {}
        self.forge = ForgeApp()
        self.pages: dict[str, Any] = {}
        """JSON by a part of the address; an int is a status; everything else is fine."""
        self.asked_pages: list[str] = []
        self.platform: dict[str, Any] | None = None
        self.volumes: list[dict[str, Any]] = []
        self.deployed: list[dict[str, Any]] = []
        self.settings: dict[str, str] = {}
        """Of the tool that watches."""
        self.counted: list[tuple[float, str, str]] = []
        """Platform lines: minute, service, text."""

    # ---------------------------------------------------------------- what there is

    def service(self, name: str = "shop-api", /, **fields: Any) -> ServiceTelemetry:
        """A service with its telemetry; other fields are those of its instance."""
        wire = {k: fields.pop(k) for k in list(fields) if k not in ServiceTelemetry.__annotations__}
        found = ServiceTelemetry(name, **fields)
        self.telemetry[found.id] = found
        if found.requests is None:
            wire.setdefault("domains", None)
        live = self.live(name)
        shown = {"serviceId": found.id, "serviceName": name, "source": {"repo": f"acme/{name}"}}
        current = {"latestDeployment": live, "activeDeployments": [live]}
        self.services.append(instance(found.id) | shown | current | wire)
        self.history.setdefault(found.id, [live])
        return found

    def live(self, name: str, minute: float = -3_000, commit: str = LIVE, **fields: Any) -> Any:
        """A deployment of a service."""
        meta = {"repo": f"acme/{name}", "branch": "main", "commitHash": commit}
        default = {"id": f"dep-{name}", "status": "SUCCESS", "meta": meta, "canRollback": True}
        return deployment(f"svc-{name}", at(minute), **(default | fields))

    def deploys(self, name: str, *deployments: Any) -> None:
        """A service's deployments, newest first; the newest successful one serves."""
        id_ = f"svc-{name}"
        self.history[id_] = list(deployments)
        self.deployed += deployments
        serving = next(d for d in deployments if d["status"] == "SUCCESS")
        for one in self.services:
            if one["serviceId"] == id_:
                one |= {"latestDeployment": deployments[0], "activeDeployments": [serving]}

    def says(
        self,
        name: str,
        message: str,
        every: float,
        *,
        begin: float = -10,
        severity: str = "info",
        deployment_id: str = "",
    ) -> None:
        """A line of a service's log, again and again; ``{n}`` counts."""
        lines = self.logs.setdefault(deployment_id or f"dep-{name}", [])
        minute, n = begin, 0
        while minute < 20:
            for i, part in enumerate(message.replace("{n}", str(n)).split("\n")):
                row = {"timestamp": at(minute + i / 60_000), "message": part, "severity": severity}
                lines.append(row | {"tags": {"serviceId": f"svc-{name}"}})
            minute, n = minute + every, n + 1

    def requested(
        self, name: str, path: str, status: int, ms: float, every: float, begin: float = -10
    ) -> None:
        """Requests in the HTTP log; ``{n}`` counts."""
        lines = self.logs.setdefault(f"http dep-{name}", [])
        minute, n = begin, 0
        while minute < 20:
            lines.append(
                {
                    "timestamp": at(minute), "requestId": f"{path}{status}{n}", "method": "GET",
                    "path": path.replace("{n}", str(1000 + n)), "httpStatus": status,
                    "totalDuration": ms, "upstreamRqDuration": ms,
                }
            )  # fmt: skip
            minute, n = minute + every, n + 1

    def restarts(self, name: str, *minutes: float) -> None:
        """The platform ends and starts a container."""
        for minute in minutes:
            self.counted.append((minute, f"svc-{name}", "Container killed: memory limit exceeded"))
            self.counted.append((minute + 0.05, f"svc-{name}", "Container restarted (restart 1)"))

    def volume(self, name: str, used_mb: float, size_mb: float) -> None:
        """A volume of a service."""
        self.volumes.append(
            {
                "serviceId": f"svc-{name}", "mountPath": "/data", "currentSizeMB": used_mb,
                "sizeMB": size_mb, "volume": {"name": f"{name}-data"},
            }
        )  # fmt: skip

    def page(self, request: httpx.Request) -> httpx.Response:
        """What a status page answers."""
        url = str(request.url)
        self.asked_pages.append(url)
        said = next((v for part, v in self.pages.items() if part in url), {"incidents": []})
        return httpx.Response(said) if isinstance(said, int) else httpx.Response(200, json=said)

    # ---------------------------------------------------------------- what is answered

    def answer_Architecture(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        self.environment = {
            "volumeInstances": edges(self.volumes),
            "deployments": edges(self.deployed),
            "deploymentTriggers": edges(
                [
                    {
                        "serviceId": s["serviceId"],
                        "repository": s["source"]["repo"],
                        "branch": "main",
                    }
                    for s in self.services
                    if s["source"] and s["source"].get("repo")
                ]
            ),
        }
        answer = super().answer_Architecture(variables)
        if self.platform is None:
            return answer
        body = answer.json()["data"] | {"platformStatus": self.platform}
        return data(**body)

    def answer_Resources(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        groups: dict[str, list[Any]] = {"usage": [], "limits": [], "disk": [], "network": []}
        for one in self.telemetry.values():
            for name, value in {"CPU_USAGE": one.cpu, "MEMORY_USAGE_GB": one.memory}.items():
                groups["usage"].append(read_series(one, name, value, variables))
            for name, limit in {
                "CPU_LIMIT": one.cpu_limit,
                "MEMORY_LIMIT_GB": one.memory_limit,
            }.items():
                groups["limits"].append(read_series(one, name, lambda _, v=limit: v, variables))
            if one.disk is not None:
                groups["disk"].append(read_series(one, "DISK_USAGE_GB", one.disk, variables))
        answer = {name: rows for name, rows in groups.items() if variables[name]}
        if variables["errors"]:
            answer["errors"] = self._errors(variables["logStart"], variables["logEnd"])
        return data(**answer)

    def answer_Http(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        answer: dict[str, Any] = {}
        for key, id_ in variables.items():
            if key.startswith("service"):
                number = key.removeprefix("service")
                answer[f"statuses{number}"] = read_statuses(self.telemetry[id_], variables)
                answer[f"durations{number}"] = {
                    "samples": read_durations(self.telemetry[id_], variables)
                }
        return data(**answer)

    def answer_LogCounts(self, variables: dict[str, Any]) -> httpx.Response:  # noqa: N802
        found: dict[str, Any] = {}
        if variables["errors"]:
            found["errors"] = self._errors(variables["start"], variables["end"])
        if variables["platform"]:
            found["platform"] = [
                {
                    "timestamp": at(m),
                    "message": text,
                    "tags": {"serviceId": id_, "deploymentId": "d"},
                }
                for m, id_, text in sorted(self.counted)
            ]
        return data(**found)

    def _errors(self, start: str, end: str) -> list[dict[str, Any]]:
        first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
        rows = [
            {"timestamp": row["timestamp"], "tags": row["tags"]}
            for rows in self.logs.values()
            for row in rows
            if row.get("severity") == "error"
            and "tags" in row
            and first <= datetime.fromisoformat(row["timestamp"]) < last
        ]
        return sorted(rows, key=lambda row: str(row["timestamp"]))
