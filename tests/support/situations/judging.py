"""From telemetry to verdict through the product's own code, with nothing between."""

from __future__ import annotations

from pathlib import Path

import httpx

from autofix.detect.incidents import Tick, advance
from autofix.investigate.evidence import build_evidence, gather
from autofix.investigate.providers import load_providers
from autofix.investigate.scene import read_scene
from autofix.investigate.status import StatusReader
from autofix.investigate.verdict import judge
from autofix.models import Incident, Verdict
from autofix.observe.baseline import read_baseline
from autofix.observe.observation import observe, select
from autofix.parameters import Autonomy, Rules, ServiceSelection
from tasks.detect import detect
from tests.support.situations.series import NOW, WINDOW
from tests.support.situations.telemetry import World
from tests.unit.observe.railway_app import make_settings


def judge_world(world: World, folder: Path, service: str) -> tuple[Incident, Verdict]:
    """One tick: read, detect, open an incident, gather its evidence, judge it."""
    settings = make_settings(**world.settings)
    with world.client(attempts=1, settings=settings) as client:
        architecture = client.fetch_architecture()
        chosen = ServiceSelection()
        baseline = read_baseline(client, architecture, select(architecture, chosen), WINDOW)
        observation = observe(client, WINDOW, None, chosen, baseline, architecture)
        findings = detect.fn(observation, Rules()).findings
        tick = Tick(
            window=WINDOW,
            environment_id=architecture.environment_id,
            services={s.id: s for s in observation.selected},
            findings=findings,
            unknown=frozenset(observation.unknown),
        )
        due = {i.service.name: i for i in advance((), tick, autonomy=Autonomy.pull_request).due}
        assert service in due, (
            f"nothing was found of {service}; found: {[f.reason for f in findings]}"
        )
        incident = due[service]
        status = StatusReader(folder / "status", NOW, transport=httpx.MockTransport(world.page))
        gathered = gather(
            client,
            incident,
            read_scene(client, architecture, [incident], observation.step),
            providers=load_providers(),
            status=status,
            findings=findings,
            open_forge=world.forge.open,
        )
    evidence = build_evidence(gathered.drafts, lambda text: text)
    return incident, judge(gathered.facts, evidence)
