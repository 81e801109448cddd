"""Shells around `autofix.observe`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from autofix.models import Architecture, Window
from autofix.observe.baseline import baseline_window
from autofix.observe.baseline import read_baseline as read
from autofix.observe.observation import Observation, observe, redact_observation, select
from autofix.observe.railway import RailwayClient
from autofix.parameters import ServiceSelection
from autofix.redact import redact_model, redactor
from autofix.settings import load_settings
from tasks.guard import guarded
from tasks.options import LOOK, PACKED, make_key, whole

_BASELINE_KEPT = timedelta(hours=2)
"""Longer than the hour for which its key stands, so that a rerun finds it too."""


def _key(_: object, arguments: dict[str, Any]) -> str:
    window, services = arguments["window"], arguments["services"]
    return make_key(
        "observe",
        load_settings().railway_environment_id,
        window.start.isoformat(),
        window.end.isoformat(),
        arguments["step"],
        services.model_dump_json(),
    )


def _baseline_key(_: object, arguments: dict[str, Any]) -> str:
    """The same for every tick of an hour."""
    return make_key(
        "baseline",
        arguments["architecture"].environment_id,
        baseline_window(arguments["window"]).end.isoformat(),
        arguments["services"].model_dump_json(),
    )


@task(name="read architecture", task_run_name="read architecture", cache_policy=NO_CACHE, **LOOK)
@guarded
def read_architecture() -> Architecture:
    """What runs now."""
    settings = load_settings()
    with RailwayClient(settings) as client:
        return redact_model(client.fetch_architecture(), redactor(settings))


@task(
    name="observe project",
    task_run_name="observe until {window.end:%H:%M:%S}",
    persist_result=True,
    result_serializer=PACKED,
    cache_key_fn=_key,
    **LOOK,
)
@guarded
def observe_project(
    window: Window, step: timedelta | None, services: ServiceSelection
) -> Observation:
    """What runs, and how every watched service did over the window and over its last day.

    A baseline that cannot be read does not sink the look; the next tick tries again.
    """
    settings = load_settings()
    door = redactor(settings)
    with RailwayClient(settings) as client:
        architecture = redact_model(client.fetch_architecture(), door)
        state = read_baseline(window, services, whole(architecture), return_state=True)
        baseline = state.result() if state.is_completed() else None
        observation = observe(client, window, step, services, baseline, architecture)
    return redact_observation(observation, door)


@task(
    name="read baseline",
    task_run_name="baseline of {architecture.environment_name}",
    persist_result=True,
    result_serializer=PACKED,
    cache_key_fn=_baseline_key,
    cache_expiration=_BASELINE_KEPT,
    timeout_seconds=300,
)
@guarded
def read_baseline(
    window: Window, services: ServiceSelection, architecture: Architecture
) -> pd.DataFrame:
    """How every watched service did over its last day; read once an hour.

    Not tried again by Prefect: the tick would wait, and the next one tries anyway.
    """
    with RailwayClient(load_settings()) as client:
        return read(client, architecture, select(architecture, services), window)
