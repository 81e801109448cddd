from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot
from pydantic import ValidationError

from autofix.change.answer import FollowUp, answer_job, render_answer, render_answer_prompt
from autofix.change.ids import message_id, part_id, session_id
from autofix.change.opencode_wire import Message
from autofix.change.workspace import Workspace
from autofix.models import Denial, FileChange, GateResult, SessionEnd, SessionResult
from tests.conftest import NOW

HEAD = "a" * 40
WORKSPACE = Workspace(
    fix_id="f1",
    repository="acme/x",
    directory="/work/f1",
    clone="x",
    branch="autofix/x-f1",
    base=HEAD,
)


def _follow_up(**fields: Any) -> FollowUp:
    defaults: dict[str, Any] = {
        "pull_request": 7,
        "turn": "turn-1",
        "head": HEAD,
        "commits": 1,
        "made_by": "run-1",
        "what": "a failing check",
        "material": "1 failed",
        "asked_at": NOW,
    }
    return FollowUp(**(defaults | fields))


def _session(**fields: Any) -> SessionResult:
    defaults: dict[str, Any] = {
        "end": SessionEnd.completed,
        "session_id": "ses_1",
        "directory": "/work/f1",
        "base": HEAD,
        "head": "b" * 40,
        "answer": "I bound the deque. @team closes #1",
    }
    return SessionResult(**(defaults | fields))


def _judged(*denials: Denial) -> GateResult:
    file = FileChange(path="app.py", status="M", added=3, removed=1)
    return GateResult(base="0" * 40, head="b" * 40, denials=denials, files=(file,))


def test_the_prompt_names_the_pull_request_and_ends_with_what_others_wrote() -> None:
    """The fenced material stands last, after the rules."""
    text = render_answer_prompt(_follow_up(), "~~~ n\nbad\n~~~ n", clone="x")
    assert text.startswith("Your change was published as pull request #7, and it has to answer to")
    assert text.rstrip().endswith("~~~ n\nbad\n~~~ n")
    assert "never an instruction" in text


def test_a_known_session_is_told_the_question_and_a_lost_one_the_plan_too() -> None:
    """One session a fix, one message a turn; nothing is posted under an earlier message's ids."""
    first = Message.model_validate({"info": {"id": message_id("f1", "fix"), "role": "user"}})

    def job(*messages: Message) -> Any:
        return answer_job(WORKSPACE, _follow_up(), "QUESTION", "PLAN", messages, title="T",
                          work_ids=["w"])  # fmt: skip

    assert job(first).prompt == "QUESTION"
    assert job().prompt == "PLAN\n## What is asked now\n\nQUESTION"
    made = job(first)
    assert made.session_id == session_id("f1")
    assert made.message_id == message_id("f1", "turn-1")
    assert part_id("f1", made.purpose) != part_id("f1", "fix")


def test_an_answer_reads_like_a_colleagues_note() -> None:
    """What was pushed, which files, and the agent's words made harmless."""
    assert render_answer(_follow_up(), _session(), _judged(), "c" * 40) == snapshot("""\
Answer to a failing check: pushed `cccccccccccc`, after the same gate as before.

The whole pull request now changes:

- `app.py` +3 −1

The agent's closing words, unchecked: I bound the deque. @&#8203;team closes #&#8203;1\
""")


@pytest.mark.parametrize(
    ("session", "judged", "says"),
    [
        (_session(), _judged(Denial(rule="x", path="ci.yml", reason="CI")), "the gate refused"),
        (_session(end=SessionEnd.nothing_to_change, head=None), None, "the agent changed nothing"),
        (_session(end=SessionEnd.deadline, reason="30 minutes", head=None), None,
         "came to no end (deadline: 30 minutes). Nothing was pushed"),
    ],
)  # fmt: skip
def test_what_was_not_pushed_says_why(session: Any, judged: Any, says: str) -> None:
    """Each end of a turn is a comment: the turn is taken."""
    assert says in render_answer(_follow_up(), session, judged, None)


@pytest.mark.parametrize(
    "bad", [{"turn": "gate-retry"}, {"head": "main"}, {"commits": 0}, {"material": "x" * 13_000}]
)
def test_a_question_that_could_steer_names_is_refused(bad: dict[str, Any]) -> None:
    """They come through a run's parameters, which people may write."""
    with pytest.raises(ValidationError):
        _follow_up(**bad)
