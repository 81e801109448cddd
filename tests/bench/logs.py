"""A million log lines to a prompt: how fast, in how much memory, and whether what decides is in it.

``python -m tests.bench.logs`` fails when memory is not bounded or a planted line is lost.
"""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table

from autofix.investigate.budget import Block, Draft, fit
from autofix.investigate.logs import LineKind, build_entries
from autofix.investigate.sources.logs import render_template
from autofix.investigate.templates import Coverage, build_templates
from autofix.models import (
    Incident,
    Service,
    ServiceContext,
    ServiceKind,
    ServiceSummary,
    Verdict,
    VerdictKind,
    Window,
)
from autofix.observe.wire import LogLine
from autofix.plan.prompt import FIXED_TOKENS, render_prompt
from autofix.tokens import estimate_tokens

LINES = 1_000_000
MORE_MB = 60
"""Memory that a million lines may take beyond that of ten thousand."""
CAP = 12_000
START = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
LENGTH = timedelta(minutes=30)
ONSET = START + LENGTH / 2
PLANTED = (
    "Traceback (most recent call last):",
    '  File "/app/orders.py", line 88, in load_orders',
    "    rate = RATES[order.region]",
    "KeyError: 'atlantis'",
)
DECISIVE = "KeyError: 'atlantis'"
Say = Callable[[int, random.Random], str]


def ordinary(n: int, rng: random.Random) -> str:
    """A few shapes with many values."""
    return (
        f"GET /orders/{rng.randrange(10**6)} 200 {rng.randrange(900)} ms request={rng.getrandbits(64):016x}"
        if n % 5
        else f"cache {rng.randrange(99)} % full after {rng.randrange(9)} s"
    )


def shapeless(n: int, rng: random.Random) -> str:
    """Nearly each line has a shape of its own."""
    word = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=9))
    return f"{word} handled {word[::-1]} for {word[2:6]} in {n} ms"


def read(lines: int, say: Say) -> Iterator[LogLine]:
    """Lines one by one, a tenth of them errors, a traceback once after the onset."""
    rng = random.Random(7)
    planted = lines * 3 // 5
    for n in range(lines):
        at = START + LENGTH * n / lines
        if n == planted:
            for i, text in enumerate(PLANTED):
                yield _line(at + timedelta(microseconds=i), text, "error")
        yield _line(at, say(n, rng), "error" if n % 10 == 0 else "info")


def _line(at: datetime, message: str, severity: str) -> LogLine:
    return LogLine.model_construct(
        at=at, message=message, severity=severity, attributes=[], tags=None
    )


def reduce(lines: int, say: Say) -> str:
    """The prompt that comes of the lines."""
    half = LENGTH.total_seconds() / 2
    coverage = dict.fromkeys(LineKind, Coverage(half, half))
    templates = build_templates(build_entries(read(lines, say)), ONSET, coverage)
    drafts = [
        Draft(
            "deployment log",
            kind.value,
            tuple(Block(render_template(templates, t), t.count) for t in templates.of(kind)[:60]),
            START,
            START + LENGTH,
            floor=3,
        )
        for kind in LineKind
    ]
    return _prompt(fit(drafts, lambda text: text))


def _prompt(evidence: tuple) -> str:
    window = Window(start=START, end=START + LENGTH)
    service = Service(id="s", name="orders-web", kind=ServiceKind.web, repository="acme/orders-web")
    incident = Incident(
        fingerprint="0123456789", environment_id="e", service=service, findings=(), onset=ONSET,
        deployed_commit=None, window=window,
    )  # fmt: skip
    context = ServiceContext(
        incident=incident,
        summary=ServiceSummary(service_id="s", window=window),
        evidence=evidence,
        verdict=Verdict(kind=VerdictKind.code_fix, reason=""),
    )
    return render_prompt("acme/orders-web", "", [context], nonce="f00d", max_tokens=CAP)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    """One line a kind of log; the ratio is to the time of merely making the lines."""
    table = Table("lines", "log", "lines/s", "ratio", "peak MB", "prompt tokens")
    for say in (ordinary, shapeless):
        for lines in (10_000, LINES):
            begin = time.perf_counter()
            for _ in read(lines, say):
                pass
            made = time.perf_counter() - begin
            begin = time.perf_counter()
            prompt = reduce(lines, say)
            took = time.perf_counter() - begin - made
            tokens = FIXED_TOKENS + estimate_tokens(prompt)
            assert DECISIVE in prompt, f"the planted line is lost among {lines:,} lines"
            assert tokens <= CAP, tokens
            if lines < LINES:
                small = _peak_mb()
            else:
                assert _peak_mb() <= small + MORE_MB, f"{_peak_mb():.0f} MB after {small:.0f} MB"
            table.add_row(
                f"{lines:,}", say.__name__, f"{lines / took:,.0f}", f"{took / made:.1f}",
                f"{_peak_mb():.0f}", f"{tokens:,}",
            )  # fmt: skip
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
