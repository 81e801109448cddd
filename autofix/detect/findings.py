"""Breaches to findings: a pure function of samples, rules and the window.

Hysteresis comes from looking back over the same samples and never from memory between ticks, so
that a check by hand, a replay and the monitor say the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from autofix.detect.counts import judge_crons, judge_log_errors
from autofix.detect.deploys import find_deployment, judge_builds
from autofix.detect.explain import explain
from autofix.detect.grid import build_recording, moment, nanoseconds
from autofix.detect.hits import Hit, Judge
from autofix.detect.latency import judge_latency
from autofix.detect.rates import judge_4xx, judge_5xx
from autofix.detect.restarts import judge_restarts
from autofix.detect.silence import judge_silence
from autofix.detect.trend import judge_trends
from autofix.detect.use import judge_disk, judge_use
from autofix.detect.view import View, Viewer, group_deployments
from autofix.models import Deployment, Finding, Service, Severity, Signal, Window
from autofix.observe.observation import Observation
from autofix.parameters import Rules

_JUDGES: tuple[Judge, ...] = (
    judge_5xx,
    judge_4xx,
    judge_latency,
    judge_restarts,
    judge_trends,
    judge_disk,
    judge_silence,
    judge_log_errors,
    judge_crons,
    judge_builds,
)
_ORDER = list(Signal)


def find_findings(
    samples: pd.DataFrame,
    services: Iterable[Service],
    window: Window,
    rules: Rules,
    *,
    baseline: pd.DataFrame | None = None,
    deployments: Sequence[Deployment] = (),
    counted: Collection[str] = (),
) -> tuple[Finding, ...]:
    """What is in trouble over the window and not muted, by service name and signal.

    Args:
        samples: columns ts, service, measurement, value; any order, gaps and duplicates allowed.
            Nothing after the window is read; what is before it counts as history.
        services: the ones that are judged.
        window: the slice of time; its end is the tick.
        rules: thresholds for all and for some services, and what is muted.
        baseline: the same columns for the time before the window, at a step of its own; None when
            it is not known what is normal, and fixed levels decide.
        deployments: recent ones, to be named when one precedes a trouble.
        counted: ids of services all of whose requests were counted: without a row there were none.
    """
    chosen = tuple(services)
    frames = [samples]
    if baseline is not None:
        frames.append(baseline[baseline["ts"] < window.start])
    recording = build_recording(
        pd.concat(frames, ignore_index=True) if len(frames) > 1 else samples,
        [service.id for service in chosen],
    )
    viewer = Viewer(
        recording=recording.between(0, nanoseconds(window.end)),
        services=chosen,
        rules=rules,
        length=window.length,
        has_baseline=baseline is not None,
        deployments=group_deployments(deployments),
        counted=frozenset(counted),
    )
    return tuple(judged.finding for judged in judge(viewer.at(window.end), rules))


def judge_observation(observation: Observation, rules: Rules) -> tuple[Finding, ...]:
    """The findings of what was observed; a service that could not be read is not judged."""
    known = [s for s in observation.selected if s.id not in observation.unknown]
    return find_findings(
        observation.samples,
        known,
        observation.window,
        rules,
        baseline=observation.baseline,
        deployments=observation.architecture.deployments,
        counted=[s.id for s in known if s.domains and s.id not in observation.sampled],
    )


@dataclass(frozen=True)
class Judged:
    """A finding, and whether something is wrong; high use that nothing suffers from is not."""

    finding: Finding
    suffers: bool


def judge(view: View, rules: Rules) -> tuple[Judged, ...]:
    """What is found at one tick."""
    hits = [hit for judge_signal in _JUDGES for hit in judge_signal(view)]
    hits += judge_use(view, hits)
    found = [
        Judged(_finding(view, hit), hit.suffers)
        for hit in _one_a_signal(hits)
        if rules.mute_of(view.services[hit.row].name, hit.signal, view.window.end) is None
    ]
    return tuple(sorted(found, key=_place))


def _place(judged: Judged) -> tuple[str, str, int]:
    finding = judged.finding
    return finding.service, finding.service_id, _ORDER.index(finding.signal)


def _one_a_signal(hits: Iterable[Hit]) -> Iterable[Hit]:
    """Of several hits on one signal of one service the worst, and of these the first."""
    best: dict[tuple[int, Signal], Hit] = {}
    for hit in hits:
        known = best.get((hit.row, hit.signal))
        if known is None or _rank(hit) < _rank(known):
            best[hit.row, hit.signal] = hit
    return best.values()


def _rank(hit: Hit) -> tuple[bool, bool]:
    return not hit.suffers, hit.severity is not Severity.critical


def _finding(view: View, hit: Hit) -> Finding:
    service, now = view.services[hit.row], view.window.end
    onset = min(moment(hit.onset), now)
    deployment = None
    if hit.signal is not Signal.build_failure:
        deployment = find_deployment(view.deployments.get(service.id, ()), onset, now)
    return Finding(
        ts=now,
        service_id=service.id,
        service=service.name,
        signal=hit.signal,
        severity=hit.severity,
        onset=onset,
        value=hit.value,
        threshold=hit.threshold,
        unit=hit.unit,
        reason=explain(hit, onset, view.window, deployment),
        pattern=hit.pattern,
        baseline=hit.baseline,
        hours_left=hit.hours_left,
        deployment_id=deployment.id if deployment else None,
    )
