from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.models import Window
from autofix.observe.limits import NETWORK, TICK_STEPS, ApiLimits, choose_sampling

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
LIMITS = ApiLimits()


def window(minutes: float) -> Window:
    return Window.ending(NOW, timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("services", "minutes", "seconds", "network"),
    [
        (12, 30, 30, True),
        (80, 30, 30, True),  # 6 series
        (100, 30, 30, False),  # 4 series
        (300, 30, 90, False),
        (500, 30, 120, False),
        (12, 1440, 180, False),
    ],
)
def test_the_step_grows_with_services_after_network_was_dropped(
    services: int, minutes: float, seconds: int, network: bool
) -> None:
    """The smallest step that fits, and a step without network before a longer one."""
    sampling = choose_sampling(services, 0, window(minutes), None, LIMITS)
    assert sampling.step == timedelta(seconds=seconds)
    assert (NETWORK[0] in sampling.measurements) is network
    assert sampling.windows == 1


def test_a_step_chosen_by_a_person_is_kept() -> None:
    """What does not fit then takes several requests."""
    sampling = choose_sampling(300, 0, window(30), timedelta(seconds=30), LIMITS)
    assert sampling.step == timedelta(seconds=30)
    assert sampling.windows == 3
    assert NETWORK[0] not in sampling.measurements


@given(
    services=st.integers(0, 2_000),
    share=st.floats(0, 1),
    minutes=st.floats(1, 1440),
    step=st.none() | st.integers(1, 3600),
)
def test_no_answer_is_asked_for_that_does_not_fit(
    services: int, share: float, minutes: float, step: int | None
) -> None:
    """However large the environment: the parts cover the window and each one fits."""
    span, volumes = window(minutes), round(services * share)
    chosen = timedelta(seconds=step) if step else None
    sampling = choose_sampling(services, volumes, span, chosen, LIMITS)
    assert chosen in {None, sampling.step}
    assert step or sampling.step.total_seconds() in TICK_STEPS
    parts = list(sampling.cut(span))
    assert (parts[0].start, parts[-1].end) == (span.start, span.end)
    assert all(a.end == b.start for a, b in pairwise(parts))
    disk = volumes if "DISK_USAGE_GB" in sampling.measurements else 0
    series = services * len([m for m in sampling.measurements if not m.startswith("DISK")]) + disk
    for part in parts:
        # a single step of thousands of services cannot be cut further
        points = math.ceil(part.length / sampling.step)
        assert points == 1 or series * (points - 1) <= LIMITS.points


def test_a_batch_stays_within_every_cap() -> None:
    """Aliases, selections and points each bound the number of services."""
    assert LIMITS.batch(2, 12) == 10
    assert LIMITS.batch(1, 100) == 5
    assert LIMITS.batch(2, 12, points=10_000) == 3
    assert LIMITS.batch(2, 12, points=90_000) == 1
