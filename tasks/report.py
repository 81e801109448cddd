"""What people see of one tick: architecture, summaries, signals, findings, verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from prefect import State, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from autofix.detect.incidents import build_incident
from autofix.investigate.charts import build_charts
from autofix.investigate.render import render_verdicts
from autofix.models import ServiceContext
from autofix.observe.observation import Observation
from autofix.observe.summary import summarise
from autofix.parameters import Autonomy, Thresholds
from autofix.plan.picture import render_chart
from autofix.redact import redact_tree, redactor
from autofix.report import (
    build_signal_rows,
    render_architecture,
    render_context,
    render_findings,
    render_notes,
    render_signals,
    render_summary,
)
from autofix.settings import load_settings
from autofix.tick import render_tick
from tasks.artifacts import post_markdown
from tasks.detect import Detection, Due
from tasks.dispatch import Started, action_label, reason_label, tell_monitor, verdict_label
from tasks.guard import guarded
from tasks.options import OWN

PICTURES = 12
"""Affected services that get a picture in the report of one tick."""
SUMMARIES = 12
"""Services whose summary is an artifact of its own, the affected ones first; all are in one."""

_REASON = 400
"""Characters of a verdict's reason that the monitor remembers."""


@task(name="report project", task_run_name="report project", cache_policy=NO_CACHE, **OWN)
@guarded
def report_project(observation: Observation, detection: Detection, thresholds: Thresholds) -> None:
    """The architecture, a summary a service, and the table of services and signals."""
    summaries = {summary.service_id: summary for summary in summarise(observation)}
    affected = {finding.service_id for finding in detection.findings}
    post_markdown("architecture", render_architecture(observation.architecture), "What runs")
    services = sorted(observation.selected, key=lambda s: (s.id not in affected, s.name))
    texts = {s.name: render_summary(s, summaries[s.id]) for s in services}
    for name, text in list(texts.items())[:SUMMARIES]:
        post_markdown(f"summary-{name}", text, f"How {name} did over the window")
    post_markdown("summaries", "\n\n".join(texts.values()), "How every service did")
    rows = build_signal_rows(
        observation.selected, summaries.values(), thresholds, detection.findings
    )
    create_table_artifact(
        redact_tree(rows, redactor(load_settings())),
        key="signals",
        description="Services and signals, with levels",
    )
    findings = render_findings(detection.findings)
    notes = render_notes([*observation.notes, *_sampled(observation), *detection.notes])
    text = "\n\n".join([render_signals(rows, thresholds), findings, notes])
    post_markdown("findings", text, "Signals, thresholds and what was found")


@task(name="report tick", task_run_name="report tick", cache_policy=NO_CACHE, **OWN)
@guarded
def report_tick(
    observation: Observation, detection: Detection, due: Due, autonomy: Autonomy
) -> None:
    """One report of the tick: what was seen, what is done about it and why."""
    names = {service.id: service.name for service in observation.selected}
    text = render_tick(
        observation.window,
        len(observation.selected),
        detection.findings,
        due.records,
        [incident.work_id for incident in due.incidents],
        {names[s]: why for s, why in observation.unknown.items()},
        _pictures(observation, detection, due),
        autonomy,
    )
    post_markdown("tick", text, "What this tick saw, and what is done about it")


def _pictures(observation: Observation, detection: Detection, due: Due) -> list[str]:
    """The worst signal of each affected service."""
    found: list[str] = []
    for record in due.records[:PICTURES]:
        own = [f for f in detection.findings if f.service_id == record.service_id]
        if own:
            service = observation.architecture.service(record.service_id)
            incident = build_incident(record, service, own, observation.window)
            found += [
                render_chart(c, service.name) for c in build_charts(observation, incident)[:1]
            ]
    return found


def _sampled(observation: Observation) -> list[str]:
    names = {service.id: service.name for service in observation.selected}
    return [f"{names[service]}: {how}" for service, how in observation.sampled.items()]


@task(name="report contexts", task_run_name="report contexts", cache_policy=NO_CACHE, **OWN)
@guarded
def report_contexts(contexts: Sequence[ServiceContext], autonomy: Autonomy) -> None:
    """The verdict on each affected service with its evidence."""
    door = redactor(load_settings())
    for context in contexts:
        name = context.incident.service.name
        text = render_context(context, nonce="")
        post_markdown(f"context-{name}", text, f"Evidence and verdict: {name}")
    post_markdown("verdicts", render_verdicts(contexts, autonomy), "What each service calls for")
    tell_monitor(
        {verdict_label(c.incident.work_id): c.verdict.kind.value for c in contexts}
        | {
            action_label(c.incident.work_id): door(c.verdict.action)
            for c in contexts
            if c.verdict.action
        }
        | {reason_label(c.incident.work_id): door(c.verdict.reason)[:_REASON] for c in contexts},
    )


def conclude_tick(observation: Observation, detection: Detection, due: Due) -> State[None]:
    """How a tick ended, as the state's message: read, affected, unknown, handed on."""
    affected = {finding.service for finding in detection.findings}
    parts = [f"{len(affected)} of {len(observation.selected)} services affected"]
    if affected:
        parts[0] += f" ({', '.join(sorted(affected))})"
    if observation.unknown:
        parts.append(f"{len(observation.unknown)} unknown")
    handed_on = ", ".join(incident.service.name for incident in due.incidents)
    parts.append(f"handed on: {handed_on}" if handed_on else "nothing new to hand on")
    return Completed(message="; ".join(parts))


def conclude_contexts(
    contexts: Sequence[ServiceContext], started: Sequence[Started]
) -> State[None]:
    """How many services got which verdict and what was started or found, as the state's message."""
    counts = Counter(context.verdict.kind.value for context in contexts)
    parts = [", ".join(f"{n} {kind}" for kind, n in sorted(counts.items()))]
    parts += [f"started {run.name}" if run.new else f"{run.name} was there" for run in started]
    return Completed(message="; ".join(parts))
