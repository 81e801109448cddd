"""What needs more of something, and what does not."""

from __future__ import annotations

from tests.support.situations.series import since, steady
from tests.support.situations.shop import (
    K,
    at_its_limit,
    code,
    queries_database,
    situation,
    traffic,
)
from tests.support.situations.telemetry import World


@situation("a volume 97 % full", K.raise_limit, "grow volume shop-db-data", service="shop-db")
def a_full_volume(world: World) -> None:
    world.service("shop-db", requests=None, source={"image": "postgres:16"})
    world.volume("shop-db", 970, 1_000)


@situation(
    "a volume of an API that fills by 45 MB an hour, 86 % full; nothing else suffers",
    K.raise_limit,
    "grow volume shop-api-data",
)
def a_volume_that_fills(world: World) -> None:
    world.service(disk=lambda minute: 0.845 + 0.045 * minute / 60)
    world.volume("shop-api", 860, 1_000)
    code(world)
    traffic(world)


@situation(
    "memory 95 % of its limit, level for hours; nothing suffers",
    K.raise_limit,
    "raise the memory limit of shop-api from 512 to",
)
def memory_that_hardly_fits(world: World) -> None:
    world.service(memory=steady(0.487, wave=0.004))
    code(world)
    traffic(world)


@situation(
    "ended at its memory limit four times, level in between, no traceback",
    K.raise_limit,
    "restarts at its limit and does not grow",
)
def a_working_set_above_its_limit(world: World) -> None:
    starts = (0.0, 2.0, 7.0, 11.0, 16.0)

    def memory(minute: float) -> float:
        since_start = min((minute - start for start in starts if minute >= start), default=99)
        return 0.3 if minute < 0 else 0.2 if since_start < 1 else 0.497

    world.service(memory=memory, failing=since(0.0, 0.06))
    code(world)
    traffic(world)
    world.restarts("shop-api", *starts[1:])


@situation(
    "ended at its memory limit, and memory rises from start to start",
    K.code_fix,
    "memory",
    misses=K.raise_limit,
)
def a_leak_that_is_ended(world: World) -> None:
    def memory(minute: float) -> float:
        return 0.3 + 0.205 * ((minute % 10) / 10)

    world.service(memory=memory, failing=since(0.0, 0.06))
    code(world)
    traffic(world)
    world.restarts("shop-api", 0, 9.9)
    world.requested("shop-api", "/orders/{n}", 502, 900, 0.8, begin=0)


def crowded(world: World, **fields: object) -> None:
    """2.6 times the usual traffic, CPU at its limit, slow."""
    defaults = {"requests": since(120, 320), "cpu": since(0.4, 0.985), "p95": since(120, 2_400)}
    world.service(**(defaults | fields))
    code(world)
    traffic(world, ms=1_300)


@situation(
    "2.6 times the usual traffic, CPU 98 %, p95 2.4 s, no errors of its own",
    K.scale_replicas,
    "replicas of shop-api",
)
def more_traffic_than_one_can_bear(world: World) -> None:
    crowded(world)


@situation("the same, and 12 % of the requests time out", K.scale_replicas, "replicas of shop-api")
def more_traffic_and_timeouts(world: World) -> None:
    crowded(world, failing=since(0.0, 0.12))
    world.requested("shop-api", "/orders/{n}", 504, 30_000, 0.6, begin=0)


@situation(
    "the same traffic and CPU, with a volume",
    K.raise_limit,
    "raise the CPU limit of shop-api",
    misses=K.scale_replicas,
)
def more_traffic_beside_a_volume(world: World) -> None:
    crowded(world)
    world.volume("shop-api", 100, 1_000)


@situation(
    "the same traffic and CPU, and the database that it queries is at its limit",
    K.code_fix,
    "latency",
    misses=K.scale_replicas,
)
def more_traffic_than_the_database_bears(world: World) -> None:
    crowded(world)
    at_its_limit(world)
    queries_database(world)
