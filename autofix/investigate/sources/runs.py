"""What became of a cron's runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from autofix.errors import RailwayError
from autofix.investigate.budget import Block, Draft
from autofix.investigate.case import Case, Sourced
from autofix.investigate.facts import RunFacts
from autofix.models import ServiceKind
from autofix.observe.wire import WireRun

SOURCE = "cron runs"
_SHOWN = 20
_FAILED, _DONE = "CRASHED", frozenset({"EXITED", "REMOVED", "STOPPED", "SUCCESS"})


def read_runs(case: Case) -> Sourced[RunFacts]:
    """Runs that began around the window; nothing for a service that is no cron."""
    if case.service.kind is not ServiceKind.cron and not case.service.cron_schedule:
        return Sourced()
    found = case.client.fetch_cron_runs([case.service.id])
    if case.service.id in found.failed:
        raise RailwayError(found.failed[case.service.id])
    every = found.found[case.service.id].nodes if case.service.id in found.found else []
    runs = sorted((r for r in every if r.created_at >= case.span.start), key=lambda r: r.created_at)
    facts = build_facts(runs)
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


def build_facts(runs: Sequence[WireRun]) -> RunFacts:
    """Counts of runs in the order of their start."""
    overlapping, busy_until = 0, None
    for run in runs:
        overlapping += busy_until is not None and run.created_at < busy_until
        end = run.completed_at or datetime.max.replace(tzinfo=run.created_at.tzinfo)
        busy_until = max(end, busy_until) if busy_until else end
    return RunFacts(
        failed=sum(run.status == _FAILED for run in runs),
        succeeded=sum(run.status in _DONE for run in runs),
        overlapping=overlapping,
    )


def _line(run: WireRun) -> str:
    if run.completed_at is None:
        return f"{run.created_at:%Y-%m-%d %H:%M:%S}  {run.status:<8} still runs"
    took = (run.completed_at - run.created_at).total_seconds()
    return f"{run.created_at:%Y-%m-%d %H:%M:%S}  {run.status:<8} {took:,.0f} s"


def _rank(run: WireRun) -> tuple[bool, float]:
    return run.status != _FAILED, -run.created_at.timestamp()
