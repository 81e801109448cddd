from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autofix.investigate.logs import BLOCK_LINES, Entry, LineKind, build_entries
from autofix.observe.wire import LogLine

START = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
PYTHON = """Traceback (most recent call last):
  File "/app/app.py", line 88, in do_GET
    self.respond(build_invoice(customer))
  File "/app/app.py", line 41, in build_invoice
    rate = TAX[customer]
           ~~~^^^^^^^^^^
KeyError: 'c-{n}'"""
NODE = """TypeError: Cannot read properties of undefined (reading 'id')
    at getOrder (/app/src/orders.js:42:17)
    at async /app/src/server.ts:10:3
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5) {
  code: 'E_ORDER'
}"""
JAVA = """java.lang.IllegalStateException: no tax for customer
\tat com.acme.billing.Invoices.total(Invoices.java:52)
\tat org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet.java:883)
Caused by: java.lang.NullPointerException: rate
\tat com.acme.billing.Rates.of(Rates.java:17)
\t... 23 more"""
GO = """panic: runtime error: index out of range [3] with length 3

goroutine 34 [running]:
main.(*Store).total(0xc0000b2000, 0x3)
\t/app/store.go:71 +0x1d
main.handler({0x7f, 0x1}, 0xc000)
\t/app/main.go:33 +0x44
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3285 +0x4b4
exit status 2"""
RUBY = """app/models/invoice.rb:12:in `total': undefined method `rate' for nil (NoMethodError)
\tfrom app/controllers/invoices_controller.rb:8:in `show'
\tfrom /usr/local/bundle/gems/rack-3.0/lib/rack.rb:44:in `call'"""
PSYCOPG = """Traceback (most recent call last):
  File "/app/db.py", line 9, in load
    cursor.execute(sql)
psycopg.errors.QueryCanceled: canceling statement due to statement timeout
LINE 1: SELECT * FROM orders
[SQL: SELECT * FROM orders]"""
PLACED = """/app/src/index.js:3
  throw new RangeError("limit");
  ^

RangeError: limit
    at Object.<anonymous> (/app/src/index.js:3:9)

Node.js v20.1.0"""
TRACES = {
    "python": PYTHON, "node": NODE, "java": JAVA, "go": GO, "ruby": RUBY,
    "psycopg": PSYCOPG, "placed": PLACED,
}  # fmt: skip


def log(
    *messages: str, severity: str = "info", at: float = 0.0, gap: float = 0.001, **tags: Any
) -> list[LogLine]:
    return [
        LogLine.model_validate(
            {
                "timestamp": START + timedelta(seconds=at + i * gap),
                "message": message,
                "severity": severity,
                "tags": tags,
            }
        )
        for i, message in enumerate(messages)
    ]


def entries(*lines: list[LogLine]) -> list[Entry]:
    return list(build_entries(sorted(itertools.chain(*lines), key=lambda line: line.at)))


def traceback(n: int, at: float) -> list[LogLine]:
    return log(*PYTHON.format(n=n).split("\n"), severity="error", at=at)


@pytest.mark.parametrize("severity", ["info", "error"])
@pytest.mark.parametrize("name", TRACES)
def test_a_stack_trace_of_any_language_is_one_error_and_whole(name: str, severity: str) -> None:
    """Line by line, on either stream, between lines of the same stream that are none of it."""
    text = TRACES[name].format(n=1) if name == "python" else TRACES[name]
    around = log("GET /a 200", *text.split("\n"), "GET /b 200", severity=severity)
    found = entries(around)
    assert [e.text for e in found if e.is_trace] == [text]
    assert [e.text for e in found if not e.is_trace] == ["GET /a 200", "GET /b 200"]
    assert [e.kind for e in found if e.is_trace] == [LineKind.error]


@pytest.mark.parametrize("name", TRACES)
def test_a_stack_trace_in_one_message_is_the_same(name: str) -> None:
    """Structured loggers send all of it as one line."""
    (entry,) = entries(log(TRACES[name], severity="info"))
    assert (entry.kind, entry.text) == (LineKind.error, TRACES[name])


def test_a_stack_trace_in_a_field_stands_below_its_message() -> None:
    """A JSON logger puts it beside the message, JSON-encoded."""
    attributes = [{"key": "err.stack", "value": json.dumps(NODE)}, {"key": "order", "value": '"7"'}]
    line = {"timestamp": START, "message": "order failed", "severity": "error"}
    (entry,) = entries([LogLine.model_validate(line | {"attributes": attributes})])
    assert entry.text.split("\n")[0] == "order failed order=7"
    assert "at getOrder (/app/src/orders.js:42:17)" in entry.text
    assert entry.is_trace


def test_two_tracebacks_in_a_row_are_two() -> None:
    """A traceback ends with its exception; what follows is another message."""
    found = entries(traceback(1, 1), traceback(2, 1.1), log("no db", severity="error", at=1.2))
    last = [e.text.split("\n")[-1] for e in found]
    assert last == ["KeyError: 'c-1'", "KeyError: 'c-2'", "no db"]


def test_chained_exceptions_stay_together() -> None:
    """What an exception was raised from belongs to it."""
    chain = [
        *PYTHON.format(n=1).split("\n"),
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        *PYTHON.format(n=2).split("\n"),
        "unrelated",
    ]
    found = entries(log(*chain, severity="error"))
    assert [e.text.count("KeyError") for e in found] == [2, 0]


def test_what_a_logger_says_of_a_traceback_belongs_to_it() -> None:
    """`logging.exception` writes one line and the traceback after it."""
    lines = ["ERROR:root:invoice 7 failed", *PYTHON.format(n=1).split("\n")]
    (entry,) = entries(log(*lines, severity="error"))
    assert entry.text == "\n".join(lines)


def test_traces_of_two_containers_do_not_mix() -> None:
    """Their lines come in turns."""
    one = log(*NODE.split("\n"), severity="error", deploymentInstanceId="a")
    two = log(*JAVA.split("\n"), severity="error", at=0.0005, deploymentInstanceId="b")
    assert sorted(e.text for e in entries(one, two)) == sorted([NODE, JAVA])


def test_a_trace_is_over_when_time_has_passed() -> None:
    """An indented line much later continues nothing."""
    found = entries(log("start", severity="error"), log("  late", severity="error", at=60))
    assert [e.text for e in found] == ["start", "  late"]


def test_a_level_in_the_line_counts_more_than_the_stream() -> None:
    """Python's logging writes everything to stderr, and some print errors to stdout."""
    lines = [
        ("error", "INFO:     127.0.0.1 - GET / 200", LineKind.other),
        ("error", "2026-03-02 14:00:00,123 WARNING retry 2", LineKind.other),
        ("error", 'level=info msg="started"', LineKind.other),
        ("info", "[error] 12#12: upstream timed out", LineKind.error),
        ("info", "2026-03-02T14:00:00Z ERROR cannot connect", LineKind.error),
        ("info", "level=fatal msg=stop", LineKind.error),
        ("info", "page=ERRORS count=3", LineKind.other),
        ("error", "no level at all", LineKind.error),
        ("error", "error handler registered", LineKind.error),
        ("info", "information is power", LineKind.other),
        ("info", "Container killed: memory limit exceeded", LineKind.platform),
    ]
    for severity, message, kind in lines:
        (entry,) = entries(log(message, severity=severity))
        assert entry.kind is kind, message


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
                {"key": "ms", "value": "12"},
            ],
        }
    )
    (entry,) = entries([line])
    assert entry.text == "page served page=orders ms=12"


def test_a_printed_key_stays_in_one_piece() -> None:
    """Apart, its lines would look like nothing and pass the redaction."""
    body = [f"{'aB3' * 21}{i}" for i in range(26)]
    begin, end = "-----BEGIN " + "PRIVATE KEY-----", "-----END " + "PRIVATE KEY-----"
    found = entries(log("boot", begin, *body, end, "ready"))
    assert [e.text for e in found] == ["boot", "\n".join([begin, *body, end]), "ready"]


def test_a_long_trace_loses_its_libraries_first() -> None:
    """The exception, its first and last frames and the frames of our own code stay."""
    foreign = [f"    at step{i} (/app/node_modules/lib/index.js:{i}:1)" for i in range(300)]
    own = "    at charge (/app/src/pay.ts:7:9)"
    lines = ["Error: declined", *foreign[:150], own, *foreign[150:]]
    (entry,) = entries(log(*lines, severity="error"))
    kept = entry.text.split("\n")
    assert len(kept) <= BLOCK_LINES + BLOCK_LINES // 4 + 2
    assert kept[0] == "Error: declined"
    assert own in kept
    assert kept[-1] == foreign[-1]


def test_a_hostile_line_is_cut() -> None:
    """A line of a megabyte costs no more than a long one."""
    (entry,) = entries(log("1a" * 500_000))
    assert len(entry.text) <= 2_000
