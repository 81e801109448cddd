"""All checks in order, and how they are told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autofix.doctor.agent import check_agent, check_planner
from autofix.doctor.checks import Check, guarded
from autofix.doctor.forge import ProbeClient, check_forge
from autofix.doctor.prefect import check_prefect
from autofix.doctor.railway import check_railway
from autofix.doctor.storage import check_storage
from autofix.models import Architecture
from autofix.observe.railway import RailwayClient
from autofix.settings import Settings

WIDTH = 130


def examine(
    settings: Settings, environment: Mapping[str, str], now: datetime, *, ask_models: bool
) -> list[Check]:
    """Every setting against its real other side; nothing is changed anywhere.

    Args:
        settings: what the product reads.
        environment: Prefect's own variables.
        now: by this machine's clock.
        ask_models: let both models answer one word.
    """
    checks, architecture = check_railway(settings, lambda: RailwayClient(settings), now)
    checks += check_repositories(settings, architecture)
    checks += check_planner(settings, ask=ask_models)
    checks += check_agent(settings, ask=ask_models)
    checks += check_prefect(environment, now)
    checks += check_storage(environment)
    return checks


def render_json(checks: Sequence[Check]) -> str:
    """The checks as `--json` prints them."""
    content = {
        "ok": all(check.ok for check in checks),
        "checks": [check.model_dump() for check in checks],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def print_table(checks: Sequence[Check], console: Console) -> None:
    """A line a check, and below what to do."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("", "what", "seen"):
        table.add_column(title, overflow="fold")
    for check in checks:
        mark = "[green]✔[/green]" if check.ok else "[red]✘[/red]"
        table.add_row(mark, escape(check.name), escape(check.detail))
    console.print(table)
    wrong = [check for check in checks if not check.ok]
    for check in wrong:
        console.print(f"[red]✘[/red] {escape(check.name)}: {escape(check.todo)}", soft_wrap=True)
    if not wrong:
        console.print("Everything is as it should be.")


def check_repositories(settings: Settings, architecture: Architecture | None) -> Iterator[Check]:
    """What the GitHub token may do in the repositories of the watched services."""
    services = architecture.services if architecture else ()
    repositories = [s.repository for s in services if s.repository]
    todo = "put a GitHub token into GITHUB_TOKEN"

    def look() -> list[Check]:
        with ProbeClient(settings) as client:
            return check_forge(client, repositories)

    return guarded("GitHub", todo, look)
