"""GitHub: what the token may do in each repository, tried with requests that cannot succeed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from autofix.change.github import GithubClient
from autofix.change.github_errors import InvalidError, NotFoundError
from autofix.doctor.checks import Check, failed, guarded, passed
from autofix.errors import GithubError

_NOTHING = "0" * 40
_ADVICE = (
    "create a fine-grained token for these repositories with contents: read and write, and pull "
    "requests: read and write, and put it into GITHUB_TOKEN"
)


class ProbeClient(GithubClient):
    """The product's client, asked for what it may do."""

    def probe(self, method: str, path: str, content: Any = None) -> Any:
        """One request, once."""
        return self._once(method, path, json=content)


def check_forge(client: ProbeClient, repositories: Iterable[str]) -> list[Check]:
    """Each repository of the watched services: readable, pushes allowed, pull requests allowed."""
    checks: list[Check] = []
    for repository in sorted(set(repositories)):
        name = f"GitHub {repository}"
        checks += guarded(name, _ADVICE, partial(_check, client, repository, name))
    return checks or [passed("GitHub", "no service is deployed from a repository")]


def _check(client: ProbeClient, repository: str, name: str) -> Iterator[Check]:
    try:
        found = client.probe("GET", f"/repos/{repository}")
    except NotFoundError:
        detail = "not found, or the token may not see it"
        yield failed(name, detail, f"give the token access to {repository}")
        return
    if found.get("archived"):
        yield failed(name, "archived", f"unarchive {repository}, or exclude its services")
        return
    refused = [
        what
        for what, path, content in (
            ("contents: write", "git/refs", {"ref": "refs/heads/autofix/probe", "sha": _NOTHING}),
            ("pull requests: write", "pulls", _same_branch(found)),
        )
        if not _is_allowed(client, f"/repos/{repository}/{path}", content)
    ]
    if refused:
        yield failed(name, f"the token lacks {' and '.join(refused)}", _ADVICE)
    else:
        yield passed(name, f"may push and open pull requests; base {found.get('default_branch')}")


def _same_branch(repository: dict[str, Any]) -> dict[str, str]:
    """A pull request from a branch to itself, which GitHub never opens."""
    branch = str(repository.get("default_branch") or "main")
    return {"title": "probe", "head": branch, "base": branch}


def _is_allowed(client: ProbeClient, path: str, content: dict[str, str]) -> bool:
    """Refused for its content means it is allowed; for lack of a permission means it is not."""
    try:
        client.probe("POST", path, content)
    except InvalidError:
        return True
    except NotFoundError:
        return False
    except GithubError as error:
        if error.retryable:
            raise
        return False
    return True
