from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from autofix.detect.turns import Turn
from autofix.models import Service, Signal, VerdictKind
from autofix.news import News, NewsKind, build_news
from tests.unit.verify.line import Line, trouble

START = datetime.fromisoformat("2026-03-02T00:00:00+00:00")


class Reader:
    """Somebody who is told the news of a line, tick by tick."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.news: list[News] = []

    def tick(self, *signals: Signal) -> None:
        before = self.line.store.load()
        findings = trouble(self.line, *signals)
        self.line.tick(findings)
        self.news += build_news(before, self.line.store.load(), findings)


@pytest.fixture
def reader(make_service: Callable[..., Service]) -> Reader:
    return Reader(Line(make_service("billing-api", repository="acme/x"), start=START))


def test_a_day_of_one_trouble_is_two_messages(reader: Reader) -> None:
    """144 ticks: it opened, and what is done about it."""
    for _ in range(144):
        reader.tick(Signal.http_5xx)
    assert [news.kind for news in reader.news] == [NewsKind.opened, NewsKind.verdict]
    assert "billing-api is in trouble" in reader.news[0].text
    assert "draft pull request" in reader.news[1].text


def test_trouble_that_ends_is_told_once(reader: Reader) -> None:
    """And its next episode is another incident."""
    reader.tick(Signal.http_5xx)
    for _ in range(10):
        reader.tick()
    assert [news.kind for news in reader.news][-1] is NewsKind.ended
    reader.line.deploy("b" * 40)
    reader.tick(Signal.http_5xx)
    assert [news.kind for news in reader.news].count(NewsKind.opened) == 2
    assert len({news.id for news in reader.news}) == len(reader.news)


@pytest.mark.parametrize(
    "verdict", [VerdictKind.raise_limit, VerdictKind.rollback, VerdictKind.wait_upstream]
)
def test_a_verdict_that_calls_for_a_person_says_the_exact_act(
    reader: Reader, verdict: VerdictKind
) -> None:
    """Once, however long it stands."""
    reader.tick(Signal.http_5xx)
    act = "set the memory limit of billing-api to 2 GB"
    for work_id in list(reader.line.turns):
        reader.line.turns[work_id] = Turn(verdict=verdict, action=act, at=reader.line.now)
    reader.line.app.pulls.clear()
    for _ in range(2):
        reader.tick(Signal.http_5xx)
    told = [news.text for news in reader.news if news.kind is NewsKind.verdict]
    assert told == [f"billing-api: {verdict.value.replace('_', ' ')}. {act}"]


def test_the_same_news_told_again_is_known_by_its_id(reader: Reader) -> None:
    """A kill between telling and writing tells it twice; the server keeps one."""
    findings = trouble(reader.line, Signal.http_5xx)
    reader.line.tick(findings)
    after = reader.line.store.load()
    first, again = build_news((), after, findings), build_news((), after, findings)
    assert [news.id for news in first] == [news.id for news in again]


def test_a_muted_incident_is_no_news(reader: Reader) -> None:
    """Whoever muted it knows."""
    reader.tick(Signal.http_5xx)
    for record in reader.line.store.load():
        reader.line.store.save(record.model_copy(update={"muted": True}))
    reader.news.clear()
    for _ in range(5):
        reader.tick()
    assert reader.news == []


def test_texts_are_bounded(reader: Reader) -> None:
    """A message is read on a telephone."""
    findings = [
        f.model_copy(update={"reason": "x" * 5_000}) for f in trouble(reader.line, Signal.cpu)
    ]
    reader.line.tick(findings)
    (news,) = build_news((), reader.line.store.load(), findings)
    assert len(news.text) <= 1_000
