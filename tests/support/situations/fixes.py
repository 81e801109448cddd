"""What goes on to a fix."""

from __future__ import annotations

from tests.support.situations.series import HEAD
from tests.support.situations.shop import (
    APP,
    TRACE,
    K,
    code,
    cron,
    failing,
    situation,
    traffic,
    waits_for_database,
)
from tests.support.situations.telemetry import World


@situation(
    "20 % 5xx with a traceback since the onset, days after a deployment",
    K.code_fix,
    "the evidence leads to app.py:10",
)
def a_traceback(world: World) -> None:
    failing(world)
    code(world)


@situation(
    "p95 3.4 s while its own CPU is calm; the database that it queries is at its limit",
    K.code_fix,
    "the evidence leads to app.py:",
)
def a_page_that_waits_for_its_database(world: World) -> None:
    waits_for_database(world)
    world.requested("shop-api", "/customers/{n}/orders", 200, 3_100, 0.3)


@situation(
    "memory rises through the night at level traffic, the limit is hours away", K.code_fix, "memory"
)
def a_leak_long_before_anything_fails(world: World) -> None:
    world.service(memory=lambda m: 0.12 + 0.27 * max(0.0, m + 480) / 480)
    code(world)
    traffic(world)


@situation("error lines of a worker 40 times as often as usual", K.code_fix, "log_errors")
def a_worker_that_fails(world: World) -> None:
    world.service(requests=None)
    code(world)
    world.says("shop-api", "job {n} done", 0.5)
    world.says(
        "shop-api", "ERROR job {n} failed: no such queue", 300, begin=-1_500, severity="error"
    )
    world.says("shop-api", TRACE, 0.25, begin=0, severity="error")


@situation(
    "the newest commit does not build; the one before it serves", K.code_fix, "build_failure"
)
def a_build_that_fails(world: World) -> None:
    world.service()
    code(world, app_py=APP + "def broken(:\n")
    traffic(world)
    failed = world.live("shop-api", 0, HEAD, id="dep-new", status="FAILED")
    world.deploys("shop-api", failed, world.live("shop-api"))
    world.logs["build dep-new"] = [
        {
            "timestamp": "2026-03-02T14:10:30Z",
            "message": "SyntaxError: invalid syntax",
            "severity": "error",
        }
    ]


@situation("two of three runs of a cron failed with a traceback", K.code_fix, "cron_failed")
def a_cron_that_fails(world: World) -> None:
    cron(world, ("EXITED", 0, 1), ("CRASHED", 10, 1), ("CRASHED", 20, 1))
    world.says("shop-api", TRACE, 10, begin=0.5, severity="error")
