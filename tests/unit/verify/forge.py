"""GitHub in memory as it is after a pull request was opened: talk, checks, reviews, merges."""

from __future__ import annotations

import json
from typing import Any

import httpx

from autofix.change.github_life import LifeClient
from autofix.settings import Settings

REPOSITORY = "acme/x"
BOT = "acme-bot"


class ForgeApp(httpx.MockTransport):
    """Holds one repository's pull requests; every write is counted in `calls`."""

    def __init__(self, repository: str = REPOSITORY) -> None:
        super().__init__(self._answer)
        self.repository = repository
        self.pulls: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.commits: dict[int, list[dict[str, Any]]] = {}
        self.checks: dict[str, list[dict[str, Any]]] = {}
        self.reviews: dict[int, list[dict[str, Any]]] = {}
        self.writers = {"robin"}
        self.compared: dict[tuple[str, str], str] = {}
        self.calls: list[str] = []
        self.now = "2026-03-02T14:00:00Z"
        self.is_down = False
        self.changed: list[str] = []

    def add_pull(self, branch: str = "autofix/x-1", **fields: Any) -> dict[str, Any]:
        number = len(self.pulls) + 1
        pull = {
            "number": number,
            "html_url": f"https://forge.test/{self.repository}/pull/{number}",
            "state": "open",
            "user": {"login": BOT},
            "draft": True,
            "head": {"ref": branch, "sha": f"{number:040x}"},
            "base": {"ref": "main"},
            "labels": [{"name": "autofix"}],
            "created_at": self.now,
            "mergeable": True,
            **fields,
        }
        self.pulls[number] = pull
        return pull

    def say(self, number: int, body: str, author: str = BOT) -> None:
        found = self.comments.setdefault(number, [])
        found.append(
            {"id": len(found) + 1, "user": {"login": author}, "body": body, "created_at": self.now}
        )

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith("GET ")]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path, method = request.url.path.removeprefix(f"/repos/{self.repository}"), request.method
        self.calls.append(f"{method} {path}")
        parts = path.strip("/").split("/")
        if self.is_down:
            return httpx.Response(404, json={"message": "Not Found"})
        if method == "GET":
            return self._list(request) if parts == ["pulls"] else self._get(parts)
        return self._write(parts, json.loads(request.content))

    def _get(self, parts: list[str]) -> httpx.Response:
        content: Any = None
        match parts:
            case ["pulls", number]:
                content = self.pulls[int(number)]
            case ["pulls", number, "commits"]:
                content = self.commits.get(int(number), [])
            case ["pulls", number, "reviews"]:
                content = self.reviews.get(int(number), [])
            case ["issues", number, "comments"]:
                content = self.comments.get(int(number), [])
            case ["commits", sha, "check-runs"]:
                content = {"check_runs": self.checks.get(sha, [])}
            case ["collaborators", login, "permission"]:
                content = {"permission": "write" if login in self.writers else "read"}
            case ["compare", span]:
                base, _, head = span.partition("...")
                status = self.compared.get((base, head))
                files = [{"filename": name} for name in self.changed]
                content = {"status": status, "files": files} if status else None
        if content is None:
            return httpx.Response(404, json={"message": "Not Found"})
        return httpx.Response(200, json=content)

    def _write(self, parts: list[str], body: dict[str, Any]) -> httpx.Response:
        match parts:
            case ["pulls"]:
                fields = {name: body[name] for name in ("title", "body", "draft")}
                return httpx.Response(201, json=self.add_pull(body["head"], labels=[], **fields))
            case ["pulls", number]:
                self.pulls[int(number)] |= {**body, "closed_at": self.now}
            case ["issues", number, "comments"]:
                self.say(int(number), body["body"])
            case ["issues", number, "labels"]:
                self.pulls[int(number)]["labels"] += [{"name": name} for name in body["labels"]]
        return httpx.Response(201, json={})

    def _list(self, request: httpx.Request) -> httpx.Response:
        state = request.url.params.get("state", "open")
        found = [p for p in self.pulls.values() if state in {"all", p["state"]}]
        return httpx.Response(200, json=sorted(found, key=lambda p: -p["number"]))


class Forges(httpx.MockTransport):
    """Several repositories behind one address."""

    def __init__(self, *repositories: str) -> None:
        super().__init__(self._answer)
        self.apps = {name: ForgeApp(name) for name in repositories}

    def _answer(self, request: httpx.Request) -> httpx.Response:
        owner, name = request.url.path.removeprefix("/repos/").split("/")[:2]
        return self.apps[f"{owner}/{name}"].handle_request(request)


def open_forge(app: httpx.MockTransport) -> LifeClient:
    return LifeClient(Settings(_env_file=None, github_token="ghp_token-of-a-test"), app)
