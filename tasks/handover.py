"""Hands affected services to the next flow, and repositories to the one after it."""

from __future__ import annotations

from collections.abc import Sequence

from prefect.runtime import deployment, flow_run

from autofix.change.answer import FollowUp
from autofix.change.ids import fix_id
from autofix.models import Architecture, Finding, ServiceContext
from autofix.observe.observation import Observation
from autofix.parameters import Autonomy, Caps
from autofix.report import render_architecture
from tasks.detect import Due
from tasks.dispatch import ANSWER_TAG, Started, start_run, work_tags
from tasks.naming import name_answer, name_contexts, name_fix

PULL, FIX = "pull_service_context", "generate_fix"
POOL = "autofix"
"""Also the usual name of a deployment."""


NEIGHBOURS = 200
"""Findings of all services that are handed on; parameters have a limit."""


def hand_to_context(
    due: Due,
    observation: Observation,
    findings: Sequence[Finding],
    *,
    autonomy: Autonomy,
    caps: Caps,
) -> Started:
    """One pull_service_context for all incidents of this tick, keyed by the run and the turns.

    The turns are in it because a person may run a finished tick again when others are due.
    """
    turns = fix_id(incident.work_id for incident in due.incidents)
    return start_run(
        sibling(PULL),
        name=name_contexts(due.incidents),
        key=f"pull-service-context/{flow_run.get_id()}/{turns}",
        parameters={
            "incidents": [incident.model_dump(mode="json") for incident in due.incidents],
            "step_seconds": observation.step.total_seconds(),
            "findings": [finding.model_dump(mode="json") for finding in findings[:NEIGHBOURS]],
            "autonomy": autonomy.value,
            "caps": caps.model_dump(mode="json"),
        },
        tags=work_tags(incident.work_id for incident in due.incidents),
    )


def hand_to_fix(
    repository: str,
    contexts: Sequence[ServiceContext],
    architecture: Architecture,
    *,
    autonomy: Autonomy,
    caps: Caps,
) -> Started:
    """One generate_fix for one repository, keyed by its fix id."""
    work_ids = [context.incident.work_id for context in contexts]
    return start_run(
        sibling(FIX),
        name=name_fix(repository, [context.incident for context in contexts]),
        key=f"generate-fix/{fix_id(work_ids)}/{autonomy.value}",
        parameters={
            "repository": repository,
            "contexts": [context.model_dump(mode="json") for context in contexts],
            "architecture": render_architecture(architecture),
            "autonomy": autonomy.value,
            "caps": caps.model_dump(mode="json"),
        },
        tags=work_tags(work_ids),
    )


def hand_to_answer(repository: str, follow_up: FollowUp, work_ids: Sequence[str]) -> Started:
    """One more generate_fix for an open pull request, keyed by its fix id and the turn."""
    return start_run(
        sibling(FIX),
        name=name_answer(repository, follow_up),
        key=f"generate-fix/{fix_id(work_ids)}/{follow_up.turn}",
        parameters={"repository": repository, "follow_up": follow_up.model_dump(mode="json")},
        tags=[ANSWER_TAG, *work_tags(work_ids)],
    )


def sibling(flow: str) -> str:
    """The deployment of another flow that belongs to this run's own, by its name.

    Several projects have a set of deployments each; a run by hand without one takes the usual name.
    """
    return f"{flow}/{deployment.get_name() or POOL}"
