"""Whatever numbers arrive: judged without a warning (they are errors here), and told in finite numbers."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autofix.detect.findings import find_findings
from autofix.models import Finding, Service, ServiceKind, Window
from autofix.observe.frames import MEASUREMENTS
from autofix.parameters import Levels, Rules, Thresholds
from tests.unit.detect.histories import END

Array = npt.NDArray[np.float64]
MINUTES = (1, 1.5, 5, 30, 30, 60, 240, 1440)
STEPS = (1, 7, 30, 60, 300, 300, 3600)
HOURS = (0.02, 0.2, 0.6, 2, 3, 14, 25)
LEVELS = (0.0, 1e-9, 1.0, 50.0, 1e15)
CRONS = ("*/5 * * * *", "61 x", "0 3 * * 1")
SHIFTS = (0, 0, 0, 1800, -86400, 86400)
ODD = (0.0, 1.0, 1e18, 1e308, 1e-300, 5e-324, -5.0, 0.5, math.inf, -math.inf)


def course(rng: np.random.Generator, n: int) -> Array:
    """Nothing, constant, huge, tiny, negative, rising, in steps, in teeth, or a few points."""
    few = np.full(n, np.nan)
    few[rng.integers(0, n, 3)] = rng.choice(ODD)
    shapes = (
        lambda: np.full(n, np.nan),
        lambda: np.full(n, rng.choice(ODD)),
        lambda: rng.uniform(0, 1, n),
        lambda: rng.uniform(0, 1, n) * 10.0 ** rng.integers(-300, 300),
        lambda: np.linspace(0, 1, n) * 10.0 ** rng.integers(-10, 18),
        lambda: np.where(rng.random(n) < 0.1, 1e18, rng.random(n)),
        lambda: rng.normal(0, 1, n),
        lambda: np.repeat(rng.choice([0, 1e-12, 0.5, 100, 1e18, np.nan], n // 5 + 1), 5)[:n],
        lambda: rng.poisson(rng.choice([0.1, 3, 300]), n).astype("float64"),
        lambda: few,
        lambda: (np.arange(n) % rng.integers(2, 40)) / 20,
        lambda: np.concatenate([np.full(n // 2, 0.3), np.linspace(0.3, 1.2, n - n // 2)]),
    )
    return shapes[rng.integers(len(shapes))]()


def samples(rng: np.random.Generator, names: list[str]) -> pd.DataFrame:
    """Some measurements of some services and of one that nobody knows; also from the future."""
    step = int(rng.choice(STEPS))
    n = int(np.clip(rng.choice(HOURS) * 3600 / step, 2, 1500))
    seconds = -(np.arange(n)[::-1] + 1) * step + int(rng.choice(SHIFTS))
    ts = pd.Timestamp(END) + pd.to_timedelta(seconds, unit="s")
    empty = pd.DataFrame(
        {
            "ts": pd.to_datetime([], utc=True),
            "service": np.array([], dtype="str"),
            "measurement": np.array([], dtype="str"),
            "value": np.zeros(0),
        }
    )
    parts = []
    for service in (*names, "ghost"):
        for measurement in sorted(MEASUREMENTS):
            kept = rng.random(n) < rng.choice([0, 0.1, 0.7, 1, 1])
            value = course(rng, n)[kept]
            parts.append(
                pd.DataFrame(
                    {"ts": ts[kept], "service": service, "measurement": measurement, "value": value}
                )
            )
    whole = pd.concat(parts, ignore_index=True)
    if rng.random() < 0.5:
        whole = pd.concat([whole, whole.sample(frac=0.3, random_state=1)])
    return empty if rng.random() < 0.05 else whole.sample(frac=1, random_state=2)


def rules(rng: np.random.Generator) -> Rules:
    """The default ones, or any that may be set."""
    if rng.random() < 0.5:
        return Rules()
    levels = {}
    for name, field in Thresholds.model_fields.items():
        if field.annotation is Levels:
            low, high = sorted(rng.choice(LEVELS, 2).tolist())
            levels[name] = Levels(warning=low, critical=high)
    return Rules(
        thresholds=Thresholds(
            **levels,
            hours_to_limit=rng.choice([1e-9, 6, 72]),
            step_factor=rng.choice([1.0000001, 3, 1e15]),
            min_requests=int(rng.choice([1, 50, 10**15])),
            sustained_share=rng.choice([1e-9, 0.6, 1]),
        )
    )


def judged(seed: int) -> tuple[Finding, ...]:
    """What is found in anything at all."""
    rng = np.random.default_rng(seed)
    window = Window.ending(END, timedelta(minutes=float(rng.choice(MINUTES))))
    names = ["a", "b", "orders-db"][: rng.integers(0, 4)]
    kinds = list(ServiceKind)
    services = [
        Service(
            id=name,
            name=name,
            kind=kinds[rng.integers(len(kinds))],
            cron_schedule=str(rng.choice(CRONS)),
        )
        for name in names
    ]
    frame, chosen = samples(rng, names), rules(rng)
    inside = frame["ts"] >= window.start
    return (
        lambda: find_findings(frame, services, window, chosen),
        lambda: find_findings(frame[inside], services, window, chosen, baseline=frame[~inside]),
        lambda: find_findings(frame, services, window, chosen, baseline=frame),
    )[rng.integers(3)]()


@pytest.mark.filterwarnings("error")
@settings(max_examples=100)
@given(st.integers(0, 2**63 - 1))
def test_any_numbers_are_ordinary_input(seed: int) -> None:
    """No warning, no exception, and nothing is told that is no number or from after the tick."""
    for finding in judged(seed):
        assert math.isfinite(finding.value)
        assert math.isfinite(finding.threshold)
        assert finding.onset <= END
        assert not {"nan", "inf", "-inf"} & set(finding.reason.split())
