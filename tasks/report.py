"""What people see: markdown and table artifacts, made from finished models only."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from prefect import State, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.states import Completed

from autofix.change.attach import attach_command
from autofix.change.render import render_change, render_progress
from autofix.change.supervisor import FixJob, Progress
from autofix.investigate.render import render_verdicts
from autofix.models import GateResult, PlanResult, PullRequest, ServiceContext
from autofix.observe.observation import Observation, summarise
from autofix.parameters import Autonomy, Thresholds
from autofix.plan.policy import PolicyResult
from autofix.plan.render import render_plan
from autofix.redact import redactor
from autofix.report import (
    build_signal_rows,
    render_architecture,
    render_context,
    render_findings,
    render_signals,
    render_summary,
)
from autofix.settings import Settings, load_settings

if TYPE_CHECKING:
    from tasks.change import Fix, WorkedOn
    from tasks.detect import Detection

SUMMARIES = 40
"""Services that get an artifact of their own at one tick, the affected ones first."""


def _door() -> Callable[[str], str]:
    return redactor(load_settings().secret_values())


def _markdown(key: str, text: str, description: str) -> UUID:
    return create_markdown_artifact(_door()(text), key=_slug(key), description=description)  # type: ignore[return-value]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@task(name="report project", task_run_name="report project", cache_policy=NO_CACHE)
def report_project(observation: Observation, detection: Detection, thresholds: Thresholds) -> None:
    """The architecture, a summary a service, and the table of services and signals."""
    summaries = {summary.service_id: summary for summary in summarise(observation)}
    affected = {finding.service_id for finding in detection.findings}
    _markdown("architecture", render_architecture(observation.architecture), "What runs")
    services = sorted(observation.selected, key=lambda s: (s.id not in affected, s.name))
    for service in services[:SUMMARIES]:
        text = render_summary(service, summaries[service.id])
        _markdown(f"summary-{service.name}", text, f"How {service.name} did over the window")
    rows = build_signal_rows(observation, thresholds, detection.findings)
    create_table_artifact(rows, key="signals", description="Services and signals, with levels")
    findings = render_findings(detection.findings)
    text = f"{render_signals(rows, thresholds)}\n\n{findings}"
    _markdown("findings", text, "Signals, thresholds and what was found")


@task(name="report contexts", task_run_name="report contexts", cache_policy=NO_CACHE)
def report_contexts(contexts: Sequence[ServiceContext], autonomy: Autonomy) -> None:
    """The verdict on each affected service with its evidence."""
    for context in contexts:
        name = context.incident.service.name
        text = render_context(context, secrets.token_hex(6))
        _markdown(f"context-{name}", text, f"Evidence and verdict: {name}")
    _markdown("verdicts", render_verdicts(contexts, autonomy), "What each service calls for")


@task(name="report plan", task_run_name="report plan for {fix.repository}", cache_policy=NO_CACHE)
def report_plan(
    fix: Fix, plan: PlanResult, policy: PolicyResult, contexts: Sequence[ServiceContext]
) -> None:
    """The plan as people read it."""
    text = render_plan(plan, policy.reasons, contexts)
    _markdown(f"plan-{fix.fix_id}", text, f"Plan for {fix.repository}")


@task(
    name="report change", task_run_name="report change in {fix.repository}", cache_policy=NO_CACHE
)
def report_change(fix: Fix, worked: WorkedOn, judged: GateResult) -> None:
    """What the agent did, and what the gate says; a denied patch is kept here."""
    text = render_change(worked.session, judged)
    _markdown(f"change-{fix.fix_id}", text, f"Change in {fix.repository}")


def report_stop(fix: Fix, reason: str, pull_request: PullRequest | None = None) -> State[None]:
    """End a run without a new pull request: the reason as an artifact and as the state's message."""
    reason = _door()(reason)
    link = f"\n\n[Pull request #{pull_request.number}]({pull_request.url})" if pull_request else ""
    _markdown(
        f"fix-{fix.fix_id}", f"**{fix.repository}**: {reason}{link}", "Why nothing was opened"
    )
    return Completed(message=reason)


def report_pull_request(fix: Fix, pull_request: PullRequest) -> State[None]:
    """End a run with its pull request: a link, and the state's message."""
    create_link_artifact(
        pull_request.url,
        link_text=f"{fix.repository} #{pull_request.number}: {pull_request.title}",
        key=_slug(f"fix-{fix.fix_id}"),
        description="The draft pull request",
    )
    return Completed(message=f"draft pull request {pull_request.url}")


@contextmanager
def follow_session(
    fix_id: str, settings: Settings, job: FixJob
) -> Iterator[Callable[[Progress], None]]:
    """An artifact that shows a running session, and how to watch it live; updated with each change."""
    attach = attach_command(settings, session_id=job.session_id, directory=job.workspace.directory)
    door = redactor(settings.secret_values())
    artifact = _markdown(f"session-{fix_id}", render_progress(attach, None), "The agent at work")

    def tell(progress: Progress) -> None:
        with get_client(sync_client=True) as client:
            client.update_artifact(
                artifact, ArtifactUpdate(data=door(render_progress(attach, progress)))
            )

    yield tell
