"""REST endpoints of pull requests, their comments and labels."""

from __future__ import annotations

from typing import Any

from sandbox.forge import shapes
from sandbox.forge.rest import Call, Routes
from sandbox.forge.state import Label, Pull, Refused

Answer = tuple[int, Any]
_REPO = "/repos/{owner}/{repo}"


def list_pulls(call: Call) -> Answer:
    """Pull requests, newest first, filtered by state, head and base."""
    state, head, base = (call.query.get(name) for name in ("state", "head", "base"))
    oldest_first = call.query.get("direction") == "asc"
    found = [
        pull
        for number, pull in sorted(call.repo.pulls.items(), reverse=not oldest_first)
        if state == "all" or pull.state == (state or "open")
        if head is None or f"{call.repo.owner}:{pull.branch}" == head
        if base is None or pull.base == base
    ]
    return 200, [shapes.pull(call.repo, pull, call.url) for pull in call.page(found)]


def open_pull(call: Call) -> Answer:
    """Open a pull request."""
    pull = call.repo.open_pull(
        title=call.text("title") or "",
        head=call.text("head") or "",
        base=call.text("base") or "",
        body=call.text("body") or "",
        draft=call.body.get("draft") is True,
    )
    return 201, _detailed(call, pull)


def get_pull(call: Call) -> Answer:
    """One pull request."""
    return 200, _detailed(call, _pull(call))


def edit_pull(call: Call) -> Answer:
    """Change title or body; close or reopen, as a person does."""
    fields = {name: call.text(name) for name in ("title", "body", "state")}
    pull = call.repo.edit_pull(
        call.params["number"], title=fields["title"], body=fields["body"], state=fields["state"]
    )
    return 200, _detailed(call, pull)


def merge_pull(call: Call) -> Answer:
    """Merge, as a person does."""
    method = call.text("merge_method") or "merge"
    if method not in ("merge", "squash"):
        raise Refused(405, f"Merge method {method} is not allowed on this repository.")
    pull = call.repo.merge_pull(call.params["number"], method=method, expected=call.text("sha"))
    message = "Pull Request successfully merged"
    return 200, {"sha": pull.merge_commit, "merged": True, "message": message}


def list_files(call: Call) -> Answer:
    """What a pull request changes."""
    files = call.repo.repository.files(*call.repo.range_of(_pull(call)))
    return 200, [shapes.changed_file(file) for file in call.page(files)]


def list_commits(call: Call) -> Answer:
    """The commits of a pull request, oldest first."""
    commits = call.page(call.repo.commits_of(_pull(call)))
    return 200, [shapes.commit(call.repo, commit, call.url) for commit in commits]


def list_comments(call: Call) -> Answer:
    """Comments, oldest first."""
    pull = _pull(call)
    comments = call.page(pull.comments)
    return 200, [shapes.comment(call.repo, pull.number, c, call.url) for c in comments]


def post_comment(call: Call) -> Answer:
    """Add a comment."""
    number = call.params["number"]
    comment = call.repo.comment(number, call.text("body") or "")
    return 201, shapes.comment(call.repo, number, comment, call.url)


def edit_comment(call: Call) -> Answer:
    """Change a comment."""
    pull, comment = call.repo.find_comment(call.params["comment"])
    comment.body = call.text("body") or comment.body
    return 200, shapes.comment(call.repo, pull.number, comment, call.url)


def list_labels(call: Call) -> Answer:
    """Labels of a pull request."""
    names = call.page(_pull(call).labels)
    return 200, [shapes.label(call.repo.labels[name]) for name in names]


def add_labels(call: Call) -> Answer:
    """Put labels on a pull request."""
    names = call.body.get("labels")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused(422, "Invalid request. labels is not a list of strings.")
    pull = call.repo.add_labels(call.params["number"], names)
    return 200, [shapes.label(call.repo.labels[name]) for name in pull.labels]


def create_label(call: Call) -> Answer:
    """Create a label in the repository."""
    color, description = call.text("color") or "ededed", call.text("description") or ""
    label = call.repo.create_label(Label(call.text("name") or "", color, description))
    return 201, shapes.label(label)


def _pull(call: Call) -> Pull:
    return call.repo.pull(call.params["number"])


def _detailed(call: Call, pull: Pull) -> shapes.Json:
    files = call.repo.repository.files(*call.repo.range_of(pull))
    return {
        **shapes.pull(call.repo, pull, call.url),
        "mergeable": call.repo.repository.can_merge(pull.base, pull.head_sha),
        "commits": len(call.repo.commits_of(pull)),
        "changed_files": len(files),
        "additions": sum(file.additions for file in files),
        "deletions": sum(file.deletions for file in files),
    }


ROUTES: Routes = [
    ("GET", f"{_REPO}/pulls", list_pulls),
    ("POST", f"{_REPO}/pulls", open_pull),
    ("GET", f"{_REPO}/pulls/{{number:int}}", get_pull),
    ("PATCH", f"{_REPO}/pulls/{{number:int}}", edit_pull),
    ("PUT", f"{_REPO}/pulls/{{number:int}}/merge", merge_pull),
    ("GET", f"{_REPO}/pulls/{{number:int}}/files", list_files),
    ("GET", f"{_REPO}/pulls/{{number:int}}/commits", list_commits),
    ("GET", f"{_REPO}/issues/{{number:int}}/comments", list_comments),
    ("POST", f"{_REPO}/issues/{{number:int}}/comments", post_comment),
    ("PATCH", f"{_REPO}/issues/comments/{{comment:int}}", edit_comment),
    ("GET", f"{_REPO}/issues/{{number:int}}/labels", list_labels),
    ("POST", f"{_REPO}/issues/{{number:int}}/labels", add_labels),
    ("POST", f"{_REPO}/labels", create_label),
]
