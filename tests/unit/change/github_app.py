"""GitHub in memory: pull requests, labels and branches; faults by path."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx


class GithubApp(httpx.MockTransport):
    """Answers like GitHub; `faults` come first, one response each."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.pulls: list[dict[str, Any]] = []
        self.branches: dict[str, str] = {}
        self.labels: set[str] = set()
        self.faults: list[Callable[[], httpx.Response]] = []
        self.calls: list[str] = []
        self.drafts = True

    def add_pull(self, branch: str, **fields: Any) -> dict[str, Any]:
        number = len(self.pulls) + 1
        pull = {
            "number": number,
            "html_url": f"https://forge.test/acme/x/pull/{number}",
            "state": "open",
            "draft": False,
            "head": {"ref": branch, "sha": self.branches.get(branch)},
            "base": {"ref": "main"},
            "labels": [],
            "created_at": "2026-03-02T14:00:00Z",
            **fields,
        }
        self.pulls.append(pull)
        return pull

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path, method = request.url.path, request.method
        self.calls.append(f"{method} {path}")
        assert request.headers["Authorization"] == "Bearer ghp_token-of-a-test"
        if self.faults:
            return self.faults.pop(0)()
        if method == "GET":
            return self._get(request, path)
        return self._post(path, json.loads(request.content))

    def _get(self, request: httpx.Request, path: str) -> httpx.Response:
        if "/git/ref/heads/" in path:
            commit = self.branches.get(path.partition("/git/ref/heads/")[2])
            if commit is None:
                return _json(404, {"message": "Not Found"})
            return _json(200, {"object": {"sha": commit}})
        if path.endswith("/pulls"):
            query = request.url.params
            found = [p for p in self.pulls if query["state"] in {"all", p["state"]}]
            if "head" in query:
                found = [p for p in found if f"acme:{p['head']['ref']}" == query["head"]]
            size, page = int(query["per_page"]), int(query["page"])
            return _json(200, found[(page - 1) * size : page * size])
        return _json(200, {"full_name": "acme/x"})

    def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        if path.endswith("/pulls"):
            if body.get("draft") and not self.drafts:
                message = "Draft pull requests are not supported in this repository."
                return _json(422, {"message": message})
            fields = {name: body.get(name) for name in ("title", "body")}
            draft = bool(body.get("draft"))
            return _json(201, self.add_pull(body["head"], draft=draft, **fields))
        if path.endswith("/repos/acme/x/labels"):
            if body["name"] in self.labels:
                errors = [{"resource": "Label", "code": "already_exists", "field": "name"}]
                return _json(422, {"message": "Validation Failed", "errors": errors})
            self.labels.add(body["name"])
            return _json(201, body)
        if path.endswith("/labels"):
            number = int(path.split("/")[-2])
            self.pulls[number - 1]["labels"] += [{"name": name} for name in body["labels"]]
            return _json(200, [])
        return _json(201, {"html_url": "https://forge.test/acme/x/pull/1#c1"})


def _json(status: int, body: Any, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)


def fault(status: int, message: str = "no", **headers: str) -> Callable[[], httpx.Response]:
    """A response of this status; header names with underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: httpx.Response(status, json={"message": message}, headers=named)
