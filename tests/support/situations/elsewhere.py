"""Providers and the platform in trouble, and what only looks like it."""

from __future__ import annotations

from tests.support.situations.series import LIVE, since
from tests.support.situations.shop import APP, K, code, failing, situation, traffic
from tests.support.situations.telemetry import World

CHARGE = "ERROR charge {n} failed: POST https://api.stripe.com/v1/charges: 503 Service Unavailable"
INCIDENT = {
    "name": "Elevated errors on charges",
    "status": "investigating",
    "created_at": "2026-03-02T14:05:00Z",
}
OVER = INCIDENT | {"status": "resolved", "resolved_at": "2026-03-02T14:20:00Z"}


def charging(world: World) -> None:
    """Our errors name the provider's host."""
    world.service(failing=since(0.0, 0.4))
    code(world)
    traffic(world)
    world.says("shop-api", CHARGE, 0.3, begin=0, severity="error")
    world.requested("shop-api", "/charges/{n}", 502, 3_000, 0.4, begin=0)


@situation(
    "40 % 5xx; the errors name api.stripe.com, whose page has an unresolved incident",
    K.wait_upstream,
    "Stripe has an unresolved incident",
)
def a_provider_that_is_down(world: World) -> None:
    charging(world)
    world.pages["stripestatus"] = {"incidents": [INCIDENT]}


@situation(
    "the same, and the code that calls the provider names no timeout",
    K.wait_upstream,
    "names no timeout",
)
def a_provider_that_is_down_and_waited_for(world: World) -> None:
    charging(world)
    world.pages["stripestatus"] = {"incidents": [INCIDENT]}
    bare = APP.replace(", timeout=3", "")
    world.forge.commit("acme/shop-api", LIVE, {"requirements.txt": "stripe\n", "app.py": bare}, "x")


@situation(
    "40 % 5xx; look-ups of api.openai.com fail, and OpenAI has an incident",
    K.wait_upstream,
    "failed look-ups of api.openai.com",
)
def a_provider_that_cannot_be_found(world: World) -> None:
    world.service(failing=since(0.0, 0.4))
    code(world)
    traffic(world)
    world.says("shop-api", "ERROR no answer {n}", 0.5, begin=0, severity="error")
    world.requested("shop-api", "/answers/{n}", 502, 2_000, 0.4, begin=0)
    world.lookups["svc-shop-api"] = [
        {"queriedAt": f"2026-03-02T14:{m}:00Z", "qname": "api.openai.com", "qtype": "A", "rcode": "SERVFAIL", "queryZone": "external"}
        for m in range(11, 19)
    ]  # fmt: skip
    world.pages["openai"] = {"incidents": [INCIDENT]}


@situation(
    "5xx of three services at once, and Railway says that its network is degraded",
    K.wait_upstream,
    "Railway says",
)
def the_platform_is_in_trouble(world: World) -> None:
    failing(world)
    code(world)
    for name in ("cart-api", "mail-api"):
        world.service(name, failing=since(0.0, 0.3))
    incident = {"message": "networking is degraded", "status": "IDENTIFIED"}
    world.platform = {"isStable": False, "incident": incident}


@situation(
    "the same errors, and the provider's page says that all is well",
    K.code_fix,
    "http_5xx",
    misses=K.wait_upstream,
)
def a_provider_that_says_it_is_fine(world: World) -> None:
    charging(world)


@situation(
    "the same errors, and the provider's page answers 500",
    K.code_fix,
    "http_5xx",
    misses=K.wait_upstream,
)
def a_provider_whose_page_fails(world: World) -> None:
    charging(world)
    world.pages["stripestatus"] = 500


@situation(
    "the same errors, and the provider's incident is resolved",
    K.code_fix,
    "http_5xx",
    misses=K.wait_upstream,
)
def a_provider_whose_incident_is_over(world: World) -> None:
    charging(world)
    world.pages["stripestatus"] = {"incidents": [OVER]}


@situation(
    "tracebacks of our own; a provider in requirements.txt has an incident that none of them names",
    K.code_fix,
    "http_5xx",
    misses=K.wait_upstream,
)
def a_provider_that_has_nothing_to_do_with_it(world: World) -> None:
    failing(world)
    code(world)
    world.pages["stripestatus"] = {"incidents": [INCIDENT]}
