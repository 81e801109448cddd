"""`make eval-detection`: how well the detector does on generated days, beside a plain rule.

Every kind of trouble and of quiet is drawn once a seed. The detector was tuned on seeds below 100;
what is reported comes from seeds that it has not seen. Status 1 when a line that is promised is
not reached.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta

import numpy as np
import pandas as pd

from autofix.detect.grid import build_recording
from autofix.detect.replay import Replay
from autofix.parameters import Rules
from tests.eval_detection.day import START, Truth, measure
from tests.eval_detection.plain import find_plainly
from tests.eval_detection.quiet import QUIET
from tests.eval_detection.score import Outcome, Said, Score, by_kind, judge_day, summarise
from tests.eval_detection.trouble import TROUBLE

EVERY, WINDOW = timedelta(minutes=10), timedelta(minutes=30)
FIRST, SEEDS = 100, 10
JUDGES = ("detector", "average", "maximum")
_MINUTE = timedelta(minutes=1)


def draw(seed: int, kinds: Iterable[str]) -> tuple[dict[str, Truth], pd.DataFrame]:
    """One day of each kind: what is true by service, and the samples; names tell nothing."""
    truths: dict[str, Truth] = {}
    parts = []
    for number, kind in enumerate(kinds):
        rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
        day, truth = TROUBLE[kind](rng) if kind in TROUBLE else (QUIET[kind](rng), Truth(kind))
        service = f"service-{number:03}"
        truths[service] = truth
        parts.append(measure(day, service))
    return truths, pd.concat(parts, ignore_index=True)


def run_seed(seed: int, kinds: tuple[str, ...], *, plainly: bool) -> dict[str, list[Outcome]]:
    """What each judge makes of one seed's days."""
    truths, samples = draw(seed, kinds)
    replay = Replay(build_recording(samples, list(truths)), Rules(), WINDOW, EVERY)
    said: dict[str, list[Said]] = {"detector": []}
    for tick in replay.run():
        minute = (tick.at - START) / _MINUTE
        said["detector"] += [
            Said(minute, f.service, f.signal.value, (f.onset - START) / _MINUTE)
            for f in tick.findings
        ]
    if plainly:
        ticks = replay.ticks()
        for judge, statistic in (("average", "mean"), ("maximum", "max")):
            said[judge] = [
                one
                for _, day in samples.groupby("service")
                for one in find_plainly(day, ticks, WINDOW, statistic)
            ]
    return {judge: _outcomes(truths, found) for judge, found in said.items()}


def _outcomes(truths: Mapping[str, Truth], said: list[Said]) -> list[Outcome]:
    return [
        judge_day(service, truth, [s for s in said if s.service == service])
        for service, truth in truths.items()
    ]


def main() -> int:
    """Print the table, and say whether the promised lines are reached."""
    options = _options()
    kinds = tuple(k for k in (*TROUBLE, *QUIET) if not options.kind or k in options.kind)
    seeds = range(options.first, options.first + options.seeds)
    outcomes: dict[str, list[Outcome]] = {}
    with ProcessPoolExecutor(options.jobs) as pool:
        running = [pool.submit(run_seed, s, kinds, plainly=not options.alone) for s in seeds]
        for done in running:
            for judge, found in done.result().items():
                outcomes.setdefault(judge, []).extend(found)
    scores = {judge: summarise(found) for judge, found in outcomes.items()}
    if options.each:
        _print_kinds(outcomes["detector"])
    known = sum(kind in TROUBLE for kind in kinds)
    print(
        f"{known} kinds of trouble and {len(kinds) - known} of quiet, 24 hours each, a tick every 10 "
        f"minutes, window 30 minutes, seeds {seeds.start} to {seeds.stop - 1}\n"
    )
    _print_scores(scores)
    missed = scores["detector"].missed
    print(f"\nnot reached: {'; '.join(missed)}" if missed else "\nall promised lines are reached")
    return 1 if missed else 0


def _print_scores(scores: Mapping[str, Score]) -> None:
    print(f"| | {' | '.join(scores)} |\n| --- |{' ---: |' * len(scores)}")
    rows = {judge: score.rows() for judge, score in scores.items()}
    for name in next(iter(rows.values())):
        print(f"| {name} | {' | '.join(row[name] for row in rows.values())} |")


def _print_kinds(outcomes: list[Outcome]) -> None:
    print(
        f"{'kind':40} {'days':>5} {'in 60':>6} {'delay':>6} {'ep.':>5} {'signal':>6} {'false':>5}"
    )
    for kind, found in by_kind(outcomes).items():
        score = summarise(found)
        names = ", ".join(sorted({n for o in found for n in o.false_signals}))
        if kind in TROUBLE:
            numbers = (
                f"{score.recall60:6.2f} {score.median_delay:6.0f} {score.episodes:5.2f} "
                f"{score.signal_right:6.2f}"
            )
        else:
            numbers = " " * 26
        false = sum(len(o.false) for o in found)
        print(f"{kind:40} {len(found):5} {numbers} {false:5} {names}")
    print()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.eval_detection", description=__doc__)
    parser.add_argument("--first", type=int, default=FIRST, help="the first seed")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many")
    parser.add_argument("--kind", action="append", default=[], choices=[*TROUBLE, *QUIET])
    parser.add_argument("--each", action="store_true", help="a line for each kind too")
    parser.add_argument("--alone", action="store_true", help="without the plain rules")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
