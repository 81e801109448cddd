"""Files that only a container engine or Railway reads, held against what the product knows."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from autofix.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
AGENT_MAY_KNOW = {
    "OPENCODE_SERVER_PASSWORD",
    "OPENCODE_HOST",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "AUTOFIX_AGENT_MODEL",
    "AUTOFIX_AGENT_PRICE_INPUT",
    "AUTOFIX_AGENT_PRICE_OUTPUT",
    "AUTOFIX_AGENT_PRICE_CACHED",
}
OF_PREFECT = re.compile(r"PREFECT_[A-Z_]+|PORT")


@pytest.fixture
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


@pytest.fixture
def railway(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """The resources of .railway/railway.py by name, as Railway's own package makes them."""
    monkeypatch.setenv("AUTOFIX_FIRST_APPLY", "1")
    graph = runpy.run_path(str(ROOT / ".railway" / "railway.py"))["main"]().to_graph()
    return {node["name"]: node for node in graph["resources"]}


def _settings() -> set[str]:
    return {name.upper() for name in Settings.model_fields}


def test_compose_builds_what_is_there_and_mounts_what_it_declares(compose: dict[str, Any]) -> None:
    """Each build folder has a Dockerfile; each named volume is declared and used."""
    services = compose["services"].values()
    for folder in {service["build"] for service in services if "build" in service}:
        assert (ROOT / folder / "Dockerfile").is_file()
    used = {
        v.split(":")[0] for s in services for v in s.get("volumes", ()) if not v.startswith(".")
    }
    assert used == set(compose["volumes"])


def test_nothing_is_published_to_the_world(compose: dict[str, Any]) -> None:
    """Loopback only: the Prefect server has no password of its own."""
    ports = [port for s in compose["services"].values() for port in s.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_agent_gets_nothing_but_what_it_may_know(
    compose: dict[str, Any], railway: dict[str, dict[str, Any]]
) -> None:
    """Its shell can read its whole environment."""
    assert set(compose["services"]["agent"]["environment"]) <= AGENT_MAY_KNOW
    assert "env_file" not in compose["services"]["agent"]
    assert set(railway["agent"]["variables"]) <= AGENT_MAY_KNOW


def test_every_variable_on_railway_is_one_that_somebody_reads(
    railway: dict[str, dict[str, Any]],
) -> None:
    """A misspelt name would be silently nothing."""
    known = _settings() | AGENT_MAY_KNOW
    for name in ("server", "worker"):
        unknown = [v for v in railway[name]["variables"] if v not in known]
        assert [v for v in unknown if not OF_PREFECT.fullmatch(v)] == []


def test_on_railway_all_talk_in_private_and_keep_what_must_last(
    railway: dict[str, dict[str, Any]],
) -> None:
    """No public domain; the worker's results and the agent's sessions are on volumes."""
    for name in ("server", "worker", "agent"):
        assert "networking" not in railway[name]
    addresses = [
        variable["value"]
        for node in railway.values()
        for variable in node.get("variables", {}).values()
        if variable["type"] == "literal" and "://" in variable["value"]
    ]
    assert len(addresses) == 3
    assert all("RAILWAY_PRIVATE_DOMAIN" in address for address in addresses)
    mounts = {
        attachment["mountPath"]
        for node in railway.values()
        for attachment in node.get("volumeAttachments", {}).values()
    }
    assert mounts == {"/data", "/home/agent"}


def test_the_agents_password_is_made_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generated at the first apply and different each time; preserved at every later one."""
    file = str(ROOT / ".railway" / "railway.py")

    def password() -> dict[str, Any]:
        graph = runpy.run_path(file)["main"]().to_graph()
        agent = next(node for node in graph["resources"] if node["name"] == "agent")
        found: dict[str, Any] = agent["variables"]["OPENCODE_SERVER_PASSWORD"]
        return found

    assert password() == {"type": "preserve"}
    monkeypatch.setenv("AUTOFIX_FIRST_APPLY", "1")
    first, second = password(), password()
    assert first["type"] == "literal"
    assert len(first["value"]) >= 32
    assert first != second


def test_the_image_copies_what_it_needs_and_refuses_what_it_does_not_know() -> None:
    """Every folder that is copied exists; the entry point says what it takes."""
    copied = re.findall(
        r"^COPY (?:--\S+ )*(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    for sources in copied:
        for source in sources.split():
            assert (ROOT / source).exists(), source
