"""Which deployment of a service carries a merge, by commit, and since when it is live."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from autofix.models import Deployment, Model

NEVER_LIVE = frozenset(
    {"BUILDING", "DEPLOYING", "FAILED", "INITIALIZING", "NEEDS_APPROVAL", "QUEUED", "SKIPPED"}
    | {"WAITING"}
)
_SKEW = timedelta(minutes=2)
"""How far the forge's and Railway's clocks may be apart."""


class Carrier(Model):
    """The first deployment with the merge in it, and what became live after it."""

    deployment: Deployment
    live_at: datetime
    previous: Deployment | None
    """What served before; what a rollback would go back to."""
    others: tuple[Deployment, ...]
    """Later deployments that became live, oldest first."""


def find_carrier(
    deployments: Iterable[Deployment],
    merge_commit: str,
    merged_at: datetime,
    contains: Callable[[str], bool],
) -> Carrier | None:
    """The carrier of a merge; None while no deployment with it has become live.

    Several merges may ride in one deployment: then its commit is a later one, and `contains` says
    whether the merge is in it.

    Args:
        deployments: of one service, any order.
        merge_commit: what the merge put on the deployed branch.
        merged_at: by the forge's clock.
        contains: whether this commit has the merge among its ancestors; asked as rarely as possible.
    """
    live = sorted(
        (d for d in deployments if d.status not in NEVER_LIVE), key=lambda d: (d.created_at, d.id)
    )
    for position, deployment in enumerate(live):
        if deployment.commit is None or deployment.created_at < merged_at - _SKEW:
            continue
        if deployment.commit == merge_commit or contains(deployment.commit):
            return Carrier(
                deployment=deployment,
                live_at=_live_at(deployment),
                previous=live[position - 1] if position else None,
                others=tuple(live[position + 1 :]),
            )
    return None


def _live_at(deployment: Deployment) -> datetime:
    """Since when it serves; of one that serves no more only when it was made is known."""
    if deployment.status == "SUCCESS" and deployment.status_at is not None:
        return max(deployment.status_at, deployment.created_at)
    return deployment.created_at
