"""What was deployed, and what changed before the onset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from autofix.models import Deployment, Window

NEVER_SERVED = frozenset({"FAILED", "SKIPPED", "BUILDING", "QUEUED", "INITIALIZING", "WAITING"})
_SUBJECT = 100


def serving(deployments: Iterable[Deployment], window: Window) -> list[Deployment]:
    """Those that served in the window, newest first: begun in it, and the last one before it."""
    served = [d for d in deployments if d.status not in NEVER_SERVED and d.created_at < window.end]
    newest = sorted(served, key=lambda d: (d.created_at, d.id), reverse=True)
    before = [i for i, d in enumerate(newest) if d.created_at < window.start]
    return newest[: before[0] + 1] if before else newest


def render_history(deployments: Sequence[Deployment], onset: datetime) -> str:
    """What was live at the onset, what it replaced, and the deployments around, newest first."""
    newest = sorted(deployments, key=lambda d: (d.created_at, d.id), reverse=True)
    before = [d for d in newest if d.created_at <= onset and d.status not in NEVER_SERVED]
    live = before[0] if before else None
    lines = [_change(live, before[1] if len(before) > 1 else None, onset)]
    lines += [_line(d, is_live=d is live) for d in newest]
    return "\n".join(lines)


def _change(live: Deployment | None, previous: Deployment | None, onset: datetime) -> str:
    if live is None:
        return "No deployment is known from before the onset."
    age = f"deployed {_span(onset - live.created_at)} before the onset"
    if onset - live.created_at < timedelta(minutes=1):
        age = "deployed right before the onset"
    if previous is None:
        return f"Live at the onset: {_commit(live)}, {age}; nothing is known of what it replaced."
    if previous.commit == live.commit:
        return f"Live at the onset: {_commit(live)}, {age}; the code did not change with it."
    return f"Live at the onset: {_commit(live)}, {age}; it replaced {_commit(previous)}."


def _line(deployment: Deployment, *, is_live: bool) -> str:
    mark = "  ← live at the onset" if is_live else ""
    subject = (deployment.commit_message or "").split("\n", 1)[0][:_SUBJECT]
    at = f"{deployment.created_at:%Y-%m-%d %H:%M:%S}"
    return f"{at}  {deployment.status:<9} {_commit(deployment)}  {subject}{mark}".rstrip()


def _commit(deployment: Deployment) -> str:
    return deployment.commit[:12] if deployment.commit else "no commit"


def _span(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 120:  # noqa: PLR2004
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"  # noqa: PLR2004
