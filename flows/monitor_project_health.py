"""Looks at a slice of time of every service and hands on the ones that are really in trouble."""

from __future__ import annotations

import gc
from datetime import UTC, datetime

from prefect import State, flow

from autofix.models import Window
from autofix.parameters import (
    Autonomy,
    Caps,
    Mute,
    Rules,
    ServiceOverride,
    ServiceSelection,
    Thresholds,
    WindowParameters,
)
from tasks.detect import detect, remember_incidents
from tasks.handover import hand_to_context
from tasks.late import cancel_late_runs
from tasks.observe import observe_project
from tasks.options import whole
from tasks.report import conclude_tick, report_project, report_tick

# what is imported lives as long as the process: no collection need look at it again
gc.freeze()


@flow(
    name="monitor_project_health",
    flow_run_name="monitor the last {window.minutes:g} min",
    log_prints=True,
)
def monitor_project_health(
    window: WindowParameters = WindowParameters(),
    thresholds: Thresholds = Thresholds(),
    services: ServiceSelection = ServiceSelection(),
    overrides: list[ServiceOverride] | None = None,
    mutes: list[Mute] | None = None,
    autonomy: Autonomy = Autonomy.pull_request,
    caps: Caps = Caps(),
    force: bool = False,
    now: datetime | None = None,
) -> State[None]:
    """Observe, detect, report, and start one pull_service_context when there is something to do.

    Args:
        window: the slice of time that is judged.
        thresholds: levels per signal, and when they count.
        services: which services are watched.
        overrides: other thresholds for some services.
        mutes: what is known and not to be named until a date.
        autonomy: where a run stops: `report`, `plan` or `pull_request`.
        caps: limits of a run.
        force: start a new attempt for every affected service.
        now: end of the window; the present when empty.

    Returns:
        A completed state whose message says what was seen and handed on.
    """
    cancel_late_runs(datetime.now(UTC))
    span = Window.ending((now or datetime.now(UTC)).replace(microsecond=0), window.length)
    observation = observe_project(span, window.step, services)
    seen = whole(observation)
    rules = Rules(thresholds=thresholds, overrides=overrides or (), mutes=mutes or ())
    detection = detect(seen, rules)
    report_project(seen, detection, thresholds)
    due = remember_incidents(seen, detection, autonomy=autonomy, caps=caps, force=force)
    report_tick(seen, detection, due, autonomy)
    if due.incidents:
        hand_to_context(due, observation, detection.findings, autonomy=autonomy, caps=caps)
    return conclude_tick(observation, detection, due)


if __name__ == "__main__":
    monitor_project_health()
