"""The whole line in process, tick by tick: records, the forge, and what stands in for the model.

Everything that decides is the product's own code; only the model's plan and the agent's session
are counted instead of made.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from autofix.change.ids import branch_name, fix_id
from autofix.change.memo import render_memo
from autofix.change.pr_body import render_marker
from autofix.change.publish import Change, find_existing_change, open_pull_request
from autofix.detect.incidents import (
    MemoryIncidentStore,
    Pulls,
    Tick,
    advance,
    hand_on,
    is_forgotten,
)
from autofix.detect.turns import Turn
from autofix.errors import GithubError
from autofix.models import (
    Deployment,
    Finding,
    Incident,
    Outcome,
    Service,
    Signal,
    VerdictKind,
    Window,
)
from autofix.parameters import Autonomy
from autofix.verify.desk import post_outcome, tend
from autofix.verify.facts import group_by_service
from autofix.verify.verification import Settled, find_outcome
from tests.unit.verify.forge import REPOSITORY, ForgeApp, open_forge

EVERY = timedelta(minutes=10)
LENGTH = timedelta(minutes=30)


class Line:
    """One service, one repository, one forge; `log` holds every effect with its time."""

    def __init__(self, service: Service, start: datetime) -> None:
        self.service, self.start, self.now = service, start, start
        self.app = ForgeApp()
        self.store = MemoryIncidentStore()
        self.turns: dict[str, Turn] = {}
        self.log: list[str] = []
        self.live: dict[int, datetime] = {}
        """Since when the merge of a pull request is live."""
        self.outcomes: dict[int, Outcome] = {}
        """What the verification of a pull request will say."""

    def note(self, what: str) -> None:
        passed = self.now - self.start
        hours, minutes = divmod(int(passed.total_seconds()) // 60, 60)
        self.log.append(f"{hours:02}:{minutes:02} {what}")

    def deploy(self, commit: str) -> None:
        """A deployment of another commit, by whomever."""
        assert self.service.deployment is not None
        deployment: Deployment = self.service.deployment.model_copy(update={"commit": commit})
        self.service = self.service.model_copy(update={"deployment": deployment})

    def merge(self, number: int, commit: str, outcome: Outcome) -> None:
        """A person merges; its deployment is live at once, and the verification will say this."""
        self.app.pulls[number] |= {
            "state": "closed",
            "merged_at": _rfc(self.now),
            "closed_at": _rfc(self.now),
            "merge_commit_sha": commit,
        }
        self.live[number], self.outcomes[number] = self.now, outcome
        self.deploy(commit)
        self.note(f"a person merges #{number}")

    def close(self, number: int) -> None:
        """A person closes without merging."""
        self.app.pulls[number] |= {"state": "closed", "closed_at": _rfc(self.now)}
        self.note(f"a person closes #{number}")

    def tick(self, findings: Sequence[Finding]) -> None:
        """One tick of the monitor, the runs it starts, and one of the verification."""
        self.app.now = _rfc(self.now)
        self._monitor(findings)
        if not self.app.is_down:
            self._verify()
        self.now += EVERY

    def _monitor(self, findings: Sequence[Finding]) -> None:
        records = self.store.load()
        tick = Tick(
            window=Window.ending(self.now, LENGTH),
            environment_id="env-1",
            services={self.service.id: self.service},
            findings=findings,
        )
        advanced = advance(
            records,
            tick,
            autonomy=Autonomy.pull_request,
            turns=self.turns,
            pulls=self._pulls(),
        )
        due = {incident.work_id: incident for incident in advanced.due}
        for record in advanced.records:
            if is_forgotten(record, self.now):
                self.store.delete(record)
                continue
            taken = due.get(record.work_id)
            self.store.save(hand_on(record, taken, Autonomy.pull_request) if taken else record)
        for incident in advanced.due:
            self._fix(incident)

    def _pulls(self) -> Pulls | None:
        with open_forge(self.app) as forge:
            try:
                found = forge.find_pull_requests(REPOSITORY, state="all", head_prefix="autofix/")
            except GithubError:
                return None
        return group_by_service(found)

    def _fix(self, incident: Incident) -> None:
        self.turns[incident.work_id] = Turn(verdict=VerdictKind.code_fix, at=self.now)
        name = fix_id([incident.work_id])
        with open_forge(self.app) as forge:
            if find_existing_change(forge, REPOSITORY, name, [incident.service.id]):
                self.note("held back")
                return
            self.note(f"plan for {incident.work_id}")
            self.note(f"session for {name}")
            change = Change(
                repository=REPOSITORY,
                base_branch="main",
                branch=branch_name(REPOSITORY, name),
                base="0" * 40,
                title="Repair it",
            )
            marker = render_marker([incident.work_id], [incident.service.id])
            lines = [*incident.earlier, marker, render_memo([incident])]
            made = open_pull_request(change, "\n\n".join(lines), github=forge)
        self.note(f"pull request #{made.number}")

    def _verify(self) -> None:
        with open_forge(self.app) as forge:
            for number in sorted(self.app.pulls):
                before = len(self.app.comments.get(number, []))
                pull = forge.fetch_pull(REPOSITORY, number)
                if pull.merged and find_outcome(pull) is None and self._is_time(number):
                    settled = Settled(
                        pull_request=pull,
                        outcome=self.outcomes[number],
                        reasons=("measured",),
                        times=(),
                    )
                    post_outcome(forge, settled, str)
                elif pull.state == "open":
                    tend(forge, pull, self.store.load(), self.now, str)
                for comment in self.app.comments.get(number, [])[before:]:
                    self.note(f"comment on #{number}: {_first_line(comment['body'])}")

    def _is_time(self, number: int) -> bool:
        return self.now >= self.live[number] + LENGTH


def trouble(line: Line, *signals: Signal) -> list[Finding]:
    """Findings of the service at this tick."""
    from tests.unit.verify.simulate import finding  # noqa: PLC0415

    return [
        finding(signal).model_copy(
            update={
                "ts": line.now,
                "service_id": line.service.id,
                "service": line.service.name,
                "onset": line.now - timedelta(minutes=10),
            }
        )
        for signal in signals
    ]


def _first_line(body: str) -> str:
    lines = [text for text in body.splitlines() if text and not text.startswith("<!--")]
    return lines[0].removeprefix("## ")


def _rfc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
