"""One case: victims at points, then reruns until the incident ends in its pull request.

A case kills up to so many times in each flow, spread over the flow's way; another victim dies at all of
its points in one case. Each kill is followed by a rerun of its own, and they share a world to share its
time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle

from tests.chaos.line import CASE_SECONDS, FLOWS, TICK_SECONDS, Counts, Line

ONCE = {"sessions": 1, "prompts": 1, "branches": 1, "pull_requests": 1, "labels": 1, "comments": 0}
GAP = "generate_fix/write plan/returned/1"
"""The model answered and nothing is stored: the one point at which a second call is allowed."""
AGENT_SLACK = 2
"""Model calls of the agent beyond an undisturbed run's, when its own server or model was the victim:
the step that was cut, and its retry."""
VERIFY = FLOWS[3]
BY_SCHEDULE, BY_PERSON = 2, 4
"""Kills of a flow in one case. Ticks bring a run back twice and no more; persons as often as they like."""


@dataclass(frozen=True)
class Case:
    """Who dies where."""

    points: tuple[str, ...]
    """In the order in which they are reached."""
    victim: str = "flow"
    by_person: bool = False
    """Whether a person retries the runs, or the schedule's next tick finds them."""


@dataclass
class Outcome:
    """What was counted after a case."""

    case: Case
    counts: Counts | tuple[int, int]
    seconds: float
    problems: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    """Points to which the incident did not come: an earlier kill was behind what leads to them."""


def record(line: Line) -> tuple[Counts, list[str]]:
    """An undisturbed incident: what it costs, and every point on its way."""
    line.begin()
    line.tick()
    problems = _settle(line, Case(()), time.monotonic() + CASE_SECONDS)
    counts = line.counts()
    problems += judge(Case(()), counts, counts)
    assert not problems, (problems, line.ends())
    return counts, list(dict.fromkeys(line.points()))


def run_case(line: Line, case: Case, undisturbed: Counts) -> Outcome:
    """Make an incident, kill at the points, let it be rerun, and count.

    The outcome's case has the points at which somebody died.
    """
    begun = time.monotonic()
    line.begin()
    for point in case.points:
        line.plan(point, "flow" if case.victim == "flow" else "other")
    line.tick()
    problems = _settle(line, case, begun + CASE_SECONDS)
    counts = line.counts()
    missed = line.missed()
    case = replace(case, points=tuple(p for p in case.points if p not in missed))
    problems += judge(case, counts, undisturbed)
    problems += line.ends() if problems else []
    return Outcome(case, counts, time.monotonic() - begun, problems, missed)


def judge(case: Case, counts: Counts, undisturbed: Counts) -> list[str]:
    """What is there more or less often than once."""
    problems = [
        f"{name}: {getattr(counts, name)} instead of {wanted}"
        for name, wanted in ONCE.items()
        if getattr(counts, name) != wanted
    ]
    most = 2 if GAP in case.points else 1
    if not 1 <= counts.planner_calls <= most:
        problems.append(f"planner calls: {counts.planner_calls}, at most {most} allowed")
    slack = 0 if case.victim == "flow" else AGENT_SLACK
    if counts.agent_calls > undisturbed.agent_calls + slack:
        problems.append(f"agent calls: {counts.agent_calls}, not {undisturbed.agent_calls}")
    return problems


def record_verification(line: Line) -> list[str]:
    """Merge the pull request that stands, verify it undisturbed, and name the points."""
    line.prepare_verification()
    line.forget_outcome()
    line.verify()
    problems = _settle_verification(line, Case(()), time.monotonic() + CASE_SECONDS)
    assert not problems, problems
    assert line.outcomes() == (1, 1), line.outcomes()
    return list(dict.fromkeys(line.points()))


def run_verification(line: Line, case: Case) -> Outcome:
    """Kill the verification at a point, let it be rerun, and count comments and labels."""
    begun = time.monotonic()
    line.forget_outcome()
    for point in case.points:
        line.plan(point, "flow")
    line.verify()
    problems = _settle_verification(line, case, begun + CASE_SECONDS)
    found = line.outcomes()
    if found != (1, 1):
        problems.append(f"comments and labels: {found} instead of one each")
    return Outcome(case, found, time.monotonic() - begun, problems)


def choose(points: Sequence[str], limit: int | None = None) -> list[Case]:
    """A kill of the flow at every point, persons and the schedule by turns; others at a sample.

    Args:
        points: of an undisturbed incident.
        limit: at most so many, spread over all of them.
    """
    flows = [distinct(points, flow) for flow in FLOWS[:3]]
    return spread([*_others(points), *_deal(flows)], limit)


def choose_verification(points: Sequence[str], limit: int | None = None) -> list[Case]:
    """A kill at every point of a verification, persons and the schedule by turns."""
    return spread(_deal([distinct(points, VERIFY)]), limit)


def _deal(flows: Sequence[Sequence[str]]) -> list[Case]:
    """As few cases as hold all points, every other one rerun by a person.

    Points are dealt in their order, one a case and round after round: a case gets early and late ones.
    """
    longest = max(map(len, flows))
    sizes: list[int] = []
    for size in cycle((BY_SCHEDULE, BY_PERSON)):
        if sum(sizes) >= longest:
            break
        sizes.append(size)
    hands: list[list[str]] = [[] for _ in sizes]
    for points in flows:
        seats = (i for turn in range(BY_PERSON) for i, size in enumerate(sizes) if turn < size)
        for i, point in zip(seats, points, strict=False):
            hands[i].append(point)
    return [Case(tuple(hand), by_person=bool(i % 2)) for i, hand in enumerate(hands)]


def distinct(points: Sequence[str], flow: str) -> list[str]:
    """The points of a flow, without those at which nothing happened since the one before.

    Before a task is after the one before it.
    """
    own = [point for point in points if point.startswith(f"{flow}/")]
    pairs = zip(["", *own], own, strict=False)
    return [p for before, p in pairs if not ("/stored/" in before and "/before/" in p)]


def spread(cases: list[Case], limit: int | None) -> list[Case]:
    """At most so many of them, spread over all."""
    if limit is None or len(cases) <= limit:
        return cases
    return [cases[i * len(cases) // limit] for i in range(limit)]


def _settle(line: Line, case: Case, deadline: float) -> list[str]:
    """Until a fix has come to its end and nothing runs any more: tick as the schedule does, or retry.

    Who retries waits for nothing: no tick comes between.
    """
    ticked = time.monotonic()
    others = 0 if case.victim == "flow" else len(case.points)
    while time.monotonic() < deadline:
        line.stack.processes.require_running("sandbox")
        if others:
            others -= _carry_out(line, case)
        elif line.is_at_rest() and line.is_done():
            return []
        if line.is_at_rest() and not (case.by_person and line.rerun_as_person()):
            ticked = _again(line.tick, ticked)
        time.sleep(0.5)
    return ["no end in time"]


def _settle_verification(line: Line, case: Case, deadline: float) -> list[str]:
    """Verify again as the schedule does, or retry as a person, until there is an outcome."""
    ticked = time.monotonic()
    while time.monotonic() < deadline:
        if line.is_at_rest():
            if line.outcomes()[1] and not line.missed():
                return []
            if not (case.by_person and line.rerun_as_person()):
                ticked = _again(line.verify, ticked)
        time.sleep(0.5)
    return ["no outcome in time", *(f"never reached: {point}" for point in line.missed())]


def _again(start: Callable[[], object], last: float) -> float:
    """Start a run when the last one was started long enough ago; when the newest one was."""
    if time.monotonic() - last <= TICK_SECONDS:
        return last
    start()
    return time.monotonic()


def _carry_out(line: Line, case: Case) -> bool:
    """Whether a point was reached and the victim is dead and back."""
    reached = line.chaos / "reached"
    if not reached.exists():
        return False
    reached.unlink()
    if case.victim in {"forge", "model"}:
        line.break_side(case.victim, times=4)
    else:
        line.kill(case.victim)
        line.revive(case.victim)
    (line.chaos / "go").touch()
    return True


def _others(points: Sequence[str]) -> Iterator[Case]:
    """The worker, the servers and the other sides, each at a few points in the order of the way."""
    wanted = {
        "prefect-worker": ("work on plan/before/1", "publish/before/1"),
        "prefect-server": ("pull context/before/1", "work on plan/before/1", "publish/before/1"),
        "opencode": ("work on plan/POST prompt_async/1", "collect commits/before/1"),
        "forge": ("find existing pull request/before/1", "publish/before/1"),
        "model": ("write plan/before/1", "work on plan/POST prompt_async/1"),
    }
    for victim, ends in wanted.items():
        found = [next((p for p in points if p.endswith(end)), None) for end in ends]
        chosen = tuple(point for point in found if point is not None)
        if chosen:
            yield Case(chosen, victim)
