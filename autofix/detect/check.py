"""One tick by hand: read, judge, print, write. Starts nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autofix.detect.findings import judge_observation
from autofix.detect.output import rfc3339, write_json
from autofix.detect.parameters import CheckParameters
from autofix.errors import ConfigError, RailwayError
from autofix.models import Architecture, Finding, Service, ServiceKind, Window
from autofix.observe.baseline import read_baseline
from autofix.observe.observation import (
    Observation,
    describe_too_few,
    read_services,
    select,
)
from autofix.observe.railway import RailwayClient
from autofix.observe.summary import summarise
from autofix.parameters import Thresholds
from autofix.redact import redact_tree, redactor
from autofix.report import SignalRow, build_signal_rows
from autofix.settings import Settings

PLAIN_WIDTH = 130
"""Columns that the whole table needs, and that are assumed where there is no terminal."""
NARROW_COLUMNS = 6


@dataclass(frozen=True)
class Check:
    """What one look found, and what went wrong with it."""

    window: Window
    observation: Observation | None = None
    """None when Railway could not be read at all."""
    findings: tuple[Finding, ...] = ()
    trouble: str = ""
    """One line on why too little was read; empty when at least half of the services were."""
    note: str = ""
    """One line on what else a person should know; empty when there is nothing."""


def run_check(
    open_client: Callable[[], RailwayClient],
    parameters: CheckParameters,
    end: datetime,
    names: Sequence[str] = (),
    *,
    with_baseline: bool = False,
) -> Check:
    """Look at the window that ends at `end`.

    Args:
        open_client: gives the client that is read from; it is closed afterwards.
        parameters: window, thresholds and services.
        end: the tick.
        names: services that must exist; ConfigError otherwise.
        with_baseline: read each service's last day too, and judge by its own normal.
    """
    window, step = Window.ending(end, parameters.window.length), parameters.window.step
    try:
        with open_client() as client:
            architecture = client.fetch_architecture()
            _require(names, [s.name for s in architecture.services])
            services = select(architecture, parameters.services)
            observation = read_services(client, architecture, services, window, step)
            note = ""
            if with_baseline:
                observation, note = _add_baseline(client, architecture, observation)
    except RailwayError as error:
        return Check(window, trouble=str(error))
    findings = judge_observation(observation, parameters.rules)
    trouble = "" if observation.is_enough else describe_too_few(observation)
    return Check(window, observation, findings, trouble, note)


def _add_baseline(
    client: RailwayClient, architecture: Architecture, observation: Observation
) -> tuple[Observation, str]:
    """The observation with the day before, or a line on why it has none."""
    try:
        day = read_baseline(client, architecture, observation.selected, observation.window)
    except RailwayError as error:
        return observation, f"no baseline, judged by fixed levels alone: {error}"
    return replace(observation, baseline=day), ""


def build_result(check: Check) -> dict[str, Any]:
    """The result as `--json` writes it."""
    return {
        "now": rfc3339(check.window.end),
        "window_seconds": check.window.length.total_seconds(),
        "services": _states(check.observation, check.findings) if check.observation else [],
        "findings": [
            {
                "ts": rfc3339(f.ts),
                "service": f.service,
                "signal": f.signal.value,
                "severity": f.severity.value,
                "onset": rfc3339(f.onset),
                "reason": f.reason,
            }
            for f in check.findings
        ],
    }


def report_check(
    check: Check, thresholds: Thresholds, settings: Settings, json_file: Path | None
) -> tuple[str, str]:
    """Print the tables, write the file, and return trouble and note; everything redacted."""
    redact = redactor(settings)
    result = redact_tree(build_result(check), redact)
    if json_file is not None:
        write_json(json_file, result)
    if check.observation is not None:
        rows = build_signal_rows(
            check.observation.selected, summarise(check.observation), thresholds, check.findings
        )
        _print(rows, result)
    return redact(check.trouble), redact(check.note)


def _states(observation: Observation, findings: Sequence[Finding]) -> list[dict[str, str]]:
    reasons: dict[str, list[str]] = {}
    for finding in findings:
        reasons.setdefault(finding.service_id, []).append(finding.reason)
    states = []
    for s in observation.selected:
        if s.id in observation.unknown:
            state, reason = "unknown", observation.unknown[s.id]
        elif s.id in reasons:
            state, reason = "affected", "; ".join(reasons[s.id])
        else:
            state, reason = "healthy", _why_healthy(s)
        states.append({"service": s.name, "state": state, "reason": reason})
    return states


def _why_healthy(service: Service) -> str:
    if service.sleeping:
        return "sleeping"
    if service.kind is ServiceKind.cron:
        return "a cron: no run failed or was missed, as far as they were counted"
    return "within its thresholds"


def _print(rows: Sequence[SignalRow], result: dict[str, Any]) -> None:
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    table = Table(
        title=f"{result['window_seconds']:g} s until {result['now']}",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    # what decides comes first; a narrow terminal leaves out the rest
    titles = list(rows[0])[: None if console.width >= PLAIN_WIDTH else NARROW_COLUMNS]
    for title in titles:
        table.add_column(title, no_wrap=True)
    for row in rows:
        table.add_row(*(escape(row[title]) for title in titles))
    console.print(table)
    lines = ["{severity:<8} {service} {signal}: {reason}".format(**f) for f in result["findings"]]
    lines += [
        "unknown  {service}: {reason}".format(**s)
        for s in result["services"]
        if s["state"] == "unknown"
    ]
    for line in lines or ["No findings."]:
        console.print(escape(line), highlight=False, soft_wrap=True)


def _require(names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"--service {name}: no such service; there are {', '.join(known)}")
