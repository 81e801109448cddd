"""The platform's API, asked as the product asks it, for tests of what the sandbox measures."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

WINDOW_SECONDS = 90

RESOURCES = """
query ($environment: String!, $start: DateTime!, $end: DateTime!) {
  metrics(
    environmentId: $environment, startDate: $start, endDate: $end, sampleRateSeconds: 1
    groupBy: [SERVICE_ID]
    measurements: [CPU_USAGE, CPU_LIMIT, MEMORY_USAGE_GB, MEMORY_LIMIT_GB, DISK_USAGE_GB]
  ) { measurement tags { serviceId } values { ts value } }
}
"""
HTTP = """
query ($environment: String!, $service: String!, $start: DateTime!, $end: DateTime!, $step: Int) {
  statuses: httpMetricsGroupedByStatus(
    environmentId: $environment, serviceId: $service, startDate: $start, endDate: $end
  ) { statusCode samples { value } }
  durations: httpDurationMetrics(
    environmentId: $environment, serviceId: $service, startDate: $start, endDate: $end
    stepSeconds: $step
  ) { samples { ts p50 p95 } }
}
"""
LOGS = """
query ($environment: String!, $filter: String) {
  environmentLogs(environmentId: $environment, filter: $filter, beforeLimit: 5000) {
    message severity tags { serviceId }
  }
}
"""
EXECUTIONS = """
query ($environment: String!, $service: String!) {
  deploymentInstanceExecutions(input: {environmentId: $environment, serviceId: $service}) {
    edges { node { status createdAt completedAt } }
  }
}
"""


class Platform:
    """A sandbox's answers about the window that ends now."""

    def __init__(self, ready: dict[str, Any]) -> None:
        """`ready` is what the sandbox writes when everything serves."""
        self.settings = ready["settings"]
        self.services = {name: fields["id"] for name, fields in ready["services"].items()}
        self.end = datetime.now(UTC)
        self.start = self.end - timedelta(seconds=WINDOW_SECONDS)
        self._levels: dict[tuple[str, str], list[float]] = {}

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = httpx.post(
            self.settings["RAILWAY_API_URL"],
            headers={"Project-Access-Token": self.settings["RAILWAY_TOKEN"]},
            json={
                "query": query,
                "variables": {
                    "environment": self.settings["RAILWAY_ENVIRONMENT_ID"],
                    "start": self.start.isoformat(),
                    "end": self.end.isoformat(),
                }
                | variables,
            },
            timeout=30,
        ).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def levels(self, name: str, measurement: str) -> list[float]:
        """A measurement of every second."""
        if not self._levels:
            for row in self.ask(RESOURCES)["metrics"]:
                key = (row["tags"]["serviceId"], row["measurement"])
                self._levels[key] = [value["value"] for value in row["values"]]
        return self._levels[self.services[name], measurement]

    def cpu_share(self, name: str) -> float:
        used = statistics.fmean(self.levels(name, "CPU_USAGE"))
        return used / self.levels(name, "CPU_LIMIT")[0]

    def http(self, name: str, step: int | None = None) -> dict[str, Any]:
        return self.ask(HTTP, service=self.services[name], step=step)

    def statuses(self, name: str) -> dict[int, int]:
        rows = self.http(name)["statuses"]
        return {row["statusCode"]: int(row["samples"][0]["value"]) for row in rows}

    def p95(self, name: str) -> float:
        """Milliseconds."""
        return float(self.http(name)["durations"]["samples"][0]["p95"])

    def error_share(self, name: str) -> float:
        statuses = self.statuses(name)
        return sum(n for status, n in statuses.items() if status >= 500) / sum(statuses.values())

    def messages(self, name: str, filter_text: str) -> list[str]:
        found = self.ask(LOGS, filter=f"@service:{self.services[name]} {filter_text}")
        return [line["message"] for line in found["environmentLogs"]]

    def executions(self, name: str) -> list[dict[str, Any]]:
        """A cron's runs."""
        runs = self.ask(EXECUTIONS, service=self.services[name])
        return [edge["node"] for edge in runs["deploymentInstanceExecutions"]["edges"]]
