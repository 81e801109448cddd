"""Use that hurts nobody, and requests for what is not there."""

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


@situation("CPU 84 % for the whole window, p95 120 ms, no errors", K.no_action, "only busy")
def busy_and_fine(world: World) -> None:
    world.service(cpu=since(0.5, 0.84))
    code(world)
    traffic(world)


@situation(
    "35 % of the requests 404, all for paths that never answered",
    K.no_action,
    "somebody asks for what is not there",
)
def scanners(world: World) -> None:
    world.service(refused=since(0.0, 0.35))
    code(world)
    traffic(world)
    for n, path in enumerate(("/wp-login.php", "/.env", "/phpmyadmin/index.php", "/cgi-bin/x")):
        world.requested("shop-api", path, 404, 5, 0.4, begin=0.1 * n)


@situation(
    "CPU of the database 95 %, and no service that queries it suffers",
    K.no_action,
    "no service that queries it suffers",
    service="shop-db",
)
def a_database_that_is_busy(world: World) -> None:
    at_its_limit(world, 0.96)
    world.service(cpu=steady(0.1))
    queries_database(world)


@situation("CPU 97 % and p95 2.6 s at the usual traffic", K.code_fix, "latency", misses=K.no_action)
def busy_and_slow(world: World) -> None:
    world.service(cpu=since(0.4, 0.97), p95=since(120, 2_600))
    code(world)
    traffic(world, ms=1_400)


@situation(
    "30 % of the requests 404, on a route that answers others",
    K.code_fix,
    "http_4xx",
    misses=K.no_action,
)
def refused_on_a_route_of_ours(world: World) -> None:
    world.service(refused=since(0.0, 0.3))
    code(world)
    traffic(world)
    world.requested("shop-api", "/orders/{n}", 404, 5, 0.3, begin=0)
