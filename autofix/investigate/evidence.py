"""Gathers what is known about one affected service: every source, side by side, each failing alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from autofix.change.github import GithubClient
from autofix.errors import ConfigError
from autofix.investigate.budget import SERVICE_TOKENS, Draft, Redact, fit
from autofix.investigate.case import Case, Sourced, read_source
from autofix.investigate.code.forge import Repository
from autofix.investigate.facts import ChangeFacts, CodeFacts, Facts
from autofix.investigate.providers import Providers
from autofix.investigate.scene import Scene, narrow
from autofix.investigate.sources import (
    changes,
    code,
    http,
    logs,
    network,
    peers,
    resources,
    runs,
    upstreams,
)
from autofix.investigate.status import StatusReader
from autofix.models import EvidenceItem, Finding, Incident, ServiceSummary, Signal
from autofix.observe.observation import Observation
from autofix.observe.railway import RailwayClient

FINDINGS, PLATFORM, EARLIER = "findings", "platform", "earlier attempts"
_ORDER = (
    FINDINGS,
    EARLIER, logs.SOURCE, changes.BUILD, http.SOURCE, code.CODE, upstreams.SOURCE, runs.SOURCE, network.DNS,
    peers.SOURCE, resources.METRICS, resources.DATABASES, changes.SOURCE, code.DIFF, network.FLOWS,
    resources.VOLUMES, PLATFORM, code.GUIDE,
)  # fmt: skip
"""The most decisive first: what does not fit is left out from the end."""


@dataclass(frozen=True)
class Gathered:
    """Facts for the verdict, drafts for the evidence, numbers for people."""

    facts: Facts
    drafts: tuple[Draft, ...]
    summary: ServiceSummary
    observation: Observation


def gather(
    client: RailwayClient,
    incident: Incident,
    scene: Scene,
    *,
    providers: Providers,
    status: StatusReader,
    findings: Sequence[Finding] = (),
    open_forge: Callable[[], GithubClient] | None = None,
) -> Gathered:
    """Everything about one incident.

    Args:
        client: reads Railway.
        incident: the affected service, its findings and the window they were made in.
        scene: what was seen of it and of what runs beside it.
        providers: whom an application may depend on.
        status: reads their status pages.
        findings: of all services at this tick.
        open_forge: a client of the forge the repository is at; ConfigError when there is none.
    """
    case = Case(client, incident, scene, tuple(findings))
    readers: dict[str, Callable[[Case], Sourced[Any]]] = {
        logs.SOURCE: logs.read_logs,
        http.SOURCE: http.read_http,
        changes.SOURCE: changes.read_changes,
        changes.BUILD: changes.read_build,
        network.DNS: network.read_dns,
        network.FLOWS: network.read_flows,
    }
    underway: dict[str, Future[Sourced[Any]]] = {
        name: client.submit(partial(read_source, case, name, read))
        for name, read in readers.items()
    }
    observation = narrow(case.view.observation, (case.service, *case.databases))
    found: dict[str, Sourced[Any]] = {
        resources.METRICS: read_source(
            case, resources.METRICS, lambda c: resources.read_resources(c, observation)
        ),
        runs.SOURCE: read_source(case, runs.SOURCE, runs.read_runs),
    }
    found |= {name: future.result() for name, future in underway.items()}
    found[code.CODE] = _read_code(case, found, open_forge, providers)
    found[upstreams.SOURCE] = read_source(
        case,
        upstreams.SOURCE,
        lambda c: upstreams.read_upstreams(
            c,
            providers,
            status,
            found[logs.SOURCE].facts,
            found[network.DNS].facts,
            found[code.CODE].facts,
        ),
    )
    return _assemble(case, observation, found)


def build_evidence(
    drafts: Sequence[Draft], redact: Redact, *, tokens: int = SERVICE_TOKENS, first_id: int = 1
) -> tuple[EvidenceItem, ...]:
    """The drafts as numbered items within the budget, the most decisive first."""
    ranks = {source: position for position, source in enumerate(_ORDER)}
    ordered = sorted(drafts, key=lambda d: (d.failed, ranks.get(d.source, len(ranks))))
    return fit(ordered, redact, tokens, first_id)


def _read_code(
    case: Case,
    found: dict[str, Sourced[Any]],
    open_forge: Callable[[], GithubClient] | None,
    providers: Providers,
) -> Sourced[CodeFacts]:
    """The code that what was found so far leads to; nothing for what is deployed without any."""
    name, commit = case.service.repository, _commit(case, found[changes.SOURCE].facts)
    if name is None or commit is None or open_forge is None:
        return Sourced()

    def read(case: Case) -> Sourced[CodeFacts]:
        try:
            client = open_forge()
        except ConfigError as error:
            return code.unreachable(case, str(error))
        with client as forge:
            repository = Repository(forge, name, commit)
            return code.read_code(
                case,
                repository,
                found[logs.SOURCE].facts,
                found[http.SOURCE].facts,
                found[changes.SOURCE].facts,
                providers,
            )

    return read_source(case, code.CODE, read)


def _commit(case: Case, changed: ChangeFacts | None) -> str | None:
    """The commit that serves; of a build that failed, the one that was built."""
    builds = any(f.signal is Signal.build_failure for f in case.incident.findings)
    if builds and changed and changed.newest and changed.newest.commit:
        return changed.newest.commit
    serving = case.service.deployment
    return serving.commit if serving and serving.commit else case.incident.deployed_commit


def _assemble(case: Case, observation: Observation, found: dict[str, Sourced[Any]]) -> Gathered:
    flows = found[network.FLOWS].facts
    full = frozenset(s.id for s in case.databases if resources.is_at_limit(observation, s))
    talking = peers.find_peers(case, flows, full)
    neighbours = peers.find_neighbours(case)
    failed = {name: why for sourced in found.values() for name, why in sourced.failed.items()}
    platform = case.architecture.platform
    trouble = platform.incident if platform and not platform.stable else None
    facts = Facts(
        incident=case.incident,
        logs=found[logs.SOURCE].facts,
        http=found[http.SOURCE].facts,
        changes=found[changes.SOURCE].facts,
        resources=found[resources.METRICS].facts,
        runs=found[runs.SOURCE].facts,
        peers=talking,
        neighbours=neighbours,
        upstreams=found[upstreams.SOURCE].facts or (),
        platform=trouble,
        code=found[code.CODE].facts,
        failed=failed,
    )
    drafts = [_findings_draft(case), *(d for sourced in found.values() for d in sourced.drafts)]
    drafts += [d for d in (peers.draft_peers(case, talking, neighbours),) if d is not None]
    if case.incident.earlier:
        tried = "\n".join(case.incident.earlier)
        drafts.append(case.draft(EARLIER, "what was tried before and what came of it", tried))
    if trouble:
        drafts.append(case.draft(PLATFORM, "Railway says of itself", trouble))
    summary = case.view.summaries[case.service.id]
    return Gathered(facts, tuple(drafts), summary, observation)


def _findings_draft(case: Case) -> Draft:
    lines = [_finding_line(f) for f in case.incident.findings]
    return case.draft(FINDINGS, "what the detector found", "\n".join(lines))


def _finding_line(finding: Finding) -> str:
    text = f"{finding.severity.value:<8} {finding.signal.value:<10} {finding.reason}"
    usual = (
        f"; usually {finding.baseline:,.3g} {finding.unit}" if finding.baseline is not None else ""
    )
    left = f"; {finding.hours_left:.1f} h left" if finding.hours_left is not None else ""
    return text + usual + left
