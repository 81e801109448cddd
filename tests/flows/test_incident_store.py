from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prefect import flow

from autofix.models import Architecture, Finding, IncidentRecord, Signal, Window
from autofix.observe.frames import build_frame
from autofix.observe.observation import Observation
from autofix.parameters import Autonomy, Caps
from sandbox.forge.app import Forge
from tasks.detect import Detection, Due, VariableIncidentStore, remember_incidents
from tests.conftest import NOW
from tests.sandbox.serving import serve

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


def _record(number: int) -> IncidentRecord:
    return IncidentRecord(
        fingerprint=f"{number:010x}",
        episode=1,
        attempt=1,
        environment_id="env-store",
        service_id=f"svc-{number}",
        service=f"service-{number}",
        first_signal=Signal.http_5xx,
        deployed_commit="c" * 40,
        onset=NOW,
        opened_at=NOW,
        last_seen=NOW,
    )


def test_records_come_back_as_they_were_written_also_beyond_one_page() -> None:
    """Every record is found again, more than the server gives in one answer, the newest version."""
    store = VariableIncidentStore()
    written = {record.fingerprint: record for record in map(_record, range(205))}
    for record in written.values():
        store.save(record)
    changed = written["0000000007"].model_copy(update={"quiet_ticks": 2})
    store.save(changed)
    found = {r.fingerprint: r for r in store.load() if r.environment_id == "env-store"}
    assert found == written | {"0000000007": changed}


@flow(name="remembering")
def remembering(observation: Observation, findings: tuple[Finding, ...], cap: int) -> Due:
    return remember_incidents(
        observation,
        Detection(findings=findings),
        autonomy=Autonomy.pull_request,
        caps=Caps(new_pull_requests_per_tick=cap),
        force=False,
    )


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    """A forge that knows the services' repositories; the settings name it."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "app.py").write_text("")
    forge = Forge(tmp_path / "forge", "forge-token-1", lambda *_: None)
    for name in ("acme/billing-api", "acme/orders-web"):
        forge.create_repository(name, source, "Import")
    with serve(forge.app) as address:
        monkeypatch.setenv("GITHUB_TOKEN", "forge-token-1")
        monkeypatch.setenv("GITHUB_API_URL", address)
        yield forge


@pytest.fixture
def observation(make_service: Callable[..., Any]) -> Observation:
    services = (make_service("billing-api"), make_service("orders-web"))
    architecture = Architecture(
        project_id="p",
        project_name="shop",
        environment_id="env-remember",
        environment_name="production",
        services=services,
    )
    samples: pd.DataFrame = build_frame([])
    return Observation(
        window=Window.ending(NOW, timedelta(minutes=30)),
        step=timedelta(seconds=60),
        architecture=architecture,
        selected=services,
        samples=samples,
    )


@pytest.mark.usefixtures("forge")
def test_what_the_cap_cuts_and_what_lost_its_run_is_due_at_the_next_tick(
    observation: Observation, make_finding: Callable[..., Finding]
) -> None:
    """Room for one: the second waits in its record. No run was started, so the first is due again."""
    findings = (make_finding("billing-api"), make_finding("orders-web"))
    first = remembering(observation, findings, cap=1)
    assert len(first.incidents) == 1
    second = remembering(observation, findings, cap=5)
    assert {i.service.name for i in second.incidents} == {"billing-api", "orders-web"}
    assert {i.work_id for i in first.incidents} <= {i.work_id for i in second.incidents}


def test_without_the_forge_nothing_is_handed_on_and_the_record_says_why(
    observation: Observation, make_finding: Callable[..., Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub cannot be asked: no repair starts, and the incident stays due."""
    monkeypatch.setenv("GITHUB_TOKEN", "forge-token-1")
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    service = observation.selected[0].model_copy(update={"id": "svc-dark", "name": "dark-api"})
    alone = replace(observation, selected=(service,))
    finding = make_finding("dark-api", service_id="svc-dark")
    due = remembering(alone, (finding,), cap=5)
    assert due.incidents == ()
    (record,) = (r for r in due.records if r.service_id == "svc-dark")
    assert "could not be asked" in record.why
