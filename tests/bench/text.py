"""Redaction and log templates: how fast, and whether a hostile line makes them slow."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from autofix.redact import redact

MEGABYTE = 1_000_000
RUNS = 5


def _log(rng: random.Random, size: int) -> str:
    lines = []
    while sum(map(len, lines)) < size:
        lines += [
            f"2026-03-02T14:{rng.randrange(60):02}:00Z INFO GET /orders/{rng.randrange(9999)} 200 "
            f"{rng.randrange(900)} ms request={rng.getrandbits(64):016x}"
            for _ in range(500)
        ]
    return "\n".join(lines)[:size]


def _median(run: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return sorted(times)[RUNS // 2]


def main() -> None:
    """One line an input; the ratio is to the ordinary log."""
    rng = random.Random(7)
    secrets = [f"{rng.getrandbits(128):032x}" for _ in range(8)]
    inputs = {
        "ordinary log": _log(rng, MEGABYTE),
        "one line of hex": f"{rng.getrandbits(4 * MEGABYTE):x}",
        "one line of 'password='": "password=" * (MEGABYTE // 9),
        "a@a.a without end": "a@a." * (MEGABYTE // 4),
    }
    table = Table("redact", "MB/s", "ratio")
    seconds = {name: _median(lambda t=text: redact(t, secrets)) for name, text in inputs.items()}
    for name, text in inputs.items():
        speed = len(text) / MEGABYTE / seconds[name]
        table.add_row(name, f"{speed:.1f}", f"{seconds[name] / seconds['ordinary log']:.2f}")
    console = Console(highlight=False)
    console.print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    console.print(f"median of {RUNS} runs; peak memory of the process {peak:.0f} MB")
