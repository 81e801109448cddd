"""Watches one session of the agent to its typed end.

Read first: a turn that finished, failed or was aborted is final, because posting the same ids
again would run and bill it again. The prompt is posted only when there is no answer, or when a
dead server cut the turn. Polling is the truth; a busy status alone proves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from autofix.change.ids import part_id
from autofix.change.job import FixJob, Progress, SessionLimits
from autofix.change.opencode import NotFoundError, OpencodeClient, PasswordError
from autofix.change.opencode_wire import SessionStatus
from autofix.change.requests import RequestDesk
from autofix.change.turn import Turn, TurnState, read_turn
from autofix.change.workspace import end_processes, fetch_head, measure_disk
from autofix.errors import OpencodeError
from autofix.models import SessionEnd, SessionResult, Todo

_REASON_CAP = 500
_ENDED_AT_CAP = "it was stopped at this limit: {limit}"


def supervise(
    client: OpencodeClient,
    job: FixJob,
    limits: SessionLimits,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> SessionResult:
    """Submit the job unless that was done before, watch it, and say how it ended.

    Args:
        client: of the server that holds the workspace.
        job: the prompt and its workspace.
        limits: deadline, caps and patience.
        clock: seconds that only rise.
        sleep: waits between two looks.
        on_progress: called with each change.

    Raises:
        OpencodeError: the session could not be made at all. Everything after that is an end.
    """
    return _Watch(client, job, limits, clock, sleep, on_progress).run()


class _Watch:
    def __init__(
        self,
        client: OpencodeClient,
        job: FixJob,
        limits: SessionLimits,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._client, self._job, self._limits = client, job, limits
        self._clock, self._sleep, self._on_progress = clock, sleep, on_progress
        self._directory = job.workspace.directory
        self._turn = Turn(state=TurnState.absent)
        self._todos: tuple[Todo, ...] = ()
        self._desk = RequestDesk(client, job.workspace.directory)
        self._busy = False
        self._waiting = ""
        self._looked_final: float | None = None
        self._measured = clock()
        self._stopped: dict[str, str] = {}
        self._posts = 0
        self._spent_before = 0.0
        self._started = self._seen_alive = self._answered = clock()
        self._told: Progress | None = None

    def run(self) -> SessionResult:
        found = self._client.find_session(self._job.session_id)
        if found is not None:
            self._stopped = found.metadata.get("stopped") or {}
        self._describe_session()
        self._read()
        self._spent_before = self._turn.seconds
        while True:
            end = self._look()
            if end is not None:
                return self._close(*end)
            self._sleep(self._limits.poll.total_seconds())

    def _look(self) -> tuple[SessionEnd, str] | None:
        """One look: the end if there is one."""
        try:
            # in this order: a turn that ends in between is then seen as ended, not as cut
            status = self._client.fetch_status(self._directory).get(self._job.session_id)
            self._busy = status is not None
            self._read()
            self._desk.answer()
            self._waiting = _describe_wait(status)
            self._tell()
            self._answered = self._clock()
        except PasswordError as error:
            return SessionEnd.lost, str(error)
        except OpencodeError as error:
            if isinstance(error, NotFoundError) and self._is_forgotten():
                return SessionEnd.lost, "the server no longer knows the session"
            if self._clock() - self._answered > self._limits.lost_after.total_seconds():
                return SessionEnd.lost, str(error)
            return self._over_time()
        final = self._final()
        if final is not None and self._is_settled():
            return final
        limit = self._over_limit() or self._over_time() or self._over_disk()
        if limit is not None:
            return limit
        return self._go_on()

    def _is_settled(self) -> bool:
        """Whether an end that was read is one: while it is busy, the server may still go on.

        Before it compacts a long history, a turn looks like one that was aborted.
        """
        if not self._busy:
            return True
        if self._looked_final is None:
            self._looked_final = self._clock()
        patience = self._limits.busy_grace.total_seconds()
        return self._clock() - self._looked_final > patience

    def _is_forgotten(self) -> bool:
        try:
            return self._client.find_session(self._job.session_id) is None
        except OpencodeError:
            return False

    def _read(self) -> None:
        messages = self._client.fetch_messages(self._job.session_id, self._directory)
        self._turn = read_turn(messages, self._job.message_id)

    def _final(self) -> tuple[SessionEnd, str] | None:
        match self._turn.state:
            case TurnState.finished:
                return SessionEnd.completed, ""
            case TurnState.failed:
                return SessionEnd.failed, self._turn.reason
            case TurnState.refused:
                return SessionEnd.refused, self._turn.reason
            case TurnState.aborted:
                failed = (SessionEnd.failed, self._turn.reason)
                return self._why_stopped() or self._over_limit() or failed
            case _:
                return None

    def _describe_session(self) -> None:
        """Title and metadata, with the limit at which the session was stopped if it was."""
        self._client.ensure_session(
            self._job.session_id,
            self._directory,
            title=self._job.title,
            metadata={
                "fix": self._job.workspace.fix_id,
                "work": list(self._job.work_ids),
                **({"stopped": self._stopped} if self._stopped else {}),
            },
        )

    def _why_stopped(self) -> tuple[SessionEnd, str] | None:
        """The end that a supervisor wrote down before it aborted this turn; None for a person."""
        if self._stopped.get("message") != self._job.message_id:
            return None
        return SessionEnd(self._stopped["end"]), self._stopped["reason"]

    def _over_limit(self) -> tuple[SessionEnd, str] | None:
        if self._turn.compactions >= self._limits.compactions:
            reason = (
                f"its history was compacted {self._turn.compactions} times and is still too long "
                "for the model"
            )
            return SessionEnd.failed, reason
        if self._turn.steps >= self._limits.steps:
            return SessionEnd.step_limit, _ENDED_AT_CAP.format(limit=f"{self._limits.steps} steps")
        if self._turn.cost >= self._limits.cost:
            return SessionEnd.cost_limit, _ENDED_AT_CAP.format(limit=f"${self._limits.cost:g}")
        return None

    def _over_time(self) -> tuple[SessionEnd, str] | None:
        spent = self._spent_before + self._clock() - self._started
        if spent < self._limits.length.total_seconds():
            return None
        minutes = self._limits.length.total_seconds() / 60
        return SessionEnd.deadline, _ENDED_AT_CAP.format(limit=f"{minutes:g} minutes")

    def _over_disk(self) -> tuple[SessionEnd, str] | None:
        if self._clock() - self._measured < self._limits.disk_every.total_seconds():
            return None
        self._measured = self._clock()
        try:
            used = measure_disk(self._client, self._job.workspace)
        except OpencodeError:
            return None  # a server that does not answer is judged elsewhere
        if used <= self._limits.disk_mb:
            return None
        return SessionEnd.failed, f"its folder took {used} MB, more than {self._limits.disk_mb}"

    def _go_on(self) -> tuple[SessionEnd, str] | None:
        """Post when nothing runs: at once the first time, later only after some patience."""
        now = self._clock()
        if self._busy:
            self._seen_alive = now
            return None
        waited = now - self._seen_alive
        if self._posts and waited < self._limits.start_grace.total_seconds():
            return None
        if self._posts >= self._limits.posts:
            return SessionEnd.failed, "the server did not start the turn: is the model known to it?"
        self._post()
        self._seen_alive = now
        return None

    def _post(self) -> None:
        self._posts += 1
        try:
            self._client.post_prompt(
                self._job.session_id,
                self._directory,
                message_id=self._job.message_id,
                part_id=part_id(self._job.workspace.fix_id, self._job.purpose),
                text=self._job.prompt,
            )
        except OpencodeError:
            return  # whether it arrived is read from the messages at the next look

    def _tell(self) -> None:
        self._todos = self._client.fetch_todos(self._job.session_id, self._directory)
        commands = self._turn.commands
        progress = Progress(
            state=self._turn.state,
            waiting=self._waiting,
            steps=self._turn.steps,
            cost=self._turn.cost,
            commands=len(commands),
            last_command=commands[-1].command if commands else "",
            todos=self._todos,
        )
        if progress != self._told:
            self._told = progress
            self._on_progress(progress)

    def _close(self, end: SessionEnd, reason: str) -> SessionResult:
        if self._busy or self._turn.state in {TurnState.absent, TurnState.open}:
            self._stop(end, reason)
        if end is not SessionEnd.lost:
            self._quietly(lambda: end_processes(self._client, self._job.workspace))
        head, end, reason = self._head(end, reason)
        self._quietly(lambda: self._client.dispose(self._directory))
        turn = self._turn
        return SessionResult(
            end=end,
            reason=reason,
            session_id=self._job.session_id,
            directory=self._directory,
            base=self._job.workspace.base,
            head=head,
            todos=self._todos,
            commands=turn.commands,
            answer=turn.answer,
            steps=turn.steps,
            cost=turn.cost,
            seconds=turn.seconds,
            input_tokens=turn.input_tokens,
            output_tokens=turn.output_tokens,
            model=turn.model,
        )

    def _stop(self, end: SessionEnd, reason: str) -> None:
        """Abort the turn; why is written down first, because an abort does not tell by whom."""
        self._stopped = {
            "message": self._job.message_id,
            "end": end.value,
            "reason": reason[:_REASON_CAP],
        }
        self._quietly(self._describe_session)
        self._quietly(lambda: self._client.abort(self._job.session_id, self._directory))
        # what it did until it was stopped, and what that cost: more than the last look saw
        self._quietly(self._read)

    def _head(self, end: SessionEnd, reason: str) -> tuple[str | None, SessionEnd, str]:
        if end is SessionEnd.lost:
            return None, end, reason
        try:
            head = fetch_head(self._client, self._job.workspace)
        except OpencodeError as error:
            if end is SessionEnd.completed:
                return None, SessionEnd.failed, str(error)
            return None, end, reason
        if end is SessionEnd.completed and head is None:
            return None, SessionEnd.nothing_to_change, "the agent committed nothing"
        return head, end, reason

    @staticmethod
    def _quietly(call: Callable[[], object]) -> None:
        """Cleaning up may fail; the end is known already and stands."""
        try:
            call()
        except OpencodeError:
            return


def _describe_wait(status: SessionStatus | None) -> str:
    if status is None or status.type != "retry":
        return ""
    return f"attempt {status.attempt}: {status.message or 'no reason'}"[:_REASON_CAP]
