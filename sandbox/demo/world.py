"""What the demo checks: the world itself, never the product's own logs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from sandbox.demo.stack import PROJECT, Stack

SICK = {
    "catalog-api": "keeps every page it rendered",
    "orders-web": "asks its database once per row",
    "billing-api": "fails for some customers",
}
WAITING = {"checkout-api": "its payment provider is down"}
CONTROLS = {
    "image-resizer": "control: spiky CPU",
    "search-api": "control: busy and fine",
}


@dataclass(frozen=True)
class Counts:
    """How much was done so far, as the other sides counted it."""

    model_calls: int
    sessions: int
    pull_requests: int


@dataclass
class Checks:
    """Each thing that was looked at, and what was seen."""

    seen: list[tuple[str, bool, str]] = field(default_factory=list)

    def add(self, what: str, holds: bool, detail: str = "") -> None:
        """One look."""
        self.seen.append((what, holds, detail))

    @property
    def failed(self) -> list[str]:
        """What did not hold."""
        return [f"{what}: {detail}" if detail else what for what, ok, detail in self.seen if not ok]


class World:
    """The forge, the model and the agent's server, asked from outside."""

    def __init__(self, stack: Stack) -> None:
        """Talk to what the stack started."""
        self._stack = stack
        self._http = httpx.Client(timeout=30, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def repository(self, service: str) -> str:
        """``owner/name`` a service is deployed from."""
        return str(self._stack.world["services"][service]["repository"])

    def pull_requests(self, service: str) -> list[dict[str, Any]]:
        """Every pull request of a service's repository, closed ones too."""
        answer = self._forge("GET", f"/repos/{self.repository(service)}/pulls?state=all")
        found: list[dict[str, Any]] = answer.json()
        return found

    def comments(self, service: str, number: int) -> list[dict[str, Any]]:
        """The comments on a pull request, oldest first."""
        answer = self._forge("GET", f"/repos/{self.repository(service)}/issues/{number}/comments")
        found: list[dict[str, Any]] = answer.json()
        return found

    def merge(self, service: str) -> None:
        """Merge a service's only pull request, as a person does."""
        number = self.pull_requests(service)[0]["number"]
        self._forge("PUT", f"/repos/{self.repository(service)}/pulls/{number}/merge", json={})

    def forget(self, service: str, *, only_outcomes: bool = False) -> None:
        """Let the forge forget a service's pull requests and branches, or what was said of them."""
        query = "?only=outcomes" if only_outcomes else ""
        self._forge("DELETE", f"/repos/{self.repository(service)}/_sandbox{query}")

    def merge_is_live(self, service: str) -> bool:
        """Whether a service's newest deployment is of its merge, and serves."""
        merge = self.pull_requests(service)[0]["merge_commit_sha"]
        return bool(merge) and self.live_commit(service) == merge

    def live_commit(self, service: str) -> str | None:
        """The commit of a service's newest deployment if that serves; None otherwise."""
        query = (
            "query ($e: String!, $s: String!) { serviceInstance(environmentId: $e, serviceId: $s)"
            " { latestDeployment { status meta } } }"
        )
        settings = self._stack.settings
        variables = {
            "e": settings["RAILWAY_ENVIRONMENT_ID"],
            "s": self._stack.world["services"][service]["id"],
        }
        answer = self._http.post(
            settings["RAILWAY_API_URL"],
            headers={"Project-Access-Token": settings["RAILWAY_TOKEN"]},
            json={"query": query, "variables": variables},
        )
        newest = answer.raise_for_status().json()["data"]["serviceInstance"]["latestDeployment"]
        return str(newest["meta"].get("commitHash")) if newest["status"] == "SUCCESS" else None

    def failing_share(self, service: str, requests: int = 60) -> float:
        """Share of requests through the edge that fail now; over customers with and without records."""
        edge = self._stack.world["addresses"]["edge"]
        host = str(self._stack.world["services"][service]["domain"])
        statuses = [
            self._http.get(f"{edge}/invoices/{n}", headers={"Host": host}).status_code
            for n in range(1, requests + 1)
        ]
        return sum(status >= 500 for status in statuses) / requests

    def push_url(self, service: str) -> str:
        """Where a person pushes to."""
        token = self._stack.settings["GITHUB_TOKEN"]
        url = f"{self._stack.settings['GITHUB_URL']}/{self.repository(service)}.git"
        return url.replace("://", f"://x-access-token:{token}@")

    def counts(self) -> Counts:
        """Model calls, agent sessions and pull requests until now."""
        return Counts(
            model_calls=self._model_calls(),
            sessions=self._sessions(),
            pull_requests=sum(len(self.pull_requests(s)) for s in (*SICK, *WAITING, *CONTROLS)),
        )

    def checkout(self, service: str, branch: str) -> Path:
        """A fresh clone of a service's repository at a branch."""
        folders = self._stack.root / "checkouts"
        folders.mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{service}-", dir=folders)) / "clone"
        url = f"{self._stack.settings['GITHUB_URL']}/{self.repository(service)}.git"
        clone = ["git", "clone", "--quiet", "--branch", branch, url, str(folder)]
        subprocess.run(clone, check=True, capture_output=True)
        return folder

    def tests_pass(self, folder: Path) -> tuple[bool, str]:
        """A service's own tests, run in a checkout."""
        return _run([sys.executable, "-m", "unittest"], folder)

    def is_cured(self, service: str, folder: Path) -> tuple[bool, str]:
        """Whether the fault cannot be reproduced with the code in this checkout."""
        return _run([sys.executable, "-m", "sandbox.reproduce", service, str(folder)], PROJECT)

    def leaks(self) -> list[str]:
        """Files in which a secret stands: Prefect's database and results, logs, the agent's data.

        Logs, artifacts, parameters and states are in the database; pull requests are asked for.
        """
        secrets = [v.encode() for v in (*self._secrets(), self._stack.opencode_password)]
        found = [
            str(file.relative_to(self._stack.root))
            for folder in ("prefect", "logs", "agent", "world/forge")
            for file in (self._stack.root / folder).rglob("*")
            if file.is_file() and any(secret in file.read_bytes() for secret in secrets)
        ]
        for service in (*SICK, *WAITING, *CONTROLS):
            text = str(self.pull_requests(service)).encode()
            found += [f"{service}'s pull request" for secret in secrets if secret in text]
        return found

    def _forge(self, method: str, path: str, **content: Any) -> httpx.Response:
        """One call of the forge's API, as somebody who may write."""
        settings = self._stack.settings
        headers = {"Authorization": f"Bearer {settings['GITHUB_TOKEN']}"}
        url = f"{settings['GITHUB_API_URL']}{path}"
        return self._http.request(method, url, headers=headers, **content).raise_for_status()

    def status_requests(self) -> int:
        """How often the provider's status page was asked."""
        base = httpx.URL(self._stack.world["addresses"]["status"])
        answer = self._http.get(base.copy_with(path="/_sandbox/requests"))
        calls: dict[str, int] = answer.raise_for_status().json()["requests"]
        return sum(calls.values())

    def _secrets(self) -> list[str]:
        names = ("RAILWAY_TOKEN", "GITHUB_TOKEN", "OPENAI_API_KEY")
        return [self._stack.settings[name] for name in names]

    def _model_calls(self) -> int:
        base = httpx.URL(self._stack.settings["OPENAI_BASE_URL"])
        answer = self._http.get(base.copy_with(path="/_sandbox/requests"))
        calls: dict[str, int] = answer.raise_for_status().json()["requests"]
        return sum(n for what, n in calls.items() if what.startswith("POST") and "/v1/" in what)

    def _sessions(self) -> int:
        answer = self._http.get(
            f"{self._stack.opencode_url}/experimental/session",
            auth=("opencode", self._stack.opencode_password),
        )
        return len(answer.raise_for_status().json())


def _run(command: list[str], cwd: Path) -> tuple[bool, str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else ""
