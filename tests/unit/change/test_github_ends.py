"""What a forge can refuse, over real HTTP and real git: a typed end each, and nothing half made."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from autofix.change.gate import GateOptions
from autofix.change.github import GithubClient
from autofix.change.github_errors import (
    EmptyError,
    InvalidError,
    LimitError,
    MovedError,
    NotFoundError,
    PermissionMissingError,
    ReadOnlyError,
    TokenError,
)
from autofix.change.ids import branch_name
from autofix.change.pr_body import render_marker
from autofix.change.publish import find_existing_change, publish, require_writable
from autofix.change.transfer import Change, PushRefusedError
from autofix.errors import BudgetExceeded, GitError, GithubError
from autofix.models import PullRequest
from autofix.settings import Settings
from sandbox.forge.app import Forge
from tests.sandbox.serving import serve

TOKEN = "token-of-a-test"
FIX = "f00dfeedbeef"


@dataclass
class Refusing:
    """A forge that refuses some requests with what GitHub would say."""

    app: Any
    rules: list[tuple[str, int, str, dict[str, str]]] = field(default_factory=list)
    """Pattern of ``METHOD /path``, status, message, headers."""
    calls: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        call = f"{scope['method']} {scope['path']}"
        self.calls.append(call)
        for pattern, status, message, headers in self.rules:
            if re.search(pattern, call):
                pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
                await send({"type": "http.response.start", "status": status, "headers": pairs})
                body = json.dumps({"message": message}).encode()
                await send({"type": "http.response.body", "body": body})
                return
        await self.app(scope, receive, send)


@dataclass
class World:
    """The forge, and a fix of its repository that waits to be published."""

    forge: Forge
    refusing: Refusing
    settings: Settings
    root: Path
    repository: str = ""
    base: str = ""
    bundles: dict[str, bytes] = field(default_factory=dict)

    @property
    def branch(self) -> str:
        return branch_name(self.repository, FIX)

    def begin(self, name: str) -> None:
        self.refusing.rules.clear()
        self.refusing.calls.clear()
        self.repository = f"acme/{name}"
        source = self.root / name
        source.mkdir()
        (source / "app.py").write_text("TOTAL = 1\n")
        self.base = self.forge.create_repository(self.repository, source, "Begin")

    def bundle(self) -> bytes:
        """The agent's commit, the same one whenever it is asked for."""
        if self.repository not in self.bundles:
            self.bundles[self.repository] = self._make_bundle()
        return self.bundles[self.repository]

    def _make_bundle(self) -> bytes:
        clone = self.root / f"clone-{len(list(self.root.iterdir()))}"
        git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.test", "-C", str(clone)]
        source = str(self.forge.git_dir(self.repository))
        subprocess.run(["git", "clone", "-q", source, str(clone)], check=True)
        (clone / "app.py").write_text("TOTAL = 2\n")
        for command in (["checkout", "-q", "-b", self.branch], ["commit", "-qam", "Fix"]):
            subprocess.run([*git, *command], check=True)
        out = clone / "out.bundle"
        refs = [self.branch, f"^{self.base}"]
        subprocess.run([*git, "bundle", "create", "-q", str(out), *refs], check=True)
        return out.read_bytes()

    def publish(self) -> PullRequest:
        change = Change(
            repository=self.repository, base_branch="main", branch=self.branch, base=self.base,
            title="T",
        )  # fmt: skip
        workdir = self.root / f"work-{len(list(self.root.iterdir()))}"
        workdir.mkdir()
        with GithubClient(self.settings) as github:
            return publish(
                self.bundle(), change, settings=self.settings, github=github,
                options=GateOptions(), render=lambda _: "body", workdir=workdir,
            )  # fmt: skip

    def look(self, base_branch: str = "main") -> None:
        with GithubClient(self.settings) as github:
            assert find_existing_change(github, self.repository, FIX, ["svc"]) is None
            require_writable(github, self.repository, base_branch)

    def branches(self) -> list[str]:
        git = ["git", "-C", str(self.forge.git_dir(self.repository))]
        refs = subprocess.check_output([*git, "for-each-ref", "--format=%(refname:short)"])
        return refs.decode().split()

    def pulls(self) -> tuple[PullRequest, ...]:
        with GithubClient(self.settings) as github:
            return github.find_pull_requests(self.repository, state="all")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("forge")
    forge = Forge(root / "bare", TOKEN, lambda *_: None)
    refusing = Refusing(forge.app)
    with serve(refusing) as url:
        settings = Settings(
            _env_file=None, github_token=TOKEN, github_api_url=url, github_url=url
        )  # fmt: skip
        yield World(forge, refusing, settings, root)


@pytest.fixture
def world(server: World) -> World:
    server.begin(f"shop-{len(list(server.root.iterdir()))}")
    return server


PULLS = r"POST /repos/.*/pulls$"
LABELS = r"POST /repos/.*/labels$"
REFS = r"GET /repos/.*/git/ref/"


@pytest.mark.parametrize(
    ("rule", "kind", "words"),
    [
        ((PULLS, 403, "Resource not accessible by personal access token",
          {"X-Accepted-GitHub-Permissions": "pull_requests=write"}),
         PermissionMissingError, "pull_requests=write"),
        ((PULLS, 403, "Resource not accessible by integration", {}),
         PermissionMissingError, "pull requests: write"),
        ((PULLS, 403, "Resource protected by organization SAML enforcement",
          {"X-GitHub-SSO": "required; url=https://example.test"}),
         PermissionMissingError, "single sign-on"),
        ((PULLS, 404, "Not Found", {}), NotFoundError, "pull requests: write"),
        ((PULLS, 422, "Validation Failed: base invalid", {}), InvalidError, "base invalid"),
        ((PULLS, 403, "Repository was archived so is read-only.", {}), ReadOnlyError, "archived"),
        ((PULLS, 401, "Bad credentials", {}), TokenError, "create a new one"),
        ((PULLS, 410, "Pull requests are disabled for this repo", {}), ReadOnlyError, "disabled"),
        ((LABELS, 403, "Resource not accessible", {}), PermissionMissingError, "issues: write"),
        ((REFS, 409, "Git Repository is empty.", {}), EmptyError, "empty"),
        ((r"GET /repos/", 301, "Moved Permanently", {"Location": "/repositories/1"}),
         MovedError, "renamed or moved"),
    ],
    ids=["permission", "permission-unnamed", "sso", "hidden", "invalid", "archived", "token",
         "pulls-off", "labels", "empty", "renamed"],
)  # fmt: skip
def test_a_refusal_that_stays_is_a_typed_end_and_leaves_nothing(
    world: World, rule: Any, kind: type[GithubError], words: str
) -> None:
    """Its class and words say what it is; no branch and no pull request of ours is left."""
    world.refusing.rules.append(rule)
    with pytest.raises(kind, match=re.escape(words)) as caught:
        world.publish()
    assert not caught.value.retryable
    assert type(caught.value) is kind
    assert world.branches() == ["main"]
    world.refusing.rules.clear()
    assert world.pulls() == ()


@pytest.mark.parametrize(
    ("status", "message", "headers", "retry_after"),
    [
        (403, "You have exceeded a secondary rate limit", {"Retry-After": "90"}, 90),
        (429, "Too many requests", {"Retry-After": "61"}, 61),
        (403, "API rate limit exceeded for user", {"X-RateLimit-Remaining": "0"}, None),
        (502, "Bad gateway", {}, None),
    ],
    ids=["secondary", "too-many", "hourly", "gateway"],
)
def test_a_fault_that_passes_keeps_the_branch_for_the_next_try(
    world: World, status: int, message: str, headers: dict[str, str], retry_after: float | None
) -> None:
    """It says so, and when to ask again; the next try goes on from the branch that is there."""
    world.refusing.rules.append((PULLS, status, message, headers))
    with pytest.raises(GithubError) as caught:
        world.publish()
    assert caught.value.retryable
    assert caught.value.retry_after == retry_after
    assert isinstance(caught.value, LimitError) is (status != 502)
    assert world.branches() == [world.branch, "main"]
    world.refusing.rules.clear()
    assert world.publish().state == "open"
    assert len(world.pulls()) == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("error: GH006: Protected branch update failed for refs/heads/autofix/x.", "let the token"),
        ("error: GH013: Repository rule violations found for refs/heads/autofix/x.", "let the token"),
        ("This repository was archived so it is read-only.", "unarchive it"),
        ("Permission to acme/x.git denied to acme-bot.", "contents: write"),
    ],
    ids=["protected", "rules", "archived", "permission"],
)  # fmt: skip
def test_a_push_that_a_hook_of_the_forge_refuses(world: World, said: str, words: str) -> None:
    """What the forge says comes with what to do; nothing was pushed and nothing opened."""
    hook = world.forge.git_dir(world.repository) / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PushRefusedError, match=re.escape(words)) as caught:
        world.publish()
    assert TOKEN not in str(caught.value)
    assert world.branches() == ["main"]
    assert world.pulls() == ()


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (401, "Invalid username or token.", "wrong or has expired"),
        (403, "Write access to repository not granted.", "contents: write"),
        (404, "Repository not found.", "was not found"),
    ],
)
def test_a_push_that_the_forge_does_not_take(
    world: World, status: int, message: str, words: str
) -> None:
    """By status alone: git has no more to go by."""
    world.refusing.rules.append((r"POST .*/git-receive-pack", status, message, {}))
    with pytest.raises(PushRefusedError, match=words):
        world.publish()
    assert world.branches() == ["main"]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"archived": True}, ReadOnlyError, "unarchive it, or exclude"),
        ({"disabled": True}, ReadOnlyError, "is disabled"),
        ({"permissions": {"pull": True, "push": False}}, PermissionMissingError, "contents: write"),
        ({"full_name": "acme/new-name"}, MovedError, "is acme/new-name now"),
    ],
)
def test_a_repository_nothing_can_be_written_to_is_told_before_the_model_is_asked(
    world: World, answer: dict[str, Any], kind: type[GithubError], words: str
) -> None:
    """Archived, disabled, read-only for this token, renamed."""
    name = world.repository
    body = {"full_name": name, "default_branch": "main", **answer}

    async def patched(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == f"/repos/{name}":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": json.dumps(body).encode()})
        else:
            await world.forge.app(scope, receive, send)

    world.look()
    with (
        serve(patched) as url,
        GithubClient(world.settings.model_copy(update={"github_api_url": url})) as github,
        pytest.raises(kind, match=words),
    ):
        require_writable(github, name, "main")


def test_a_deployed_branch_that_is_gone_names_the_default_branch(world: World) -> None:
    """The default branch moved: nothing is guessed, the service's setting is named."""
    with pytest.raises(GithubError, match=r"branch master .* default branch is main"):
        world.look("master")


def test_a_base_that_vanished_before_the_push_leaves_nothing(world: World) -> None:
    """The deployed branch was renamed while the agent worked."""
    bare = str(world.forge.git_dir(world.repository))
    world.bundle()
    subprocess.run(["git", "-C", bare, "branch", "-m", "main", "trunk"], check=True)
    with pytest.raises(GitError, match="main"):
        world.publish()
    assert world.branches() == ["trunk"]


def test_pull_requests_from_forks_are_nobody_of_ours(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may name a fork's branch as ours and write our marker: it holds no fix back."""
    with GithubClient(world.settings) as github:

        def of(home: dict[str, Any] | None, labels: list[str]) -> Callable[..., Iterator[Any]]:
            item = {
                "number": 7, "html_url": "x", "state": "open", "base": {"ref": "main"},
                "head": {"ref": world.branch, "repo": home},
                "body": render_marker(["w-e1-a1"], ["svc"]),
                "labels": [{"name": label} for label in labels],
            }  # fmt: skip
            return lambda *_: iter([item])

        for home in ({"full_name": "stranger/fork"}, None):
            monkeypatch.setattr(github, "_pages", of(home, ["autofix:never"]))
            assert github.find_by_branch(world.repository, world.branch) is None
            assert find_existing_change(github, world.repository, FIX, ["svc"]) is None
        monkeypatch.setattr(github, "_pages", of({"full_name": world.repository}, []))
        found = find_existing_change(github, world.repository, FIX, ["svc"])
        assert found
        assert found.reason == "pull request #7 of this fix is open"


def test_a_persons_labels_and_the_cap_hold_a_fix_back(world: World) -> None:
    """never holds for ever, hold while the newest carries it, and so do too many that wait."""
    published = world.publish()
    with GithubClient(world.settings) as github:
        path = f"/repos/{world.repository}/pulls/{published.number}"

        def edit(**fields: str) -> None:
            github._once("PATCH", path, json=fields)

        def reason(**more: Any) -> str:
            found = find_existing_change(github, world.repository, "another", ["svc"], **more)
            return found.reason if found else ""

        edit(body=render_marker(["w-e1-a1"], ["other"]))
        assert reason() == ""
        with pytest.raises(BudgetExceeded, match="open_pull_requests_per_repository: #1 wait"):
            reason(most_open=1)
        edit(body=render_marker(["w-e1-a1"], ["svc"]))
        assert reason() == "pull request #1 is open for the same service"
        edit(state="closed")
        assert reason() == ""
        for label in ("autofix:hold", "autofix:never"):
            github.add_labels(world.repository, published.number, [label])
            assert reason() == f"pull request #1 of the same service carries the label {label}"
