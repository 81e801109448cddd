from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from autofix.doctor.agent import check_agent
from autofix.doctor.doctor import render_json
from autofix.doctor.forge import ProbeClient, check_forge
from autofix.doctor.prefect import FLOWS, LEASES, check_prefect
from autofix.doctor.railway import check_clock
from autofix.doctor.storage import check_storage
from autofix.settings import Settings
from tests.conftest import NOW

ENVIRONMENT = {"PREFECT_API_URL": "http://prefect.test/api"}


def _settings(**fields: Any) -> Settings:
    return Settings(_env_file=None, **fields)


def _transport(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.MockTransport:
    return httpx.MockTransport(answer)


# --------------------------------------------------------------------------- GitHub


def _forge(refused: dict[str, int], **repository: Any) -> list[Any]:
    """The checks of one repository whose writes are answered with these statuses."""

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "GET":
            return httpx.Response(200, json={"default_branch": "main", **repository})
        status = refused.get(path.rsplit("/", 1)[1], 422)
        return httpx.Response(status, json={"message": "no"})

    with ProbeClient(_settings(github_token="ghp_token-of-a-test"), _transport(answer)) as client:
        return check_forge(client, ["acme/x"])


def test_a_token_that_may_write_is_known_by_what_its_content_is_refused_for() -> None:
    """422 for both probes: nothing was made, and both are allowed."""
    (check,) = _forge({})
    assert check.ok
    assert "may push and open pull requests" in check.detail


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        ({"refs": 403}, "lacks contents: write"),
        ({"pulls": 403}, "lacks pull requests: write"),
        ({"refs": 404, "pulls": 403}, "lacks contents: write and pull requests: write"),
    ],
)
def test_a_missing_permission_is_named(refused: dict[str, int], says: str) -> None:
    """Each of the two, by its name at GitHub."""
    (check,) = _forge(refused)
    assert not check.ok
    assert says in check.detail
    assert "fine-grained token" in check.todo


def test_an_archived_repository_is_said_so() -> None:
    """Nothing can be pushed there."""
    (check,) = _forge({}, archived=True)
    assert (check.ok, check.detail) == (False, "archived")


# --------------------------------------------------------------------------- OpenCode


def _agent(answer: Callable[[httpx.Request], httpx.Response], *, ask: bool = True) -> list[Any]:
    settings = _settings(opencode_url="http://agent.test", opencode_server_password="p" * 12)
    return check_agent(settings, ask=ask, transport=_transport(answer))


def test_a_wrong_password_is_told_from_a_server_that_is_down() -> None:
    """One is for the password, one for the address."""

    def down(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    (wrong,) = _agent(lambda _: httpx.Response(401))
    (gone,) = _agent(down)
    assert "OPENCODE_SERVER_PASSWORD" in wrong.todo
    assert "OPENCODE_URL" in gone.todo


def test_a_model_that_refuses_is_seen_though_the_server_says_200() -> None:
    """The turn's error stands in the message, not in the status."""

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/message"):
            error = {"name": "APIError", "data": {"message": "invalid key"}}
            info = {"providerID": "openai", "modelID": "m", "error": error}
            return httpx.Response(200, json={"info": info})
        content = {"id": "ses_1"} if path == "/session" else {"version": "1.2.3"}
        return httpx.Response(200, json=content)

    server, model = _agent(answer)
    assert server.ok
    assert not model.ok
    assert "openai/m: APIError: invalid key" in model.detail
    assert len(_agent(answer, ask=False)) == 1


# --------------------------------------------------------------------------- Prefect


def _prefect(**state: Any) -> list[Any]:
    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api")
        if path == "/admin/version":
            return httpx.Response(200, json="3.8.8")
        if path == "/admin/settings":
            leases = state.get("leases")
            found = {"server": {"concurrency": {"lease_storage": leases}}}
            return httpx.Response(200 if leases else 404, json=found)
        if path == "/work_pools/autofix":
            return httpx.Response(200 if state.get("pool", True) else 404, json={})
        if path.endswith("/workers/filter"):
            return httpx.Response(200, json=state.get("workers", []))
        flow = json.loads(request.content)["flows"]["name"]["any_"][0]
        return httpx.Response(200, json=state.get("deployments", {}).get(flow, []))

    return check_prefect(ENVIRONMENT, NOW, _transport(answer))


def _worker(age: timedelta) -> dict[str, str]:
    return {"last_heartbeat_time": (NOW - age).isoformat()}


def test_a_server_with_a_worker_and_four_deployments_is_right() -> None:
    """Every check of it."""
    schedules = [{"active": True}]
    checks = _prefect(
        workers=[_worker(timedelta(seconds=20))],
        deployments={flow: [{"paused": False, "schedules": schedules}] for flow in FLOWS},
    )
    assert [check.ok for check in checks] == [True] * 6


@pytest.mark.parametrize(
    ("leases", "ok"),
    [("prefect.server.concurrency.lease_storage.memory", False), (LEASES, True), (None, None)],
)
def test_a_server_that_forgets_who_holds_a_slot_is_named(
    leases: str | None, ok: bool | None
) -> None:
    """A restart in the middle of a fix would take the repository's only slot for ever."""
    found = {check.name: check for check in _prefect(leases=leases)}.get("Slots")
    assert (found.ok if found else None) is ok
    assert ok is not False or (found and LEASES in found.todo)


def test_a_worker_that_is_silent_and_deployments_that_are_missing_or_paused_are_named() -> None:
    """Each with the command or the place."""
    paused = [{"paused": False, "schedules": [{"active": False}]}]
    checks = {
        check.name: check
        for check in _prefect(
            workers=[_worker(timedelta(minutes=10))], deployments={"verify_fix": paused}
        )
    }
    assert "last heard at" in checks["Worker"].detail
    assert "prefect worker start" in checks["Worker"].todo
    assert "flows.deploy" in checks["Deployment generate_fix"].todo
    assert "paused" in checks["Deployment verify_fix"].detail


def test_without_an_address_or_a_server_one_line_says_so() -> None:
    """No address; nobody there."""

    def down(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    (unset,) = check_prefect({}, NOW)
    (gone,) = check_prefect(ENVIRONMENT, NOW, _transport(down))
    assert "PREFECT_API_URL is not set" in unset.detail
    assert "no answer" in gone.detail


# --------------------------------------------------------------------------- this machine


@pytest.mark.parametrize(
    ("seconds", "ok"), [(0, True), (29, True), (-29, True), (31, False), (-90, False)]
)
def test_clocks_may_be_half_a_minute_apart(seconds: int, ok: bool) -> None:
    """In either direction; an unknown clock is no finding."""
    (check,) = check_clock("Clock", NOW, NOW + timedelta(seconds=seconds))
    assert check.ok is ok
    assert list(check_clock("Clock", None, NOW)) == []


def test_result_storage_has_to_be_ours_alone_and_writable(tmp_path: Path) -> None:
    """Others may read it; it is a file; it is not there yet."""
    folder = tmp_path / "storage"
    environment = {"PREFECT_LOCAL_STORAGE_PATH": str(folder)}
    assert check_storage(environment)[0].ok
    folder.mkdir()
    folder.chmod(0o755)
    assert "may be read by others" in check_storage(environment)[0].detail
    folder.chmod(0o700)
    assert check_storage(environment)[0].ok
    file = tmp_path / "file"
    file.touch()
    assert not check_storage({"PREFECT_LOCAL_STORAGE_PATH": str(file)})[0].ok


def test_json_says_in_one_word_whether_all_is_right(tmp_path: Path) -> None:
    """And lists every check."""
    checks = check_storage({"PREFECT_LOCAL_STORAGE_PATH": str(tmp_path)})
    found = json.loads(render_json(checks))
    assert found["ok"] is checks[0].ok
    assert [check["name"] for check in found["checks"]] == ["Result storage"]
