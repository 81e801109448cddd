"""Status pages: their forms, what goes wrong with them, and that none is asked twice in its time."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from autofix.investigate.providers import Provider
from autofix.investigate.status import KEPT, StatusReader, parse_page, status_folder

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
PAYWELL = Provider(
    id="paywell",
    name="Paywell",
    format="statuspage",
    status="https://status.paywell.test/api/v2/summary.json",
    hosts=("api.paywell.test",),
)


def incident(status: str = "investigating", at: str = "2026-03-02T14:00:00Z", **more: Any) -> Any:
    found = {"name": "Charges fail", "status": status, "created_at": at}
    return found | {"shortlink": "https://stspg.io/abc", "resolved_at": None} | more


PAGES: dict[str, tuple[Any, Any]] = {
    "statuspage": (
        {"status": {"indicator": "major"}, "incidents": [incident(), incident("resolved")]},
        {"status": {"indicator": "none"}, "incidents": [], "scheduled_maintenances": [incident()]},
    ),
    "betterstack": (
        {
            "data": {"attributes": {"aggregate_state": "downtime"}},
            "included": [
                {"type": "status_page_resource", "attributes": {"status": "downtime"}},
                {"type": "status_report", "attributes": {
                    "title": "Charges fail", "report_type": "manual", "aggregate_state": "downtime",
                    "starts_at": "2026-03-02T14:00:00.000Z", "ends_at": None}},
                {"type": "status_report", "attributes": {
                    "title": "Upgrade", "report_type": "maintenance", "aggregate_state": "maintenance",
                    "starts_at": "2026-03-02T14:00:00.000Z", "ends_at": None}},
                {"type": "status_report", "attributes": {
                    "title": "Old", "report_type": "manual", "aggregate_state": "resolved",
                    "starts_at": "2026-02-02T14:00:00.000Z", "ends_at": "2026-02-02T15:00:00.000Z"}},
            ],
        },
        {"data": {"attributes": {"aggregate_state": "operational"}}, "included": []},
    ),
    "google": (
        [
            {"begin": "2026-03-02T14:00:00+00:00", "external_desc": "Charges fail", "uri": "incidents/a"},
            {"begin": "2026-01-02T14:00:00+00:00", "end": "2026-01-02T15:00:00+00:00",
             "external_desc": "Old"},
        ],
        [],
    ),
    "railway": (
        {"components": [], "incidents": [
            {"title": "Charges fail", "status": "INVESTIGATING", "slug": "abc",
             "createdAt": "2026-03-02T14:00:00Z", "resolvedAt": None},
            {"title": "Old", "status": "RESOLVED", "createdAt": "2026-01-02T14:00:00Z",
             "resolvedAt": "2026-01-02T15:00:00Z"},
        ]},
        {"components": [], "incidents": [], "maintenances": []},
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", PAGES)
def test_what_is_not_over_is_read_from_every_form(form: Any) -> None:
    """Resolved ones and maintenance are no incidents; a page without any says so."""
    troubled, fine = PAGES[form]
    (found,) = parse_page(form, troubled)
    assert (found.title, found.started) == ("Charges fail", NOW - timedelta(minutes=30))
    assert parse_page(form, fine) == []


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Any]:
    """Reads the page through a transport of the test's making."""

    def ask(answer: Callable[[httpx.Request], httpx.Response], now: datetime = NOW) -> Any:
        transport = httpx.MockTransport(answer)
        return StatusReader(tmp_path / "status", now, transport=transport).read(PAYWELL)

    return ask


def reply(body: Any = None, status: int = 200, **options: Any) -> Callable[..., httpx.Response]:
    return lambda _: httpx.Response(status, json=body, **options) if body is not None else (
        httpx.Response(status, **options)
    )  # fmt: skip


def _raise(error: Exception) -> Callable[..., httpx.Response]:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    return answer


BROKEN = {
    "refused": _raise(httpx.ConnectError("refused")),
    "hangs": _raise(httpx.ReadTimeout("slow")),
    "cut off": _raise(httpx.RemoteProtocolError("peer closed")),
    "500": reply({}, 500),
    "404": reply(status=404, content=b"<html>not here</html>"),
    "redirect": reply(status=302, headers={"Location": "https://elsewhere.test"}),
    "html": reply(content=b"<html><body>All systems operational</body></html>"),
    "empty": reply(content=b""),
    "no object": reply([]),
    "null": reply(content=b"null"),
    "number": reply(content=b"7"),
    "no incidents": reply({"status": {"indicator": "none"}}),
    "incidents of another kind": reply({"incidents": {"a": 1}}),
    "incident without a time": reply({"incidents": [{"status": "investigating", "name": "x"}]}),
    "incident with a wrong time": reply({"incidents": [incident(at="yesterday")]}),
    "incident that is none": reply({"incidents": [None]}),
    "deep": reply(content=b"[" * 100_000),
    "not text": reply(content=b"\xff\xfe\x00\xd8"),
    "too large": reply(content=b'{"incidents": [], "x": "' + b"y" * 4_100_000 + b'"}'),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_page_that_fails_is_unknown_and_raises_nothing(ask: Any, name: str) -> None:
    """Never down: what cannot be read says nothing about the provider."""
    state = ask(BROKEN[name])
    assert state.unknown
    assert state.incidents == ()


def test_what_a_page_says_is_put_on_one_short_line(ask: Any) -> None:
    """And a link is kept only when it is one."""
    hostile = incident(name="a\n# b " + "c" * 900, shortlink="javascript:alert(1)")
    (found,) = ask(reply({"incidents": [hostile]})).incidents
    assert found.title.startswith("a # b ccc")
    assert len(found.title) <= 160
    assert found.url == ""


def test_a_provider_whose_form_is_not_read_is_not_asked(tmp_path: Path) -> None:
    """It is unknown, and where to look is known."""
    provider = PAYWELL.model_copy(update={"format": None, "status": ""})
    state = StatusReader(
        tmp_path, NOW, transport=httpx.MockTransport(_raise(AssertionError()))
    ).read(provider)
    assert "no form" in state.unknown
    assert list(tmp_path.iterdir()) == []


def test_an_answer_is_kept_for_its_time_and_no_longer(ask: Any) -> None:
    """Good and bad ones alike, across readers."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500 if len(asked) == 2 else 200, json={"incidents": [incident()]})

    assert [len(ask(answer, NOW + t).incidents) for t in (timedelta(), KEPT / 2)] == [1, 1]
    assert len(asked) == 1
    assert ask(answer, NOW + KEPT).unknown
    assert ask(answer, NOW + KEPT * 1.5).unknown, "a failure is not asked again before its time"
    assert len(asked) == 2
    assert ask(answer, NOW + 2 * KEPT).incidents
    assert len(asked) == 3


def test_another_address_of_a_provider_is_asked_anew(tmp_path: Path) -> None:
    """What was kept is of the old one."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"incidents": []})

    moved = PAYWELL.model_copy(update={"status": "https://other.test/summary.json"})
    for provider in (PAYWELL, moved, moved):
        StatusReader(tmp_path, NOW, transport=httpx.MockTransport(answer)).read(provider)
    assert asked == [PAYWELL.status, moved.status]


@pytest.mark.parametrize("text", ["", "{", "null", '{"of": 3}', '{"of": "x", "state": {}}'])
def test_a_broken_file_is_asked_anew(ask: Any, tmp_path: Path, text: str) -> None:
    """What was kept may have been cut."""
    (tmp_path / "status").mkdir()
    (tmp_path / "status" / "paywell.json").write_text(text)
    assert ask(reply({"incidents": []})).unknown == ""


def test_a_folder_that_cannot_be_made_asks_nobody(tmp_path: Path) -> None:
    """Without a memory every task would ask again."""
    (tmp_path / "file").write_text("")
    reader = StatusReader(
        tmp_path / "file" / "x", NOW, transport=httpx.MockTransport(_raise(AssertionError()))
    )
    assert "cannot be kept" in reader.read(PAYWELL).unknown


def test_the_folder_is_ones_own() -> None:
    """Below the chosen one, or with this user's number."""
    assert status_folder("/data/cache") == Path("/data/cache/status")
    assert status_folder("").name.startswith("railway-autofix-status-")


@pytest.fixture
def page() -> Iterator[tuple[str, list[str]]]:
    """A page on loopback that takes its time, and who asked it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            threading.Event().wait(0.3)
            body = json.dumps({"incidents": [incident()]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/summary.json", asked
    server.shutdown()
    thread.join()
    server.server_close()


def read_once(url: str, folder: str) -> int:
    """In a process of its own."""
    provider = PAYWELL.model_copy(update={"status": url})
    return len(StatusReader(Path(folder), NOW).read(provider).incidents)


def test_tasks_and_processes_at_the_same_time_ask_a_page_once(
    tmp_path: Path, page: tuple[str, list[str]]
) -> None:
    """Four processes and four threads want it while it is still answering."""
    url, asked = page
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(read_once(url, str(tmp_path))))
        for _ in range(4)
    ]
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for thread in threads:
            thread.start()
        found += pool.starmap(read_once, [(url, str(tmp_path))] * 4)
        for thread in threads:
            thread.join()
    assert found == [1] * 8
    assert len(asked) == 1
