from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from autofix.models import Deployment
from autofix.verify.carrier import Carrier, find_carrier

MERGED = datetime.fromisoformat("2026-03-02T14:00:00+00:00")
MERGE = "a" * 40


def _deployment(
    name: str, minutes: float, commit: str | None, status: str = "SUCCESS"
) -> Deployment:
    created = MERGED + timedelta(minutes=minutes)
    return Deployment(
        id=name,
        service_id="svc",
        status=status,
        created_at=created,
        status_at=created + timedelta(minutes=1),
        commit=commit,
    )


def _find(*deployments: Deployment, descends: frozenset[str] = frozenset()) -> Carrier | None:
    return find_carrier(deployments, MERGE, MERGED, descends.__contains__)


OLD = _deployment("old", -60, "0" * 40, "REMOVED")


def test_the_deployment_of_the_merge_commit_carries_it() -> None:
    """Live since it has its status; what served before is what one would go back to."""
    found = _find(_deployment("new", 1, MERGE), OLD)
    assert found is not None
    assert (found.deployment.id, found.previous) == ("new", OLD)
    assert found.live_at == MERGED + timedelta(minutes=2)


def test_several_merges_ride_in_one_deployment() -> None:
    """A later commit on the branch has this merge among its ancestors."""
    later = "b" * 40
    found = _find(OLD, _deployment("both", 3, later), descends=frozenset({later}))
    assert found is not None
    assert found.deployment.id == "both"


@pytest.mark.parametrize("status", ["BUILDING", "FAILED", "SKIPPED", "QUEUED", "DEPLOYING"])
def test_a_deployment_that_is_not_live_carries_nothing(status: str) -> None:
    """It builds, or it failed."""
    assert _find(OLD, _deployment("new", 1, MERGE, status)) is None


def test_a_failed_one_is_followed_by_the_one_that_came_up() -> None:
    """The first that became live counts."""
    found = _find(OLD, _deployment("bad", 1, MERGE, "FAILED"), _deployment("good", 9, MERGE))
    assert found is not None
    assert found.deployment.id == "good"


def test_a_deployment_without_the_merge_is_not_it() -> None:
    """Another branch, an image, one from before the merge."""
    asked: list[str] = []

    def contains(commit: str) -> bool:
        asked.append(commit)
        return False

    deployments = [OLD, _deployment("image", 1, None), _deployment("other", 2, "d" * 40)]
    assert find_carrier(deployments, MERGE, MERGED, contains) is None
    assert asked == ["d" * 40]


def test_what_went_live_afterwards_is_named() -> None:
    """Its effect could not be told from that of the fix."""
    after: Any = _deployment("after", 5, "e" * 40)
    found = _find(
        _deployment("new", 1, MERGE), after, OLD, _deployment("broken", 6, "f" * 40, "FAILED")
    )
    assert found is not None
    assert found.others == (after,)
