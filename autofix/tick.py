"""One report a tick, for people: what was seen, what is done about it and why, what was not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autofix.models import Finding, IncidentRecord, IncidentState, Severity, Window
from autofix.parameters import Autonomy
from autofix.redact.markdown import cell, inline

NEXT_LEVEL = {
    Autonomy.report: "autonomy `plan` would have a model write a plan for each that calls for one",
    Autonomy.plan: "autonomy `approve` would ask a person about each plan that policy allows, and then start an agent",
    Autonomy.approve: "autonomy `pull_request` would start the agent without asking a person first",
    Autonomy.pull_request: "",
}
STATES = {
    IncidentState.open: "waits for its turn",
    IncidentState.handed_on: "is looked into",
    IncidentState.proposed: "has a pull request",
    IncidentState.merged: "its fix is live or on its way",
    IncidentState.declined: "a person said no",
    IncidentState.kept_off: "a person said to keep off",
    IncidentState.settled: "waits for a person",
    IncidentState.ended: "is over",
}
_MARKS = {Severity.warning: "⚠", Severity.critical: "✖"}


def render_tick(
    window: Window,
    watched: int,
    findings: Sequence[Finding],
    records: Sequence[IncidentRecord],
    handed_on: Sequence[str],
    unknown: Mapping[str, str],
    pictures: Sequence[str],
    autonomy: Autonomy,
) -> str:
    """Markdown for the artifact of a tick.

    Args:
        window: what was looked at.
        watched: number of watched services.
        findings: what the detector found.
        records: incidents as they stand after the tick.
        handed_on: work ids that were handed on at this tick.
        unknown: why a service could not be read, by its name.
        pictures: one for each affected service, ready to be shown.
        autonomy: of this tick.
    """
    affected = sorted({f.service for f in findings})
    parts = [
        f"# {_headline(len(affected), watched, len(unknown))}",
        f"*{window.start:%Y-%m-%d %H:%M:%S} to {window.end:%H:%M:%S} UTC*",
        _incidents(records, handed_on),
        _next(autonomy, handed_on),
        _findings(findings),
        *pictures,
        _unknown(unknown),
        _cost(records),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(affected: int, watched: int, unknown: int) -> str:
    if not affected:
        text = f"All {watched - unknown} services that were read are within their thresholds"
    else:
        text = f"{affected} of {watched} services in trouble"
    return text + (f", {unknown} not read" if unknown else "")


def _incidents(records: Sequence[IncidentRecord], handed_on: Sequence[str]) -> str:
    open_ = [r for r in records if r.state is not IncidentState.ended]
    if not open_:
        return ""
    head = (
        "| service | since | what is done | verdict | pull request | why |\n" + "| --- " * 6 + "|"
    )
    rows = [
        f"| {cell(r.service)} | {r.onset:%m-%d %H:%M} | {_done(r, handed_on)} "
        f"| {r.verdict or '–'} | {_link(r.pull_request)} | {cell(r.why) or '–'} |"
        for r in open_
    ]
    return "\n".join([head, *rows])


def _done(record: IncidentRecord, handed_on: Sequence[str]) -> str:
    if record.work_id in handed_on:
        return "**handed on now**"
    return "muted" if record.muted else STATES[record.state]


def _link(url: str | None) -> str:
    return f"[#{url.rpartition('/')[2]}]({url})" if url else "–"


def _next(autonomy: Autonomy, handed_on: Sequence[str]) -> str:
    more = NEXT_LEVEL[autonomy]
    return f"One level more: {more}." if more and handed_on else ""


def _findings(findings: Sequence[Finding]) -> str:
    ordered = sorted(findings, key=lambda f: (f.severity is not Severity.critical, f.service))
    return "\n".join(
        f"- {_MARKS[f.severity]} **{inline(f.service)}** {f.signal.value}: {inline(f.reason)}"
        for f in ordered
    )


def _unknown(unknown: Mapping[str, str]) -> str:
    if not unknown:
        return ""
    lines = [f"- {inline(name)}: {inline(why)}" for name, why in sorted(unknown.items())]
    return "\n".join(["**Not read** (neither sick nor healthy):", "", *lines])


def _cost(records: Sequence[IncidentRecord]) -> str:
    total = sum(record.cost for record in records)
    return f"Cost of the sessions so far: ${total:.2f}." if total else ""
