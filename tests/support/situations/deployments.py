"""Trouble since a deployment, and trouble that has nothing to do with one."""

from __future__ import annotations

from typing import Any

from tests.support.situations.series import LIVE, OLD, since, steady
from tests.support.situations.shop import TRACE, K, code, failing, situation, traffic
from tests.support.situations.telemetry import World


def deployed(world: World, minute: float = -3, commit: str = OLD, **settings: Any) -> None:
    """What serves was deployed shortly before the onset, and replaced another commit."""
    live = world.live("shop-api", minute, **meta_of(LIVE, **settings))
    past = {"id": "dep-older", "status": "REMOVED"}
    world.deploys("shop-api", live, world.live("shop-api", -4_000, **past, **meta_of(commit)))


def meta_of(commit: str, **settings: Any) -> dict[str, Any]:
    """What a deployment of shop-api was made of."""
    deploy = {"numReplicas": 1} | settings
    meta = {"repo": "acme/shop-api", "branch": "main", "commitHash": commit}
    return {"meta": meta | {"serviceManifest": {"deploy": deploy}}}


@situation(
    "0 → 20 % 5xx three minutes after a deployment; the one before served nearly 3 days",
    K.rollback,
    "roll back to commit aaaaaaaaaaaa",
)
def errors_since_a_deployment(world: World) -> None:
    failing(world)
    code(world)
    deployed(world)


@situation(
    "p95 120 → 800 ms three minutes after a deployment, below every fixed level",
    K.rollback,
    "roll back to commit aaaaaaaaaaaa",
)
def slower_since_a_deployment(world: World) -> None:
    world.service(p95=since(120, 800), requests=steady(240))
    code(world)
    traffic(world, ms=300)
    deployed(world)


@situation(
    "four restarts since a deployment two minutes before",
    K.rollback,
    "roll back to commit aaaaaaaaaaaa",
)
def restarts_since_a_deployment(world: World) -> None:
    world.service()
    code(world)
    traffic(world)
    deployed(world, -2)
    world.restarts("shop-api", 1, 5, 9, 13)


@situation(
    "0 → 20 % 5xx three minutes after one replica became three; the commit is the same",
    K.rollback,
    "set back numReplicas, or roll back to deployment dep-older",
)
def errors_since_a_change_of_settings(world: World) -> None:
    failing(world)
    code(world)
    deployed(world, commit=LIVE, numReplicas=3)


@situation(
    "20 % 5xx since the first deployment there ever was", K.code_fix, "http_5xx", misses=K.rollback
)
def errors_since_the_first_deployment(world: World) -> None:
    failing(world)
    code(world)
    world.deploys("shop-api", world.live("shop-api", -3))


@situation(
    "0 → 20 % 5xx three minutes after a redeploy of the same commit",
    K.code_fix,
    "http_5xx",
    misses=K.rollback,
)
def errors_since_a_redeploy(world: World) -> None:
    failing(world)
    code(world)
    deployed(world, commit=LIVE)


@situation(
    "20 % 5xx for days; a deployment three minutes before changed nothing",
    K.code_fix,
    "http_5xx",
    misses=K.rollback,
)
def errors_before_and_after_a_deployment(world: World) -> None:
    world.service(failing=steady(0.2))
    world.says("shop-api", TRACE, 0.5, severity="error")
    traffic(world)
    world.requested("shop-api", "/orders/{n}", 500, 30, 0.5)
    code(world)
    deployed(world)
