"""Pulls what the look from above lacks, per affected service, and starts one fix per repository."""

from __future__ import annotations

import gc
from datetime import UTC, datetime, timedelta

from prefect import State, flow, unmapped

from autofix.investigate.grouping import group_by_repository
from autofix.models import Finding, Incident
from autofix.parameters import Autonomy, Caps
from tasks.handover import hand_to_fix
from tasks.investigate import pull_context, read_scene
from tasks.observe import read_architecture
from tasks.options import SIDE_BY_SIDE, whole
from tasks.report import conclude_contexts, report_contexts

# what is imported lives as long as the process: no collection need look at it again
gc.freeze()


@flow(name="pull_service_context", task_runner=SIDE_BY_SIDE, log_prints=True)
def pull_service_context(
    incidents: list[Incident],
    step_seconds: float,
    findings: list[Finding] | None = None,
    autonomy: Autonomy = Autonomy.pull_request,
    caps: Caps = Caps(),
) -> State[None]:
    """Fan out one branch per service, settle each verdict, start one generate_fix per repository.

    A service whose context cannot be pulled fails alone; the run then ends as failed after the
    others went on.

    Args:
        incidents: the affected services, worst first.
        step_seconds: distance of two samples.
        findings: of all services at the tick, to tell who else is affected since the same time.
        autonomy: where a run stops; `report` starts nothing.
        caps: limits of a run.

    Returns:
        A completed state whose message counts the verdicts.
    """
    architecture = read_architecture()
    scene = read_scene(whole(incidents), whole(architecture), timedelta(seconds=step_seconds))
    branches = pull_context.map(
        incidents,
        unmapped(whole(scene)),
        unmapped(whole(findings or [])),
        unmapped(datetime.now(UTC)),
    )
    branches.wait()
    contexts = [branch.result() for branch in branches if branch.state.is_completed()]
    report_contexts(contexts, autonomy)
    groups = group_by_repository(contexts) if autonomy is not Autonomy.report else {}
    started = [
        hand_to_fix(repository, group, architecture, autonomy=autonomy, caps=caps)
        for repository, group in groups.items()
    ]
    for branch in branches:
        branch.result()
    return conclude_contexts(contexts, started)
