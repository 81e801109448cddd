"""Looks again at merged fixes with the same detector, and keeps open ones until somebody decides."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import State, flow, unmapped

from autofix.parameters import (
    Mute,
    Rules,
    ServiceOverride,
    Thresholds,
    VerificationParameters,
    WindowParameters,
)
from tasks.detect import VariableIncidentStore
from tasks.late import cancel_late_runs
from tasks.observe import read_architecture
from tasks.options import SIDE_BY_SIDE, whole
from tasks.prune import prune_results
from tasks.report_verify import conclude_verification, report_history
from tasks.verify import ask_agent, find_fixes, tend_open, verify


@flow(
    name="verify_fix",
    flow_run_name="verify merged fixes",
    task_runner=SIDE_BY_SIDE,
    log_prints=True,
)
def verify_fix(
    window: WindowParameters = WindowParameters(),
    thresholds: Thresholds = Thresholds(),
    overrides: list[ServiceOverride] | None = None,
    mutes: list[Mute] | None = None,
    verification: VerificationParameters = VerificationParameters(),
    now: datetime | None = None,
) -> State[None]:
    """Each merged fix gets one outcome; each open one is kept or closed.

    Args:
        window: length of the windows that are compared.
        thresholds: levels per signal, as the monitor's.
        overrides: other thresholds for some services.
        mutes: what is known and not to be named until a date.
        verification: warm-up, least traffic, whether to roll back.
        now: the present when empty.

    Returns:
        A completed state whose message counts the outcomes.
    """
    cancel_late_runs(datetime.now(UTC))
    at = (now or datetime.now(UTC)).replace(microsecond=0)
    rules = Rules(thresholds=thresholds, overrides=overrides or (), mutes=mutes or ())
    architecture = read_architecture()
    fixes = find_fixes(whole(architecture))
    records = VariableIncidentStore().load()
    looks = verify.map(
        fixes.merged,
        unmapped(whole(architecture)),
        unmapped(window),
        unmapped(rules),
        unmapped(verification),
        unmapped(at),
    )
    tended = tend_open.map(fixes.open, unmapped(whole(records)), unmapped(at))
    asked = ask_agent.map(tended)
    looks.wait()
    asked.wait()
    verified = [look.result() for look in looks if look.state.is_completed()]
    report_history(records, fixes, verified)
    prune_results(at)
    for look in looks:
        look.result()
    for pull in tended:
        pull.result()
    for answer in asked:
        answer.result()
    return conclude_verification(verified, fixes)


if __name__ == "__main__":
    verify_fix()
