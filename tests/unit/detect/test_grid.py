from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autofix.detect.course import Course, stride_of
from autofix.detect.grid import PEAK, build_grid, build_recording, moment, nanoseconds
from tests.unit.detect.histories import END, ago, rows, web

STEP = 60 * 10**9


def grid_of(samples: pd.DataFrame, steps: int = 4, services: tuple[str, ...] = ("s1",)) -> Course:
    start = nanoseconds(END) - steps * STEP
    return Course(build_grid(build_recording(samples, services), start, STEP, steps))


def test_counts_are_added_up_and_the_rest_is_averaged() -> None:
    """Two samples in one step: requests are both, CPU is in between, memory keeps its peak."""
    t = ago(4 / 60, step=30)
    course = grid_of(
        rows(t, CPU_USAGE=[1, 3] * 4, HTTP_2XX=[10, 20] * 4, MEMORY_USAGE_GB=[1, 5] * 4)
    )
    assert course.grid.column("CPU_USAGE")[0].tolist() == [2.0] * 4
    assert course.requests[0].tolist() == [30.0] * 4
    assert course.grid.column(PEAK)[0].tolist() == [5.0] * 4


def test_what_says_nothing_is_left_out() -> None:
    """NaN, infinity, less than nothing, unknown services and measurements, and times that are none."""
    t = ago(4 / 60)
    good = rows(t, CPU_USAGE=[1.0, np.nan, 1.0, 1.0])
    bad = pd.concat(
        [
            rows(t[:1], CPU_USAGE=[-7.0]).assign(ts=good["ts"].iloc[0] + pd.Timedelta("1s")),
            rows(t[:1], service="s2", CPU_USAGE=[9.0]),
            rows(t[:1], NONSENSE=[9.0]),
            rows(t[:1], CPU_USAGE=[9.0]).assign(value=np.inf, ts=good["ts"].iloc[-1]),
            rows(t[:1], CPU_USAGE=[9.0]).assign(ts=pd.NaT),
        ]
    )
    course = grid_of(pd.concat([bad, good]).sample(frac=1, random_state=1))
    assert np.array_equal(course.grid.column("CPU_USAGE")[0], [1, np.nan, 1, 1], equal_nan=True)


def test_of_two_rows_for_the_same_thing_the_higher_stays() -> None:
    """A duplicate is one measurement and not two."""
    t = ago(4 / 60)
    doubled = pd.concat([rows(t, HTTP_2XX=7.0), rows(t, HTTP_2XX=[7, 9, 7, 7.0])])
    assert grid_of(doubled).requests[0].tolist() == [7, 9, 7, 7]


def test_a_class_that_is_missing_beside_another_is_zero() -> None:
    """Railway names only the classes that occurred; where none did, nothing is known."""
    t = ago(4 / 60)
    course = grid_of(rows(t, HTTP_2XX=[5, 5, np.nan, np.nan], HTTP_5XX=[np.nan, 1, 1, np.nan]))
    assert np.array_equal(course.of_class(5)[0], [0, 1, 1, np.nan], equal_nan=True)
    assert np.array_equal(course.requests[0], [5, 6, 1, np.nan], equal_nan=True)


def test_a_limit_stands_until_the_next() -> None:
    """And before the first one that was measured; a limit of zero is none."""
    t = ago(4 / 60)
    course = grid_of(rows(t, CPU_USAGE=1.0, CPU_LIMIT=[np.nan, 2.0, 0.0, 4.0]))
    assert course.cpu[0].tolist() == [50, 50, 50, 25]
    assert np.isnan(grid_of(rows(t, CPU_USAGE=1.0)).cpu).all()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, 80.0),
        ({"HTTP_P95_MS": np.nan}, 20 * 6**0.707),
        ({"HTTP_P95_MS": np.nan, "HTTP_P50_MS": np.nan}, 0.67 * 120),
        ({"HTTP_P95_MS": np.nan, "HTTP_P99_MS": np.nan}, 20.0),
        ({"HTTP_2XX": 0.0}, np.nan),
        ({"HTTP_2XX": np.nan}, np.nan),
    ],
)
def test_a_missing_percentile_is_estimated(columns: dict[str, float], expected: float) -> None:
    """From the others; without requests there is no latency, whatever stands there."""
    course = grid_of(web(ago(4 / 60), **columns))
    assert course.p95[0] == pytest.approx([expected] * 4, nan_ok=True)


def test_rates_know_how_far_samples_are_apart() -> None:
    """A count of five minutes is no rate of one; a gap among single minutes changes nothing."""
    measured = np.array(
        [[True, False, False, False, False] * 3, [True] * 6 + [False] * 3 + [True] * 6]
    )
    strides = stride_of(measured)
    assert strides[0][measured[0]].tolist() == [5, 5, 5]
    assert strides[1][measured[1]].tolist() == [1] * 12


def test_moments_keep_their_time() -> None:
    """Nanoseconds and back."""
    assert moment(nanoseconds(END)) == END
