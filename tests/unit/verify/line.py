"""The whole line in process, tick by tick: records, the forge, and what stands in for the model.

Everything that decides is the product's own code; only the model's plan and the agent's session
are counted instead of made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from autofix.change.ids import branch_name, fix_id
from autofix.change.memo import render_memo
from autofix.change.pr_body import render_marker
from autofix.change.publish import find_existing_change, open_pull_request
from autofix.change.transfer import Change
from autofix.detect.incidents import (
    MemoryIncidentStore,
    Pulls,
    Tick,
    advance,
    cap_repositories,
    hand_on,
    is_forgotten,
)
from autofix.detect.turns import Turn
from autofix.errors import GithubError
from autofix.investigate.grouping import group_by_repository
from autofix.models import (
    Deployment,
    Finding,
    Incident,
    Outcome,
    PullRequest,
    Service,
    ServiceContext,
    ServiceSummary,
    Signal,
    Verdict,
    VerdictKind,
    Window,
)
from autofix.parameters import Autonomy, Caps
from autofix.verify.desk import post_outcome, tend
from autofix.verify.facts import group_by_service, is_of_environment
from autofix.verify.verification import Settled, find_outcome
from tests.unit.verify.forge import REPOSITORY, ForgeApp, Forges, open_forge
from tests.unit.verify.simulate import finding

EVERY = timedelta(minutes=10)
LENGTH = timedelta(minutes=30)


class Line:
    """The services of one environment and their forge; `log` holds every effect with its time."""

    def __init__(
        self,
        *services: Service,
        start: datetime,
        environment: str = "env-1",
        beside: Line | None = None,
    ) -> None:
        """Begin at `start`; `beside` another environment of the same project and installation."""
        self.services = {service.name: service for service in services}
        self.start, self.now, self.environment = start, start, environment
        repositories = {s.repository or REPOSITORY for s in services}
        self.forges = beside.forges if beside else Forges(*sorted(repositories))
        self.store = beside.store if beside else MemoryIncidentStore()
        self.log: list[str] = beside.log if beside else []
        self.outcomes: dict[tuple[str, int], Outcome] = beside.outcomes if beside else {}
        """What the verification of a pull request will say."""
        self.live: dict[tuple[str, int], datetime] = beside.live if beside else {}
        """Since when the merge of a pull request is live."""
        self.turns: dict[str, Turn] = {}

    @property
    def app(self) -> ForgeApp:
        """The forge's only repository, or its first."""
        return next(iter(self.forges.apps.values()))

    def note(self, what: str) -> None:
        passed = self.now - self.start
        hours, minutes = divmod(int(passed.total_seconds()) // 60, 60)
        self.log.append(f"{hours:02}:{minutes:02} {what}")

    def deploy(self, commit: str, *names: str) -> None:
        """A deployment of another commit, by whomever; of every service when none is named."""
        for name in names or tuple(self.services):
            service = self.services[name]
            assert service.deployment is not None
            deployment: Deployment = service.deployment.model_copy(
                update={"commit": commit, "created_at": self.now}
            )
            self.services[name] = service.model_copy(update={"deployment": deployment})

    def merge(
        self,
        number: int,
        commit: str,
        outcome: Outcome,
        *,
        repository: str = "",
        deploys: Sequence[str] = (),
    ) -> None:
        """A person merges; its deployment is live at once, and the verification will say this."""
        app = self.forges.apps[repository] if repository else self.app
        app.pulls[number] |= {
            "state": "closed",
            "merged_at": _rfc(self.now),
            "closed_at": _rfc(self.now),
            "merge_commit_sha": commit,
        }
        self.live[app.repository, number] = self.now
        self.outcomes[app.repository, number] = outcome
        self.deploy(commit, *deploys)
        self.note(f"a person merges {_name(self, app, number)}")

    def close(self, number: int) -> None:
        """A person closes without merging."""
        self.app.pulls[number] |= {"state": "closed", "closed_at": _rfc(self.now)}
        self.note(f"a person closes {_name(self, self.app, number)}")

    def tick(self, findings: Sequence[Finding]) -> None:
        """One tick of the monitor, the runs it starts, and one of the verification."""
        for app in self.forges.apps.values():
            app.now = _rfc(self.now)
        self._monitor(findings)
        for app in self.forges.apps.values():
            if not app.is_down:
                self._verify(app)
        self.now += EVERY

    def _monitor(self, findings: Sequence[Finding]) -> None:
        records = self.store.load()
        tick = Tick(
            window=Window.ending(self.now, LENGTH),
            environment_id=self.environment,
            services={service.id: service for service in self.services.values()},
            findings=findings,
        )
        advanced = advance(
            records,
            tick,
            autonomy=Autonomy.pull_request,
            turns=self.turns,
            pulls=self._pulls(),
        )
        handed_on = cap_repositories(advanced.due, Caps().new_pull_requests_per_tick)
        due = {incident.work_id: incident for incident in handed_on}
        for record in advanced.records:
            if is_forgotten(record, self.now):
                self.store.delete(record)
                continue
            taken = due.get(record.work_id)
            self.store.save(hand_on(record, taken, Autonomy.pull_request) if taken else record)
        contexts = [_context(incident) for incident in handed_on]
        for repository, group in group_by_repository(contexts).items():
            self._fix(repository, [context.incident for context in group])

    def _pulls(self) -> Pulls | None:
        found: list[PullRequest] = []
        with open_forge(self.forges) as forge:
            try:
                for name in self.forges.apps:
                    found += forge.find_pull_requests(name, state="all", head_prefix="autofix/")
            except GithubError:
                return None
        return group_by_service(found)

    def _fix(self, repository: str, incidents: Sequence[Incident]) -> None:
        work_ids = [incident.work_id for incident in incidents]
        for work_id in work_ids:
            self.turns[work_id] = Turn(verdict=VerdictKind.code_fix, at=self.now)
        name, services = fix_id(work_ids), [incident.service.id for incident in incidents]
        with open_forge(self.forges) as forge:
            if find_existing_change(forge, repository, name, services):
                self.note("held back")
                return
            self.note(f"plan for {' and '.join(work_ids)}")
            self.note(f"session for {name}")
            change = Change(
                repository=repository,
                base_branch="main",
                branch=branch_name(repository, name),
                base="0" * 40,
                title="Repair it",
            )
            earlier = [line for incident in incidents for line in incident.earlier]
            lines = [*earlier, render_marker(work_ids, services), render_memo(incidents)]
            made = open_pull_request(change, "\n\n".join(lines), github=forge)
        app = self.forges.apps[repository]
        of = ", ".join(incident.service.name for incident in incidents)
        more = f" for {of}" if len(self.services) > 1 else ""
        self.note(f"pull request {_name(self, app, made.number)}{more}")

    def _verify(self, app: ForgeApp) -> None:
        with open_forge(app) as forge:
            for number in sorted(app.pulls):
                before = len(app.comments.get(number, []))
                pull = forge.fetch_pull(app.repository, number)
                if not is_of_environment(pull, self.environment):
                    continue
                if pull.merged and find_outcome(pull) is None and self._is_time(app, number):
                    settled = Settled(
                        pull_request=pull,
                        outcome=self.outcomes[app.repository, number],
                        reasons=("measured",),
                        times=(),
                    )
                    post_outcome(forge, settled, str)
                elif pull.state == "open":
                    tend(forge, pull, self.store.load(), self.now, str)
                for comment in app.comments.get(number, [])[before:]:
                    where = _name(self, app, number)
                    self.note(f"comment on {where}: {_first_line(comment['body'])}")

    def _is_time(self, app: ForgeApp, number: int) -> bool:
        return self.now >= self.live[app.repository, number] + LENGTH


def trouble(line: Line, *signals: Signal, of: Sequence[str] = ()) -> list[Finding]:
    """Findings at this tick, of these services or of all."""
    return [
        finding(signal).model_copy(
            update={
                "ts": line.now,
                "service_id": line.services[name].id,
                "service": name,
                "onset": line.now - timedelta(minutes=10),
            }
        )
        for name in of or tuple(line.services)
        for signal in signals
    ]


def states(line: Line) -> Mapping[str, str]:
    """Where the newest incident of each service stands in this environment."""
    of_here = [r for r in line.store.load() if r.environment_id == line.environment]
    return {r.service: r.state.value for r in sorted(of_here, key=lambda r: r.opened_at)}


def _context(incident: Incident) -> ServiceContext:
    return ServiceContext(
        incident=incident,
        summary=ServiceSummary(service_id=incident.service.id, window=incident.window),
        evidence=(),
        verdict=Verdict(kind=VerdictKind.code_fix, reason="errors in our code"),
    )


def _name(line: Line, app: ForgeApp, number: int) -> str:
    """``#1``, or ``acme/x#1`` where there are several repositories."""
    return f"{app.repository}#{number}" if len(line.forges.apps) > 1 else f"#{number}"


def _first_line(body: str) -> str:
    lines = [text for text in body.splitlines() if text and not text.startswith("<!--")]
    return lines[0].removeprefix("## ")


def _rfc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
