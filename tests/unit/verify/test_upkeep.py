from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from autofix.change.answer import FollowUp
from autofix.change.github_life import LifeClient
from autofix.models import PullRequest
from autofix.verify.desk import carry_out, give_to_person, tend
from autofix.verify.turn import find_settled, post_turn
from autofix.verify.upkeep import CLOSE_AFTER, Act, ActKind, OpenFix, build_follow_up, decide
from tests.unit.verify.forge import REPOSITORY, ForgeApp, open_forge

NOW = datetime.fromisoformat("2026-03-02T15:00:00+00:00")
OURS = "autofix@railway-autofix.invalid"


@pytest.fixture
def app() -> ForgeApp:
    app = ForgeApp()
    app.add_pull()
    app.commits[1] = [{"sha": "1" * 40, "commit": {"author": {"email": OURS}}}]
    return app


@pytest.fixture
def forge(app: ForgeApp) -> Iterator[LifeClient]:
    with open_forge(app) as client:
        yield client


def _read(forge: LifeClient, **fields: Any) -> OpenFix:
    pull = forge.fetch_pull(REPOSITORY, 1)
    assert isinstance(pull, PullRequest)
    return OpenFix(
        pull_request=pull,
        comments=forge.fetch_comments(REPOSITORY, 1),
        commits=forge.fetch_commits(REPOSITORY, 1),
        failed_checks=forge.fetch_failed_checks(REPOSITORY, pull.head_commit or ""),
        change_requests=forge.fetch_change_requests(REPOSITORY, 1),
        **fields,
    )


def _tick(forge: LifeClient, now: datetime = NOW, **fields: Any) -> list[Act]:
    """Decide and do what was decided, as one tick does."""
    fix = _read(forge, **fields)
    acts = list(decide(fix, now))
    for act in acts:
        carry_out(forge, fix, act, str)
    return acts


def test_an_open_pull_request_whose_trouble_goes_on_is_left_alone(
    forge: LifeClient, app: ForgeApp
) -> None:
    """Nothing new, nothing written."""
    assert _tick(forge) == []
    assert app.writes == []


def test_trouble_that_is_over_is_said_once_and_closed_after_a_week(
    forge: LifeClient, app: ForgeApp
) -> None:
    """One comment in a thousand ticks; after seven days one more, and it is closed."""
    for tick in range(20):
        _tick(forge, NOW + timedelta(hours=tick), quiet_since=NOW)
    assert len(app.comments[1]) == 1
    assert app.pulls[1]["state"] == "open"
    _tick(forge, NOW + CLOSE_AFTER, quiet_since=NOW)
    assert len(app.comments[1]) == 2
    assert app.pulls[1]["state"] == "closed"


def test_a_branch_with_a_persons_commits_is_never_closed(forge: LifeClient, app: ForgeApp) -> None:
    """Somebody works on it."""
    app.commits[1].append({"sha": "2" * 40, "commit": {"author": {"email": "robin@acme.test"}}})
    _tick(forge, NOW + CLOSE_AFTER, quiet_since=NOW)
    assert app.pulls[1]["state"] == "open"
    assert "others' commits" in app.comments[1][0]["body"]


def test_a_close_that_was_cut_after_its_comment_is_done_at_the_next_tick(
    forge: LifeClient, app: ForgeApp
) -> None:
    """The comment stands, the pull request is still open: it is closed without a second comment."""
    acts = decide(_read(forge, quiet_since=NOW), NOW + CLOSE_AFTER)
    for act in acts:
        app.say(1, f"<!-- railway-autofix act:{act.name} -->\n{act.text}")
    said = len(app.comments[1])
    _tick(forge, NOW + CLOSE_AFTER, quiet_since=NOW)
    assert len(app.comments[1]) == said
    assert app.pulls[1]["state"] == "closed"


@pytest.mark.parametrize("label", ["autofix:hold", "autofix:never"])
def test_labels_that_say_keep_off_are_obeyed(forge: LifeClient, app: ForgeApp, label: str) -> None:
    """Not a word, whatever there would be to say."""
    app.pulls[1]["labels"].append({"name": label})
    app.pulls[1]["mergeable"] = False
    app.checks["1".rjust(40, "0")] = [{"name": "tests", "conclusion": "failure"}]
    assert _tick(forge, NOW + CLOSE_AFTER, quiet_since=NOW) == []
    assert app.writes == []


def test_a_conflict_is_said_once_for_each_head(forge: LifeClient, app: ForgeApp) -> None:
    """A push makes it a new question."""
    app.pulls[1]["mergeable"] = False
    _tick(forge)
    _tick(forge)
    assert len(app.comments[1]) == 1
    app.pulls[1]["head"]["sha"] = "f" * 40
    _tick(forge)
    assert len(app.comments[1]) == 2


FAILED = {"name": "tests", "conclusion": "failure", "output": {"title": "2 failed"}}


def _push(app: ForgeApp, sha: str, email: str = OURS) -> None:
    """Another commit on the branch, whose check fails too."""
    app.pulls[1]["head"]["sha"] = sha
    app.commits[1].append({"sha": sha, "commit": {"author": {"email": email}}})
    app.checks[sha] = [FAILED]


def test_failing_checks_get_two_answers_and_then_a_person(forge: LifeClient, app: ForgeApp) -> None:
    """While an answer is at work nothing is asked again; after two the label stands."""
    app.checks["1".rjust(40, "0")] = [FAILED]
    (first,) = _tick(forge)
    assert (first.kind, first.name) == (ActKind.turn, "turn-1")
    assert "2 failed" in first.material
    assert (first.head, first.commits) == ("1".rjust(40, "0"), 1)
    assert _tick(forge, turn_running=True) == []
    _push(app, "2" * 40)
    assert [act.name for act in _tick(forge)] == ["turn-2"]
    _push(app, "3" * 40)
    assert [act.kind for act in _tick(forge)] == [ActKind.needs_human]
    assert {"name": "autofix:needs-human"} in app.pulls[1]["labels"]
    assert _tick(forge) == []


def test_only_people_with_write_permission_are_answered(forge: LifeClient, app: ForgeApp) -> None:
    """Anyone on the internet can review a public pull request."""
    asked = {"id": 1, "state": "CHANGES_REQUESTED", "body": "Use a bounded deque."}
    app.reviews[1] = [{**asked, "user": {"login": "stranger"}, "submitted_at": app.now}]
    assert _tick(forge) == []
    app.reviews[1].append({**asked, "user": {"login": "robin"}, "submitted_at": app.now})
    (act,) = _tick(forge)
    assert act.kind is ActKind.turn
    assert "bounded deque" in act.material


def test_a_review_that_was_answered_is_not_answered_again(forge: LifeClient, app: ForgeApp) -> None:
    """Only a newer review is."""
    review = {"id": 1, "state": "CHANGES_REQUESTED", "body": "No.", "user": {"login": "robin"}}
    app.reviews[1] = [{**review, "submitted_at": "2026-03-02T13:00:00Z"}]
    assert len(_tick(forge)) == 1
    assert _tick(forge) == []
    app.reviews[1] = [{**review, "submitted_at": "2026-03-02T15:30:00Z"}]
    assert [act.name for act in _tick(forge, NOW + timedelta(hours=1))] == ["turn-2"]


def test_a_review_during_an_answer_is_another_question(forge: LifeClient, app: ForgeApp) -> None:
    """The answer's comment is younger than the review and was asked before it."""
    review = {"id": 1, "state": "CHANGES_REQUESTED", "body": "No.", "user": {"login": "robin"}}
    app.reviews[1] = [{**review, "submitted_at": "2026-03-02T13:00:00Z"}]
    app.now = "2026-03-02T15:20:00Z"
    assert len(_tick(forge)) == 1
    app.reviews[1] = [{**review, "submitted_at": "2026-03-02T15:10:00Z"}]
    assert [act.name for act in _tick(forge, NOW + timedelta(minutes=30))] == ["turn-2"]


def test_an_answer_that_pushed_nothing_is_followed_by_a_person(
    forge: LifeClient, app: ForgeApp
) -> None:
    """The same commit fails the same check: the same question would get the same answer."""
    app.checks["1".rjust(40, "0")] = [FAILED]
    assert [act.name for act in _tick(forge)] == ["turn-1"]
    assert [act.name for act in _tick(forge)] == ["needs-human"]
    assert "The last answer did not settle it" in app.comments[1][1]["body"]


def test_a_branch_with_a_persons_commits_is_theirs(forge: LifeClient, app: ForgeApp) -> None:
    """Somebody works on it: no turn, no label, whatever fails."""
    _push(app, "2" * 40, email="robin@acme.test")
    assert _tick(forge) == []


def test_a_check_that_fails_on_the_base_too_is_not_about_the_change(
    forge: LifeClient, app: ForgeApp
) -> None:
    """Only what this change broke is answered."""
    app.checks["1".rjust(40, "0")] = [FAILED, {**FAILED, "name": "lint"}]
    app.checks["main"] = [{**FAILED, "name": "lint"}]
    pull = forge.fetch_pull(REPOSITORY, 1)
    (act,) = tend(forge, pull, (), NOW, str)
    assert act.what == "a failing check"
    app.checks["main"].append(FAILED)
    assert tend(forge, pull, (), NOW, str) == ()


def test_a_forged_marker_of_somebody_else_counts_for_nothing(
    forge: LifeClient, app: ForgeApp
) -> None:
    """A stranger who writes our marker cannot silence us."""
    app.pulls[1]["mergeable"] = False
    name = f"conflict-{'1'.rjust(40, '0')[:12]}"
    app.say(1, f"<!-- railway-autofix act:{name} -->", author="stranger")
    assert [act.name for act in _tick(forge)] == [name]


FOLLOW_UP = FollowUp(
    pull_request=1,
    turn="turn-1",
    head="1".rjust(40, "0"),
    commits=1,
    made_by="run",
    what="a failing check",
    material="1 failed",
    asked_at=NOW,
)


def test_a_turn_is_found_again_by_its_comment(forge: LifeClient, app: ForgeApp) -> None:
    """While it is missing the turn is to be taken; written once, it was."""
    assert find_settled(forge, REPOSITORY, 1, "turn-1") is None
    for _ in range(2):
        post_turn(forge, REPOSITORY, FOLLOW_UP, "Pushed.")
    assert len(app.comments[1]) == 1
    settled = find_settled(forge, REPOSITORY, 1, "turn-1")
    assert settled is not None
    assert "was answered" in settled.reason
    assert find_settled(forge, REPOSITORY, 1, "turn-2") is None


@pytest.mark.parametrize(
    ("fields", "email", "says"),
    [
        ({"state": "closed"}, OURS, "is closed"),
        ({"labels": [{"name": "autofix:hold"}]}, OURS, "keep off"),
        ({}, "robin@acme.test", "somebody else's commits"),
    ],
)
def test_a_turn_is_not_taken_after_a_person_acted(
    forge: LifeClient, app: ForgeApp, fields: dict[str, Any], email: str, says: str
) -> None:
    """Between the question and the run somebody closed it, held it, or pushed."""
    app.pulls[1] |= fields
    app.commits[1].append({"sha": "2" * 40, "commit": {"author": {"email": email}}})
    settled = find_settled(forge, REPOSITORY, 1, "turn-1")
    assert settled is not None
    assert says in settled.reason


def test_a_change_whose_run_is_forgotten_is_given_to_a_person_once(
    forge: LifeClient, app: ForgeApp
) -> None:
    """Nobody knows its evidence and bounds any more."""
    for _ in range(2):
        give_to_person(forge, forge.fetch_pull(REPOSITORY, 1), "Its run is gone", str)
    assert len(app.comments[1]) == 1
    assert {"name": "autofix:needs-human"} in app.pulls[1]["labels"]


def test_what_a_run_is_given_of_a_turn_is_redacted_and_small(
    forge: LifeClient, app: ForgeApp
) -> None:
    """It is stored as a run's parameters."""
    app.checks["1".rjust(40, "0")] = [{**FAILED, "output": {"title": "secret " + "x" * 9000}}]
    (act,) = decide(_read(forge), NOW)
    pull = forge.fetch_pull(REPOSITORY, 1)
    made = build_follow_up(pull, act, "run", lambda text: text.replace("secret", "«gone»"))
    assert "secret" not in made.model_dump_json()
    assert len(made.model_dump_json()) < 8_000
    assert (made.head, made.turn, made.commits) == (pull.head_commit, "turn-1", 1)
