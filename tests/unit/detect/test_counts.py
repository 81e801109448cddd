from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from autofix.models import Deployment, ServiceKind
from tests.unit.detect.histories import END, ago, find, names, rows, web, worker

DAY = ago(12)


def test_error_lines_are_judged_against_their_own_normal() -> None:
    """Ten times as many as usual, all through the window; a service that always logs them is quiet."""
    lines = np.where(DAY >= -40, 4.0, (DAY % 3 == 0) * 1.0)
    (finding,) = find(worker(DAY, LOG_ERRORS=lines), ServiceKind.worker)
    assert (finding.signal, finding.severity, finding.pattern) == ("log_errors", "warning", "step")
    assert finding.baseline == pytest.approx(20, rel=0.1)
    assert abs(finding.onset - (END - timedelta(minutes=40))) <= timedelta(minutes=5)
    assert finding.reason.startswith("error lines 240 an hour over 30 min (threshold 80 an hour)")
    assert find(worker(DAY, LOG_ERRORS=4.0), ServiceKind.worker) == ()


def test_one_stack_trace_is_quiet() -> None:
    """Many lines at one moment."""
    lines = np.where(DAY == -10, 200.0, 0.0)
    assert find(worker(DAY, LOG_ERRORS=lines), ServiceKind.worker) == ()


def test_error_lines_without_a_baseline_say_nothing() -> None:
    """Plain output on stderr counts as errors."""
    assert find(worker(ago(0.5), LOG_ERRORS=50.0), ServiceKind.worker, history=False) == ()


def test_a_service_with_requests_is_judged_by_them() -> None:
    """Its log says less than its answers."""
    assert find(web(DAY, LOG_ERRORS=np.where(DAY >= -40, 9.0, 0.0))) == ()


# ------------------------------------------------------------------ crons


def _cron(
    begun: list[float], failed: list[float] = (), **fields: Any
) -> list[tuple[str, float, str]]:  # type: ignore[assignment]
    t = ago(0.5, step=30)
    counts = {
        name: np.isin(t, list(at)).astype(float)
        for name, at in (("CRON_RUNS", begun), ("CRON_FAILED", failed))
    }
    found = find(
        rows(t, **counts),
        ServiceKind.cron,
        cron_schedule=fields.pop("schedule", "*/10 * * * *"),
        **fields,
    )
    return [(f.signal.value, f.value, f.reason) for f in found]


def test_a_cron_that_runs_is_quiet() -> None:
    """Each run began, some a little late, and none failed."""
    assert _cron([-30, -18, -9]) == []


def test_failed_runs_are_counted() -> None:
    """With the time of the first."""
    ((signal, value, reason),) = _cron([-30, -20, -10], failed=[-19, -9])
    assert (signal, value) == ("cron_failed", 2)
    assert reason == "2 runs failed over 30 min (threshold 1), since 14:11 UTC"


def test_runs_that_never_began_are_counted() -> None:
    """They were due, and one began."""
    ((signal, value, reason),) = _cron([-30])
    assert (signal, value) == ("cron_failed", 2)
    assert "2 runs never began over 30 min" in reason
    assert "since 14:10 UTC" in reason


def test_a_run_that_is_due_just_now_may_be_late() -> None:
    """Railway starts runs some minutes late."""
    assert _cron([-30], schedule="28 14 * * *") == []
    assert _cron([], schedule="0 3 * * *") == []


def test_runs_that_nobody_counted_are_not_missed() -> None:
    """No row is not zero, and before it was deployed nothing was due."""
    t = ago(0.5)
    nothing = find(rows(t, CPU_USAGE=0.1), ServiceKind.cron, cron_schedule="*/5 * * * *")
    assert nothing == ()
    fresh = Deployment(
        id="d", service_id="s1", status="SUCCESS", created_at=END - timedelta(minutes=5)
    )
    assert _cron([], deployment=fresh) == []


def test_a_schedule_that_nobody_understands_is_not_judged() -> None:
    """Nothing is made of nonsense."""
    assert _cron([], schedule="every now and then") == []


# ------------------------------------------------------------------ builds


def _deployment(name: str, minutes: float, status: str) -> Deployment:
    at = END - timedelta(minutes=minutes)
    return Deployment(id=name, service_id="s1", status=status, created_at=at, commit=name * 20)


def test_a_build_that_failed_is_found_until_one_succeeds() -> None:
    """The newest that ended counts; what is being built has not."""
    live = _deployment("aa", 600, "SUCCESS")
    failed, later = _deployment("bb", 50, "FAILED"), _deployment("cc", 20, "SUCCESS")
    building = _deployment("dd", 1, "BUILDING")
    samples = web(ago(0.5))
    (finding,) = find(samples, deployments=[building, failed, live], deployment=live)
    assert names((finding,)) == [("build_failure", "counted")]
    assert (finding.severity, finding.onset) == ("warning", failed.created_at)
    assert finding.reason == (
        "deployment bbbbbbb failed, the one before it serves, since 13:40 UTC"
    )
    assert find(samples, deployments=[later, failed, live], deployment=later) == ()


def test_an_old_failure_is_no_news() -> None:
    """Two days ago, and nobody minded."""
    live, failed = _deployment("aa", 9000, "SUCCESS"), _deployment("bb", 2 * 1440, "FAILED")
    assert find(web(ago(0.5)), deployments=[failed, live], deployment=live) == ()
