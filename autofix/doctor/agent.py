"""The coding agent's server and both models: reachable, and able to answer one word."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import httpx

from autofix.change.opencode import AGENT
from autofix.doctor.checks import Check, failed, guarded, passed
from autofix.errors import OpencodeError
from autofix.http import build_client
from autofix.plan.planner import LangChainPlanner
from autofix.settings import Settings

ANSWER_SECONDS = 60.0
_PROMPT = "Answer with the one word: ready. Use no tool."
_START = "start the agent's server (opencode/README.md) and set OPENCODE_URL to its address"


def check_agent(
    settings: Settings, *, ask: bool, transport: httpx.BaseTransport | None = None
) -> list[Check]:
    """Whether the server answers, accepts the password, and its model says a word.

    Args:
        settings: address and password.
        ask: let the model answer, which costs a few tokens.
        transport: what carries requests; tests pass `httpx.MockTransport`.
    """
    return list(guarded("OpenCode", _START, lambda: _agent(settings, ask, transport)))


def check_planner(settings: Settings, *, ask: bool) -> list[Check]:
    """Whether the planner's model can be built and says a word."""
    todo = "set AUTOFIX_MODEL to provider:model and put the provider's key into .env"

    def look() -> Iterator[Check]:
        planner = LangChainPlanner(settings)
        if not ask:
            yield passed("Planner", f"{settings.autofix_model}, not asked")
            return
        answer = planner.say(_PROMPT)
        yield passed("Planner", f"{settings.autofix_model} answers ({answer[:40]!r})")

    return list(guarded("Planner", todo, look))


def _agent(settings: Settings, ask: bool, transport: httpx.BaseTransport | None) -> Iterator[Check]:
    settings.require("opencode_url", "opencode_server_password")
    secret = settings.opencode_server_password
    password = secret.get_secret_value() if secret else ""
    client = build_client(
        settings.opencode_url,
        auth=httpx.BasicAuth(settings.opencode_server_username, password),
        timeout=5.0,
        transport=transport,
    )
    with client:
        health = _call(client, "GET", "/global/health")
        if health.status_code == httpx.codes.UNAUTHORIZED:
            todo = "give the flows the OPENCODE_SERVER_PASSWORD that the server was started with"
            yield failed("OpenCode", "the password was refused", todo)
            return
        version = health.json().get("version", "unknown")
        yield passed("OpenCode", f"version {version} at {settings.opencode_url}")
        if ask:
            yield _ask_agent(client, settings)


def _ask_agent(client: httpx.Client, settings: Settings) -> Check:
    where = {"directory": settings.opencode_workspace}
    session = _call(client, "POST", "/session", params=where, json={"title": "doctor"})
    path = f"/session/{session.json()['id']}"
    body = {
        "messageID": f"msg_{uuid.uuid4().hex[:26]}",
        "agent": AGENT,
        "parts": [{"type": "text", "text": _PROMPT}],
    }
    begun = time.monotonic()
    try:
        answer = _call(
            client, "POST", f"{path}/message", params=where, json=body, timeout=ANSWER_SECONDS
        ).json()
    finally:
        _call(client, "DELETE", path)
    info = answer.get("info") or {}
    name = f"{info.get('providerID')}/{info.get('modelID')}"
    error = info.get("error")
    if error:
        reason = f"{name}: {error.get('name')}: {(error.get('data') or {}).get('message', '')}"
        todo = "check OPENAI_API_KEY, OPENAI_BASE_URL and AUTOFIX_AGENT_MODEL of the agent's server"
        return failed("Agent's model", " ".join(reason.split())[:300], todo)
    return passed("Agent's model", f"{name} answers after {time.monotonic() - begun:.0f} s")


def _call(client: httpx.Client, method: str, path: str, **content: object) -> httpx.Response:
    try:
        answer = client.request(method, path, **content)  # type: ignore[arg-type]
    except httpx.HTTPError as error:
        raise OpencodeError(f"no answer at {client.base_url}: {type(error).__name__}") from error
    if answer.status_code >= 500:  # noqa: PLR2004
        raise OpencodeError(f"{method} {path} answered {answer.status_code}")
    return answer
