from datetime import timedelta

import pytest

from autofix.change.job import FixJob, SessionLimits
from autofix.change.opencode import OpencodeClient
from autofix.change.supervisor import supervise
from autofix.change.workspace import Workspace
from autofix.models import CommandRun, SessionEnd, Todo
from tests.unit.change.opencode_app import HEAD, OpencodeApp, assistant, bash, user

BASE = "a" * 40
JOB = FixJob(
    workspace=Workspace(
        fix_id="f1", repository="acme/x", directory="/work/f1", clone="x", branch="b", base=BASE
    ),
    title="Repair",
    prompt="go",
    work_ids=("w-e1-a1",),
)
OURS = JOB.message_id


class Clock:
    """Time that passes only by sleeping; `then` runs at each look."""

    def __init__(self) -> None:
        self.now = 0.0
        self.then = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        assert self.now < 3600, "it watches for ever"
        self.then()


@pytest.fixture
def app():
    return OpencodeApp()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told():
    """What a watcher was told."""
    return []


@pytest.fixture
def watch(settings, app, clock, told):
    def run(**limits):
        with OpencodeClient(settings, app) as client:
            return supervise(
                client,
                JOB,
                SessionLimits(**limits),
                clock=clock,
                sleep=clock.sleep,
                on_progress=told.append,
            )

    return run


def _answer_with(app, *messages):
    """The next prompt is answered at once."""
    app.on_prompt = lambda: app.messages.extend([user(OURS), *messages])


def test_new_job_is_described_posted_and_read(app, watch):
    """Metadata come before the prompt; all numbers come from the messages."""
    parts = [bash("make test", 2), bash("git commit", 0), {"type": "step-finish"}]
    words = [{"type": "text", "text": "All good."}]
    _answer_with(app, assistant(OURS, parts=parts, finish="tool-calls"),
                 assistant(OURS, id="msg_b", parts=words))  # fmt: skip
    app.todos = [{"content": "Test", "status": "completed", "priority": "low"}]
    result = watch()
    order = [written for written, _ in app.writes]
    assert order.index(f"PATCH /session/{JOB.session_id}") < order.index(
        f"POST /session/{JOB.session_id}/prompt_async"
    )
    assert (result.end, result.base, result.head) == (SessionEnd.completed, BASE, HEAD)
    assert result.commands == (
        CommandRun(command="make test", exit_status=2),
        CommandRun(command="git commit", exit_status=0),
    )
    assert (result.steps, result.cost, result.answer) == (1, 0.5, "All good.")
    assert (result.input_tokens, result.output_tokens, result.model) == (240, 30, "m")
    assert result.todos == (Todo(content="Test", status="completed"),)
    assert app.posted("/abort") == 0
    assert app.posted("/instance/dispose") == 1


@pytest.mark.parametrize(
    ("info", "end"),
    [
        ({}, SessionEnd.completed),
        ({"finish": "length"}, SessionEnd.failed),
        ({"finish": None}, SessionEnd.failed),
        ({"error": {"name": "MessageAbortedError"}}, SessionEnd.failed),
        (
            {"error": {"name": "APIError", "data": {"message": "no", "statusCode": 401}}},
            SessionEnd.failed,
        ),
    ],
)
def test_final_turn_is_never_posted_again(app, watch, info, end):
    """A rerun finds what happened and pays for nothing."""
    app.messages = [user(OURS), assistant(OURS, **info)]
    assert watch().end is end
    assert app.posted("/prompt_async") == 0


def test_error_of_the_endpoint_is_the_reason(app, watch):
    """The model endpoint's own words end in the result."""
    data = {"message": "Invalid key", "statusCode": 401}
    app.messages = [user(OURS), assistant(OURS, error={"name": "APIError", "data": data})]
    assert watch().reason == "APIError 401: Invalid key"


def test_foreign_answers_do_not_count(app, watch):
    """An answer to somebody else's message is not ours."""
    app.messages = [user("msg_person"), assistant("msg_person")]
    _answer_with(app, assistant(OURS, id="msg_b"))
    assert watch().steps == 1
    assert app.posted("/prompt_async") == 1


def test_compacted_turn_goes_on_under_the_servers_message(app, watch):
    """After a compaction the server continues below a message of its own."""
    app.messages = [
        user(OURS),
        assistant(OURS, finish="tool-calls"),
        user("msg_c", synthetic=True),
        assistant("msg_c", id="msg_b"),
    ]
    result = watch()
    assert (result.end, result.steps) == (SessionEnd.completed, 2)


def test_a_summary_is_not_the_end(app, watch, clock):
    """What the server asks the model for itself answers nobody; the work goes on after it."""
    app.busy = {JOB.session_id}
    app.messages = [
        user(OURS),
        assistant(OURS, finish="tool-calls"),
        user("msg_c", type="compaction"),
        assistant("msg_c", id="msg_s", parts=[{"type": "text", "text": "a summary"}]),
    ]

    def go_on():
        if clock.now > 15:
            app.busy = set()
            app.messages += [user("msg_d", synthetic=True), assistant("msg_d", id="msg_e")]

    clock.then = go_on
    assert watch().end is SessionEnd.completed
    assert clock.now > 15


def test_a_turn_that_looks_aborted_before_it_is_compacted_goes_on(app, watch, clock):
    """While the session is busy an end may be none; after some patience it is one."""
    app.busy = {JOB.session_id}
    app.messages = [user(OURS), assistant(OURS, finish=None)]

    def go_on():
        if clock.now > 3:
            app.busy = set()
            app.messages += [user("msg_d", synthetic=True), assistant("msg_d", id="msg_e")]

    clock.then = go_on
    assert watch().end is SessionEnd.completed
    app.messages, app.busy, clock.then = app.messages[:2], {JOB.session_id}, lambda: None
    assert watch().end is SessionEnd.failed


def test_a_history_that_is_compacted_without_end_is_given_up(app, watch):
    """Nothing is done between one compaction and the next, and each one costs."""
    app.busy = {JOB.session_id}
    app.messages = [user(OURS)]
    for number in range(4):
        app.messages += [
            user(f"msg_c{number}", type="compaction"),
            assistant(f"msg_c{number}", id=f"msg_s{number}", parts=[]),
            user(f"msg_d{number}", synthetic=True),
            assistant(f"msg_d{number}", id=f"msg_e{number}", parts=[], finish=None),
        ]
    result = watch()
    assert result.end is SessionEnd.failed
    assert "compacted 4 times" in result.reason
    assert app.posted("/abort") == 1


def test_turn_cut_by_a_dead_server_is_posted_again(app, watch):
    """An open turn that nobody works on is resumed under the same ids."""
    app.messages = [user(OURS), assistant(OURS, finish=None, time={"created": 2_000})]
    app.on_prompt = lambda: app.messages.append(assistant(OURS, id="msg_b"))
    assert watch().end is SessionEnd.completed
    assert app.posted("/prompt_async") == 1


def test_busy_turn_is_only_watched(app, watch, clock):
    """A supervisor that comes back to a running turn posts nothing."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}

    def finish():
        app.busy = set()
        app.messages.append(assistant(OURS, id="msg_b"))

    clock.then = finish
    assert watch().end is SessionEnd.completed
    assert app.posted("/prompt_async") == 0


def test_prompt_without_any_sign_of_life_is_given_up(app, watch):
    """An unknown model leaves no message at all: post a few times, then fail."""
    result = watch(posts=2)
    assert result.end is SessionEnd.failed
    assert "did not start the turn" in result.reason
    assert app.posted("/prompt_async") == 2
    assert app.posted("/abort") == 1


@pytest.mark.parametrize(
    ("limits", "end"),
    [
        ({"steps": 1}, SessionEnd.step_limit),
        ({"cost": 0.2}, SessionEnd.cost_limit),
        ({"length": timedelta(minutes=3)}, SessionEnd.deadline),
    ],
)
def test_limit_aborts_then_disposes(app, watch, limits, end):
    """Each cap ends a running turn under its own name."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}
    result = watch(**limits)
    assert result.end is end
    order = [written for written, _ in app.writes if "abort" in written or "dispose" in written]
    assert order == [f"POST /session/{JOB.session_id}/abort", "POST /instance/dispose"]


def test_what_was_done_until_it_was_stopped_is_told(app, watch):
    """Also what the last look did not see yet, and what that cost."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}
    late = assistant(OURS, id="msg_late", parts=[bash("make", 2)], finish="tool-calls")
    app.on_abort = lambda: app.messages.append(late)
    result = watch(length=timedelta(minutes=3))
    assert result.commands == (CommandRun(command="make", exit_status=2),)
    assert result.cost == 0.5, "of two answers"


def test_time_before_a_restart_counts(app, watch, clock):
    """Two minutes were spent before; of three, one is left."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}
    watch(length=timedelta(minutes=3))
    assert clock.now == pytest.approx(60, abs=2)


def test_aborted_turn_keeps_the_name_of_its_limit(app, watch):
    """A rerun after the step limit says step limit, not failed."""
    app.messages = [user(OURS), assistant(OURS, error={"name": "MessageAbortedError"})]
    assert watch(steps=1).end is SessionEnd.step_limit


def test_turn_that_was_stopped_at_its_deadline_stays_that(app, watch):
    """Why it was aborted is written down first; a rerun with all the time in the world says so."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}
    first = watch(length=timedelta(minutes=3))
    assert first.end is SessionEnd.deadline
    app.messages = [user(OURS), assistant(OURS, error={"name": "MessageAbortedError"})]
    app.busy = set()
    again = watch(length=timedelta(hours=9))
    assert (again.end, again.reason) == (first.end, first.reason)


def test_permission_is_rejected_with_words_once(app, watch, clock):
    """Nothing waits for a person who is not there."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}
    app.permissions = [{"id": "per_1", "sessionID": JOB.session_id, "permission": "bash"}]
    clock.then = lambda: clock.now > 4 and app.messages.append(assistant(OURS, id="msg_b"))
    watch()
    replies = [body for written, body in app.writes if "/permission/per_1/reply" in written]
    assert len(replies) == 1
    assert replies[0]["reply"] == "reject"
    assert replies[0]["message"]


def test_unreachable_server_is_lost_after_a_while(app, watch, clock):
    """Short outages are waited out, long ones end as lost."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}

    def go_down():
        app.down = 10_000

    clock.then = go_down
    assert watch(lost_after=timedelta(seconds=20)).end is SessionEnd.lost
    assert clock.now < 30


def test_nothing_committed_is_its_own_end(app, watch):
    """An agent that says it is done without a commit has changed nothing."""
    app.shell_output = f"{BASE}\n\nautofix-exit:0\n"
    app.messages = [user(OURS), assistant(OURS)]
    result = watch()
    assert (result.end, result.head) == (SessionEnd.nothing_to_change, None)


@pytest.mark.parametrize(
    ("permission", "words"),
    [
        ("external_directory", "Nothing outside"),
        ("doom_loop", "something else"),
        ("nobody_foresaw_this", "Not permitted here"),
    ],
)
def test_each_permission_gets_its_own_words(app, watch, clock, permission, words):
    """The agent reads why, also for a request that no rule knows."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}
    app.permissions = [{"id": "per_1", "sessionID": JOB.session_id, "permission": permission}]
    clock.then = lambda: clock.now > 4 and app.messages.append(assistant(OURS, id="msg_b"))
    watch()
    (reply,) = [body for written, body in app.writes if "/permission/per_1/reply" in written]
    assert words in reply["message"]


def test_a_question_is_left_unanswered_at_once(app, watch, clock):
    """Nobody is there to answer, so the agent is told so and goes on."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}
    app.questions = [{"id": "que_1", "sessionID": JOB.session_id, "questions": []}]
    clock.then = lambda: clock.now > 4 and app.messages.append(assistant(OURS, id="msg_b"))
    watch()
    assert app.posted("/question/que_1/reject") == 1


def test_a_server_that_forgot_the_session_is_lost_at_once(app, watch, clock):
    """An empty database does not come back, so nobody waits for it."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}
    clock.then = app.sessions.clear
    result = watch()
    assert (result.end, result.reason) == (
        SessionEnd.lost,
        "the server no longer knows the session",
    )
    assert clock.now < 5
    assert app.posted("/prompt_async") == 0


def test_another_password_in_the_middle_is_lost_at_once(app, watch, clock):
    """It will not become right by waiting; the reason says what to look at."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}

    def change_password():
        app.unauthorized = True

    clock.then = change_password
    result = watch()
    assert result.end is SessionEnd.lost
    assert "OPENCODE_SERVER_PASSWORD" in result.reason
    assert clock.now < 5


def test_a_model_that_declines_is_its_own_end(app, watch):
    """Not a failure of anything: it was asked and said no."""
    app.messages = [user(OURS), assistant(OURS, finish="content-filter")]
    assert watch().end is SessionEnd.refused


def test_a_folder_that_grows_too_big_ends_the_session(app, watch):
    """Measured now and then; the turn is aborted and the reason has both numbers."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}
    app.shell_output = "900\n\nautofix-exit:0\n"
    result = watch(disk_mb=500, disk_every=timedelta(seconds=10))
    assert (result.end, result.reason) == (
        SessionEnd.failed,
        "its folder took 900 MB, more than 500",
    )
    assert app.posted("/abort") == 1


def test_a_watcher_sees_that_the_model_is_waited_for(app, watch, clock, told):
    """While the endpoint makes the server wait, nothing else would move."""
    app.messages = [user(OURS), assistant(OURS, finish="tool-calls")]
    app.busy = {JOB.session_id}
    app.status = {"type": "retry", "attempt": 2, "message": "Too many requests"}
    clock.then = lambda: clock.now > 4 and app.messages.append(assistant(OURS, id="msg_b"))
    watch()
    assert "attempt 2: Too many requests" in {progress.waiting for progress in told}
