"""Shells around the forge, as the monitor and the verification see it."""

from __future__ import annotations

from collections.abc import Iterable

from prefect import get_run_logger

from autofix.change.github_life import LifeClient
from autofix.change.ids import BRANCH_PREFIX
from autofix.detect.incidents import Pulls
from autofix.errors import AutofixError
from autofix.models import PullRequest
from autofix.settings import load_settings
from autofix.verify.facts import group_by_service


def fetch_pulls(repositories: Iterable[str]) -> Pulls | None:
    """Our pull requests of these repositories by service; None when the forge cannot be asked.

    One that cannot be asked is logged and not raised: the tick goes on, and starts no repair.
    """
    found: list[PullRequest] = []
    try:
        with LifeClient(load_settings()) as client:
            for repository in sorted(set(repositories)):
                found += client.find_pull_requests(
                    repository, state="all", head_prefix=BRANCH_PREFIX
                )
    except AutofixError as error:
        get_run_logger().warning("no repair starts at this tick: %s", error)
        return None
    return group_by_service(found)
