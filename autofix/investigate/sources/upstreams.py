"""Providers that the service depends on, and what their status pages say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from autofix.investigate.budget import Block, Draft
from autofix.investigate.case import Case, Sourced
from autofix.investigate.facts import CodeFacts, LogFacts, Upstream
from autofix.investigate.providers import Provider, Providers
from autofix.investigate.sources.network import DnsFacts
from autofix.investigate.status import PageIncident, PageState, StatusReader

SOURCE = "upstreams"
PAGES = 10
"""Status pages that are asked for one service, those of providers in trouble first."""
_SIGNS = 4


@dataclass
class _Signs:
    """What shows that the service depends on one provider."""

    provider: Provider
    how: list[str] = field(default_factory=list)
    errors: int = 0
    failed_lookups: int = 0


def read_upstreams(
    case: Case,
    providers: Providers,
    status: StatusReader,
    logs: LogFacts | None,
    dns: DnsFacts | None,
    code: CodeFacts | None,
) -> Sourced[tuple[Upstream, ...]]:
    """Providers known by hosts in errors, look-ups, manifests and names of variables."""
    signs = find_signs(case, providers, logs, dns, code)
    found = [_upstream(case, s, status.read(s.provider), code) for s in signs[:PAGES]]
    if not found:
        return Sourced(())
    draft = Draft(
        source=SOURCE,
        why="providers it depends on, and what their status pages say",
        blocks=tuple(Block(render_upstream(u)) for u in found),
        start=case.window.start,
        end=case.window.end,
        unit="providers",
        floor=2,
        left_out=len(signs) - len(found),
    )
    return Sourced(tuple(found), (draft,))


def find_signs(
    case: Case,
    providers: Providers,
    logs: LogFacts | None,
    dns: DnsFacts | None,
    code: CodeFacts | None,
) -> list[_Signs]:
    """Each provider once, those that its errors and look-ups name first."""
    found: dict[str, _Signs] = {}

    def note(provider: Provider | None, how: str, errors: int = 0, lookups: int = 0) -> None:
        if provider is not None:
            signs = found.setdefault(provider.id, _Signs(provider))
            signs.how.append(how)
            signs.errors += errors
            signs.failed_lookups += lookups

    for host, n in (logs or LogFacts()).hosts.items():
        note(providers.of_host(host), f"{host} in {n:,} of its errors", errors=n)
    for host, n in (dns or DnsFacts()).failed.items():
        note(providers.of_host(host), f"{n:,} failed look-ups of {host}", lookups=n)
    for host in sorted((dns or DnsFacts()).names):
        note(providers.of_host(host), f"it looks up {host}")
    for package, path in (code or CodeFacts()).packages.items():
        note(providers.of_package(package), f"{package.partition(':')[2]} in {path}")
    for name in _variables(case):
        note(providers.of_variable(name), f"variable {name}")
    return sorted(found.values(), key=lambda s: (-s.errors - s.failed_lookups, s.provider.id))


def render_upstream(upstream: Upstream) -> str:
    """One provider for a reader."""
    text = f"{upstream.name}: {_state(upstream)}\n  known by {'; '.join(upstream.how)}"
    if upstream.has_guard is False:
        text += "\n  no timeout is named in the code that calls it"
    return text


def _state(upstream: Upstream) -> str:
    if upstream.incident and upstream.incident_since:
        return f"unresolved incident since {upstream.incident_since:%Y-%m-%d %H:%M} UTC: {upstream.incident}"
    if not upstream.known:
        return f"unknown ({upstream.unknown}); look at {upstream.page or 'its status page'}"
    return "no incident that overlaps"


def _upstream(case: Case, signs: _Signs, state: PageState, code: CodeFacts | None) -> Upstream:
    incident = _overlapping(case, state.incidents)
    return Upstream(
        id=signs.provider.id,
        name=signs.provider.name,
        how=tuple(dict.fromkeys(signs.how))[:_SIGNS],
        page=signs.provider.page,
        errors=signs.errors,
        failed_lookups=signs.failed_lookups,
        known=not state.unknown,
        unknown=state.unknown,
        incident=incident.title if incident else None,
        incident_url=incident.url if incident else "",
        incident_since=incident.started if incident else None,
        has_guard=_has_guard(signs.provider, code),
    )


def _overlapping(case: Case, incidents: Sequence[PageIncident]) -> PageIncident | None:
    """Of the unresolved ones the first to begin that began before the window ended.

    A page is often later than the trouble, so that it need not begin before the onset.
    """
    begun = [i for i in incidents if i.started < case.window.end]
    return min(begun, key=lambda i: abs(i.started - case.onset), default=None)


def _has_guard(provider: Provider, code: CodeFacts | None) -> bool | None:
    places = [o for o in code.outgoing if o.provider == provider.id] if code else []
    return all(o.is_guarded for o in places) if places else None


def _variables(case: Case) -> Iterable[str]:
    every = case.scene.variables
    return sorted({v.name for v in every if v.service_id in {None, case.service.id}})
