from datetime import timedelta

from autofix.change.job import FixJob, SessionLimits
from autofix.change.retry import PURPOSE, add_turn, rest_of, retry_job
from autofix.change.workspace import Workspace
from autofix.models import CommandRun, Denial, GateResult, SessionEnd
from tests.unit.change.plans import make_session

BASE = "a" * 40
JOB = FixJob(
    workspace=Workspace(
        fix_id="f1", repository="acme/x", directory="/work/f1", clone="x", branch="b", base=BASE
    ),
    title="Repair",
    prompt="go",
    work_ids=("w-e1-a1",),
)


def test_reasons_go_back_to_the_same_session():
    """One more message, each reason on a line of its own, with the commit to go back to."""
    denials = (
        Denial(rule="protected", path=".github/x.yml", reason="Never\n## touched."),
        Denial(rule="history", path="", reason="Commit abc changes nothing."),
    )
    job = retry_job(JOB, GateResult(base=BASE, head="b" * 40, denials=denials))
    assert job.session_id == JOB.session_id
    assert (job.purpose, job.message_id == JOB.message_id) == (PURPOSE, False)
    assert "- .github/x.yml: Never ## touched.\n" in job.prompt
    assert "- the commits: Commit abc changes nothing.\n" in job.prompt
    assert f"git reset --soft {BASE}" in job.prompt


def test_both_turns_share_one_set_of_limits():
    """What the first turn used is not there for the second."""
    limits = SessionLimits(length=timedelta(minutes=10), steps=10, cost=5)
    spent = make_session(steps=7, cost=6.0, seconds=240.0)
    left = rest_of(limits, spent)
    assert (left.length, left.steps, left.cost) == (timedelta(minutes=6), 3, 0)


def test_both_turns_are_told_as_one_session():
    """Commands and costs add up; how it ended is how the last turn ended."""
    first = make_session(steps=3, cost=1.0, seconds=10.0)
    run = CommandRun(command="git reset --soft", exit_status=0)
    second = make_session(
        end=SessionEnd.failed, head="c" * 40, commands=(run,), steps=2, cost=0.5, todos=()
    )
    both = add_turn(first, second)
    assert (both.end, both.head, both.steps, both.cost) == (SessionEnd.failed, "c" * 40, 5, 1.5)
    assert both.commands == (*first.commands, run)
    assert both.todos == first.todos
