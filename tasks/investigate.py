"""Shells around `autofix.investigate`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from prefect import task

from autofix.change.github import GithubClient
from autofix.investigate.charts import build_charts
from autofix.investigate.evidence import build_evidence, gather
from autofix.investigate.providers import load_providers
from autofix.investigate.status import StatusReader, status_folder
from autofix.investigate.verdict import judge
from autofix.models import Architecture, Finding, Incident, ServiceContext
from autofix.observe.railway import RailwayClient
from autofix.redact import redact_model, redactor
from autofix.settings import load_settings
from tasks.guard import guarded
from tasks.options import LOOK, make_key


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
    incident: Incident,
    architecture: Architecture,
    step: timedelta,
    findings: list[Finding],
    now: datetime,
) -> ServiceContext:
    """Logs, code, deployments and metrics of one affected service, and what they call for."""
    settings = load_settings()
    door = redactor(settings)
    with RailwayClient(settings) as client:
        gathered = gather(
            client,
            incident,
            architecture,
            step,
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
