"""What people see of one fix: its plan, the session while it runs, the change, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from prefect import State, task
from prefect.artifacts import create_link_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.states import Completed

from autofix.change.attach import attach_command
from autofix.change.job import FixJob, Progress
from autofix.change.opencode_wire import Message
from autofix.change.render import render_change, render_progress
from autofix.change.transcript import render_transcript
from autofix.models import GateResult, PlanResult, PullRequest, ServiceContext, VerdictKind
from autofix.plan.policy import PolicyResult
from autofix.plan.render import render_plan
from autofix.settings import Settings
from tasks.artifacts import artifact_key, post_markdown
from tasks.dispatch import cost_label, tell_monitor, verdict_label
from tasks.fix import Done, Fix
from tasks.guard import door, guarded
from tasks.options import OWN


@task(
    name="report plan",
    task_run_name="report plan for {fix.repository}",
    cache_policy=NO_CACHE,
    **OWN,
)
@guarded
def report_plan(
    fix: Fix, plan: PlanResult, policy: PolicyResult, contexts: Sequence[ServiceContext]
) -> None:
    """The plan as people read it."""
    text = render_plan(plan, policy.reasons, contexts)
    post_markdown(f"plan-{fix.fix_id}", text, f"Plan for {fix.repository}")
    if plan.plan.answer == "insufficient_evidence":
        # the model may lower the ambition; what it lowers is looked at again when that changes
        lowered = VerdictKind.insufficient_evidence.value
        tell_monitor({verdict_label(work_id): lowered for work_id in fix.work_ids})


@task(
    name="report change",
    task_run_name="report change in {fix.repository}",
    cache_policy=NO_CACHE,
    **OWN,
)
@guarded
def report_change(fix: Fix, done: Done) -> None:
    """What the agent did, and what the gate says; a denied patch is kept here."""
    text = render_change(done.worked.session, done.judged)
    post_markdown(f"change-{fix.fix_id}", text, f"Change in {fix.repository}")
    share = done.worked.session.cost / len(fix.work_ids)
    tell_monitor({cost_label(work_id): share for work_id in fix.work_ids})


def report_transcript(fix: Fix, messages: Sequence[Message]) -> None:
    """What was said and done in the agent's session, within a bound."""
    post_markdown(f"transcript-{fix.fix_id}", render_transcript(messages), "The agent's session")


def report_stop(fix: Fix, reason: str, pull_request: PullRequest | None = None) -> State[None]:
    """End a run without a new pull request: the reason as an artifact and as the state's message."""
    reason = door(reason)
    link = f"\n\n[Pull request #{pull_request.number}]({pull_request.url})" if pull_request else ""
    post_markdown(
        f"fix-{fix.fix_id}", f"**{fix.repository}**: {reason}{link}", "Why nothing was opened"
    )
    return Completed(message=reason)


def report_refusal(fix: Fix, judged: GateResult) -> State[None]:
    """End a run whose change was denied twice; its patch and every reason are kept as an artifact."""
    reasons = "; ".join(f"{d.path or 'the commits'}: {d.reason}" for d in judged.denials[:3])
    more = f" and {len(judged.denials) - 3} more" if len(judged.denials) > 3 else ""  # noqa: PLR2004
    link = f"\n\nThe patch and every reason: artifact `{artifact_key(f'change-{fix.fix_id}')}`."
    text = door(f"refused by the gate: {reasons}{more}")
    post_markdown(f"fix-{fix.fix_id}", f"**{fix.repository}**: {text}{link}", "Refused")
    return Completed(name="Refused", message=text)


def report_pull_request(fix: Fix, pull_request: PullRequest) -> State[None]:
    """End a run with its pull request: a link, and the state's message."""
    create_link_artifact(
        pull_request.url,
        link_text=f"{fix.repository} #{pull_request.number}: {pull_request.title}",
        key=artifact_key(f"fix-{fix.fix_id}"),
        description="The draft pull request",
    )
    return Completed(message=f"draft pull request {pull_request.url}")


@contextmanager
def follow_session(
    fix_id: str, settings: Settings, job: FixJob
) -> Iterator[Callable[[Progress], None]]:
    """An artifact that shows a running session, and how to watch it live; updated with each change."""
    attach = attach_command(settings, session_id=job.session_id, directory=job.workspace.directory)
    artifact = post_markdown(
        f"session-{fix_id}", render_progress(attach, None), "The agent at work"
    )

    def tell(progress: Progress) -> None:
        with get_client(sync_client=True) as client:
            client.update_artifact(
                artifact, ArtifactUpdate(data=door(render_progress(attach, progress)))
            )

    yield tell
