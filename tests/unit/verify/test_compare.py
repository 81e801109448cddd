from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autofix.models import Pattern, Signal
from autofix.verify.compare import Comparison, Effect, compare, judge_effect
from autofix.verify.intervals import Estimate, share, typical
from autofix.verify.readings import Reading
from tests.unit.verify.simulate import (
    LENGTH,
    SPANS,
    STEP,
    autocorrelated,
    finding,
    frame,
    http,
    memory,
)

STEPS = int(LENGTH / STEP)
ROUNDS = 400
STATED = 0.05
"""How often a change may be claimed where there is none."""


def _http(
    seed: int, during: dict[str, float], after: dict[str, float], signal: Signal
) -> Comparison:
    rng = np.random.default_rng(seed)
    samples = frame(http(rng, SPANS.during, **during), http(rng, SPANS.after, **after))
    (found,) = compare(samples, [finding(signal)], SPANS, 100)
    return found


def _share(found: list[Effect], effect: Effect) -> float:
    return found.count(effect) / len(found)


def _errors(rng: np.random.Generator, rho: float, share_: float, rate: float) -> Reading:
    requests = rng.poisson(rate, STEPS)
    wave = np.exp(0.5 * autocorrelated(rng, STEPS, rho) - 0.125) if rho else np.ones(STEPS)
    hits = rng.binomial(requests, np.clip(share_ * wave, 0, 1))
    return _reading(share(hits.astype("float64"), requests.astype("float64")))


def _latency(rng: np.random.Generator, rho: float, p95: float) -> Reading:
    noise = np.exp(0.3 * autocorrelated(rng, STEPS, rho))
    return _reading(typical(p95 * noise, log=True))


def _reading(found: Estimate | None) -> Reading:
    assert found is not None
    return Reading(window=SPANS.during, **found._asdict())


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
@pytest.mark.parametrize(
    "draw",
    [
        partial(_errors, share_=0.02, rate=20),
        partial(_errors, share_=0.3, rate=20),
        partial(_errors, share_=0.01, rate=4),
        partial(_latency, p95=3_000.0),
    ],
)
def test_no_effect_is_claimed_no_more_often_than_stated(
    draw: Callable[[np.random.Generator, float], Reading], rho: float
) -> None:
    """The same service on both sides: improved in at most 5 % of windows, also where noise lasts."""
    found = []
    for seed in range(ROUNDS):
        rng = np.random.default_rng(seed)
        found.append(judge_effect(draw(rng, rho), draw(rng, rho)))
    assert _share(found, Effect.improved) <= STATED
    assert _share(found, Effect.worsened) <= STATED


def test_an_interval_holds_the_true_rate_as_often_as_it_says() -> None:
    """In 19 of 20 windows, where errors come in waves."""
    held = 0
    for seed in range(ROUNDS):
        reading = _errors(np.random.default_rng(seed), 0.6, 0.05, 20)
        held += reading.low <= 5.0 <= reading.high
    assert held / ROUNDS >= 0.95


@pytest.mark.parametrize(
    ("signal", "during", "after"),
    [
        (Signal.http_5xx, {"errors": 0.06}, {"errors": 0.0}),
        (Signal.http_5xx, {"errors": 0.5}, {"errors": 0.05}),
        (Signal.latency, {"p95": 3_000.0, "rho": 0.6}, {"p95": 200.0, "rho": 0.6}),
    ],
)
def test_a_clear_effect_is_seen(
    signal: Signal, during: dict[str, float], after: dict[str, float]
) -> None:
    """A repaired service is improved, and the same the other way round is worsened."""
    found = [_http(seed, during, after, signal).effect for seed in range(40)]
    assert _share(found, Effect.improved) >= 0.95
    turned = [_http(seed, after, during, signal).effect for seed in range(40)]
    assert _share(turned, Effect.worsened) >= 0.95


def test_a_leak_that_is_gone_is_seen_and_one_that_goes_on_is_not() -> None:
    """Memory is low after every deployment; only its slope tells whether it leaks."""
    count = int(LENGTH / STEP)
    leak = finding(Signal.memory).model_copy(update={"pattern": Pattern.trend})
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, 0.5, (2, count))
        during = memory(SPANS.during, 60, 20, noise[0])
        gone = frame(during, memory(SPANS.after, 10, 0, noise[1]))
        on = frame(during, memory(SPANS.after, 10, 20, noise[1]))
        assert compare(gone, [leak], SPANS, 100)[0].effect is Effect.improved
        assert compare(on, [leak], SPANS, 100)[0].effect is not Effect.improved


@given(st.integers(0, 10**6), st.floats(0.0, 0.9), st.integers(0, 99))
@settings(max_examples=40)
def test_fewer_requests_than_stated_are_never_compared(seed: int, errors: float, rate: int) -> None:
    """Whatever the numbers say, a side with fewer than the stated requests is not measured."""
    rng = np.random.default_rng(seed)
    few = http(rng, SPANS.after, rate=rate / 100, errors=0.0)
    samples = frame(http(rng, SPANS.during, errors=errors), few)
    (found,) = compare(samples, [finding(Signal.http_5xx)], SPANS, 100)
    total = sum(value for _, _, name, value in few if name in {"HTTP_2XX", "HTTP_5XX"})
    assert (found.effect is Effect.unmeasured) == (total < 100)


def test_a_gap_is_not_zero() -> None:
    """A window of which nothing was measured compares with nothing."""
    rng = np.random.default_rng(1)
    samples = frame(http(rng, SPANS.during, errors=0.5))
    (found,) = compare(samples, [finding(Signal.http_5xx)], SPANS, 100)
    assert found.after is None
    assert found.effect is Effect.unmeasured


def test_nothing_outside_the_windows_is_read() -> None:
    """What happened between the deployment and its warm-up changes nothing."""
    rng = np.random.default_rng(1)
    inside = [*http(rng, SPANS.during, errors=0.2), *http(rng, SPANS.after)]
    warm_up = SPANS.during.model_copy(
        update={"start": SPANS.during.end, "end": SPANS.during.end + timedelta(minutes=5)}
    )
    outside = http(rng, warm_up, errors=1.0)
    args = ([finding(Signal.http_5xx)], SPANS, 100)
    assert compare(frame(inside), *args) == compare(frame(inside, outside), *args)
