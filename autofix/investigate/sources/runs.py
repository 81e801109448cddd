"""What became of a cron's runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from autofix.detect.cron import Schedule, parse_schedule
from autofix.errors import RailwayError
from autofix.investigate.budget import Block, Draft
from autofix.investigate.case import Case, Sourced
from autofix.investigate.facts import RunFacts
from autofix.models import ServiceKind
from autofix.observe.wire import WireRun

SOURCE = "cron runs"
_SHOWN = 20
_HANGS = 3
"""A run that is busy for so many times the longest that ended does not end by itself."""
_FAILED, _DONE = "CRASHED", frozenset({"EXITED", "REMOVED", "STOPPED", "SUCCESS"})


def read_runs(case: Case) -> Sourced[RunFacts]:
    """Runs that began around the window; nothing for a service that is no cron."""
    if case.service.kind is not ServiceKind.cron and not case.service.cron_schedule:
        return Sourced()
    found = case.client.fetch_cron_runs([case.service.id])
    if case.service.id in found.failed:
        raise RailwayError(found.failed[case.service.id])
    every = found.found[case.service.id].nodes if case.service.id in found.found else []
    ends = [(run.completed_at or case.window.end, run) for run in every]
    runs = [run for end, run in ends if end >= case.span.start and run.created_at < case.window.end]
    runs.sort(key=lambda run: run.created_at)
    facts = build_facts(runs, parse_schedule(case.service.cron_schedule or ""), case.window.end)
    if not runs:
        draft = case.draft(SOURCE, f"schedule {case.service.cron_schedule}", "no run began")
        return Sourced(facts, (draft,))
    draft = Draft(
        source=SOURCE,
        why=f"schedule {case.service.cron_schedule}; {facts.failed} of {len(runs)} runs failed",
        blocks=tuple(Block(_line(run)) for run in sorted(runs, key=_rank)[:_SHOWN]),
        start=case.span.start,
        end=case.window.end,
        unit="runs",
        floor=3,
        left_out=max(0, len(runs) - _SHOWN),
    )
    return Sourced(facts, (draft,))


def build_facts(runs: Sequence[WireRun], schedule: Schedule | None, end: datetime) -> RunFacts:
    """Counts of runs in the order of their start, as they stand at `end`."""
    ended = [run.completed_at - run.created_at for run in runs if run.completed_at]
    longest = max(ended, default=None)
    busy = [end - run.created_at for run in runs if run.completed_at is None]
    return RunFacts(
        failed=sum(run.status == _FAILED for run in runs),
        succeeded=sum(run.status in _DONE for run in runs),
        skipped=len({at for run in runs for at in _due_during(run, schedule, end)}),
        longest=longest,
        hangs=longest is not None and max(busy, default=timedelta()) > _HANGS * longest,
    )


def _due_during(run: WireRun, schedule: Schedule | None, end: datetime) -> list[datetime]:
    """When the next run was due while this one was busy."""
    if schedule is None:
        return []
    first = run.created_at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return list(schedule.between(first, min(run.completed_at or end, end)))


def _line(run: WireRun) -> str:
    if run.completed_at is None:
        return f"{run.created_at:%Y-%m-%d %H:%M:%S}  {run.status:<8} still runs"
    took = (run.completed_at - run.created_at).total_seconds()
    return f"{run.created_at:%Y-%m-%d %H:%M:%S}  {run.status:<8} {took:,.0f} s"


def _rank(run: WireRun) -> tuple[bool, float]:
    return run.status != _FAILED, -run.created_at.timestamp()
