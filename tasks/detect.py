"""Shells around `autofix.detect`, and the incident records as Prefect Variables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import VariableFilter, VariableFilterTags
from prefect.variables import Variable

from autofix.detect.findings import judge_observation
from autofix.detect.incidents import (
    IncidentStore,
    Tick,
    advance,
    cap_repositories,
    hand_on,
    is_forgotten,
)
from autofix.detect.rules import describe_rules
from autofix.models import Finding, Incident, IncidentRecord, IncidentState, Model
from autofix.news import build_news
from autofix.observe.observation import Observation
from autofix.parameters import Autonomy, Caps, Rules
from tasks.dispatch import fetch_turns
from tasks.forge import fetch_pulls
from tasks.guard import guarded
from tasks.options import OWN, make_key
from tasks.tell import tell_news

TAG = "autofix-incident"
_REMEMBERED = timedelta(days=2)
"""How long after its end an incident's pull request is still looked at."""
_PAGE = 200


class Detection(Model):
    """What the detector found at one tick."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    """What a reader of the report should know about the rules, a line each."""


class Due(Model):
    """The incidents that are handed on at one tick, worst first."""

    incidents: tuple[Incident, ...]
    records: tuple[IncidentRecord, ...] = ()
    """Every incident as it stands after this tick, for the report."""


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
        Variable.set(_name(record), record.model_dump(mode="json"), tags=[TAG], overwrite=True)

    def delete(self, record: IncidentRecord) -> None:
        """Forget one record."""
        Variable.unset(_name(record))


def _name(record: IncidentRecord) -> str:
    return f"autofix-incident-{record.fingerprint}-e{record.episode}"


def _key(_: object, arguments: dict[str, Any]) -> str:
    observation, rules = arguments["observation"], arguments["rules"]
    return make_key(
        "detect",
        observation.architecture.environment_id,
        observation.window.model_dump_json(),
        observation.step,
        sorted(observation.unknown),
        sorted(s.name for s in observation.selected),
        observation.baseline is None,
        rules.model_dump_json(),
    )


@task(
    name="detect",
    task_run_name="judge {observation.window.length} until {observation.window.end:%H:%M:%S}",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=_key,
    **OWN,
)
@guarded
def detect(observation: Observation, rules: Rules) -> Detection:
    """Which services are in trouble over the window."""
    findings = judge_observation(observation, rules)
    architecture = observation.architecture
    notes = describe_rules(rules, [s.name for s in architecture.services], observation.window.end)
    return Detection(findings=findings, notes=notes)


@task(
    name="remember incidents",
    task_run_name="remember incidents",
    cache_policy=NO_CACHE,
    timeout_seconds=600,  # it asks the forge too; tried again by the next tick
)
@guarded
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
    tick = Tick(
        window=observation.window,
        environment_id=observation.architecture.environment_id,
        services={service.id: service for service in observation.selected},
        findings=detection.findings,
        unknown=frozenset(observation.unknown),
    )
    pulls = fetch_pulls(_repositories(records, tick))
    advanced = advance(
        records,
        tick,
        autonomy=autonomy,
        turns=fetch_turns([r.work_id for r in records if _has_a_run(r)]),
        pulls=pulls,
        force=force,
    )
    due = advanced.due
    if autonomy.repairs:
        due = cap_repositories(
            due,
            caps.new_pull_requests_per_tick,
            pulls=pulls,
            now=tick.window.end,
            per_day=caps.pull_requests_per_day,
            open_per_repository=caps.open_pull_requests_per_repository,
        )
    handed_on = {incident.work_id: incident for incident in due}
    before = {(r.fingerprint, r.episode): r for r in records}
    news = build_news(records, advanced.records, detection.findings)
    tell_news(news, tick.window.end)  # before they are written: rather told twice than never
    for record in advanced.records:
        taken = handed_on.get(record.work_id)
        new = hand_on(record, taken, autonomy) if taken else record
        if is_forgotten(new, tick.window.end):
            store.delete(new)
        elif before.get((new.fingerprint, new.episode)) != new:
            store.save(new)
    return Due(incidents=due, records=tuple(advanced.records))


def _has_a_run(record: IncidentRecord) -> bool:
    return record.state is not IncidentState.open and record.ended_at is None


def _repositories(records: tuple[IncidentRecord, ...], tick: Tick) -> set[str]:
    """Those of services that are in trouble, or were a short while ago."""
    since = tick.window.end - _REMEMBERED
    of_interest = {finding.service_id for finding in tick.findings}
    of_interest |= {r.service_id for r in records if r.ended_at is None or r.ended_at > since}
    found = (tick.services[s].repository for s in of_interest if s in tick.services)
    return {repository for repository in found if repository}
