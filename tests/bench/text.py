"""Redaction: how fast on what logs are made of, and whether a hostile line makes it slow."""

from __future__ import annotations

import json
import random
import resource
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from autofix.redact import redact, redactor
from tests.support.redaction.clean import make_clean
from tests.support.redaction.dirty import make_dirty, make_people

MEGABYTE = 1_000_000
RUNS = 3
HOSTILE = (
    "password=", "key=", "pin=", "a@a.", "://", "«", '\\"', "eyJ", "1.1.1.1 ", "Cookie: a=b; ", "a=b&",
    "?token=", "secret: |\n  ", '("password",', "token is ", "-----BEGIN RSA " + "PRIVATE KEY-----",
    "Bearer ", "x", "\x1b[", "\u200b", "ß", "'", "[", "{", "9", "curl -u ", "DE89 ", "\\n", "a.", "@", '"',
    "QUJD", "'\"`", ",;:|&=<>[](){}", "\x9d", "token|", "http://a:b@c ", "password=[a,",
)  # fmt: skip


def _lines(rng: random.Random, make: Callable[[random.Random], str]) -> str:
    """A megabyte of lines."""
    lines: list[str] = []
    size = 0
    while size < MEGABYTE:
        line = make(rng)
        lines.append(line)
        size += len(line) + 1
    return "\n".join(lines)


def _plain(rng: random.Random) -> str:
    return (
        f"2026-03-02T14:{rng.randrange(60):02}:00Z INFO GET /orders/{rng.randrange(9999)} 200 "
        f"{rng.randrange(900)} ms request={rng.getrandbits(64):016x}"
    )


def _logfmt(rng: random.Random) -> str:
    return (
        f"ts=2026-03-02T14:05:{rng.randrange(60):02}Z level=info caller=server.go:41 status=200 "
        f"method=GET path=/api/items/{rng.randrange(9999)} dur={rng.randrange(900)}ms code=ok "
        f"trace_id={rng.getrandbits(128):032x} key=item:{rng.randrange(99)} tokens={rng.randrange(99)}"
    )


def _json(rng: random.Random) -> str:
    entry = {
        "level": "error", "ts": 1772460311.1 + rng.random(), "msg": "request failed",
        "requestId": f"{rng.getrandbits(128):032x}", "status": 500, "error": "KeyError: 'price'",
        "stack": "Traceback\n  File \"/app/app.py\", line 41, in total\n    return x['price']",
    }  # fmt: skip
    return json.dumps(entry)


def _access(rng: random.Random) -> str:
    return (
        f'203.0.113.{rng.randrange(20, 250)} - - [02/Mar/2026:14:05:11 +0000] "GET /items/'
        f'{rng.randrange(9999)} HTTP/1.1" 200 {rng.randrange(99999)} "-" "Mozilla/5.0 Chrome/131.0.0.0"'
    )


def _inputs(rng: random.Random) -> dict[str, str]:
    clean = make_clean(rng)
    return {
        "plain log": _lines(rng, _plain),
        "logfmt": _lines(rng, _logfmt),
        "JSON log": _lines(rng, _json),
        "access log, an address a line": _lines(rng, _access),
        "lines that must stay": _lines(rng, lambda r: r.choice(clean)),
        "a secret in every line": _corpus(rng, _dirty),
        "the corpus, with what must stay": _corpus(rng, lambda r: [*_dirty(r), *make_clean(r)]),
    }


def _dirty(rng: random.Random) -> list[str]:
    return [line.text for line in (*make_dirty(rng), *make_people(rng))]


def _corpus(rng: random.Random, make: Callable[[random.Random], list[str]]) -> str:
    """A megabyte of the corpus, drawn anew as often as it takes: no secret comes twice."""
    lines: list[str] = []
    while sum(map(len, lines)) + len(lines) < MEGABYTE:
        lines += make(rng)
    rng.shuffle(lines)
    return "\n".join(lines)[:MEGABYTE]


def _seconds(run: Callable[[], object]) -> float:
    """CPU seconds of the fastest run: the others wait for neighbours."""
    times = []
    for _ in range(RUNS):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return min(times)


def main() -> None:
    """One row an input, as one text and line by line; then the slowest hostile lines."""
    rng = random.Random(7)
    door = redactor([f"{rng.getrandbits(128):032x}" for _ in range(8)])
    table = Table("redact", "MB/s", "MB/s line by line")
    for name, text in _inputs(rng).items():
        lines = text.split("\n")[:4000]
        share = sum(map(len, lines)) / MEGABYTE
        whole = len(text) / MEGABYTE / _seconds(lambda t=text: door(t))
        single = share / _seconds(lambda some=lines: [door(line) for line in some])
        table.add_row(name, f"{whole:.1f}", f"{single:.1f}")
    slow = sorted(
        ((_seconds(lambda u=unit: redact((u * 100_000)[:100_000])), unit) for unit in HOSTILE),
        reverse=True,
    )
    console = Console(highlight=False)
    console.print(table)
    worst = ", ".join(f"{unit!r} {1000 * seconds:.0f} ms" for seconds, unit in slow[:4])
    console.print(f"100 kB of one thing, the slowest of {len(HOSTILE)}: {worst}", markup=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    console.print(f"CPU time, fastest of {RUNS} runs; peak memory of the process {peak:.0f} MB")
