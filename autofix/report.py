"""Markdown for people, for the plan's prompt and for the agent's prompt. Pure text from models.

What was read from outside stands either in a table cell or on a line of its own, made harmless
there, or inside a fence that it cannot close.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from autofix.models import (
    Architecture,
    EvidenceItem,
    Finding,
    Level,
    PlatformStatus,
    Service,
    ServiceContext,
    ServiceKind,
    ServiceSummary,
    Severity,
    Signal,
    Volume,
)
from autofix.parameters import Levels, Thresholds
from autofix.redact import markdown
from autofix.redact.fence import fenced, without

UNKNOWN = "unknown"
ABSENT = "–"
"""A signal that the service does not have."""
_TITLES = {
    ServiceKind.web: "Web services",
    ServiceKind.worker: "Workers",
    ServiceKind.cron: "Crons",
    ServiceKind.database: "Databases",
}
_MARKS = {Severity.warning: "⚠ ", Severity.critical: "✖ "}
_SECOND_MS = 1_000
_LINE = 600

SignalRow = dict[str, str]
"""One service: column title to cell, in the order of the columns."""


def render_architecture(architecture: Architecture) -> str:
    """What runs: services by kind, where their code comes from, volumes, the platform's state."""
    project, environment = architecture.project_name, architecture.environment_name
    state = _platform(architecture.platform)
    lines = [f"Project {_line(project)}, environment {_line(environment)}. {state}"]
    volumes: dict[str, list[Volume]] = {}
    for volume in architecture.volumes:
        volumes.setdefault(volume.service_id or "", []).append(volume)
    for kind, title in _TITLES.items():
        of_kind = [s for s in architecture.services if s.kind is kind]
        if of_kind:
            lines += ["", f"**{title}**", ""]
            lines += [_service(s, volumes.get(s.id, [])) for s in of_kind]
    return "\n".join(lines)


def render_summary(service: Service, summary: ServiceSummary) -> str:
    """How one service did over the window. What was not measured is said to be unknown."""
    window = summary.window
    lines = [f"From {_time(window.start)} to {_time(window.end)}: {_line(service.name)}"]
    if summary.unknown:
        lines.append(f"- could not be read: {_line(summary.unknown)}")
    lines.append(f"- CPU: {_level(summary.cpu)}")
    lines.append(f"- memory: {_level(summary.memory)}")
    if summary.disk:
        lines.append(f"- volume: {_level(summary.disk)}")
    if service.domains:
        lines += _http(summary)
    restarts = UNKNOWN if summary.restarts is None else str(summary.restarts)
    if service.kind is not ServiceKind.cron:
        lines.append(f"- restarts: {restarts}")
    return "\n".join(lines)


def build_signal_rows(
    services: Iterable[Service],
    summaries: Iterable[ServiceSummary],
    thresholds: Thresholds,
    findings: Iterable[Finding],
) -> list[SignalRow]:
    """One row a service and one cell a signal; the first row holds the levels.

    ⚠ marks a warning and ✖ a critical finding; `–` is a signal that the service does not have.
    """
    by_id = {summary.service_id: summary for summary in summaries}
    marks = {(f.service_id, f.signal): _MARKS[f.severity] for f in findings}
    rows = [_signal_row(service, by_id[service.id], marks) for service in services]
    return [_level_row(thresholds), *rows]


def render_signals(rows: Sequence[SignalRow], thresholds: Thresholds) -> str:
    """The rows as one table, and what a level needs to count."""
    titles = list(rows[0])
    table = [titles, ["---"] * len(titles), *([row[t] for t in titles] for row in rows)]
    lines = [f"| {' | '.join(cells)} |" for cells in table]
    needs = (
        f"CPU, memory and latency count when they hold for {thresholds.sustained_share:.0%} of the "
        f"samples; HTTP is judged from {thresholds.min_requests} requests."
    )
    return "\n".join([*lines, "", needs])


def render_findings(findings: Sequence[Finding]) -> str:
    """The findings as a list, critical ones first."""
    if not findings:
        return "No findings: every service that was read is within its thresholds."
    ordered = sorted(findings, key=lambda f: f.severity is not Severity.critical)
    return "\n".join(
        f"- **{f.severity.value}** {_line(f.service)} · {f.signal.value}: {_line(f.reason)}"
        for f in ordered
    )


def render_notes(notes: Iterable[str]) -> str:
    """What a reader should know about how the window was read; empty when there is nothing."""
    lines = [f"- {_line(note)}" for note in notes]
    return "\n".join(["**About this window**", "", *lines]) if lines else ""


def render_evidence(items: Iterable[EvidenceItem], nonce: str) -> str:
    """Each item between fence lines that carry the nonce; for people it may be empty.

    Nothing inside can close a fence.
    """
    return "\n\n".join(_item(item, nonce) for item in items)


def render_context(context: ServiceContext, nonce: str) -> str:
    """All that is known about one affected service, under a heading with its name."""
    service, verdict = context.incident.service, context.verdict
    cited = f" (evidence: {', '.join(verdict.evidence)})" if verdict.evidence else ""
    head = [
        f"### Service {_line(service.name)}",
        render_summary(service, context.summary),
        f"Verdict: {verdict.kind.value}: {_line(verdict.reason)}{cited}",
    ]
    if verdict.action:
        head.append(f"To do: {_line(verdict.action)}")
    parts = [without(part, nonce) for part in head]
    if context.evidence:
        parts.append(render_evidence(context.evidence, nonce))
    return "\n\n".join(parts)


def _item(item: EvidenceItem, nonce: str) -> str:
    head = f"[{item.id}] {_line(item.source)} · {_time(item.start)} – {_time(item.end)}"
    why = f"why: {_line(item.why)}"
    return "\n".join([without(head, nonce), without(why, nonce), fenced(item.text, nonce)])


def _service(service: Service, volumes: Sequence[Volume]) -> str:
    deployment = service.deployment
    commit = deployment.commit[:12] if deployment and deployment.commit else None
    source = service.repository or service.image
    facts = [
        f"from {source}" + (f" ({service.branch})" if service.branch else "") if source else "",
        f"folder {service.root_directory}" if service.root_directory else "",
        f"commit {commit}" if commit else "",
        f"{deployment.status} since {_time(deployment.created_at)}" if deployment else "",
        f"{service.replicas} replicas" if service.replicas > 1 else "",
        f"schedule `{service.cron_schedule}`" if service.cron_schedule else "",
        "asleep" if service.sleeping else "",
        f"at {', '.join(service.domains)}" if service.domains else "",
        *(_volume(volume) for volume in volumes),
    ]
    return f"- {_line(service.name)}: {_line(', '.join(fact for fact in facts if fact))}"


def _volume(volume: Volume) -> str:
    share = f" ({100 * volume.used_mb / volume.size_mb:.0f} % full)" if volume.size_mb else ""
    return f"volume {volume.name} {volume.used_mb:,.0f} of {volume.size_mb:,.0f} MB{share}"


def _platform(status: PlatformStatus | None) -> str:
    if status is None:
        return "The platform's own state is unknown."
    if status.stable and not status.incident:
        return "The platform reports no trouble."
    return f"The platform reports: {_line(status.incident or 'unstable')}"


def _level(level: Level | None) -> str:
    if level is None:
        return UNKNOWN
    limit = "no known limit"
    if level.limit:
        share = 100 * level.average / level.limit
        limit = f"limit {_number(level.limit)} {level.unit} ({share:.0f} % used on average)"
    shown = f"average {_number(level.average)}, maximum {_number(level.maximum)} {level.unit}"
    return f"{shown}, {limit}"


def _http(summary: ServiceSummary) -> list[str]:
    codes = ", ".join(f"{code}: {n:,}" for code, n in sorted(summary.status_codes.items()))
    percentiles = ((50, summary.p50_ms), (95, summary.p95_ms), (99, summary.p99_ms))
    return [
        f"- requests: {_requests(summary)}" + (f" ({codes})" if codes else ""),
        f"- 5xx: {_rate(summary, 5)}, 4xx: {_rate(summary, 4)}",
        "- latency: " + ", ".join(f"p{p} {_ms(value)}" for p, value in percentiles),
    ]


def _signal_row(
    service: Service, summary: ServiceSummary, marks: Mapping[tuple[str, Signal], str]
) -> SignalRow:
    def cell(signal: Signal, text: str) -> str:
        return marks.get((service.id, signal), "") + text

    affected = any(service_id == service.id for service_id, _ in marks)
    state = UNKNOWN if summary.unknown else "affected" if affected else "healthy"
    web, is_cron = bool(service.domains), service.kind is ServiceKind.cron
    restarts = UNKNOWN if summary.restarts is None else str(summary.restarts)
    return {
        "Service": markdown.cell(service.name),
        "State": state,
        "CPU": cell(Signal.cpu, _share(summary.cpu)),
        "Memory": cell(Signal.memory, _share(summary.memory)),
        "5xx": cell(Signal.http_5xx, _rate(summary, 5) if web else ABSENT),
        "p95": cell(Signal.latency, _ms(summary.p95_ms) if web else ABSENT),
        "Restarts": ABSENT if is_cron else cell(Signal.crash_loop, restarts),
        "4xx": cell(Signal.http_4xx, _rate(summary, 4) if web else ABSENT),
        "Requests": _requests(summary) if web else ABSENT,
        "Disk": cell(Signal.disk, _share(summary.disk) if summary.disk else ABSENT),
        "Kind": service.kind.value,
    }


def _level_row(thresholds: Thresholds) -> SignalRow:
    t = thresholds
    return {
        "Service": "warning / critical",
        "State": "",
        "CPU": _levels(t.cpu_percent, " %"),
        "Memory": _levels(t.memory_percent, " %"),
        "5xx": _levels(t.http_5xx_percent, " %"),
        "p95": _levels(t.latency_p95_ms, " ms"),
        "Restarts": _levels(t.restarts, ""),
        "4xx": _levels(t.http_4xx_percent, " %"),
        "Requests": "",
        "Disk": _levels(t.disk_percent, " %"),
        "Kind": "",
    }


def _levels(levels: Levels, unit: str) -> str:
    return f"{levels.warning:g} / {levels.critical:g}{unit}"


def _share(level: Level | None) -> str:
    if level is None:
        return UNKNOWN
    if not level.limit:
        return f"{_number(level.average)} {level.unit}"
    return f"{100 * level.average / level.limit:.0f} %"


def _requests(summary: ServiceSummary) -> str:
    return UNKNOWN if summary.unknown and not summary.requests else f"{summary.requests:,}"


def _rate(summary: ServiceSummary, digit: int) -> str:
    if summary.unknown:
        return UNKNOWN
    rate = summary.rate(digit)
    return "no requests" if rate is None else f"{rate:.1f} %"


def _ms(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value / _SECOND_MS:.1f} s" if value >= _SECOND_MS else f"{value:.0f} ms"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _line(text: str) -> str:
    """On one line of bounded length, so that a name can make neither heading nor link."""
    return markdown.inline(text, _LINE)
