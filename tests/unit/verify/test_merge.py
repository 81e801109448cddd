"""From a merged pull request to its outcome, against Railway and the forge in process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from autofix.change.memo import render_memo
from autofix.detect.findings import judge_observation
from autofix.models import Finding, Incident, Outcome, Service, Window
from autofix.parameters import Rules
from autofix.verify.merge import Plan, verify_merge
from autofix.verify.verification import Settled, Waiting
from tests.unit.observe.railway_app import RailwayApp, deployment, instance
from tests.unit.verify.forge import REPOSITORY, ForgeApp, open_forge

STEP = 30
LENGTH, WARM_UP = timedelta(minutes=30), timedelta(minutes=5)
PLAN = Plan(
    window=LENGTH, step=timedelta(seconds=STEP), warm_up=WARM_UP, min_requests=100, deployments=50
)
ONSET = datetime.fromisoformat("2026-03-02T12:00:00+00:00")
MERGED = datetime.fromisoformat("2026-03-02T14:00:00+00:00")
LIVE = MERGED + timedelta(minutes=3)
READY = LIVE + WARM_UP + LENGTH
OLD, MERGE = "0" * 40, "a" * 40


class World:
    """Services that fail from the onset on, each until it is deployed anew, or for ever."""

    def __init__(self, make_incident: Callable[..., Incident], *names: str) -> None:
        self.names = names or ("api",)
        self.railway = RailwayApp(*(instance(name) for name in self.names))
        self.railway.answer_Deployments = self._deployments  # type: ignore[method-assign]
        self.deployed = {name: [_deployed(name, "old", -600, OLD)] for name in self.names}
        self.forge = ForgeApp()
        memo = render_memo(make_incident(name) for name in self.names)
        self.forge.add_pull(
            state="closed", merged_at=_rfc(MERGED), merge_commit_sha=MERGE, body=memo
        )

    def deploy(self, name: str, **fields: Any) -> None:
        """The merge, or what `fields` say, is deployed a minute before it is live."""
        defaults = {"id": f"{name}-new", "minutes": -1.0, "commit": MERGE}
        given = defaults | fields
        self.deployed[name].insert(
            0, _deployed(name, given.pop("id"), given.pop("minutes"), **given)
        )

    def serve(self, name: str, errors_after: int, requests: int = 20) -> None:
        """Traffic for four hours: no errors before the onset, 4 of 20 in trouble."""
        times = [int(ONSET.timestamp()) - 3600 + STEP * i for i in range(4 * 3600 // STEP)]
        bad = {
            at: 0 if at < ONSET.timestamp() else 4 if at < LIVE.timestamp() else errors_after
            for at in times
        }
        good = {at: (20 if at < LIVE.timestamp() else requests) - bad[at] for at in times}
        self.railway.statuses[name] = [_samples(200, good), _samples(500, bad)]
        self.railway.durations[name] = [
            {"ts": at, "p50": 10, "p90": 20, "p95": 30, "p99": 40} for at in times
        ]
        series = [{"ts": at, "value": 0.1} for at in times]
        self.railway.metrics += [
            {"measurement": measurement, "tags": {"serviceId": name}, "values": series}
            for measurement in ("CPU_USAGE", "MEMORY_USAGE_GB")
        ]

    def verify(self, now: datetime = READY) -> Settled | Waiting:
        with self.railway.client(attempts=1) as railway, open_forge(self.forge) as forge:
            architecture = railway.fetch_architecture()
            pull = forge.fetch_pull(REPOSITORY, 1)
            return verify_merge(
                railway, forge, architecture, pull, PLAN, now,
                detect=lambda o: judge_observation(o, Rules()),
            )  # fmt: skip

    def _deployments(self, variables: dict[str, Any]) -> Any:
        self.railway.logs[f"deployments {variables['serviceId']}"] = self.deployed[
            variables["serviceId"]
        ]
        return RailwayApp.answer_Deployments(self.railway, variables)


def _deployed(name: str, id_: str, minutes: float, commit: str, status: str = "SUCCESS") -> Any:
    created = LIVE + timedelta(minutes=minutes)
    meta = {"repo": REPOSITORY, "branch": "main", "commitHash": commit}
    live = _rfc(created + timedelta(minutes=1))
    return deployment(name, _rfc(created), id=id_, status=status, statusUpdatedAt=live, meta=meta)


def _samples(code: int, counts: dict[int, int]) -> dict[str, Any]:
    return {"statusCode": code, "samples": [{"ts": t, "value": n} for t, n in counts.items()]}


def _rfc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def make_incident(
    make_service: Callable[..., Service], make_finding: Callable[..., Finding]
) -> Callable[..., Incident]:
    def make(name: str) -> Incident:
        return Incident(
            fingerprint=f"{len(name):010}",
            environment_id="e1",
            service=make_service(name, id=name),
            findings=(make_finding(name, onset=ONSET),),
            onset=ONSET,
            deployed_commit=OLD,
            window=Window.ending(ONSET + timedelta(minutes=20), LENGTH),
        )

    return make


@pytest.fixture
def world(make_incident: Callable[..., Incident]) -> World:
    return World(make_incident)


def _reasons(came: Settled | Waiting) -> str:
    return "; ".join(came.reasons) if isinstance(came, Settled) else came.reason


def test_a_fix_is_looked_at_a_full_window_after_its_deployment_has_warmed_up(
    world: World,
) -> None:
    """Not a second earlier; and the windows are equal, before onset, during and after."""
    world.serve("api", errors_after=0)
    assert "no deployment of api carries the merge yet" in _reasons(world.verify())
    world.deploy("api")
    early = world.verify(READY - timedelta(seconds=1))
    assert isinstance(early, Waiting)
    assert early.until == READY
    came = world.verify()
    assert isinstance(came, Settled)
    assert came.outcome is Outcome.recovered
    ((_, compared),) = came.comparisons
    assert compared.before is not None
    assert compared.during is not None
    assert compared.after is not None
    spans = [compared.before.window, compared.during.window, compared.after.window]
    assert [span.length for span in spans] == [LENGTH] * 3
    assert (spans[0].end, spans[2].start) == (ONSET, LIVE + WARM_UP)
    assert spans[1].end == LIVE - timedelta(minutes=1), "the last one before it was deployed"
    assert [round(r.value) for r in (compared.before, compared.during, compared.after)] == [
        0,
        20,
        0,
    ]


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [(0, Outcome.recovered), (4, Outcome.unchanged), (12, Outcome.worse)],
)
def test_each_outcome_follows_from_what_is_measured_after_the_merge(
    world: World, errors: int, outcome: Outcome
) -> None:
    """Of 20 requests a step 4 failed before: none, as many, or thrice as many fail after it."""
    world.serve("api", errors_after=errors)
    world.deploy("api")
    came = world.verify()
    assert isinstance(came, Settled)
    assert came.outcome is outcome, came.reasons
    assert (came.rollback_to is not None) == (outcome is Outcome.worse)
    if came.rollback_to:
        assert (came.rollback_to.id, came.rollback_to.commit) == ("old", OLD)


def test_two_merges_in_one_deployment_are_found_by_ancestry(world: World) -> None:
    """Its commit is a later one that has this merge in it; the forge says so."""
    world.serve("api", errors_after=0)
    world.deploy("api", commit="b" * 40)
    assert isinstance(world.verify(), Waiting)
    world.forge.compared[MERGE, "b" * 40] = "ahead"
    came = world.verify()
    assert isinstance(came, Settled)
    assert came.outcome is Outcome.recovered


def test_too_little_traffic_after_it_is_inconclusive(world: World) -> None:
    """Sixty requests in the window, no errors: nothing is claimed."""
    world.serve("api", errors_after=0, requests=1)
    world.deploy("api")
    came = world.verify()
    assert isinstance(came, Settled)
    assert came.outcome is Outcome.inconclusive
    assert "fewer than the 100" in _reasons(came)


def test_a_day_without_its_deployment_is_inconclusive(world: World) -> None:
    """It failed to build; so long it is waited for, and no longer."""
    world.serve("api", errors_after=0)
    world.deploy("api", status="FAILED")
    assert isinstance(world.verify(MERGED + timedelta(hours=23)), Waiting)
    came = world.verify(MERGED + timedelta(hours=24))
    assert isinstance(came, Settled)
    assert came.outcome is Outcome.inconclusive
    assert "24 hours after the merge no deployment of api carries it" in _reasons(came)


def test_another_deployment_inside_the_window_is_inconclusive(world: World) -> None:
    """Nobody can say which of the two it was."""
    world.serve("api", errors_after=0)
    world.deploy("api")
    world.deploy("api", id="third", minutes=12, commit="d" * 40)
    came = world.verify()
    assert isinstance(came, Settled)
    assert came.outcome is Outcome.inconclusive
    assert "another deployment (ddddddd)" in _reasons(came)


def test_a_fix_of_two_services_waits_for_both_and_says_which_did_not_recover(
    make_incident: Callable[..., Incident],
) -> None:
    """A cause in what they share: both are deployed anew, one still fails."""
    world = World(make_incident, "api", "worker")
    world.serve("api", errors_after=0)
    world.serve("worker", errors_after=4)
    world.deploy("api")
    assert "no deployment of worker carries" in _reasons(world.verify())
    world.deploy("worker", minutes=4.0)
    later = READY + timedelta(minutes=5)
    assert isinstance(world.verify(READY), Waiting), "the younger deployment's window counts"
    came = world.verify(later)
    assert isinstance(came, Settled)
    assert came.outcome is Outcome.unchanged
    assert "worker: still in trouble" in _reasons(came)
    assert [service for service, _ in came.comparisons] == ["api", "worker"]


def test_a_shared_package_that_reaches_only_one_service_is_said_so(
    make_incident: Callable[..., Incident],
) -> None:
    """Railway skips a service whose watched files did not change: the fix never came to it."""
    world = World(make_incident, "api", "worker")
    world.serve("api", errors_after=0)
    world.serve("worker", errors_after=4)
    world.deploy("api")
    world.deploy("worker", status="SKIPPED")
    came = world.verify(MERGED + timedelta(hours=24))
    assert isinstance(came, Settled)
    assert came.outcome is Outcome.inconclusive
    assert "no deployment of worker carries it" in _reasons(came)


def test_a_service_that_is_gone_is_waited_for_no_longer_than_a_day(
    world: World,
) -> None:
    """It was deleted after the merge."""
    world.railway.services.clear()
    assert isinstance(world.verify(MERGED + timedelta(hours=1)), Waiting)
    came = world.verify(MERGED + timedelta(hours=25))
    assert isinstance(came, Settled)
    assert came.outcome is Outcome.inconclusive
