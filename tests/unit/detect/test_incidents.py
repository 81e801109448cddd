from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from autofix.detect.incidents import (
    QUIET_TICKS,
    Advance,
    MemoryIncidentStore,
    Tick,
    advance,
    cap_repositories,
    hand_on,
)
from autofix.detect.turns import BACK_OFF, PullFacts, Turn
from autofix.models import Finding, IncidentState, Severity, Signal, Window
from autofix.parameters import Autonomy
from tests.conftest import NOW


class Line:
    """Ticks one after the other on one store, every due incident handed on."""

    def __init__(self, services: Sequence[Any]) -> None:
        self.services = {s.id: s for s in services}
        self.store = MemoryIncidentStore()
        self.turns: dict[str, Turn] = {}
        self.now = NOW

    def tick(
        self,
        findings: Sequence[Finding],
        *,
        autonomy: Autonomy = Autonomy.pull_request,
        unknown: frozenset[str] = frozenset(),
        force: bool = False,
    ) -> Advance:
        tick = Tick(
            window=Window.ending(self.now, timedelta(minutes=30)),
            environment_id="env-1",
            services=self.services,
            findings=findings,
            unknown=unknown,
        )
        advanced = advance(
            self.store.load(), tick, autonomy=autonomy, turns=self.turns, force=force
        )
        due = {incident.work_id: incident for incident in advanced.due}
        for record in advanced.records:
            taken = due.get(record.work_id)
            self.store.save(hand_on(record, taken, autonomy) if taken else record)
        for work_id in due:
            self.turns[work_id] = Turn()
        self.now += timedelta(minutes=10)
        return advanced


@pytest.fixture
def line(make_service: Callable[..., Any]) -> Line:
    return Line([make_service("billing-api"), make_service("orders-web")])


def test_a_service_in_trouble_is_handed_on_once(line: Line, make_finding: Any) -> None:
    """The first tick hands it on; the next ones, with the same trouble, do nothing."""
    assert [i.service.name for i in line.tick([make_finding()]).due] == ["billing-api"]
    for _ in range(5):
        assert line.tick([make_finding()]).due == ()


def test_signals_that_join_and_deployments_change_no_fingerprint(
    line: Line, make_finding: Any, make_service: Any
) -> None:
    """Ten deployments and two joining signals during one trouble leave one incident, one hand-on."""
    findings = [make_finding()]
    first = line.tick(findings).due[0].fingerprint
    deployed = make_service("billing-api")
    for number in range(10):
        changed = deployed.deployment.model_copy(update={"commit": f"{number:040x}"})
        line.services[deployed.id] = deployed.model_copy(update={"deployment": changed})
        if number in {3, 6}:
            joined = {3: Signal.latency, 6: Signal.memory}[number]
            findings.append(make_finding(signal=joined))
        assert line.tick(findings).due == ()
    assert [(r.fingerprint, r.episode, r.attempt) for r in line.store.load()] == [(first, 1, 1)]


def test_quiet_ticks_end_an_incident_and_trouble_later_is_a_new_episode(
    line: Line, make_finding: Any
) -> None:
    """After the stated number of quiet ticks it is over; the same trouble again is episode 2."""
    line.tick([make_finding()])
    for _ in range(QUIET_TICKS):
        line.tick([])
    assert all(r.ended_at is not None for r in line.store.load())
    again = line.tick([make_finding()]).due
    assert [i.episode for i in again] == [2]
    assert again[0].work_id.endswith("-e2-a1")


def test_an_unknown_service_is_not_quiet(line: Line, make_finding: Any) -> None:
    """A service that cannot be read keeps its incident open however long that lasts."""
    line.tick([make_finding()])
    for _ in range(QUIET_TICKS + 2):
        line.tick([], unknown=frozenset({"svc-billing-api"}))
    assert [r.ended_at for r in line.store.load()] == [None]


def test_a_failed_attempt_is_tried_again_after_the_back_off(line: Line, make_finding: Any) -> None:
    """The attempt rises when the run failed and the back-off is over, at most to three."""
    work_id = line.tick([make_finding()]).due[0].work_id
    line.turns[work_id] = Turn(failed_at=line.now)
    assert line.tick([make_finding()]).due == ()
    line.now += BACK_OFF
    second = line.tick([make_finding()]).due
    assert [i.attempt for i in second] == [2]
    for expected in (3, None):
        line.turns = {r.work_id: Turn(failed_at=line.now) for r in line.store.load()}
        line.now += 8 * BACK_OFF
        due = line.tick([make_finding()]).due
        assert [i.attempt for i in due] == ([expected] if expected else [])


def test_an_incident_whose_run_never_came_to_be_is_due_again(line: Line, make_finding: Any) -> None:
    """Handed on, but killed before the child started: the next tick hands it on again."""
    work_id = line.tick([make_finding()]).due[0].work_id
    line.turns.clear()
    assert [i.work_id for i in line.tick([make_finding()]).due] == [work_id]


def test_more_autonomy_makes_an_incident_due_again(line: Line, make_finding: Any) -> None:
    """What was only reported is planned when a person allows plans; less autonomy does nothing."""
    line.tick([make_finding()], autonomy=Autonomy.report)
    assert line.tick([make_finding()], autonomy=Autonomy.report).due == ()
    assert len(line.tick([make_finding()], autonomy=Autonomy.plan).due) == 1
    assert line.tick([make_finding()], autonomy=Autonomy.report).due == ()


def test_force_starts_a_new_attempt(line: Line, make_finding: Any) -> None:
    """A person's `force` makes a handed-on incident due with the next attempt."""
    line.tick([make_finding()])
    assert [i.attempt for i in line.tick([make_finding()], force=True).due] == [2]


def test_a_muted_incident_is_never_due(line: Line, make_finding: Any) -> None:
    """A record muted by a person in the UI is kept and nothing is done about it."""
    line.tick([make_finding()])
    for record in line.store.load():
        line.store.save(record.model_copy(update={"muted": True, "state": IncidentState.open}))
    assert line.tick([make_finding()], force=True).due == ()


def test_the_cap_keeps_the_worst_and_leaves_the_rest_for_the_next_tick(
    line: Line, make_finding: Any
) -> None:
    """With room for one repository the critical one goes first; services without one always pass."""
    mild = make_finding("orders-web", severity=Severity.warning)
    due = line.tick([mild, make_finding("billing-api")]).due
    assert [i.service.name for i in due] == ["billing-api", "orders-web"]
    assert [i.service.name for i in cap_repositories(due, 1)] == ["billing-api"]
    image = due[1].model_copy(
        update={"service": due[1].service.model_copy(update={"repository": None})}
    )
    assert len(cap_repositories((due[0], image), 1)) == 2


def test_what_waits_and_what_was_opened_today_leave_no_room(line: Line, make_finding: Any) -> None:
    """A full repository is passed over for the next one; a full day hands nothing on."""
    mild = make_finding("orders-web", severity=Severity.warning)
    due = line.tick([mild, make_finding("billing-api")]).due
    first, second = (incident.service.repository for incident in due)

    def facts(number: int, repository: str | None, state: str, hours: float) -> PullFacts:
        return PullFacts(
            number=number, url=f"u{number}", state=state, work_ids=("w",), services=("s",),  # type: ignore[arg-type]
            repository=repository or "", opened_at=NOW - timedelta(hours=hours),
        )  # fmt: skip

    def kept(*pulls: PullFacts, **caps: int) -> list[str | None]:
        found = cap_repositories(due, 5, pulls={"a": pulls, "b": pulls}, now=NOW, **caps)
        return [incident.service.repository for incident in found]

    waits = facts(1, first, "open", 30), facts(2, first, "merged", 30)
    assert kept(*waits, open_per_repository=1) == [second]
    assert kept(*waits, open_per_repository=2) == [first, second]
    today = facts(3, "acme/else", "closed", 1)
    assert kept(*waits, today, per_day=1) == []
    assert kept(*waits, today, per_day=2) == [first]
    assert kept(*waits, today) == [first, second]
