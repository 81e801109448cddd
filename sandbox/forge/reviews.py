"""REST endpoints of checks and reviews: what a pull request's authors are told by others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.forge import shapes
from sandbox.forge.rest import Call, Routes
from sandbox.forge.state import BOT, REVIEWER, Refused, clock

Answer = tuple[int, Any]
_REPO = "/repos/{owner}/{repo}"
_STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


@dataclass
class Review:
    """A person's review of a pull request."""

    id: int
    login: str
    state: str
    body: str
    submitted_at: datetime


def list_checks(call: Call) -> Answer:
    """The checks of a commit; a branch's name stands for its newest commit."""
    sha = call.repo.repository.resolve(call.params["ref"])
    if sha is None:
        raise Refused(422, f"No commit found for SHA: {call.params['ref']}")
    found = [check for check in call.repo.checks if check["head_sha"] == sha]
    return 200, {"total_count": len(found), "check_runs": call.page(found)}


def create_check(call: Call) -> Answer:
    """A check's result, as continuous integration reports it."""
    sha = call.repo.repository.resolve(call.text("head_sha") or "")
    if sha is None or not call.text("name"):
        raise Refused(422, "Invalid request. head_sha and name are required.")
    check = {
        "id": len(call.repo.checks) + 1,
        "head_sha": sha,
        "name": call.text("name"),
        "status": "completed",
        "conclusion": call.text("conclusion") or "success",
        "html_url": f"{call.url}/{call.repo.full_name}/commit/{sha}",
        "output": call.body.get("output") or {"title": None, "summary": None},
    }
    with call.repo.lock:
        call.repo.checks.append(check)
    return 201, check


def list_reviews(call: Call) -> Answer:
    """Reviews, oldest first."""
    pull = call.repo.pull(call.params["number"])
    reviews: list[Review] = call.repo.reviews.get(pull.number, [])
    return 200, [_shape(review) for review in call.page(reviews)]


def create_review(call: Call) -> Answer:
    """A review, as the repository's maintainer gives it."""
    pull = call.repo.pull(call.params["number"])
    state = _STATES.get(call.text("event") or "")
    if state is None:
        raise Refused(422, "Invalid request. event is not known.")
    with call.repo.lock:
        found = call.repo.reviews.setdefault(pull.number, [])
        review = Review(len(found) + 1, REVIEWER, state, call.text("body") or "", clock())
        found.append(review)
    return 200, _shape(review)


def get_permission(call: Call) -> Answer:
    """What an account may do in the repository."""
    login = call.params["login"]
    if login not in {BOT, REVIEWER}:
        raise Refused(404, "Not Found")
    return 200, {"permission": "write", "user": shapes.user(login)}


def _shape(review: Review) -> shapes.Json:
    return {
        "id": review.id,
        "user": shapes.user(review.login),
        "state": review.state,
        "body": review.body,
        "submitted_at": shapes.moment(review.submitted_at),
    }


ROUTES: Routes = [
    ("GET", f"{_REPO}/commits/{{ref:path}}/check-runs", list_checks),
    ("POST", f"{_REPO}/check-runs", create_check),
    ("GET", f"{_REPO}/pulls/{{number:int}}/reviews", list_reviews),
    ("POST", f"{_REPO}/pulls/{{number:int}}/reviews", create_review),
    ("GET", f"{_REPO}/collaborators/{{login}}/permission", get_permission),
]
