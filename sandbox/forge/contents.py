"""REST endpoints of what is in a repository: commits, branches, files, comparisons."""

from __future__ import annotations

import base64
from typing import Any

from starlette.responses import Response

from sandbox.forge import shapes
from sandbox.forge.git import Entry, GitFailed
from sandbox.forge.rest import Call, Routes
from sandbox.forge.state import Refused

Answer = Response | tuple[int, Any]
_REPO = "/repos/{owner}/{repo}"


def get_repository(call: Call) -> Answer:
    """The repository."""
    return 200, shapes.repository(call.repo, call.url)


def get_branch(call: Call) -> Answer:
    """One branch and its newest commit."""
    name = call.params["branch"]
    commit = call.repo.repository.commit(_branch(call, name))
    shape = shapes.commit(call.repo, commit, call.url)
    return 200, {"name": name, "commit": shape, "protected": False}


def get_reference(call: Call) -> Answer:
    """One branch as a reference."""
    name = call.params["branch"]
    return 200, shapes.reference(name, _branch(call, name))


def find_references(call: Call) -> Answer:
    """Branches whose names begin with a prefix."""
    branches = call.repo.repository.branches()
    found = (name for name in sorted(branches) if name.startswith(call.params["prefix"]))
    return 200, [shapes.reference(name, branches[name]) for name in found]


def create_reference(call: Call) -> Answer:
    """A new branch at a commit; refused with 422 for what does not exist, as at GitHub."""
    ref, sha = call.text("ref") or "", call.text("sha") or ""
    if not ref.startswith("refs/heads/") or len(ref) <= len("refs/heads/"):
        raise Refused(422, "Reference name must start with refs/heads/.")
    if call.repo.repository.resolve(sha) != sha:
        raise Refused(422, "Object does not exist")
    branch = ref.removeprefix("refs/heads/")
    if branch in call.repo.repository.branches():
        raise Refused(422, "Reference already exists")
    call.repo.repository.git("update-ref", ref, sha)
    return 201, shapes.reference(branch, sha)


def delete_branch(call: Call) -> Answer:
    """Delete a branch."""
    call.repo.delete_branch(call.params["branch"])
    return 204, None


def get_contents(call: Call) -> Answer:
    """A file, raw or as JSON, or the list of a folder."""
    commit = _commit(call, call.query.get("ref") or "main")
    repository, path = call.repo.repository, call.params["path"].strip("/")
    entry = repository.entry(commit, path) if path else None
    if path and entry is None:
        raise Refused(404, "Not Found")
    if entry is None or entry.type == "tree":
        return 200, [_content(item, path) for item in repository.tree(f"{commit}:{path}")]
    content = repository.blob(entry.sha)
    if "raw" in call.accept:
        return Response(content, media_type="application/vnd.github.raw+json; charset=utf-8")
    encoded = base64.encodebytes(content).decode()
    return 200, {**_content(entry, ""), "encoding": "base64", "content": encoded}


def get_tree(call: Call) -> Answer:
    """A tree, with everything below it when `recursive` is given."""
    treeish = call.params["treeish"]
    commit = call.repo.repository.resolve(treeish)
    try:
        deep = "recursive" in call.query
        entries = call.repo.repository.tree(commit or treeish, recursive=deep)
    except GitFailed as error:
        raise Refused(404, "Not Found") from error
    return 200, {"sha": commit or treeish, "tree": list(map(_node, entries)), "truncated": False}


def compare(call: Call) -> Answer:
    """What lies between two commits, from where they part."""
    base_name, dots, head_name = call.params["range"].partition("...")
    if not dots:
        raise Refused(404, "Not Found")
    base, head = _commit(call, base_name), _commit(call, head_name)
    repository = call.repo.repository
    ahead, behind = repository.count(base, head)
    start = repository.merge_base(base, head)
    status = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}
    commits = repository.commits(f"{start}..{head}")
    return 200, {
        "status": status.get((ahead > 0, behind > 0), "identical"),
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": len(commits),
        "base_commit": shapes.commit(call.repo, repository.commit(base), call.url),
        "merge_base_commit": shapes.commit(call.repo, repository.commit(start), call.url),
        "commits": [shapes.commit(call.repo, item, call.url) for item in commits],
        "files": [shapes.changed_file(file) for file in repository.files(start, head)],
    }


def get_commit(call: Call) -> Answer:
    """One commit with what it changed against its first parent."""
    repository = call.repo.repository
    commit = repository.commit(_commit(call, call.params["ref"]))
    files = repository.files(commit.parents[0], commit.sha) if commit.parents else []
    shape = shapes.commit(call.repo, commit, call.url)
    return 200, {**shape, "files": [shapes.changed_file(file) for file in files]}


def list_commits(call: Call) -> Answer:
    """The history of a branch or commit, newest first."""
    start = _commit(call, call.query.get("sha") or "main")
    commits = call.page(call.repo.repository.commits(start, newest_first=True))
    return 200, [shapes.commit(call.repo, commit, call.url) for commit in commits]


def _branch(call: Call, name: str) -> str:
    sha = call.repo.repository.branches().get(name)
    if sha is None:
        raise Refused(404, "Not Found")
    return sha


def _commit(call: Call, ref: str) -> str:
    sha = call.repo.repository.resolve(ref)
    if sha is None:
        raise Refused(404, "Not Found")
    return sha


def _content(entry: Entry, folder: str) -> shapes.Json:
    path = f"{folder}/{entry.path}" if folder else entry.path
    kind = "dir" if entry.type == "tree" else "file"
    name = path.rpartition("/")[2]
    return {"name": name, "path": path, "sha": entry.sha, "size": entry.size or 0, "type": kind}


def _node(entry: Entry) -> shapes.Json:
    node = {"path": entry.path, "mode": entry.mode, "type": entry.type, "sha": entry.sha}
    return node if entry.size is None else {**node, "size": entry.size}


ROUTES: Routes = [
    ("GET", _REPO, get_repository),
    ("GET", f"{_REPO}/branches/{{branch:path}}", get_branch),
    ("GET", f"{_REPO}/git/ref/heads/{{branch:path}}", get_reference),
    ("GET", f"{_REPO}/git/matching-refs/heads/{{prefix:path}}", find_references),
    ("POST", f"{_REPO}/git/refs", create_reference),
    ("DELETE", f"{_REPO}/git/refs/heads/{{branch:path}}", delete_branch),
    ("GET", f"{_REPO}/contents/{{path:path}}", get_contents),
    ("GET", f"{_REPO}/git/trees/{{treeish:path}}", get_tree),
    ("GET", f"{_REPO}/compare/{{range:path}}", compare),
    ("GET", f"{_REPO}/commits", list_commits),
    ("GET", f"{_REPO}/commits/{{ref:path}}", get_commit),
]
