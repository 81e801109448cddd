"""What people see of a verification: the history of incidents, and how the run ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from autofix.models import IncidentRecord
from autofix.verify.history import build_history, render_history
from autofix.verify.verification import find_outcome
from tasks.artifacts import post_markdown
from tasks.guard import guarded
from tasks.options import OWN
from tasks.verify import Fixes, Verified


@task(name="report history", task_run_name="report history", cache_policy=NO_CACHE, **OWN)
@guarded
def report_history(
    records: Sequence[IncidentRecord], fixes: Fixes, verified: Sequence[Verified]
) -> None:
    """Every incident with its dates, verdict, pull request, outcome and cost."""
    known = {pull.url: outcome for pull in fixes.settled if (outcome := find_outcome(pull))}
    fresh = known | {v.pull_request.url: v.settled.outcome for v in verified if v.settled}
    text = render_history(build_history(records, fresh))
    post_markdown("history", text, "Every incident that is remembered")


def conclude_verification(verified: Sequence[Verified], fixes: Fixes) -> State[None]:
    """How many fixes got which outcome, and what the others wait for, as the state's message."""
    counts = Counter(v.settled.outcome.value for v in verified if v.settled)
    parts = [f"{n} {outcome}" for outcome, n in sorted(counts.items())]
    parts += [
        f"{v.pull_request.repository}#{v.pull_request.number} waits: {v.waiting.reason}"
        for v in verified
        if v.waiting
    ]
    if fixes.open:
        parts.append(f"{len(fixes.open)} open")
    return Completed(message="; ".join(parts) or "nothing to verify")
