from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autofix.detect.findings import find_findings
from autofix.models import Finding, Service, ServiceKind, Signal, Window
from autofix.parameters import Mute, Rules, ServiceOverride, Thresholds

END = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
STEP = timedelta(seconds=60)
WINDOW = Window.ending(END, timedelta(minutes=30))
STEPS = 30
API = Service(id="s1", name="api", kind=ServiceKind.web)

Values = list[float | None]


def frame(service: str = "s1", **columns: Values) -> pd.DataFrame:
    rows = [
        (WINDOW.start + i * STEP, service, name, value)
        for name, values in columns.items()
        for i, value in enumerate(values)
        if value is not None
    ]
    table = pd.DataFrame(rows, columns=["ts", "service", "measurement", "value"])
    return table.assign(ts=pd.to_datetime(table["ts"], utc=True))


def cpu(percents: Values, limit: float | None = 2.0) -> pd.DataFrame:
    usage: Values = [None if p is None else p / 100 * (limit or 2.0) for p in percents]
    return frame(CPU_USAGE=usage, CPU_LIMIT=[limit] * len(percents))


def http(ok: Values, errors: Values, p95: Values | None = None) -> pd.DataFrame:
    return frame(HTTP_2XX=ok, HTTP_5XX=errors, HTTP_P95_MS=p95 or [50.0] * len(ok))


def find(samples: pd.DataFrame, thresholds: Thresholds | None = None) -> tuple[Finding, ...]:
    rules = Rules(thresholds=thresholds or Thresholds())
    return find_findings(samples, [API], WINDOW, rules)


def names(samples: pd.DataFrame) -> list[tuple[str, str]]:
    return [(f.signal.value, f.severity.value) for f in find(samples)]


def test_sustained_cpu_is_found_with_its_onset() -> None:
    """High use that began in the middle of the window is a finding since then; alone a warning."""
    samples = cpu([20.0] * 10 + [95.0] * 20)
    (finding,) = find(samples)
    assert (finding.signal, finding.severity, finding.unit) == ("cpu", "warning", "%")
    assert finding.onset == WINDOW.start + 10 * STEP
    assert finding.ts == END
    assert finding.reason == (
        "CPU 95.0 % of its limit over 30 min (threshold 70.0 %), nothing suffers from it, "
        "since 14:10 UTC"
    )


def test_a_spiky_cpu_is_quiet() -> None:
    """Bursts to the limit with a low average are not trouble."""
    assert find(cpu([99.0, 12.0, 15.0, 98.0, 10.0] * 6)) == ()


def test_use_without_a_limit_is_not_judged() -> None:
    """A percentage of nothing is nothing, be the limit absent or zero."""
    assert find(frame(CPU_USAGE=[9.0] * STEPS)) == ()
    assert find(cpu([99.0] * STEPS, limit=0.0)) == ()


def test_a_limit_measured_once_serves_the_whole_window() -> None:
    """Limits come rarely; one of them is enough."""
    samples = frame(MEMORY_USAGE_GB=[0.95] * STEPS, MEMORY_LIMIT_GB=[None] * 29 + [1.0])
    assert names(samples) == [("memory", "warning")]


def test_a_service_measured_for_a_moment_sustains_nothing() -> None:
    """Two samples of thirty say nothing about a window."""
    assert find(cpu([None] * 28 + [99.0] * 2)) == ()


def test_error_rate_names_requests_and_onset() -> None:
    """Server errors that begin late are found with their rate over the window."""
    samples = http([100.0] * 20 + [80.0] * 10, [None] * 20 + [20.0] * 10)
    (finding,) = find(samples)
    assert (finding.signal, finding.severity) == ("http_5xx", "critical")
    assert finding.value == pytest.approx(20)
    assert finding.onset == WINDOW.start + 20 * STEP
    assert finding.reason == (
        "5xx 20.0 % over 10 min (threshold 5.0 %), 1,000 requests, since 14:20 UTC"
    )


def test_errors_in_one_step_are_quiet() -> None:
    """A single burst, as a deploy makes, is no finding however high the rate."""
    assert find(http([10.0] * 30, [None] * 12 + [40.0] + [None] * 17)) == ()


def test_one_error_on_ten_requests_is_quiet() -> None:
    """Too little traffic says nothing."""
    assert find(http([9.0] + [None] * 29, [1.0] + [None] * 29)) == ()


def test_zero_traffic_is_quiet() -> None:
    """Steps with no requests at all judge nothing, whatever their percentiles say."""
    assert find(http([0.0] * 30, [0.0] * 30, [9000.0] * 30)) == ()


def test_latency_counts_only_steps_with_traffic() -> None:
    """A service that is slow whenever it is used is slow."""
    ok: Values = [0.0, 20.0] * 15
    p95: Values = [0.0, 3400.0] * 15
    (finding,) = find(http(ok, [None] * 30, p95))
    assert (finding.signal, finding.severity) == ("latency", "critical")
    assert finding.reason.startswith("p95 3.4 s over 30 min (threshold 3.0 s), 300 requests, since")


def test_restarts_are_counted() -> None:
    """One restart is a warning, three are a crash loop; none is none."""
    assert names(frame(RESTARTS=[0.0] * 30)) == []
    assert names(frame(RESTARTS=[0.0] * 29 + [1.0])) == [("crash_loop", "warning")]
    assert names(frame(RESTARTS=[1.0] * 3 + [0.0] * 27)) == [("crash_loop", "critical")]


def test_the_onset_of_restarts_is_the_first_of_them() -> None:
    """A crash loop is as old as its first restart, however the restarts lie."""
    (finding,) = find(frame(RESTARTS=[0.0] * 10 + [1.0] + [0.0] * 17 + [1.0, 1.0]))
    assert finding.onset == WINDOW.start + 10 * STEP


def test_a_full_volume_is_found_at_its_last_sample() -> None:
    """Disk is judged by where it stands, not by how long."""
    samples = frame(DISK_USAGE_GB=[None] * 29 + [4.8], DISK_LIMIT_GB=[None] * 29 + [5.0])
    assert names(samples) == [("disk", "critical")]


def test_services_that_are_not_asked_for_are_not_judged() -> None:
    """Samples of a service that is not watched give nothing."""
    other = cpu([99.0] * STEPS).assign(service="s2")
    assert find(pd.concat([other, cpu([10.0] * STEPS)])) == ()


def test_no_samples_give_no_findings() -> None:
    """An empty frame is ordinary input."""
    assert find(frame()) == ()


def test_thresholds_decide() -> None:
    """Other levels, other findings."""
    samples = cpu([50.0] * STEPS)
    strict = Thresholds.model_validate({"cpu_percent": {"warning": 40, "critical": 60}})
    assert [f.severity for f in find(samples, strict)] == ["warning"]


def test_a_service_has_its_own_thresholds() -> None:
    """An override changes what is found for its service alone."""
    override = ServiceOverride.model_validate(
        {"service": "api", "cpu_percent": {"warning": 99, "critical": 100}}
    )
    web = API.model_copy(update={"id": "s2", "name": "web"})
    samples = pd.concat([cpu([97.0] * STEPS), cpu([97.0] * STEPS).assign(service="s2")])
    for rules, found in ((Rules(), ["api", "web"]), (Rules(overrides=(override,)), ["web"])):
        seen = find_findings(samples, [API, web], WINDOW, rules)
        assert [f.service for f in seen] == found


def test_a_muted_signal_is_not_found_until_the_mute_ends() -> None:
    """Other signals of the service are."""
    samples = pd.concat([cpu([97.0] * STEPS), http([90.0] * STEPS, [10.0] * STEPS)])
    for until, found in (
        (END + timedelta(seconds=1), ["http_5xx"]),
        (END, ["cpu", "http_5xx"]),
    ):
        rules = Rules(mutes=(Mute(service="api", signal=Signal.cpu, until=until),))
        seen = find_findings(samples, [API], WINDOW, rules)
        assert [f.signal.value for f in seen] == found


# ------------------------------------------------------------------ properties

LEVEL = st.sampled_from([None, 0.0, 35.0, 72.0, 96.0, 140.0])
COUNT = st.sampled_from([None, 0.0, 1.0, 7.0, 60.0])
MS = st.sampled_from([None, 0.0, 40.0, 1200.0, 5000.0])


@st.composite
def histories(draw: Callable[..., Values]) -> pd.DataFrame:
    def values(element: st.SearchStrategy[float | None]) -> Values:
        return draw(st.lists(element, min_size=STEPS, max_size=STEPS))

    return pd.concat([cpu(values(LEVEL)), http(values(COUNT), values(COUNT), values(MS))])


@settings(max_examples=40)
@given(histories(), st.integers(0, 2**32 - 1))
def test_order_and_duplicates_change_nothing(samples: pd.DataFrame, seed: int) -> None:
    """Rows may come in any order and several times."""
    doubled = pd.concat([samples, samples.sample(frac=0.5, random_state=seed)])
    assert find(doubled.sample(frac=1.0, random_state=seed)) == find(samples)


@settings(max_examples=40)
@given(histories(), histories())
def test_nothing_after_the_window_is_read(samples: pd.DataFrame, later: pd.DataFrame) -> None:
    """The future changes no finding."""
    assert find(pd.concat([samples, later.assign(ts=later["ts"] + WINDOW.length)])) == find(samples)


@settings(max_examples=40)
@given(st.sets(st.integers(0, STEPS - 1), max_size=STEPS // 2), st.floats(0, 60))
def test_a_gap_is_never_zero(missing: set[int], calm: float) -> None:
    """Taking samples away from a steady signal neither ends its trouble nor begins one."""

    def thin(values: Values) -> Values:
        return [None if i in missing else v for i, v in enumerate(values)]

    def trouble(samples: pd.DataFrame) -> list[tuple[str, str, float]]:
        return [(f.signal.value, f.severity.value, round(f.value, 6)) for f in find(samples)]

    sick = ([97.0] * STEPS, [90.0] * STEPS, [10.0] * STEPS, [4000.0] * STEPS)
    whole = pd.concat([cpu(sick[0]), http(*sick[1:])])
    holed = pd.concat([cpu(thin(sick[0])), http(thin(sick[1]), thin(sick[2]), thin(sick[3]))])
    assert trouble(holed) == trouble(whole)
    assert len(trouble(whole)) == 3
    assert find(cpu(thin([calm] * STEPS))) == ()
