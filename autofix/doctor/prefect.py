"""The Prefect server over REST: is it there, is a worker at work, are the flows deployed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from autofix.doctor.checks import Check, failed, guarded, passed
from autofix.errors import RemoteError
from autofix.http import build_client

POOL = "autofix"
FLOWS = ("monitor_project_health", "pull_service_context", "generate_fix", "verify_fix")
LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""Prefect's own default keeps them in memory, and the slots that they stand for in its database."""
_ALIVE = timedelta(seconds=90)
_DEPLOY = "run `python -m flows.deploy` with PREFECT_API_URL set"


class PrefectError(RemoteError):
    """Prefect's server."""

    service = "Prefect"


def check_prefect(
    environment: Mapping[str, str], now: datetime, transport: httpx.BaseTransport | None = None
) -> list[Check]:
    """The server, its pool with a worker that lives, and the four deployments."""
    url = environment.get("PREFECT_API_URL", "")
    if not url:
        todo = "start a Prefect server and set PREFECT_API_URL, such as http://127.0.0.1:4200/api"
        return [failed("Prefect server", "PREFECT_API_URL is not set", todo)]
    todo = "start the Prefect server, or correct PREFECT_API_URL"
    key = environment.get("PREFECT_API_KEY", "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    def look() -> Iterator[Check]:
        with build_client(
            url.rstrip("/"), headers=headers, timeout=10, transport=transport
        ) as client:
            version = _call(client, "GET", "/admin/version", missing="unknown")
            yield passed("Prefect server", f"version {version} at {url}")
            yield from _leases(client)
            yield from _pool(client, now)
            yield from _deployments(client)

    return list(guarded("Prefect server", todo, look))


def _leases(client: httpx.Client) -> Iterable[Check]:
    """Whether a restart of the server forgets who holds a slot; Prefect Cloud does not say."""
    found = _call(client, "GET", "/admin/settings", missing=None)
    if not isinstance(found, Mapping):
        return
    storage = str(((found.get("server") or {}).get("concurrency") or {}).get("lease_storage", ""))
    if storage.endswith(".memory"):
        yield failed(
            "Slots",
            "who holds one is lost when the server restarts, and the slot is never free again",
            f"start the server with PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE={LEASES}",
        )
    elif storage:
        yield passed("Slots", "who holds one is kept when the server restarts")


def _pool(client: httpx.Client, now: datetime) -> Iterable[Check]:
    if _call(client, "GET", f"/work_pools/{POOL}", missing=None) is None:
        yield failed("Work pool", f"{POOL!r} does not exist", _DEPLOY)
        return
    workers = _call(client, "POST", f"/work_pools/{POOL}/workers/filter", json={})
    heard = [at for worker in workers if (at := _time(worker.get("last_heartbeat_time")))]
    alive = [at for at in heard if now - at <= _ALIVE]
    if alive:
        yield passed("Worker", f"{len(alive)} alive in pool {POOL!r}")
        return
    detail = f"last heard at {max(heard):%Y-%m-%d %H:%M:%S} UTC" if heard else "none was ever there"
    yield failed("Worker", detail, f"start one: prefect worker start --pool {POOL} --type process")


def _deployments(client: httpx.Client) -> Iterable[Check]:
    for flow in FLOWS:
        name = f"Deployment {flow}"
        found = _call(client, "POST", "/deployments/filter", json=_of_flow(flow))
        if not found:
            yield failed(name, "missing", _DEPLOY)
            continue
        schedules = [s for d in found for s in d.get("schedules") or ()]
        active = [s for s in schedules if s.get("active")]
        paused = any(d.get("paused") for d in found) or (schedules and not active)
        if paused:
            yield failed(name, "its schedule is paused", "resume it in the UI, under Deployments")
        else:
            yield passed(
                name, f"{len(active)} active schedule(s)" if schedules else "started by others"
            )


def _of_flow(flow: str) -> dict[str, Any]:
    return {"flows": {"name": {"any_": [flow]}}}


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _call(
    client: httpx.Client, method: str, path: str, *, json: Any = None, missing: Any = ...
) -> Any:
    try:
        answer = client.request(method, path, json=json)
    except httpx.HTTPError as error:
        raise PrefectError(f"no answer at {client.base_url}: {type(error).__name__}") from error
    if answer.status_code == httpx.codes.NOT_FOUND and missing is not ...:
        return missing
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise PrefectError("PREFECT_API_KEY was refused")
    if answer.is_error:
        raise PrefectError(f"{method} {path} answered {answer.status_code}")
    return answer.json()
