"""What the agent published itself, and the gate cannot see."""

from __future__ import annotations

import pytest

from autofix.change.adopt import Published, add_denials, render_denied
from autofix.change.transfer import Change
from autofix.models import Denial, PullRequest, SessionEnd
from tests.unit.change.plans import make_gate, make_session

CHANGE = Change(
    repository="acme/shop",
    base_branch="main",
    branch="autofix/f1",
    base="a" * 40,
    title="Return the total",
)


def published(base: str | None) -> Published:
    """What is on the forge; without a base a branch alone."""
    if base is None:
        return Published(head="b" * 40, pull=None)
    pull = PullRequest(
        repository="acme/shop",
        number=1,
        url="https://forge.test/acme/shop/pull/1",
        branch=CHANGE.branch,
        base=base,
        state="open",
    )
    return Published(head="b" * 40, pull=pull)


@pytest.mark.parametrize("base", ["main", None])
def test_a_change_that_the_gate_allows_stays_allowed(base: str | None) -> None:
    judged = add_denials(make_gate(), published(base), CHANGE, make_session())
    assert judged.allowed


def test_a_pull_request_into_another_branch_is_denied() -> None:
    """An agent that asks for a merge into `production` goes around who protects it."""
    judged = add_denials(make_gate(), published("production"), CHANGE, make_session())
    assert [denial.rule for denial in judged.denials] == ["base"]
    assert "another branch than main" in render_denied(judged)


@pytest.mark.parametrize("end", [end for end in SessionEnd if end is not SessionEnd.completed])
def test_what_was_pushed_before_a_session_broke_off_is_denied(end: SessionEnd) -> None:
    """It says why, also beside what the gate denies."""
    denied = Denial(rule="protected", path=".github/workflows/x.yml", reason="Not ours.")
    gate = make_gate().model_copy(update={"denials": (denied,)})
    session = make_session(end=end, reason="it took too long")
    judged = add_denials(gate, published("main"), CHANGE, session)
    assert [denial.rule for denial in judged.denials] == ["protected", "session"]
    text = render_denied(judged)
    assert f"ended as {end}: it took too long" in text
    assert ".github/workflows/x.yml" in text
