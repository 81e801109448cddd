"""Shells around `autofix.investigate`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from prefect import task

from autofix.change.github import GithubClient
from autofix.investigate.charts import build_charts
from autofix.investigate.evidence import build_evidence, gather
from autofix.investigate.providers import load_providers
from autofix.investigate.scene import Scene, redact_scene
from autofix.investigate.scene import read_scene as read
from autofix.investigate.status import StatusReader, status_folder
from autofix.investigate.verdict import judge
from autofix.models import Architecture, Finding, Incident, ServiceContext
from autofix.observe.railway import RailwayClient
from autofix.redact import redact_model, redactor
from autofix.settings import load_settings
from tasks.guard import guarded
from tasks.options import LOOK, PACKED, make_key


def _scene_key(_: object, arguments: dict[str, Any]) -> str:
    seen = {(i.window.model_dump_json(), i.service.id) for i in arguments["incidents"]}
    environment = arguments["architecture"].environment_id
    return make_key("scene", environment, arguments["step"], *sorted(seen))


@task(
    name="read scene",
    task_run_name="read scene",
    persist_result=True,
    result_serializer=PACKED,
    cache_key_fn=_scene_key,
    **LOOK,
)
@guarded
def read_scene(incidents: list[Incident], architecture: Architecture, step: timedelta) -> Scene:
    """What the affected services are seen against, redacted; one reading for all of them."""
    settings = load_settings()
    with RailwayClient(settings) as client:
        return redact_scene(read(client, architecture, incidents, step), redactor(settings))


def _key(_: object, arguments: dict[str, Any]) -> str:
    incident = arguments["incident"]
    return make_key("context", incident.work_id, incident.window.model_dump_json())


@task(
    name="pull context",
    task_run_name="pull context of {incident.service.name}",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=_key,
    **LOOK,
)
@guarded
def pull_context(
    incident: Incident, scene: Scene, findings: list[Finding], now: datetime
) -> ServiceContext:
    """Logs, code, deployments and metrics of one affected service, and what they call for."""
    settings = load_settings()
    door = redactor(settings)
    with RailwayClient(settings) as client:
        gathered = gather(
            client,
            incident,
            scene,
            providers=load_providers(settings.autofix_providers),
            status=StatusReader(status_folder(settings.autofix_cache_dir), now),
            findings=findings,
            open_forge=lambda: GithubClient(settings),
        )
    evidence = build_evidence(gathered.drafts, door)
    verdict = judge(gathered.facts, evidence)
    context = ServiceContext(
        incident=incident,
        summary=gathered.summary,
        evidence=evidence,
        verdict=verdict,
        charts=build_charts(gathered.observation, incident),
    )
    return redact_model(context, door)
