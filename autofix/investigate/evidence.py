"""Picks, redacts and trims what is known about one affected service to a budget.

Items come in the order of how decisive they are, since what does not fit is dropped from the end.
A source that cannot be read leaves an item that says so, and the others go on. Suspects from code
(the diff of the live deployment) and from upstream providers have their place beside these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from autofix.errors import RailwayError
from autofix.investigate import deploys, logs, routes, series
from autofix.models import (
    Architecture,
    Deployment,
    EvidenceItem,
    Finding,
    Incident,
    Service,
    ServiceKind,
    ServiceSummary,
    Window,
)
from autofix.observe.observation import Observation, read_services, summarise
from autofix.observe.railway import RailwayClient
from autofix.observe.wire import LogLine

ITEM_CAP = 3_000
"""Characters of one item's text."""
SERVICE_CAP = 12_000
"""Characters of all items of one service."""
MISSING = "could not be read"
"""What the reason of an item begins with when its source failed."""
_LOG_LIMIT = 1_000
_PLATFORM_LIMIT = 200
_HTTP_LIMIT = 2_000
_DEPLOYMENTS = 2
_AROUND = timedelta(minutes=2)
"""How far around the onset a log is read that does not fit whole."""
_AT_LIMIT = 85.0
"""A database whose CPU use is on average above this many percent of its limit is named."""


@dataclass(frozen=True)
class Draft:
    """An item before it is numbered, redacted and trimmed."""

    source: str
    why: str
    text: str
    start: datetime
    end: datetime


def gather_evidence(
    client: RailwayClient,
    incident: Incident,
    architecture: Architecture,
    step: timedelta,
    redact: Callable[[str], str],
    first_id: int = 1,
) -> tuple[ServiceSummary, tuple[EvidenceItem, ...]]:
    """How the service did over the incident's window, and the evidence about it.

    Args:
        client: reads Railway.
        incident: the affected service, its findings and the window they were made in.
        architecture: what else runs beside it.
        step: distance of two samples.
        redact: applied to every text that leaves here.
        first_id: number of the first item's id.
    """
    gatherer = _Gatherer(client, incident, architecture)
    observation = gatherer.observe(step)
    drafts = [
        gatherer.findings(),
        *gatherer.logs(),
        gatherer.http_log(),
        gatherer.metrics(observation),
        gatherer.databases(observation),
        gatherer.deployments(),
    ]
    items = trim([d for d in drafts if d is not None], redact, first_id)
    (summary,) = (s for s in summarise(observation) if s.service_id == incident.service.id)
    return summary.model_copy(
        update={"unknown": summary.unknown and redact(summary.unknown)}
    ), items


def trim(
    drafts: Iterable[Draft], redact: Callable[[str], str], first_id: int = 1
) -> tuple[EvidenceItem, ...]:
    """Numbered items within both caps. Texts are redacted whole, and cut at a line afterwards."""
    items: list[EvidenceItem] = []
    left = SERVICE_CAP
    for draft in drafts:
        text = cut(redact(draft.text), min(ITEM_CAP, left))
        if not text.strip():
            continue
        left -= len(text)
        items.append(
            EvidenceItem(
                id=f"E{first_id + len(items)}",
                source=draft.source,
                start=draft.start,
                end=draft.end,
                why=cut(redact(draft.why), ITEM_CAP // 10),
                text=text,
            )
        )
    return tuple(items)


def cut(text: str, cap: int) -> str:
    """At most `cap` characters, whole lines from the top, with the number of what was dropped."""
    if len(text) <= cap:
        return text
    note = "… {} lines dropped"
    lines, kept, size = text.split("\n"), 0, len(note) + 6
    while kept < len(lines) and size + len(lines[kept]) + 1 <= cap:
        size += len(lines[kept]) + 1
        kept += 1
    if not kept:
        return f"{text[: cap - 1]}…" if cap > 1 else ""
    return "\n".join([*lines[:kept], note.format(len(lines) - kept)])


class _Gatherer:
    """One method a source; each gives drafts and never an error of Railway's."""

    def __init__(
        self, client: RailwayClient, incident: Incident, architecture: Architecture
    ) -> None:
        self._client = client
        self._incident = incident
        self._architecture = architecture
        self._service = incident.service
        self._window = incident.window

    def observe(self, step: timedelta) -> Observation:
        """Samples of the service and of the databases beside it."""
        services = {s.id: s for s in (self._service, *self._databases())}
        return read_services(
            self._client, self._architecture, list(services.values()), self._window, step
        )

    def findings(self) -> Draft:
        """What the detector said."""
        lines = [_finding_line(f) for f in self._incident.findings]
        return self._draft("findings", "what the detector found", "\n".join(lines))

    def logs(self) -> list[Draft]:
        """Errors, the platform's lines and other lines, of the deployments that served."""
        source = "deployment log"
        try:
            lines = self._read_logs()
        except RailwayError as error:
            return [self._missing(source, error)]
        templates = logs.build_templates(logs.build_entries(lines))
        candidates = (
            ("errors of the service, whole, with their counts", logs.render_errors(templates)),
            ("what the platform did to its containers", logs.render_platform(templates)),
            ("what the service says of itself", logs.render_others(templates)),
        )
        drafts = [self._draft(source, why, text) for why, text in candidates if text]
        return drafts or [self._draft(source, "nothing was logged", "no lines in the window")]

    def http_log(self) -> Draft | None:
        """Requests by route."""
        if not self._service.domains:
            return None
        source = "http log"
        try:
            lines = [
                line
                for d in self._deployments_that_served()
                for line in self._client.fetch_http_logs(
                    d.id, self._window.start, self._window.end, limit=_HTTP_LIMIT
                )
            ]
        except RailwayError as error:
            return self._missing(source, error)
        if not lines:
            return self._draft(source, "nothing was requested", "no requests in the window")
        first = min(line.at for line in lines)
        why = "requests by route: failing ones first, then slow ones"
        if len(lines) >= _HTTP_LIMIT:
            why += f" (the newest {len(lines):,} requests)"
        text = routes.render_routes(routes.build_routes(lines))
        return Draft(source, why, text, first, self._window.end)

    def metrics(self, observation: Observation) -> Draft:
        """How each signal went over the window."""
        reason = observation.unknown.get(self._service.id)
        text = series.render_series(observation.samples, self._service.id, self._window)
        if not text:
            return self._draft("metrics", f"{MISSING}: {reason}", f"{MISSING}: {reason}")
        why = "each signal over the window, highest value of each part"
        return self._draft("metrics", why, f"{text}\n{MISSING}: {reason}" if reason else text)

    def databases(self, observation: Observation) -> Draft | None:
        """Resources of the databases in the same environment."""
        others = [d for d in self._databases() if d.id != self._service.id]
        if not others:
            return None
        full = [d.name for d in others if _is_at_limit(observation, d)]
        why = f"CPU of {', '.join(full)} is at its limit" if full else "databases beside it"
        text = "\n".join(_database_text(observation, d) for d in others)
        return self._draft("databases", why, text)

    def deployments(self) -> Draft:
        """What was deployed, and what changed before the onset."""
        source = "deployments"
        try:
            found = self._client.fetch_deployments(self._service.id)
        except RailwayError as error:
            return self._missing(source, error)
        text = deploys.render_history(found, self._incident.onset)
        return self._draft(source, "what was live at the onset, and what it replaced", text)

    def _databases(self) -> list[Service]:
        return [s for s in self._architecture.services if s.kind is ServiceKind.database]

    def _deployments_that_served(self) -> list[Deployment]:
        of_service = [d for d in self._architecture.deployments if d.service_id == self._service.id]
        known = {d.id: d for d in of_service}
        if self._service.deployment:
            known.setdefault(self._service.deployment.id, self._service.deployment)
        return deploys.serving(known.values(), self._window)[:_DEPLOYMENTS]

    def _read_logs(self) -> list[LogLine]:
        """Errors and platform lines by their own queries, so that busy logs do not push them out."""
        queries = (("@level:error", _LOG_LIMIT), ("Container", _PLATFORM_LIMIT), ("", _LOG_LIMIT))
        found: dict[tuple[str, datetime, str, int], LogLine] = {}
        for deployment in self._deployments_that_served():
            for filter_, limit in queries:
                lines = self._read_log(deployment, self._window, filter_, limit)
                if len(lines) >= limit:  # the newest only: how it began may be lost
                    lines += self._read_log(deployment, self._around_onset(lines), filter_, limit)
                seen: dict[tuple[datetime, str], int] = {}
                for line in lines:
                    # the same line may come at the same time more than once, in each answer
                    turn = seen[line.at, line.message] = seen.get((line.at, line.message), 0) + 1
                    found.setdefault((deployment.id, line.at, line.message, turn), line)
        return list(found.values())

    def _read_log(
        self, deployment: Deployment, window: Window, filter_: str, limit: int
    ) -> list[LogLine]:
        return self._client.fetch_deployment_logs(
            deployment.id, window.start, window.end, limit=limit, filter_=filter_
        )

    def _around_onset(self, newest: Sequence[LogLine]) -> Window:
        """The time around the onset, as far as it lies before the lines that were read."""
        start = max(self._window.start, self._incident.onset - _AROUND)
        end = min(newest[0].at, self._incident.onset + _AROUND)
        return Window(start=min(start, end), end=end)

    def _draft(self, source: str, why: str, text: str) -> Draft:
        return Draft(source, why, text, self._window.start, self._window.end)

    def _missing(self, source: str, error: RailwayError) -> Draft:
        return self._draft(source, f"{MISSING}", f"{MISSING}: {error}")


def _finding_line(finding: Finding) -> str:
    return f"{finding.severity.value:<8} {finding.signal.value:<10} {finding.reason}"


def _is_at_limit(observation: Observation, database: Service) -> bool:
    cpu = next(line for line in series.RESOURCES if line.label == "CPU")
    used = series.percent_of_limit(observation.samples, database.id, cpu)
    return used is not None and used >= _AT_LIMIT


def _database_text(observation: Observation, database: Service) -> str:
    reason = observation.unknown.get(database.id)
    text = series.render_series(
        observation.samples, database.id, observation.window, series.RESOURCES
    )
    body = text or f"{MISSING}: {reason}"
    return f"{database.name} ({database.image or database.repository or 'no image'})\n{body}"
