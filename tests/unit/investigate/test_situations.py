"""From telemetry to verdict through the real code, and docs/verdicts.md made of what came out."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from autofix.models import Verdict, VerdictKind
from tests.support.situations.judging import judge_world
from tests.support.situations.render import render_page
from tests.support.situations.table import SITUATIONS, Situation
from tests.support.situations.telemetry import World

PAGE = Path(__file__).resolve().parents[3] / "docs" / "verdicts.md"
WRITE = "WRITE_DOCS"
VERDICTS: dict[str, Verdict] = {}


@pytest.mark.parametrize("one", SITUATIONS, ids=lambda s: s.name)
def test_the_situation_gets_its_verdict(one: Situation, tmp_path: Path) -> None:
    """The expected kind, for the expected reason; a near miss does not get what it looks like."""
    world = World()
    one.build(world)
    incident, verdict = judge_world(world, tmp_path, one.service)
    VERDICTS[one.name] = verdict
    findings = [f.reason for f in incident.findings]
    assert verdict.kind is one.expected, (verdict, findings)
    assert one.because in f"{verdict.reason} {verdict.action}", (verdict, findings)
    assert verdict.kind is not one.misses
    assert verdict.evidence[:1] == ("E1",)


def test_every_verdict_is_had_and_missed() -> None:
    """At least twenty situations; each verdict at least twice, each but a fix narrowly missed."""
    had = Counter(s.expected for s in SITUATIONS)
    missed = Counter(s.misses for s in SITUATIONS if s.misses)
    assert len(SITUATIONS) >= 20
    assert all(had[kind] >= 2 for kind in VerdictKind)
    assert all(missed[kind] for kind in VerdictKind if kind is not VerdictKind.code_fix)
    assert len({s.name for s in SITUATIONS}) == len(SITUATIONS)


def test_the_page_tells_what_came_out() -> None:
    """docs/verdicts.md is what this run found; set WRITE_DOCS=1 to write it anew."""
    if len(VERDICTS) < len(SITUATIONS):
        pytest.skip("not all situations ran before this")
    page = render_page(SITUATIONS, VERDICTS)
    if os.environ.get(WRITE):
        PAGE.write_text(page, encoding="utf-8")
    written = PAGE.read_text(encoding="utf-8")
    assert written == page, f"{PAGE.name} is not what comes out: look at it, then set {WRITE}=1"
