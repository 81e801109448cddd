"""Shells around `autofix.observe`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect import task

from autofix.models import Window
from autofix.observe.observation import Observation, observe
from autofix.observe.railway import RailwayClient
from autofix.parameters import ServiceSelection
from autofix.settings import load_settings
from tasks.options import REMOTE, make_key


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


@task(
    name="observe project",
    task_run_name="observe until {window.end:%H:%M:%S}",
    persist_result=True,
    result_serializer="compressed/pickle",
    cache_key_fn=_key,
    **REMOTE,
)
def observe_project(window: Window, step: timedelta, services: ServiceSelection) -> Observation:
    """What runs, and how every watched service did over the window."""
    settings = load_settings()
    with RailwayClient(settings) as client:
        return observe(client, window, step, services)
