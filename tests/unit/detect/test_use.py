from __future__ import annotations

import numpy as np
import pytest

from autofix.models import ServiceKind
from tests.unit.detect.histories import ago, find, names, rows, web, worker

DAY = ago(12)


@pytest.mark.parametrize("usage", [0.75, 0.93, 1.0])
def test_high_use_alone_is_a_warning_of_pressure(usage: float) -> None:
    """Maybe the service is just successful."""
    (finding,) = find(web(DAY, CPU_USAGE=usage))
    assert (finding.signal, finding.severity, finding.pattern) == ("cpu", "warning", "level")
    assert "nothing suffers from it" in finding.reason


def test_used_up_cpu_with_slow_requests_is_trouble() -> None:
    """What goes with it makes it critical, also where latency alone would be no finding."""
    cpu = np.where(DAY >= -30, 0.99, 0.3)
    for p95, signals in ((5000.0, ["cpu", "latency"]), (300.0, ["cpu"])):
        found = find(
            web(
                DAY,
                per_minute=np.where(DAY >= -30, 400.0, 100.0),
                CPU_USAGE=cpu,
                HTTP_P95_MS=np.where(DAY >= -30, p95, 80.0),
            )
        )
        assert [f.signal for f in found] == signals
        assert all(f.severity == "critical" for f in found)


def test_a_database_that_uses_up_its_cpu_is_trouble() -> None:
    """It has no requests of its own that could be slow; always busy is its nature."""
    busy = np.where(DAY >= -60, 0.99, 0.3)
    (finding,) = find(worker(DAY, CPU_USAGE=busy), ServiceKind.database)
    assert (finding.signal, finding.severity) == ("cpu", "critical")
    (always,) = find(worker(DAY, CPU_USAGE=0.99), ServiceKind.database)
    assert always.severity == "warning"
    (batch,) = find(worker(DAY, CPU_USAGE=busy), ServiceKind.worker)
    assert batch.severity == "warning"


def test_memory_of_which_nothing_is_left_is_trouble() -> None:
    """31.96 of 32 GB, and it was not always so."""
    memory = np.where(DAY >= -60, 0.998, 0.5)
    (finding,) = find(worker(DAY, MEMORY_USAGE_GB=memory), ServiceKind.database)
    assert (finding.signal, finding.severity) == ("memory", "critical")
    (always,) = find(worker(DAY, MEMORY_USAGE_GB=0.998), ServiceKind.database)
    assert always.severity == "warning"


def test_a_full_volume_is_trouble_and_a_filled_one_pressure() -> None:
    """By where it stands at its last sample, and by whether it grows."""

    def volume(share: object) -> object:
        return rows(DAY, CPU_USAGE=0.1, DISK_USAGE_GB=share, DISK_LIMIT_GB=1.0)

    for share, severity, word in (
        (0.97, "critical", "(threshold 95.0 %), since"),
        (0.85, "warning", "nothing suffers from it"),
        (0.85 + 0.05 * DAY / 720, "warning", "(threshold 80.0 %), since"),
    ):
        (finding,) = find(volume(share), ServiceKind.database)
        assert (finding.signal, finding.severity) == ("disk", severity)
        assert word in finding.reason


def test_spiky_cpu_is_quiet() -> None:
    """To the limit, often, and never for long."""
    assert find(web(DAY, CPU_USAGE=np.where(DAY % 9 < 4, 1.0, 0.1))) == ()


def test_pressure_that_comes_down_is_over() -> None:
    """Half an hour of calm."""
    assert names(find(web(DAY, CPU_USAGE=np.where(DAY < -30, 0.95, 0.2)))) == []
