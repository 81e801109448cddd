"""What a situation is, the shop that most of them happen in, and where they are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autofix.models import VerdictKind
from tests.support.situations.series import HEAD, LIVE, OLD, at, since
from tests.support.situations.telemetry import World

K = VerdictKind
APP = '''"""Orders of the shop."""

from database import query


@app.get("/orders/{order_id}")
def get_order(order_id):
    """An order with its total."""
    order = ORDERS[order_id]
    return {**order, "total": order["net"] * (1 - DISCOUNTS[order["customer"]])}


@app.get("/customers/{customer_id}/orders")
def list_orders(customer_id):
    """The orders of a customer with their items."""
    orders = query("SELECT id FROM orders WHERE customer_id = ?", [customer_id])
    for order in orders:
        order["items"] = query("SELECT product FROM items WHERE order_id = ?", [order["id"]])
    return orders


@app.get("/quote")
def get_quote():
    """What paying costs; the provider says it."""
    return requests.get("https://api.stripe.com/v1/quotes", timeout=3).json()
'''
FIXED = APP.replace('DISCOUNTS[order["customer"]]', 'DISCOUNTS.get(order["customer"], 0)')
TRACE = (
    "Traceback (most recent call last):\n"
    '  File "/app/app.py", line 10, in get_order\n'
    '    return {**order, "total": order["net"] * (1 - DISCOUNTS[order["customer"]])}\n'
    "KeyError: {n}"
)


@dataclass(frozen=True)
class Situation:
    """One row of docs/verdicts.md."""

    name: str
    seen: str
    expected: VerdictKind
    because: str
    """Words that the reason or what is to be done must hold."""
    build: Callable[[World], None]
    misses: VerdictKind | None = None
    """The verdict that it only looks like."""
    service: str = "shop-api"


def situation(
    seen: str,
    expected: VerdictKind,
    because: str,
    misses: VerdictKind | None = None,
    service: str = "shop-api",
) -> Callable[[Callable[[World], None]], Situation]:
    """What a function that builds a world stands for; its name is the situation's."""

    def make(build: Callable[[World], None]) -> Situation:
        name = build.__name__.replace("_", " ")
        return Situation(name, seen, expected, because, build, misses, service)

    return make


def code(world: World, name: str = "shop-api", **later: str) -> None:
    """A repository with what serves, and with what came after it."""
    readme = {"README.md": "Run `pytest` here.\n", "requirements.txt": "stripe\nrequests\n"}
    world.forge.commit(f"acme/{name}", OLD, readme | {"app.py": "print('old')\n"}, "Begin")
    world.forge.commit(f"acme/{name}", LIVE, readme | {"app.py": APP}, "Add discounts")
    if later:
        changed = {path.replace("_py", ".py"): text for path, text in later.items()}
        world.forge.commit(f"acme/{name}", HEAD, readme | {"app.py": APP} | changed, "Go on")


def failing(world: World, share: float = 0.2, **service: object) -> None:
    """5xx since the onset, a traceback for each, and the requests in the log."""
    world.service(failing=since(0.0, share), **service)
    world.says("shop-api", TRACE, 0.5, begin=0, severity="error")
    traffic(world)
    world.requested("shop-api", "/orders/{n}", 500, 30, 0.5, begin=0)


def traffic(world: World, ms: float = 40) -> None:
    """Ordinary requests and their lines."""
    world.requested("shop-api", "/orders/{n}", 200, ms, 0.2)
    world.says("shop-api", "GET /orders/{n} 200", 0.2)


def queries_database(world: World) -> None:
    """A variable of shop-api refers to shop-db."""
    refers = {"name": "DATABASE_URL", "references": ["shop-db.DATABASE_URL"]}
    world.variables = [refers | {"serviceId": "svc-shop-api"}]


def at_its_limit(world: World, share: float = 0.99) -> None:
    """A database without CPU to spare."""
    image = {"image": "postgres:16"}
    world.service("shop-db", cpu=since(0.4, share), requests=None, source=image)


def waits_for_database(world: World) -> None:
    """Its own CPU is calm, it is slow, and what it queries is at its limit."""
    at_its_limit(world)
    world.service(p95=since(120, 3_400))
    queries_database(world)
    code(world)
    traffic(world, ms=1_900)


def cron(world: World, *runs: tuple[str, int, int | None]) -> None:
    """A cron that is due every ten minutes: status, minute of the hour, minutes that it took."""
    world.service(requests=None, cronSchedule="*/10 * * * *")
    code(world)
    world.says("shop-api", "counted {n} orders", 1)
    nodes = [
        {
            "status": status,
            "createdAt": at(begun - 10),
            "completedAt": None if took is None else at(begun - 10 + took),
        }
        for status, begun, took in runs
    ]
    world.runs["svc-shop-api"] = {"edges": [{"node": node} for node in nodes]}
