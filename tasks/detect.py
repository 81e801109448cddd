"""Shells around `autofix.detect`, and the incident records as Prefect Variables."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import VariableFilter, VariableFilterTags
from prefect.variables import Variable

from autofix.detect.findings import find_findings
from autofix.detect.incidents import (
    Advance,
    IncidentStore,
    Tick,
    Turn,
    advance,
    cap_repositories,
    hand_on,
)
from autofix.detect.rules import describe_rules
from autofix.models import Finding, Incident, IncidentRecord, IncidentState, Model
from autofix.observe.observation import Observation
from autofix.parameters import Autonomy, Caps, Rules
from tasks.dispatch import fetch_turns
from tasks.options import make_key

TAG = "autofix-incident"
_PAGE = 200


class Detection(Model):
    """What the detector found at one tick."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    """What a reader of the report should know about the rules, a line each."""


class Due(Model):
    """The incidents that are handed on at one tick, worst first."""

    incidents: tuple[Incident, ...]


class VariableIncidentStore:
    """One Prefect Variable per incident: people see and mute them in the UI. One writer."""

    def load(self) -> tuple[IncidentRecord, ...]:
        """Every record that is stored."""
        records: list[IncidentRecord] = []
        with get_client(sync_client=True) as client:
            while True:
                response = client.request(
                    "POST",
                    "/variables/filter",
                    json={
                        "variables": VariableFilter(tags=VariableFilterTags(all_=[TAG])).model_dump(
                            mode="json", exclude_none=True
                        ),
                        "limit": _PAGE,
                        "offset": len(records),
                    },
                )
                page = response.raise_for_status().json()
                records += [IncidentRecord.model_validate(v["value"]) for v in page]
                if len(page) < _PAGE:
                    return tuple(records)

    def save(self, record: IncidentRecord) -> None:
        """Write one record under a name made of fingerprint and episode."""
        name = f"autofix-incident-{record.fingerprint}-e{record.episode}"
        Variable.set(name, record.model_dump(mode="json"), tags=[TAG], overwrite=True)


def _key(_: object, arguments: dict[str, Any]) -> str:
    observation, rules = arguments["observation"], arguments["rules"]
    return make_key(
        "detect",
        observation.architecture.environment_id,
        observation.window.model_dump_json(),
        observation.step,
        sorted(observation.unknown),
        sorted(s.name for s in observation.selected),
        rules.model_dump_json(),
    )


@task(
    name="detect",
    task_run_name="judge {observation.window.length} until {observation.window.end:%H:%M:%S}",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=_key,
)
def detect(observation: Observation, rules: Rules) -> Detection:
    """Which services are in trouble over the window."""
    known = [s for s in observation.selected if s.id not in observation.unknown]
    findings = find_findings(
        observation.samples, known, observation.window, rules, observation.step
    )
    architecture = observation.architecture
    notes = describe_rules(rules, [s.name for s in architecture.services], observation.window.end)
    return Detection(findings=findings, notes=notes)


@task(name="remember incidents", task_run_name="remember incidents", cache_policy=NO_CACHE)
def remember_incidents(
    observation: Observation,
    detection: Detection,
    *,
    autonomy: Autonomy,
    caps: Caps,
    force: bool,
    store: IncidentStore | None = None,
) -> Due:
    """Write the incident records of this tick and return what is handed on.

    Records are written before any child starts. A handed-on incident without a run is due again
    at the next look, so a kill between the two loses nothing.
    """
    store = store or VariableIncidentStore()
    records = store.load()
    advanced = _advance(records, observation, detection, autonomy=autonomy, force=force)
    due = advanced.due
    if autonomy is Autonomy.pull_request:
        due = cap_repositories(due, caps.new_pull_requests_per_tick)
    handed_on = {incident.work_id for incident in due}
    before = {(r.fingerprint, r.episode): r for r in records}
    for record in advanced.records:
        new = hand_on(record, autonomy) if record.work_id in handed_on else record
        if before.get((new.fingerprint, new.episode)) != new:
            store.save(new)
    return Due(incidents=due)


def _advance(
    records: tuple[IncidentRecord, ...],
    observation: Observation,
    detection: Detection,
    *,
    autonomy: Autonomy,
    force: bool,
) -> Advance:
    turns: dict[str, Turn] = fetch_turns(
        [r.work_id for r in records if r.state is IncidentState.handed_on and r.ended_at is None]
    )
    tick = Tick(
        window=observation.window,
        environment_id=observation.architecture.environment_id,
        services={service.id: service for service in observation.selected},
        findings=detection.findings,
        unknown=frozenset(observation.unknown),
    )
    return advance(records, tick, autonomy=autonomy, turns=turns, force=force)
