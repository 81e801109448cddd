from __future__ import annotations

from typing import Any

from autofix.change.memo import build_memo, parse_memo, render_memo
from autofix.models import Pattern, Signal


def test_what_a_pull_request_remembers_comes_back_as_it_was(
    make_context: Any, make_finding: Any
) -> None:
    """Fingerprint, episode, attempt, onset and every signal with its pattern."""
    leak = make_finding(signal=Signal.memory, pattern=Pattern.trend, unit="%")
    incident = make_context().incident
    incident = incident.model_copy(update={"findings": (*incident.findings, leak), "attempt": 2})
    (memo,) = parse_memo(f"text\n\n{render_memo([incident])}\n")
    assert memo == build_memo(incident)
    assert memo.work_id == incident.work_id
    assert [f.pattern for f in memo.findings()] == [Pattern.level, Pattern.trend]


def test_a_memo_from_outside_does_not_stand_against_ours(make_context: Any) -> None:
    """Ours stands last, whatever telemetry put before it."""
    ours, other = make_context().incident, make_context("orders-web").incident
    body = f"{render_memo([other])}\n{render_memo([ours])}\n"
    assert [memo.service for memo in parse_memo(body)] == ["billing-api"]


def test_a_body_without_a_memo_or_with_a_broken_one_remembers_nothing(make_context: Any) -> None:
    """People edit bodies."""
    assert parse_memo("") == ()
    broken = render_memo([make_context().incident]).replace("memo:", "memo:AAAA")
    assert parse_memo(broken) == ()
