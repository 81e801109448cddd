"""A few lines of GitHub: repositories as folders of texts, by commit."""

from __future__ import annotations

import base64
import difflib
from typing import Any
from urllib.parse import unquote

import httpx
from pydantic import SecretStr

from autofix.change.github import GithubClient
from autofix.settings import Settings

Files = dict[str, str]


class ForgeApp:
    """Repositories with commits in order, each a whole tree of files."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, Files]] = {}
        self.subjects: dict[str, str] = {}
        self.broken = False
        self.requests: list[str] = []

    def commit(self, repository: str, sha: str, files: Files, subject: str = "Change") -> None:
        """A commit; the newest is the head of main."""
        self.commits.setdefault(repository, {})[sha] = files
        self.subjects[sha] = subject

    def open(self) -> GithubClient:
        """A client of it."""
        settings = Settings(
            _env_file=None,
            github_token=SecretStr("forge-token"),
            github_api_url="https://forge.test",
        )
        return GithubClient(settings, httpx.MockTransport(self))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path}")
        if self.broken:
            return httpx.Response(403, json={"message": "Resource not accessible"})
        parts = unquote(request.url.path).strip("/").split("/")
        commits = self.commits.get("/".join(parts[1:3]))
        if commits is None:
            return httpx.Response(404, json={"message": "Not Found"})
        match parts[3:]:
            case []:
                return httpx.Response(200, json={})
            case ["git", "ref", "heads", _]:
                return httpx.Response(200, json={"object": {"sha": list(commits)[-1]}})
            case ["git", "trees", sha] if sha in commits:
                return httpx.Response(200, json={"tree": _tree(commits[sha])})
            case ["contents", *path] if request.url.params["ref"] in commits:
                return _content(commits[request.url.params["ref"]].get("/".join(path)))
            case ["compare", span] if set(span.split("...")) <= set(commits):
                base, _, head = span.partition("...")
                return httpx.Response(200, json=self._compare(commits, base, head))
        return httpx.Response(404, json={"message": "Not Found"})

    def _compare(self, commits: dict[str, Files], base: str, head: str) -> dict[str, Any]:
        order = list(commits)
        between = order[order.index(base) + 1 : order.index(head) + 1]
        old, new = commits[base], commits[head]
        changed = [p for p in sorted({*old, *new}) if old.get(p) != new.get(p)]
        return {
            "status": "ahead",
            "ahead_by": len(between),
            "behind_by": 0,
            "commits": [{"sha": s, "commit": {"message": self.subjects[s]}} for s in between],
            "files": [_changed(path, old.get(path), new.get(path)) for path in changed],
        }


def _tree(files: Files) -> list[dict[str, Any]]:
    return [{"path": p, "type": "blob", "size": len(t.encode())} for p, t in files.items()]


def _content(text: str | None) -> httpx.Response:
    if text is None:
        return httpx.Response(404, json={"message": "Not Found"})
    content = base64.encodebytes(text.encode()).decode()
    return httpx.Response(200, json={"type": "file", "encoding": "base64", "content": content})


def _changed(path: str, old: str | None, new: str | None) -> dict[str, Any]:
    before, after = (old or "").splitlines(), (new or "").splitlines()
    diff = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    status = "added" if old is None else "removed" if new is None else "modified"
    return {
        "filename": path,
        "status": status,
        "additions": sum(line[0] == "+" for line in diff),
        "deletions": sum(line[0] == "-" for line in diff),
        "patch": "\n".join(diff),
    }
