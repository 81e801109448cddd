"""The harness of the evaluations; the models themselves are measured by `make eval-model`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evals.score import EXPECTED, HEADER, Score, read_verdict, render_scores

ROOT = Path(__file__).resolve().parents[3]
RIGHT = Score(
    "orders-web",
    "code_fix",
    ("app.py", "test_app.py"),
    tests_pass=True,
    is_cured=True,
    tokens=4_321,
    cost=0.0123,
)


def test_without_a_key_nothing_is_evaluated_and_that_is_said() -> None:
    """A sentence and exit status 0; no table that could be taken for a result."""
    environment = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.evals"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert "no real model was asked" in done.stdout


@pytest.mark.parametrize(
    ("score", "right"),
    [
        (RIGHT, True),
        (Score("orders-web", "code_fix", ("other.py",), tests_pass=True, is_cured=True), False),
        (Score("orders-web", "code_fix", None), False),
        (Score("orders-web", "rollback", ("app.py",), tests_pass=True, is_cured=True), False),
        (Score("orders-web", "code_fix", ("app.py",), tests_pass=False, is_cured=True), False),
        (Score("orders-web", "code_fix", ("app.py",), tests_pass=True, is_cured=False), False),
        (Score("checkout-api", "wait_upstream"), True),
        (Score("checkout-api", "wait_upstream", ("app.py",), tests_pass=True), False),
        (Score("image-resizer", None), True),
        (Score("image-resizer", "no_action"), False),
    ],
)
def test_a_score_is_right_only_when_all_of_it_is(score: Score, right: bool) -> None:
    """Verdict, file, tests and fault; a pull request where none belongs is wrong."""
    assert score.is_right is right


def test_the_verdict_is_read_from_the_artifact_people_see() -> None:
    """The line below the summary; nothing without an artifact."""
    text = "### Service x\n\nVerdict: wait_upstream: Paywell has …\n\nVerdict: no_action: quoted"
    assert read_verdict(text) == "wait_upstream"
    assert read_verdict(None) is None


def test_what_is_wrong_is_marked_in_the_table() -> None:
    """And what did not arise is a dash."""
    rows = render_scores([RIGHT, Score("search-api", "code_fix")], "m", "2026-11-24").split("\n")
    assert tuple(rows[:2]) == HEADER
    assert rows[2] == (
        "| 2026-11-24 | m | orders-web | code_fix | app.py, test_app.py | yes | yes | 4,321 | $0.012 |"
    )
    assert rows[3] == "| 2026-11-24 | m | search-api | code_fix ✗ | none | – | – | – | – |"


def test_the_docs_hold_the_same_columns_and_no_result() -> None:
    """Nothing was run here with a real model, and the page says so."""
    page = (ROOT / "docs" / "evals.md").read_text(encoding="utf-8")
    assert "\n".join(HEADER) in page
    assert "has not been run here" in page
    assert [line for line in page.split("\n") if line.startswith("| 20")] == []
    assert all(name in page for name in EXPECTED)
