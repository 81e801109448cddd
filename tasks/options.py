"""What the shells share: deadlines, when a task is tried again, and how keys are made.

A deadline interrupts whatever a task does in the flow's own thread. In a thread of its own (`map`) it
comes into effect when the call that blocks returns, so every such call has a timeout of its own.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar, cast

from prefect.client.schemas.objects import State, TaskRun
from prefect.serializers import CompressedPickleSerializer
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task, exponential_backoff
from prefect.utilities.annotations import opaque
from pydantic import Field

from autofix.errors import AutofixError, RemoteError

T = TypeVar("T")


def whole(value: T) -> T:
    """An argument for a task that Prefect does not look through, field by field, for futures.

    A project of 300 services has 60,000 fields, which took half of a fan-out's time.
    """
    return cast("T", opaque(value))


def is_retryable(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:  # noqa: ARG001
    """Only what may pass by itself: a remote side that says so, or an error nobody foresaw."""
    try:
        state.result()
    except RemoteError as error:
        return error.retryable
    except AutofixError:
        return False
    except Exception:  # noqa: BLE001 - the task's own error, whatever it is
        return True
    return False


OWN: dict[str, Any] = {"timeout_seconds": 120}
"""For tasks that compute, or talk to the Prefect server and nobody else."""
REMOTE: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": exponential_backoff(2),
    "retry_jitter_factor": 0.3,
    "retry_condition_fn": is_retryable,
}
"""For tasks that talk to another side: clients retry reads by themselves, this is the outer layer."""
LOOK: dict[str, Any] = REMOTE | {"timeout_seconds": 600}
"""With what is asked of a deployment, a repository or a project, waits that were asked for included."""
LONG: dict[str, Any] = REMOTE | {"timeout_seconds": 1200}
"""For tasks that wait for a model's whole answer, or for a clone."""
SESSION: dict[str, Any] = REMOTE | {"timeout_seconds": 270 * 60}
"""For an agent's turn: its own supervisor ends it by `Caps.session_minutes`, of which this is above any."""


SIDE_BY_SIDE: Any = ThreadPoolTaskRunner(max_workers=8)
"""Branches of a fan-out that go on at the same time; each has a client with threads of its own."""


class ZlibPickleSerializer(CompressedPickleSerializer):
    """For frames and bytes: Prefect's own choice, lzma, takes seconds for what zlib packs in a tenth of one.

    A type of its own, since a result's metadata keep a serializer's type and nothing else of it.
    """

    type: str = Field(default="compressed/zlib-pickle", frozen=True)
    compressionlib: str = "zlib"


PACKED = ZlibPickleSerializer()


def make_key(task: str, *parts: object) -> str:
    """A cache key that carries the task's name and what the result is about."""
    digest = hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:24]
    return f"{task}-{digest}"
