"""What cannot be decided, or not fixed from here, and what can."""

from __future__ import annotations

from tests.support.situations.series import since
from tests.support.situations.shop import (
    FIXED,
    K,
    code,
    cron,
    failing,
    situation,
    waits_for_database,
)
from tests.support.situations.telemetry import World


@situation(
    "20 % 5xx of the service in which this tool runs",
    K.insufficient_evidence,
    "one of this tool's own services",
)
def its_own_service(world: World) -> None:
    failing(world)
    code(world)
    world.settings = {"railway_service_id": "svc-shop-api"}


@situation(
    "20 % 5xx of a service that is deployed from an image",
    K.insufficient_evidence,
    "deployed from the image acme/shop:3",
)
def an_image(world: World) -> None:
    failing(world, source={"image": "acme/shop:3", "repo": None})
    for one in world.services:
        one["latestDeployment"] = one["activeDeployments"][0] = world.live(
            "shop-api", meta={"image": "acme/shop:3"}
        )
    world.history["svc-shop-api"] = [world.services[0]["latestDeployment"]]


@situation(
    "20 % 5xx of a service that `railway up` brought: no commit",
    K.insufficient_evidence,
    "was uploaded and has no commit",
)
def an_upload(world: World) -> None:
    failing(world)
    code(world)
    uploaded = world.live("shop-api", meta={"cliMessage": "a quick try"})
    world.deploys("shop-api", uploaded)


@situation(
    "20 % 5xx; the token cannot see the repository",
    K.insufficient_evidence,
    "acme/shop-api cannot be reached",
)
def a_repository_out_of_reach(world: World) -> None:
    failing(world)


@situation(
    "20 % 5xx; main has changed the failing line since",
    K.insufficient_evidence,
    "deploy it: shop-api at dddddddddddd",
)
def a_fault_that_the_head_has_changed(world: World) -> None:
    failing(world)
    code(world, app_py=FIXED)


@situation(
    "CPU of the database 99 %, and a service that queries it waits",
    K.insufficient_evidence,
    "shop-api (variable DATABASE_URL refers to it)",
    service="shop-db",
)
def a_database_and_its_caller(world: World) -> None:
    waits_for_database(world)


@situation(
    "nobody asks any more, and it says nothing of an error", K.insufficient_evidence, "its domain"
)
def nobody_asks(world: World) -> None:
    world.service(requests=since(120, 0.0, onset=-16))
    code(world)
    world.says("shop-api", "tick {n}", 1)


@situation(
    "20 % 5xx; neither its log nor its requests can be read",
    K.insufficient_evidence,
    "neither its log nor its requests could be read",
)
def nothing_can_be_read(world: World) -> None:
    failing(world)
    code(world)
    world.broken = {"DeploymentLog", "HttpLog"}


@situation(
    "20 % 5xx; its log cannot be read, its requests can",
    K.code_fix,
    "http_5xx",
    misses=K.insufficient_evidence,
)
def its_log_cannot_be_read(world: World) -> None:
    failing(world)
    code(world)
    world.broken = {"DeploymentLog"}


@situation(
    "a cron left out every other run: each takes 12 of 10 minutes, and ends well",
    K.insufficient_evidence,
    "a schedule with more time between two runs",
)
def a_cron_that_takes_too_long(world: World) -> None:
    cron(world, *(("EXITED", begun, 12) for begun in (-40, -20, 0)), ("RUNNING", 20, None))


@situation(
    "a cron left out runs: the one that began 40 minutes ago still runs, others took one",
    K.code_fix,
    "cron_failed",
    misses=K.insufficient_evidence,
)
def a_cron_that_hangs(world: World) -> None:
    cron(world, *(("EXITED", begun, 1) for begun in (-40, -30, -20)), ("RUNNING", -10, None))


@situation(
    "20 % 5xx; main has changed another file since",
    K.code_fix,
    "http_5xx",
    misses=K.insufficient_evidence,
)
def a_head_that_changed_something_else(world: World) -> None:
    failing(world)
    code(world, other_py="x = 1\n")
