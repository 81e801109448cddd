"""One fix as the tasks of generate_fix hand it on: its names, its session, its commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency

from autofix.change.ids import branch_name, fix_id
from autofix.change.job import FixJob
from autofix.change.transfer import Change
from autofix.errors import ConfigError
from autofix.models import GateResult, Model, ServiceContext, SessionResult
from autofix.settings import load_settings
from tasks.options import make_key

LEASE_SECONDS = 60
"""How soon the slot of a dead run is free again."""
WAIT_SECONDS = 3600
"""How long a fix waits for another one of its repository, or for a place on the agent's server."""


FIRST = "fix"
"""The turn that works on the plan; `PURPOSE` is the one that answers a denial."""


class Fix(Model):
    """One change for one repository: what it is called everywhere."""

    fix_id: str
    repository: str
    work_ids: tuple[str, ...]
    services: tuple[str, ...]
    """Ids of the services it is for."""
    branch: str
    base_branch: str
    allowed: tuple[str, ...] = ()
    """What a person allowed to change, in place of the services' own folders."""


class WorkedOn(Model):
    """A session that ended, and where it worked."""

    job: FixJob
    session: SessionResult


class Commits(Model):
    """The agent's commits as they left its server."""

    change: Change
    head: str
    bundle: bytes


class Done(Model):
    """What the agent made of a plan, and what the gate says about it."""

    worked: WorkedOn
    commits: Commits
    judged: GateResult


def prepare_fix(repository: str, contexts: Sequence[ServiceContext]) -> Fix:
    """Names derived from the work ids: whoever runs this fix again finds the same."""
    if not contexts:
        raise ConfigError("a fix needs the contexts of affected services: the monitor starts it")
    work_ids = tuple(sorted(context.incident.work_id for context in contexts))
    name = fix_id(work_ids)
    return Fix(
        fix_id=name,
        repository=repository,
        work_ids=work_ids,
        services=tuple(sorted(context.incident.service.id for context in contexts)),
        branch=branch_name(repository, name),
        base_branch=contexts[0].incident.service.branch or "main",
    )


@contextmanager
def one_at_a_time(repository: str) -> Iterator[None]:
    """Hold the repository's only slot."""
    with _slot("autofix-" + repository.lower().replace("/", "-"), 1):
        yield


@contextmanager
def agent_slot(sessions: int) -> Iterator[None]:
    """Hold one of so many places on the agent's server."""
    with _slot("autofix-agent-sessions", sessions):
        yield


@contextmanager
def _slot(name: str, limit: int) -> Iterator[None]:
    """The limit is made first: a missing one would not hold."""
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, limit)
    with concurrency(name, strict=True, lease_duration=LEASE_SECONDS, timeout_seconds=WAIT_SECONDS):
        yield


def fix_key(task_name: str) -> Any:
    """One result per fix, publisher and turn, whichever run asks."""

    def key(_: object, arguments: dict[str, Any]) -> str:
        turn = arguments.get("turn", FIRST)
        return make_key(task_name, arguments["fix"].fix_id, load_settings().autofix_publisher, turn)

    return key
