"""``python -m tests.chaos``: kill at every boundary, rerun, count. ``make chaos``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from sandbox.demo.processes import Processes
from tests.chaos.cases import (
    Case,
    Outcome,
    choose,
    choose_verification,
    record,
    record_verification,
    run_case,
    run_verification,
)
from tests.chaos.line import Counts, Line

WARM_SECONDS = 60


def main() -> int:
    """0 when every effect was there exactly once at every kill."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--limit", type=int, help="at most so many cases, spread over all")
    parser.add_argument("--only", help="only points that contain this")
    parser.add_argument("--victim", help="only kills of this one, and no verification")
    parser.add_argument("--table", type=Path, help="write the table as markdown to this file")
    chosen = parser.parse_args()
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="autofix-chaos-") as folder,
        Processes(Path(folder) / "logs") as processes,
    ):
        line = Line(Path(folder), processes)
        try:
            time.sleep(WARM_SECONDS)
            outcomes = _run(line, chosen)
        except KeyboardInterrupt:
            print("interrupted; everything that was started has been ended", file=sys.stderr)
            return 130
        finally:
            line.close()
    failed = [outcome for outcome in outcomes if outcome.problems]
    minutes = (time.monotonic() - begun) / 60
    kills = sum(len(outcome.case.points) for outcome in outcomes)
    cases = f"{kills} kills in {len(outcomes)} cases"
    print(f"\n{cases}, {len(failed)} of them with problems, {minutes:.0f} min")
    return 1 if failed or not outcomes else 0


def _run(line: Line, chosen: argparse.Namespace) -> list[Outcome]:
    """Every case; the table is written after each, so that an interrupted run leaves what it has."""
    limit, only = chosen.limit, chosen.only
    undisturbed, points = record(line)
    cases = _wanted(choose(points, limit), only)
    cases = [case for case in cases if chosen.victim in {None, case.victim}]
    print(f"undisturbed: {undisturbed}; {len(points)} points, {len(cases)} cases", flush=True)
    outcomes: list[Outcome] = []
    for case in cases:  # to which those are added that an earlier kill kept from their point
        outcome = run_case(line, case, undisturbed)
        if len(case.points) > 1:
            cases += [replace(case, points=(point,)) for point in outcome.missed]
        else:
            outcome.problems += [f"never reached: {point}" for point in outcome.missed]
        outcomes.append(_told(outcome))
        _write(chosen.table, undisturbed, outcomes)
        line.mend_sides()
    if chosen.victim:
        return outcomes
    points = record_verification(line)
    print(f"verification: {len(points)} points", flush=True)
    cases = choose_verification(points, limit and max(1, limit // 3))
    for case in _wanted(cases, only):
        outcomes.append(_told(run_verification(line, case)))
        _write(chosen.table, undisturbed, outcomes)
    return outcomes


def _write(table: Path | None, undisturbed: Counts, outcomes: list[Outcome]) -> None:
    if table:
        table.write_text(render_table(undisturbed, outcomes), encoding="utf-8")


def _wanted(cases: list[Case], only: str | None) -> list[Case]:
    return [case for case in cases if not only or any(only in point for point in case.points)]


def _told(outcome: Outcome) -> Outcome:
    case, state = outcome.case, "; ".join(outcome.problems) or "once"
    points = " + ".join(case.points)
    print(f"{outcome.seconds:4.0f} s  {case.victim:<14} {points}: {state}", flush=True)
    return outcome


def render_table(undisturbed: Counts, outcomes: list[Outcome]) -> str:
    """Boundary × victim → counts."""
    head = (
        "| killed at | victim | rerun by | planner | agent | sessions | prompts | branches "
        "| pull requests | labels | comments |\n" + "| --- " * 11 + "|\n"
    )
    rows = [f"| nowhere | – | – | {_numbers(undisturbed)} |"]
    for outcome in outcomes:
        points = "<br>".join(outcome.case.points)
        by = "a person" if outcome.case.by_person else "the schedule"
        rows.append(f"| {points} | {outcome.case.victim} | {by} | {_numbers(outcome.counts)} |")
    return head + "\n".join(rows) + "\n"


def _numbers(counts: Counts | tuple[int, int]) -> str:
    """All of them; of a verification only the comments, since nothing else is made."""
    if isinstance(counts, Counts):
        return " | ".join(map(str, vars(counts).values()))
    return " | ".join(["–"] * 7 + [str(counts[0])])


if __name__ == "__main__":
    sys.exit(main())
