"""What must hold for any samples: order, units, gaps and the future change nothing they should not."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from autofix.detect.findings import find_findings
from autofix.models import Finding, Service, ServiceKind
from autofix.parameters import Rules
from tests.unit.detect.histories import END, WINDOW, ago, rows

HOURS, STEP = 3.0, 300
STEPS = len(ago(HOURS, STEP))
SERVICES = [Service(id=name, name=name, kind=ServiceKind.web) for name in ("a", "b")]

SHARE = (None, 0.0, 0.02, 0.35, 0.72, 0.96, 1.4)
COUNT = (None, 0.0, 1.0, 7.0, 60.0, 900.0)
MS = (None, 0.0, 40.0, 1200.0, 5000.0)
SEEDS = st.integers(0, 2**32 - 1)


def history(seed: int) -> pd.DataFrame:
    """Three hours of two services, of anything at all: runs of values, as trouble comes and goes."""
    rng = np.random.default_rng(seed)

    def runs(values: tuple[float | None, ...]) -> list[float | None]:
        found: list[float | None] = []
        while len(found) < STEPS:
            found += [values[rng.integers(len(values))]] * int(rng.integers(1, STEPS))
        return found[:STEPS]

    return pd.concat(
        [
            rows(
                ago(HOURS, STEP),
                service=service.id,
                CPU_USAGE=runs(SHARE),
                CPU_LIMIT=1.0,
                MEMORY_USAGE_GB=runs(SHARE),
                MEMORY_LIMIT_GB=(None, 0.0, 1.0, 1.0)[rng.integers(4)],
                DISK_USAGE_GB=runs(SHARE),
                DISK_LIMIT_GB=1.0,
                HTTP_2XX=runs(COUNT),
                HTTP_4XX=runs(COUNT),
                HTTP_5XX=runs(COUNT),
                HTTP_P95_MS=runs(MS),
                **({"RESTARTS": runs(COUNT)} if rng.random() < 0.5 else {}),
            )
            for service in SERVICES
        ],
        ignore_index=True,
    )


def find(samples: pd.DataFrame) -> tuple[Finding, ...]:
    inside = samples["ts"] >= WINDOW.start
    return find_findings(
        samples[inside], SERVICES, WINDOW, Rules(), baseline=samples[samples["ts"] < WINDOW.start]
    )


@settings(max_examples=40)
@given(SEEDS)
def test_order_and_duplicates_change_nothing(seed: int) -> None:
    """Rows may come in any order and several times."""
    samples = history(seed)
    doubled = pd.concat([samples, samples.sample(frac=0.5, random_state=seed)])
    assert find(doubled.sample(frac=1.0, random_state=seed)) == find(samples)


@settings(max_examples=40)
@given(SEEDS)
def test_nothing_after_the_tick_is_read(seed: int) -> None:
    """Whatever comes then."""
    samples, later = history(seed), history(seed + 1)
    future = later.assign(ts=later["ts"] + timedelta(hours=HOURS))
    assert (future["ts"] >= END).all()
    assert find(pd.concat([samples, future])) == find(samples)


@settings(max_examples=40)
@given(SEEDS, st.sampled_from([1e-6, 1 / 1024, 8.0, 1e9]))
def test_the_unit_of_a_resource_changes_nothing(seed: int, factor: float) -> None:
    """Gigabytes or bytes, cores or thousandths of them: what counts is the share of the limit."""

    def told(found: tuple[Finding, ...]) -> list[tuple[object, ...]]:
        return [
            (f.service, f.signal, f.severity, f.pattern, f.onset, round(f.value, 6)) for f in found
        ]

    samples = history(seed)
    resources = samples["measurement"].str.contains("CPU|MEMORY|DISK")
    scaled = samples.assign(value=samples["value"].where(~resources, samples["value"] * factor))
    assert told(find(scaled)) == told(find(samples))


@settings(max_examples=40)
@given(SEEDS)
def test_services_do_not_change_each_other(seed: int) -> None:
    """What is found of one does not depend on who else is there."""
    samples = history(seed)
    own = [f for service in SERVICES for f in find(samples[samples["service"] == service.id])]
    assert sorted(own, key=repr) == sorted(find(samples), key=repr)


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=STEPS, max_size=STEPS), st.floats(1, 2000))
def test_a_gap_is_never_zero(present: list[bool], rate: float) -> None:
    """A healthy service with holes anywhere is healthy; no hole is silence, a restart or a fall."""
    kept = np.where(present, 1.0, np.nan)
    healthy = rows(
        ago(HOURS, STEP),
        service="a",
        CPU_USAGE=0.3 * kept,
        CPU_LIMIT=1.0,
        MEMORY_USAGE_GB=0.4 * kept,
        MEMORY_LIMIT_GB=1.0,
        DISK_USAGE_GB=0.4 * kept,
        DISK_LIMIT_GB=1.0,
        HTTP_2XX=rate * kept,
        HTTP_P95_MS=80 * kept,
    )
    assert find(healthy) == ()


@settings(max_examples=40)
@given(st.sets(st.integers(0, STEPS - 1), max_size=STEPS // 3))
def test_holes_do_not_hide_trouble(missing: set[int]) -> None:
    """Taking samples away from a steady trouble does not end it."""
    kept = np.where([i in missing for i in range(STEPS)], np.nan, 1.0)
    kept[-4:] = 1.0
    sick = rows(
        ago(HOURS, STEP), service="a", HTTP_2XX=900 * kept, HTTP_5XX=100 * kept,
        HTTP_P95_MS=4000 * kept,
    )  # fmt: skip
    assert [(f.signal, f.severity) for f in find(sick)] == [
        ("http_5xx", "critical"),
        ("latency", "critical"),
    ]
