"""A stand-in for Railway's API with the size of a large environment and a slow line.

Run as a process of its own, so that what it costs is not counted as ours:
``python -m tests.bench.standin SERVICES DELAY_MS`` prints its address and serves until its input
ends. Answers have the length of real ones: a deployment's meta holds its manifest, numbers have
their digits. What a window holds is made once: the work of the stand-in should not be in the way of what is
measured beside it.
"""

from __future__ import annotations

import http.server
import json
import random
import re
import sys
import threading
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

GROUPS = {
    "usage": ("CPU_USAGE", "MEMORY_USAGE_GB"),
    "limits": ("CPU_LIMIT", "MEMORY_LIMIT_GB"),
    "disk": ("DISK_USAGE_GB",),
    "network": ("NETWORK_RX_GB", "NETWORK_TX_GB"),
}
LEVELS = {
    # noise over the whole range looks like a leak now and then: one tick of a service in 1,700
    "CPU_LIMIT": (1.0, 1.0),
    "MEMORY_LIMIT_GB": (1.0, 1.0),
    "MEMORY_USAGE_GB": (0.40, 0.41),
}
"""Between which values a measurement is drawn, where not between 0 and 1."""
VOLUMES = 30
ERROR_LINES = 1_000
LOG_LINES = 400
"""Of a deployment, and requests, in one answer."""


class StandIn:
    """Answers by query name; every number is made from a fixed seed."""

    def __init__(self, services: int) -> None:
        self.ids = [f"{i:08x}-5e57-4c0d-8000-{i:012x}" for i in range(services)]
        self.random = random.Random(7)
        self._errors = lru_cache(maxsize=16)(self._make_errors)
        self._some_times = lru_cache(maxsize=64)(self._make_times)

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = re.search(r"^query (\w+)", asked["query"], re.MULTILINE)
        assert name
        return getattr(self, f"answer_{name[1].lower()}")(asked["variables"])

    def answer_architecture(self, _: dict[str, Any]) -> dict[str, Any]:
        volumes = [
            {"serviceId": s, "mountPath": "/data", "currentSizeMB": 812.5, "sizeMB": 5000}
            for s in self.ids[:VOLUMES]
        ]
        return {
            "project": {"id": "p", "name": "shop"},
            "environment": {
                "id": "e",
                "name": "production",
                "isEphemeral": False,
                "serviceInstances": _connection([_instance(s) for s in self.ids]),
                "volumeInstances": _connection(volumes),
                "deploymentTriggers": _connection(
                    [
                        {"serviceId": s, "repository": "acme/shop", "branch": "main"}
                        for s in self.ids
                    ]
                ),
                "deployments": _connection([_deployment(s) for s in self.ids[:50]]),
            },
            "platformStatus": {"isStable": True, "incident": None},
        }

    def answer_resources(self, variables: dict[str, Any]) -> dict[str, Any]:
        times = _times(variables)
        answer: dict[str, Any] = {}
        for group, measurements in GROUPS.items():
            owners = self.ids[:VOLUMES] if group == "disk" else self.ids
            one = variables["serviceId"]
            owners = [s for s in owners if one in {None, s}]
            if variables[group]:
                answer[group] = [self._series(m, s, times) for m in measurements for s in owners]
        if variables["errors"]:
            answer["errors"] = self._errors(variables["logStart"], variables["logEnd"])
        return answer

    def answer_http(self, variables: dict[str, Any]) -> dict[str, Any]:
        times = _times(variables)
        answer: dict[str, Any] = {}
        for name in [name for name in variables if name.startswith("service")]:
            answer[f"statuses{name[7:]}"] = [
                {"statusCode": code, "samples": self._points(times, 500)}
                for code in (200, 204, 304, 404, 500)
            ]
            samples = [
                {"ts": ts}
                | {p: round(self.random.random() * 900, 3) for p in ("p50", "p95", "p99")}
                for ts in times
            ]
            answer[f"durations{name[7:]}"] = {"samples": samples}
        return answer

    def answer_logcounts(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"errors": self._errors(variables["start"], variables["end"]), "platform": []}

    def answer_deploymentlog(self, variables: dict[str, Any]) -> dict[str, Any]:
        if variables["filter"] not in (None, "", "@level:error"):
            return {"deploymentLogs": []}
        times = self._some_times(variables["start"], variables["end"])
        return {
            "deploymentLogs": [
                {
                    "timestamp": at,
                    "message": f"GET /items/{self.random.randrange(10_000)} failed after "
                    f"{self.random.randrange(3_000)} ms: connection reset by peer",
                    "severity": "error",
                    "attributes": [],
                    "tags": {"deploymentInstanceId": "i-1"},
                }
                for at in times
            ]
        }

    def answer_httplog(self, variables: dict[str, Any]) -> dict[str, Any]:
        if variables["filter"]:
            return {"httpLogs": []}
        return {
            "httpLogs": [
                {
                    "timestamp": at,
                    "requestId": f"r-{n}",
                    "method": "GET",
                    "path": f"/items/{self.random.randrange(10_000)}",
                    "httpStatus": self.random.choice((200, 200, 200, 500)),
                    "totalDuration": self.random.randrange(900),
                    "upstreamRqDuration": self.random.randrange(900),
                    "responseDetails": "",
                }
                for n, at in enumerate(self._some_times(variables["start"], variables["end"]))
            ]
        }

    def answer_deploymenthistory(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"deployments": _connection([_deployment(variables["serviceId"])])}

    def answer_deployments(self, variables: dict[str, Any]) -> dict[str, Any]:
        return self.answer_deploymenthistory(variables)

    def answer_variables(self, _: dict[str, Any]) -> dict[str, Any]:
        at = "2026-03-01T00:00:00.000Z"
        names = [
            {"name": n, "serviceId": s, "references": [], "createdAt": at, "updatedAt": at}
            for s in self.ids
            for n in ("DATABASE_URL", "PORT")
        ]
        return {"environment": {"variables": _connection(names)}}

    def answer_deploymentsteps(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"deploymentEvents": _connection([])}

    def answer_dnslog(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"failed": [], "outside": []}

    def answer_flowlog(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"dropped": [], "all": []}

    def answer_buildlog(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"buildLogs": []}

    def answer_environmentlog(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"environmentLogs": []}

    def _make_times(self, start: str, end: str) -> list[str]:
        first, last = (datetime.fromisoformat(t).timestamp() for t in (start, end))
        times = sorted(self.random.uniform(first, last) for _ in range(LOG_LINES))
        return [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for at in times]

    def _make_errors(self, start: str, end: str) -> list[dict[str, Any]]:
        first, last = (datetime.fromisoformat(t).timestamp() for t in (start, end))
        times = sorted(self.random.uniform(first, last) for _ in range(ERROR_LINES))
        return [
            {
                "timestamp": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f123Z"),
                "tags": {"serviceId": self.random.choice(self.ids)},
            }
            for at in times
        ]

    def _series(self, measurement: str, service: str, times: range) -> dict[str, Any]:
        low, high = LEVELS.get(measurement, (0.0, 1.0))
        values = self._points(times, high - low, low)
        return {"measurement": measurement, "tags": {"serviceId": service}, "values": values}

    def _points(self, times: range, width: float, low: float = 0.0) -> list[dict[str, Any]]:
        return [{"ts": ts, "value": round(low + self.random.random() * width, 12)} for ts in times]


def _times(variables: dict[str, Any]) -> range:
    start, end = (datetime.fromisoformat(variables[k]).timestamp() for k in ("start", "end"))
    return range(int(start), int(end), variables["step"])


def _connection(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    info = {"hasNextPage": False, "endCursor": None}
    return {"pageInfo": info, "edges": [{"node": node} for node in nodes]}


def _instance(service: str) -> dict[str, Any]:
    deployment = _deployment(service)
    return {
        "serviceId": service,
        "serviceName": f"service-{service[:8]}",
        "source": {"image": None, "repo": "acme/shop"},
        "watchPatterns": [],
        "domains": {"serviceDomains": [{"domain": f"{service}.test"}], "customDomains": []},
        "latestDeployment": deployment,
        "activeDeployments": [deployment],
    }


def _deployment(service: str) -> dict[str, Any]:
    manifest = {"build": {"builder": "RAILPACK"}, "deploy": {"startCommand": "serve " + "x" * 900}}
    meta = {"repo": "acme/shop", "branch": "main", "commitHash": "a" * 40, "commitMessage": "Sort"}
    return {
        "id": f"d-{service}",
        "serviceId": service,
        "status": "SUCCESS",
        "createdAt": "2026-03-01T00:00:00.000Z",
        "meta": meta | {"serviceManifest": manifest, "fileServiceManifest": manifest},
    }


def main() -> None:
    stand_in, delay = StandIn(int(sys.argv[1])), float(sys.argv[2]) / 1000

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"data": stand_in.answer(asked)}, separators=(",", ":")).encode()
            time.sleep(delay)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-RateLimit-Limit", "10000")  # nobody has 300 services on less
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}/graphql/v2", flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
