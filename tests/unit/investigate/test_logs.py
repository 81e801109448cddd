from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from autofix.investigate.logs import (
    LineKind,
    build_entries,
    build_templates,
    mask,
    render_errors,
    render_others,
    render_platform,
)
from autofix.observe.wire import LogLine

START = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
TRACEBACK = """Traceback (most recent call last):
  File "/app/app.py", line 88, in do_GET
    self.respond(build_invoice(customer))
  File "/app/app.py", line 41, in build_invoice
    rate = TAX[customer]
           ~~~^^^^^^^^^^
KeyError: 'c-{n}'"""


def log(
    *messages: str, severity: str = "info", at: float = 0.0, gap: float = 0.001
) -> list[LogLine]:
    return [
        LogLine(at=START + timedelta(seconds=at + i * gap), message=m, severity=severity)
        for i, m in enumerate(messages)
    ]


def traceback(n: int, at: float) -> list[LogLine]:
    return log(*TRACEBACK.format(n=n).split("\n"), severity="error", at=at)


def test_a_traceback_is_one_message_and_kept_whole() -> None:
    """Its lines come one by one; they are counted and shown together."""
    lines = traceback(1, 1) + traceback(2, 5) + log("GET /invoices/1 500", at=1.0005)
    (template,) = [t for t in build_templates(build_entries(lines)) if t.kind is LineKind.error]
    assert template.count == 2
    assert template.last.text == TRACEBACK.format(n=2)
    shown = render_errors([template])
    assert shown.startswith("×2 from 14:00:01 to 14:00:05\nTraceback (most recent call last):")
    assert shown.endswith("KeyError: 'c-2'")


def test_two_tracebacks_in_a_row_are_two() -> None:
    """A traceback ends with its exception; what follows is another message."""
    entries = build_entries(
        traceback(1, 1) + traceback(2, 1.1) + log("cannot reach db", severity="error", at=1.2)
    )
    assert [e.text.split("\n")[-1] for e in entries] == [
        "KeyError: 'c-1'",
        "KeyError: 'c-2'",
        "cannot reach db",
    ]


def test_chained_exceptions_stay_together() -> None:
    """What an exception was raised from belongs to it."""
    chain = [
        *TRACEBACK.format(n=1).split("\n"),
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        *TRACEBACK.format(n=2).split("\n"),
        "unrelated",
    ]
    entries = build_entries(log(*chain, severity="error"))
    assert len(entries) == 2
    assert entries[0].text.count("KeyError") == 2
    assert entries[1].text == "unrelated"


def test_stack_of_another_language_stays_with_its_error() -> None:
    """Indented lines continue the line before them."""
    lines = ["TypeError: x is not a function", "    at handler (/app/a.js:3:7)", "    at next"]
    (entry,) = build_entries(log(*lines, severity="error"))
    assert entry.text == "\n".join(lines)


def test_a_number_that_grows_is_seen() -> None:
    """The first and the last line of a shape are shown with all their values."""
    lines = log(*[f"retained={n} views, {n / 8:.1f} MB" for n in range(20, 640, 20)], gap=1)
    shown = render_others(build_templates(build_entries(lines)))
    assert "retained=20 views, 2.5 MB" in shown
    assert "retained=620 views, 77.5 MB" in shown


def test_measurements_come_before_chatter() -> None:
    """A rare line with numbers and names outranks a thousand plain ones."""
    chatter = [f"hello from {word}" for word in "abcdefghijklmnop"] * 5
    lines = log("page=orders customer=12 queries=41 db_ms=1790", *chatter)
    shown = render_others(build_templates(build_entries(lines)), limit=3)
    assert shown.split("\n")[1] == "page=orders customer=12 queries=41 db_ms=1790"
    assert "more shapes" in shown


def test_platform_lines_stand_apart() -> None:
    """What the platform did is not lost among what the service said."""
    lines = log("Container killed: memory limit exceeded", "GET / 200", "Container restarted")
    templates = build_templates(build_entries(lines))
    shown = render_platform(templates)
    assert "memory limit exceeded" in shown
    assert "Container restarted" in shown
    assert "GET" not in shown


def test_fields_of_a_structured_line_are_part_of_it() -> None:
    """A JSON line arrives as a message and fields; the values are JSON-encoded."""
    line = LogLine.model_validate(
        {
            "timestamp": "2026-03-02T14:00:00Z",
            "message": "page served",
            "severity": "info",
            "attributes": [
                {"key": "level", "value": '"info"'},
                {"key": "page", "value": '"orders"'},
            ],
        }
    )
    (entry,) = build_entries([line])
    assert entry.text == "page served page=orders"


@given(st.text(max_size=200))
def test_masking_is_idempotent(text: str) -> None:
    """A masked text has nothing left to mask."""
    assert mask(mask(text)) == mask(text)


def test_a_hostile_line_is_cut() -> None:
    """A line of a megabyte costs no more than a long one."""
    (entry,) = build_entries(log("1a" * 500_000))
    assert len(entry.text) <= 2_000
