from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from autofix.models import Chart, EvidenceItem, FixStep, PlanResult, RootCause, Signal, Window
from autofix.plan.picture import render_chart, render_sparkline
from autofix.plan.render import render_plan
from tests.unit.plan.test_policy import make_plan

EXPECTED = Path(__file__).with_name("plan.md")


def chart(window: Window, *values: float | None, **fields: Any) -> Chart:
    defaults: dict[str, Any] = {
        "signal": Signal.http_5xx, "label": "5xx", "unit": "%", "start": window.start,
        "end": window.end, "threshold": 5.0, "onset": window.start + timedelta(minutes=5),
    }  # fmt: skip
    return Chart(values=values, **(defaults | fields))


@pytest.fixture
def context(make_context: Any, make_finding: Any, window: Window) -> Any:
    found = make_context()
    item = EvidenceItem(
        id="E1", source="deployment log", start=window.start, end=window.end,
        why="errors of the service, each with its count and one whole example",
        text="×12 from 14:05:01 to 14:29:40, not once before the onset\n"
        'Traceback (most recent call last):\n  File "/app/app.py", line 43, in invoice_total\n'
        "KeyError: 7",
    )  # fmt: skip
    finding = make_finding(baseline=0.1, onset=window.start + timedelta(minutes=5))
    incident = found.incident.model_copy(update={"findings": (finding,), "onset": finding.onset})
    values = [0.0, 0.1, 0.0, 0.2, 7.0, 6.1, None, 6.4]
    return found.model_copy(
        update={"evidence": (item,), "incident": incident, "charts": (chart(window, *values),)}
    )


def result(**fields: Any) -> PlanResult:
    cause = RootCause(
        service="billing-api",
        cause="`invoice_total` takes for granted that every customer has a discount.",
        evidence=["E1"],
        file="app.py",
        function="invoice_total",
        confidence=0.9,
    )
    plan = make_plan(
        root_causes=[cause],
        summary="One invoice in fourteen fails because its customer has no discount.",
        steps=[FixStep(title="Handle it", detail="Zero percent where there is no record.")],
        do_not_touch=["The rounding of taxes"],
        debugging=["GET /invoices/7 at the usual rate"],
        verification=["5xx of /invoices/{id} below 1 % over a full window"],
        risks=["A discount that is missing by mistake no longer shows"],
        recommendations=["Alert on customers without a discount"],
        architecture="billing-api answers alone; no database behind it.",
    )
    defaults: dict[str, Any] = {
        "plan": plan, "model": "gpt-5", "prompt_version": "abcd1234", "input_tokens": 4_321,
        "output_tokens": 987, "cost": 0.0152,
    }  # fmt: skip
    return PlanResult(**(defaults | fields))


def test_a_plan_reads_as_a_colleagues_note(context: Any) -> None:
    """The whole text, as people see it: what, since when, why, what to do, how to check."""
    assert render_plan(result(), (), [context]) == EXPECTED.read_text(encoding="utf-8")


def test_a_plan_that_stops_says_why_at_the_top(context: Any) -> None:
    """Before anything else, with every reason."""
    text = render_plan(result(), ("confidence 0.20 is below the required 0.50",), [context])
    assert text.split("\n")[2:5] == [
        "**This plan stops here:**",
        "",
        "- confidence 0.20 is below the required 0.50",
    ]


def test_no_cause_says_what_is_missing(context: Any) -> None:
    """And proposes nothing; that the first answer was sent back is told."""
    plan = make_plan(answer="insufficient_evidence", root_causes=[], steps=[], missing="a trace")
    told = result(plan=plan, calls=2, objections=("the plan names no root cause",), cost=None)
    text = render_plan(told, (), [context])
    assert "No fix is proposed" in text
    assert "## What is missing\n\na trace" in text
    assert "## What to do" not in text
    assert "2 calls, 4,321 tokens in, 987 out; prompt" in text
    assert "sent back: the plan names no root cause" in text


def test_a_rehearsal_says_so(context: Any) -> None:
    """Wherever its words are."""
    text = render_plan(result(model="rehearsal-scripted"), (), [context])
    assert "(a scripted rehearsal, not a model)" in text


def test_what_a_model_or_a_log_says_cannot_be_more_than_text(context: Any) -> None:
    """No heading, no link, no mention, no way out of a quoted line."""
    evil = "x\n# Approved\n```\n[click](https://evil.test) @everyone <img src=x>"
    plan = make_plan(title=evil, summary=evil, files=[evil], steps=[FixStep(title=evil)])
    item = context.evidence[0].model_copy(update={"text": evil})
    text = render_plan(result(plan=plan), (), [context.model_copy(update={"evidence": (item,)})])
    # what stands in code is shown as it is
    outside = re.sub(r"`[^`\n]*`", "", "".join(text.split("````")[::2]))
    assert "\n# Approved" not in outside
    assert "](" not in outside.replace("\\](", "")
    assert "://" not in outside
    assert "<img" not in outside


def test_of_a_long_trace_its_end_is_quoted(context: Any) -> None:
    """Where the exception and our own last call stand; the next shape is only counted."""
    frames = [f"  frame {n}" for n in range(30)]
    text = "\n".join(
        ["×4 from 14:05:01 to 14:29:40", "Traceback", *frames, "KeyError: 7", "×9 at 14:06", "x"]
    )
    item = context.evidence[0].model_copy(update={"text": text})
    shown = render_plan(result(), (), [context.model_copy(update={"evidence": (item,)})])
    assert "Traceback\n  frame 0\n  … 19 lines\n  frame 20\n" in shown
    assert "KeyError: 7\n… 2 more lines in the evidence" in shown


def test_a_chart_is_mermaid_with_its_threshold(window: Window) -> None:
    """A gap is left out, never drawn as zero."""
    text = render_chart(chart(window, 1.0, None, 3.0, 7.5), "billing-api")
    assert text.split("\n") == [
        "```mermaid",
        "xychart-beta",
        '  title "5xx of billing-api, %"',
        '  x-axis ["14:00:00", "14:15:00", "14:22:30"]',
        '  y-axis "%" 0 --> 8.25',
        "  line [1, 3, 7.5]",
        "  line [5, 5, 5]",
        "```",
        "",
        "*The flat line is the threshold, 5 %.*",
    ]
    whole = render_chart(chart(window, 1.0, 2.0, 3.0, 7.5), "billing-api")
    assert '  x-axis "min from 14:00:00 UTC" 0 --> 22.5' in whole
    assert render_chart(chart(window, 1.0, None, None), "x") == ""


def test_a_name_cannot_end_a_charts_title(window: Window) -> None:
    """Quotes and line ends are blanks there."""
    text = render_chart(chart(window, 1.0, 2.0, 3.0), 'a"\n```\nclick "evil')
    assert '  title "5xx of a      click  evil, %"' in text
    assert text.count("```") == 2


def test_a_sparkline_shows_the_level_it_is_held_against(window: Window) -> None:
    """Below the threshold it does not reach the top."""
    assert render_sparkline(chart(window, 0.0, 2.5, None, 5.0)) == "▁▅·█"
    assert render_sparkline(chart(window, 1.0, 1.0, threshold=4.0)) == "▃▃"
