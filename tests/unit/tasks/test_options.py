"""Every task: its deadline, when it is tried again, and what its result is kept under."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect import Task
from prefect.cache_policies import NO_CACHE

import tasks
from autofix.errors import (
    AutofixError,
    ConfigError,
    GithubError,
    ModelError,
    PolicyViolation,
    RailwayError,
)
from autofix.parameters import Caps
from tasks.options import PACKED, SESSION, is_retryable, make_key

ROOT = Path(__file__).resolve().parents[3]
TASKS: dict[str, Task[Any, Any]] = {
    f"{value.fn.__module__}.{value.fn.__name__}": value
    for module in pkgutil.iter_modules(tasks.__path__)
    for value in vars(importlib.import_module(f"tasks.{module.name}")).values()
    if isinstance(value, Task)
}


def test_every_task_has_a_deadline() -> None:
    """Prefect's own default is none."""
    assert len(TASKS) > 15
    assert [name for name, task in TASKS.items() if not task.timeout_seconds] == []


def test_a_sessions_deadline_is_above_any_that_its_supervisor_may_have() -> None:
    """Otherwise a session that may go on would be cut from outside, and gone on with, in vain."""
    (most,) = (m.le for m in Caps.model_fields["session_minutes"].metadata if hasattr(m, "le"))
    turns = [task for task in TASKS.values() if task.timeout_seconds == SESSION["timeout_seconds"]]
    assert {task.name for task in turns} == {"work on plan", "work on answer", "answer denial"}
    assert SESSION["timeout_seconds"] > most * 60


def test_every_task_says_what_its_result_is_about_or_keeps_none() -> None:
    """Prefect's own default keys a result by the run, which forgets it across runs."""
    forgetful = [
        name
        for name, task in TASKS.items()
        if task.cache_policy is not NO_CACHE and not (task.cache_key_fn and task.persist_result)
    ]
    assert forgetful == []
    kept = [t for t in TASKS.values() if t.persist_result]
    assert len(kept) >= 6
    assert [t.name for t in kept if t.result_serializer not in ("json", PACKED)] == []


def test_whoever_is_tried_again_waits_longer_each_time_and_not_in_step() -> None:
    """Back-off with jitter, and by the one rule for what may get better."""
    again = [task for task in TASKS.values() if task.retries]
    assert len(again) >= 6
    for task in again:
        first, second = task.retry_delay_seconds[:2]
        assert 0 < first < second, task.name
        assert task.retry_jitter_factor > 0
        assert task.retry_condition_fn is is_retryable


class _State:
    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def result(self) -> None:
        if self.error:
            raise self.error


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (RailwayError("HTTP 401: unauthorized"), False),
        (GithubError("HTTP 401: bad credentials"), False),
        (ModelError("the model refused"), False),
        (PolicyViolation("the plan is refused"), False),
        (ConfigError("RAILWAY_TOKEN is not set"), False),
        (AutofixError("anything of ours"), False),
        (RailwayError("HTTP 502", retryable=True), True),
        (GithubError("rate limited", retryable=True, retry_after=30), True),
        (TimeoutError("a deadline"), True),
        (KeyError("nobody foresaw"), True),
        (None, False),
    ],
)
def test_only_what_may_get_better_is_tried_again(error: Exception | None, again: bool) -> None:
    """No 401, no refused plan; a remote side that says so, a deadline, and what nobody foresaw."""
    assert is_retryable(None, None, _State(error)) is again  # type: ignore[arg-type]


def test_a_key_names_its_task_and_differs_with_what_it_is_about() -> None:
    """Two tasks about the same thing do not share a result; nor do two things of one task."""
    keys = {make_key(task, part) for task in ("plan", "gate") for part in ("a", "b")}
    assert len(keys) == 4
    assert make_key("plan", "a", "b") != make_key("plan", "ab")
    assert make_key("plan", timedelta(minutes=1)) == make_key("plan", timedelta(seconds=60))


BLOCKING = {"run", "check_output", "check_call", "call", "get", "post", "request", "urlopen"}
"""Of subprocess, httpx and urllib: what waits for somebody else."""
TIMED_BY_HAND = {"autofix/change/git.py"}
"""Its processes are killed by a timer of their own, with their children."""


def _blocking_calls(file: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        named = {keyword.arg for keyword in node.keywords}
        if owner in {"subprocess", "httpx", "urllib"} and (
            (node.func.attr in BLOCKING and "timeout" not in named)
            or node.func.attr == "Popen"
            or (node.func.attr == "Client" and "timeout" not in named)
        ):
            found.append(f"{file.relative_to(ROOT)}:{node.lineno} {owner}.{node.func.attr}")
    return found


def test_no_call_blocks_without_a_timeout_of_its_own() -> None:
    """A task's deadline does not interrupt a call in another thread than the flow's."""
    files = [f for place in ("autofix", "tasks") for f in (ROOT / place).rglob("*.py")]
    assert len(files) > 100
    found = [call for file in files for call in _blocking_calls(file)]
    assert [c for c in found if c.partition(":")[0] not in TIMED_BY_HAND] == []
    assert len(found) > len([c for c in found if c.partition(":")[0] not in TIMED_BY_HAND])
