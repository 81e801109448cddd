"""The forge's answers in GitHub's JSON names."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.forge.git import ChangedFile, Commit, Signature
from sandbox.forge.state import REVIEWER, Comment, Label, Project, Pull

Json = dict[str, Any]


def user(login: str) -> Json:
    """An account."""
    return {"login": login, "id": sum(map(ord, login)), "type": "User", "site_admin": False}


def repository(project: Project, url: str) -> Json:
    """A repository."""
    name = project.full_name.partition("/")[2]
    return {
        "id": sum(map(ord, project.full_name)),
        "name": name,
        "full_name": project.full_name,
        "private": False,
        "archived": False,
        "disabled": False,
        "fork": False,
        "owner": user(project.owner),
        "html_url": f"{url}/{project.full_name}",
        "clone_url": f"{url}/{project.full_name}.git",
        "default_branch": "main",
        "has_issues": True,
        "permissions": {"admin": False, "push": True, "pull": True},
    }


def pull(project: Project, item: Pull, url: str) -> Json:
    """A pull request."""
    home = {"full_name": project.full_name, "name": project.full_name.partition("/")[2]}
    return {
        "id": item.number,
        "number": item.number,
        "url": f"{url}/repos/{project.full_name}/pulls/{item.number}",
        "html_url": f"{url}/{project.full_name}/pull/{item.number}",
        "state": item.state,
        "locked": False,
        "draft": item.draft,
        "merged": item.merged_at is not None,
        "title": item.title,
        "body": item.body,
        "user": user(item.login),
        "labels": [label(project.labels[name]) for name in item.labels],
        "created_at": moment(item.created_at),
        "updated_at": moment(item.updated_at),
        "closed_at": moment(item.closed_at),
        "merged_at": moment(item.merged_at),
        "merged_by": user(REVIEWER) if item.merged_at else None,
        "merge_commit_sha": item.merge_commit,
        "comments": len(item.comments),
        "head": {
            "label": f"{project.owner}:{item.branch}",
            "ref": item.branch,
            "sha": item.head_sha,
            "repo": home,
        },
        "base": {
            "label": f"{project.owner}:{item.base}",
            "ref": item.base,
            "sha": item.base_sha,
            "repo": home,
        },
    }


def label(item: Label) -> Json:
    """A label."""
    return {"name": item.name, "color": item.color, "description": item.description}


def comment(project: Project, number: int, item: Comment, url: str) -> Json:
    """A comment."""
    page = f"{url}/{project.full_name}/pull/{number}"
    return {
        "id": item.id,
        "html_url": f"{page}#issuecomment-{item.id}",
        "user": user(item.login),
        "body": item.body,
        "created_at": moment(item.created_at),
        "updated_at": moment(item.updated_at),
    }


def changed_file(item: ChangedFile) -> Json:
    """One file of a diff."""
    return {
        "sha": item.blob,
        "filename": item.path,
        "status": item.status,
        "additions": item.additions,
        "deletions": item.deletions,
        "changes": item.additions + item.deletions,
        **({"patch": item.patch} if item.patch is not None else {}),
    }


def commit(project: Project, item: Commit, url: str) -> Json:
    """A commit."""
    return {
        "sha": item.sha,
        "html_url": f"{url}/{project.full_name}/commit/{item.sha}",
        "commit": {
            "message": item.message,
            "author": signature(item.author),
            "committer": signature(item.committer),
            "tree": {"sha": item.tree},
        },
        "author": None,
        "parents": [{"sha": sha} for sha in item.parents],
    }


def signature(item: Signature) -> Json:
    """Who and when."""
    return {"name": item.name, "email": item.email, "date": item.date}


def reference(branch: str, sha: str) -> Json:
    """A git reference."""
    return {"ref": f"refs/heads/{branch}", "object": {"type": "commit", "sha": sha}}


def moment(time: datetime | None) -> str | None:
    """A time as GitHub writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else None
