from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autofix.cli import run
from autofix.detect.findings import find_findings
from autofix.detect.grid import build_recording
from autofix.detect.replay import Replay, Tick, find_episodes, guess_kind
from autofix.models import Service, ServiceKind, Window
from autofix.parameters import Rules
from tests.unit.detect.histories import END, ago, noise, rows, web, worker

EVERY, LENGTH = timedelta(minutes=10), timedelta(minutes=30)
HOURS = 14


def history() -> pd.DataFrame:
    """Some services with some trouble each, at several steps, with gaps, until the tick."""
    one, five = ago(HOURS), ago(HOURS, step=300)
    failed = np.where((one >= -200) & (one < -100), 20.0, 0.0)
    leak = 0.3 + np.clip((one + 300) / 420, 0, 1) * 0.7 + noise(one, 0.003)
    slow = np.where(five >= -90, 4000.0, 80.0)
    parts = [
        web(one, service="errors", per_minute=100 - failed, HTTP_5XX=failed),
        web(five, service="slow", per_minute=500.0, HTTP_P95_MS=slow),
        worker(one, service="leak", MEMORY_USAGE_GB=leak),
        web(one, service="busy", CPU_USAGE=0.95),
        web(one, service="calm", CPU_USAGE=0.2 + noise(one, 0.02)),
        rows(five, service="orders-db", CPU_USAGE=0.1, DISK_USAGE_GB=0.97, DISK_LIMIT_GB=1.0),
    ]
    whole = pd.concat(parts, ignore_index=True)
    return whole[np.random.default_rng(5).random(len(whole)) > 0.03]


@cache
def whole() -> tuple[Tick, ...]:
    """What is found in all of it."""
    return tuple(replay_of(history()).run())


def replay_of(samples: pd.DataFrame, every: timedelta = EVERY) -> Replay:
    names = sorted(samples["service"].unique())
    return Replay(build_recording(samples, names), Rules(), LENGTH, every)


def test_ticks_lie_on_multiples_and_reach_over_all_of_it() -> None:
    """From the first after the beginning to the one at the end."""
    ticks = replay_of(history()).ticks()
    assert ticks[0] == END - timedelta(hours=HOURS) + EVERY
    assert ticks[-1] == END
    assert len(ticks) == 6 * HOURS
    assert Replay(build_recording(history().iloc[:0], []), Rules(), LENGTH, EVERY).ticks() == []


def test_the_troubles_are_found_and_nothing_else() -> None:
    """Each service's own; the busy one is only under pressure."""
    ticks = whole()
    episodes = find_episodes(ticks, EVERY)
    found = {e.service: {f.signal.value for f in e.findings} for e in episodes}
    assert found == {
        "errors": {"http_5xx"},
        "slow": {"latency"},
        "leak": {"memory"},
        "orders-db": {"disk"},
    }
    assert len(episodes) == 4
    assert {f.service for tick in ticks for f in tick.pressure} >= {"busy"}
    errors = next(e for e in episodes if e.service == "errors")
    assert errors.findings[0].ts == END - timedelta(minutes=190)
    assert errors.findings[-1].ts <= END - timedelta(minutes=70)


def test_cutting_the_history_at_each_tick_changes_nothing() -> None:
    """What is found at a tick is the same when the file ends there."""
    samples = history()
    judged = {tick.at: tick.judged for tick in whole()}
    for at in list(judged)[::12]:
        cut = replay_of(samples[samples["ts"] < at])
        assert list(cut.run())[-1].judged == judged[at] or at not in cut.ticks(), at
        assert cut.ticks()[-1] == at


def test_what_comes_after_a_tick_is_not_read() -> None:
    """The rest of the day may be anything."""
    samples = history()
    at = END - timedelta(hours=4)
    wild = samples.assign(value=samples["value"].where(samples["ts"] < at, 1e6))
    before = [tick for tick in whole() if tick.at <= at]
    assert [tick for tick in replay_of(wild).run() if tick.at <= at] == before


def test_a_long_history_gives_the_same_as_a_part_of_it() -> None:
    """Three days are looked at a day at a time; the last tick sees the day before it alone."""
    t = ago(72)
    failed = np.where(t % 1440 >= -120 % 1440, 20.0, 0.0)
    samples = web(t, service="web", per_minute=100 - failed, HTTP_5XX=failed)
    half_hourly = timedelta(minutes=30)
    ticks = list(replay_of(samples, half_hourly).run())
    recent = samples[samples["ts"] >= END - timedelta(hours=26)]
    assert list(replay_of(recent, half_hourly).run())[-1] == ticks[-1]
    assert len(find_episodes(ticks, half_hourly)) == 3


def test_a_check_of_the_same_samples_says_the_same() -> None:
    """The window as it is observed, and the day before as its baseline."""
    samples = history()
    for at in (END, END - timedelta(minutes=120)):
        tick = next(tick for tick in whole() if tick.at == at)
        window = Window.ending(at, LENGTH)
        inside = (samples["ts"] >= window.start) & (samples["ts"] < at)
        services = [
            Service(id=name, name=name, kind=guess_kind(name))
            for name in sorted(samples["service"].unique())
        ]
        checked = find_findings(
            samples[inside],
            services,
            window,
            Rules(),
            baseline=samples[samples["ts"] < window.start],
        )
        assert checked == tuple(judged.finding for judged in tick.judged)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Postgres", "database"),
        ("orders-db", "database"),
        ("redis-cache", "database"),
        ("db2", "database"),
        ("feedback-api", "web"),
        ("dbt-runner", "web"),
    ],
)
def test_a_database_is_told_by_its_name(name: str, kind: str) -> None:
    """A recording says no more than that."""
    assert guess_kind(name) is ServiceKind(kind)


# ------------------------------------------------------------------ the command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "day.csv"
    history().to_csv(path, index=False)
    return path


def command(file: Path, *options: str) -> tuple[int, dict[str, Any]]:
    out = file.parent / "out.json"
    status = run(["replay", str(file), "--json", str(out), *options])
    return status, json.loads(out.read_text()) if out.exists() else {}


def test_the_command_writes_every_finding_and_prints_every_trouble(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One entry a tick, service and signal, in order of time."""
    status, result = command(file)
    assert status == 0
    findings = result["findings"]
    assert set(findings[0]) == {"ts", "service", "signal", "severity", "onset"}
    assert [f["ts"] for f in findings] == sorted(f["ts"] for f in findings)
    last = {f["service"]: f for f in findings if f["ts"] == "2026-03-02T14:30:00Z"}
    assert last["slow"]["signal"] == "latency"
    assert last["slow"]["severity"] == "critical"
    assert last["slow"]["onset"] == "2026-03-02T13:00:00Z"
    assert {f["service"] for f in findings} == {"errors", "slow", "leak", "orders-db"}
    assert "busy" in {f["service"] for f in result["pressure"]}
    shown = capsys.readouterr().out
    assert "p95 4.0 s over" in " ".join(shown.split())
    assert "84 ticks, 6 services" in shown
    assert "in 4 troubles of 4 services" in shown


def test_rules_selection_window_and_step_are_obeyed(file: Path, tmp_path: Path) -> None:
    """As for check, from a file."""
    given = tmp_path / "given.yaml"
    given.write_text(
        "services: {exclude: [leak, orders-db]}\n"
        "mutes: [{service: slow, until: 2026-03-03}]\n"
        "overrides: [{service: errors, http_5xx_percent: {warning: 50, critical: 60}}]\n"
    )
    assert command(file, "--parameters", str(given))[1]["findings"] == []
    _, result = command(file, "--every", "30m", "--window", "1h")
    minutes = {datetime.fromisoformat(f["ts"]).minute for f in result["findings"]}
    assert minutes == {0, 30}


def test_a_picture_is_drawn_for_each_signal(file: Path, tmp_path: Path) -> None:
    """The folder is made; names are safe."""
    folder = tmp_path / "deep" / "pictures"
    assert run(["replay", str(file), "--plot", str(folder)]) == 0
    pictures = sorted(path.name for path in folder.iterdir())
    assert [name.rsplit("-", 1)[0] for name in pictures] == [
        "errors-http_5xx",
        "leak-memory",
        "orders-db-disk",
        "slow-latency",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.iterdir())


def test_pictures_without_matplotlib_are_told_before_anything_else(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What to install, in one line."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run(["replay", str(file), "--plot", str(file.parent / "p")]) == 2
    error = capsys.readouterr().err
    assert "--plot needs matplotlib: pip install" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--every", "often"], "--every 'often': write a number"),
        (["--every", "0m"], "--every '0m'"),
        (["--window", "1s"], "--window '1s'"),
        (["--json", "no/such/folder/out.json"], "cannot be written"),
        (["--parameters", "absent.yaml"], "absent.yaml cannot be read"),
        (["--parameters", "none.yaml"], "none of its services is selected"),
    ],
)
def test_bad_input_is_status_two_in_one_line(
    file: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    """What is wrong is named; there is no traceback."""
    Path("none.yaml").write_text("services: {include: [nobody]}")
    assert run(["replay", str(file), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_bad_file_is_status_two_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is written."""
    bad = tmp_path / "bad.csv"
    bad.write_text("ts,service,measurement,value\nsoon,web,CPU_USAGE,1\n")
    status, result = command(bad)
    assert (status, result) == (2, {})
    assert "ts 'soon' is no time" in capsys.readouterr().err


def test_a_stray_time_makes_no_endless_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sample of 1990 beside those of today."""
    stray = tmp_path / "stray.csv"
    lines = [f"{at},web,CPU_USAGE,1" for at in ("1990-01-01", datetime(2026, 3, 2, tzinfo=UTC))]
    stray.write_text("ts,service,measurement,value\n" + "\n".join(lines) + "\n")
    assert command(stray)[0] == 2
    assert "ticks, more than 50,000: take a larger --every" in capsys.readouterr().err
