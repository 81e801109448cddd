"""Deployments: the one that shortly precedes an onset, and builds that failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from autofix.detect.grid import nanoseconds
from autofix.detect.hits import Hit
from autofix.detect.view import View
from autofix.models import Deployment, Pattern, Severity, Signal

_SHORTLY = timedelta(minutes=30)
"""How long before an onset a deployment was made that is named with it; it is built first."""
_SLACK = timedelta(minutes=2)
"""An onset is only known to about a step."""
_NEWS = timedelta(hours=24)
"""How long a build that failed is news."""
_FAILED = frozenset({"FAILED"})
_TRIED = frozenset({"FAILED", "SUCCESS", "CRASHED", "SLEEPING", "REMOVED", "REMOVING"})
"""States of deployments whose build has ended."""
_NEVER_LIVE = frozenset(
    {"FAILED", "SKIPPED", "NEEDS_APPROVAL", "QUEUED", "WAITING", "INITIALIZING"}
)


def find_deployment(
    deployments: Sequence[Deployment], onset: datetime, now: datetime
) -> Deployment | None:
    """The newest deployment that was made shortly before an onset and went live."""
    end = min(onset + _SLACK, now)
    near = [
        d
        for d in deployments
        if onset - _SHORTLY <= d.created_at <= end and d.status not in _NEVER_LIVE
    ]
    return max(near, key=lambda d: d.created_at, default=None)


def judge_builds(view: View) -> list[Hit]:
    """Services whose newest build failed, so that what runs is not what was pushed."""
    hits = []
    for row, service in enumerate(view.services):
        ended = [
            d
            for d in view.deployments.get(service.id, ())
            if d.status in _TRIED and d.created_at < view.window.end
        ]
        newest = max(ended, key=lambda d: d.created_at, default=None)
        if newest is None or newest.status not in _FAILED:
            continue
        if newest.created_at < view.window.end - _NEWS:
            continue
        live = service.deployment is not None and service.deployment.status not in _FAILED
        hits.append(
            Hit(
                row=row,
                signal=Signal.build_failure,
                severity=Severity.warning if live else Severity.critical,
                pattern=Pattern.counted,
                value=1.0,
                threshold=1.0,
                unit="builds",
                what="deployment",
                onset=nanoseconds(newest.created_at),
                detail=f"{(newest.commit or newest.id)[:7]} failed, "
                + ("the one before it serves" if live else "nothing else serves"),
            )
        )
    return hits
