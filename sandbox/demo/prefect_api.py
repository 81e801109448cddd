"""The Prefect server over REST, as any outsider sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from sandbox.demo.processes import DemoError

FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

Json = dict[str, Any]
_TRIES = 10
_TIMEOUT_SECONDS = 90
"""More than the minute that a server on SQLite may stand still; docs/durability.md says when."""


class PrefectApi:
    """The few calls the demo makes."""

    def __init__(self, url: str) -> None:
        """`url` ends in ``/api``."""
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def is_healthy(self) -> bool:
        """Whether the server answers."""
        try:
            return self._client.get("/health", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def has_worker(self, pool: str) -> bool:
        """Whether a worker polls this pool."""
        return bool(self._post(f"/work_pools/{pool}/workers/filter", {}))

    def deployment(self, flow: str) -> Json:
        """The deployment named ``autofix`` of this flow."""
        found: Json = self._ask("GET", f"/deployments/name/{flow}/autofix").json()
        return found

    def pause_schedules(self, deployment_id: str) -> None:
        """Stop the schedule; runs by hand still start."""
        self._ask("POST", f"/deployments/{deployment_id}/pause_deployment")

    def start(self, deployment_id: str, name: str, parameters: Json) -> str:
        """Start a run as a person does from the UI; its id."""
        body = {
            "name": name,
            "parameters": parameters,
            "state": {"type": "SCHEDULED"},
            "idempotency_key": f"demo/{name}",
        }
        run: Json = self._post(f"/deployments/{deployment_id}/create_flow_run", body)
        return str(run["id"])

    def runs(self, *deployment_ids: str, since: str | None = None) -> list[Json]:
        """Every run of these deployments, oldest first; those that were due before are left out."""
        wanted: Json = {"deployment_id": {"any_": list(deployment_ids)}}
        if since is not None:
            wanted["expected_start_time"] = {"after_": since}
        body = {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_ASC"}
        found: list[Json] = self._post("/flow_runs/filter", body)
        return found

    def wait(self, run_id: str, seconds: float, alive: Callable[[], None]) -> Json:
        """The run once it has ended; DemoError when it takes longer."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            alive()
            run: Json = self._ask("GET", f"/flow_runs/{run_id}").json()
            if run["state_type"] in FINAL:
                return run
            time.sleep(0.5)
        raise DemoError(f"run {run_id} did not end within {seconds:.0f} s")

    def require_completed(self, run: Json) -> Json:
        """The run itself; DemoError with its reason when it ended badly."""
        if run["state_type"] != "COMPLETED":
            message = (run.get("state") or {}).get("message") or ""
            raise DemoError(f"run {run['name']!r} ended as {run['state_type']}: {message}")
        return run

    def artifact(self, key: str) -> str | None:
        """The newest artifact with this key."""
        body = {"artifacts": {"key": {"any_": [key]}}, "limit": 1}
        found: list[Json] = self._post("/artifacts/latest/filter", body)
        return str(found[0]["data"]) if found else None

    def _post(self, path: str, body: Json) -> Any:
        return self._ask("POST", path, body).json()

    def _ask(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        """The answer; SQLite may be busy for a moment, and every call here may be repeated."""
        for _ in range(_TRIES):
            answer = self._client.request(method, path, json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(1)
        return answer.raise_for_status()
