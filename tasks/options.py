"""What the shells share: when a task is tried again, and how keys are made."""

from __future__ import annotations

import hashlib
from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from autofix.errors import AutofixError, RemoteError


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


REMOTE: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": exponential_backoff(2),
    "retry_jitter_factor": 0.3,
    "retry_condition_fn": is_retryable,
}
"""For tasks that talk to another side: clients retry reads by themselves, this is the outer layer."""


def make_key(task: str, *parts: object) -> str:
    """A cache key that carries the task's name and what the result is about."""
    digest = hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:24]
    return f"{task}-{digest}"
