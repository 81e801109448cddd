from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from autofix.cli import run
from autofix.models import Window
from tests.support.railway_server import serve_railway
from tests.unit.observe.railway_app import RailwayApp, deployment, errors, instance

AT = "2026-03-02T14:30:00Z"


@pytest.fixture
def app() -> RailwayApp:
    return RailwayApp(instance("api"), instance("web"), instance("docs"))


@pytest.fixture
def railway(app: RailwayApp, monkeypatch: pytest.MonkeyPatch) -> Iterator[RailwayApp]:
    """The fake behind a real loopback server, and the settings that lead to it."""

    monkeypatch.setenv("RAILWAY_TOKEN", "secret-railway-token")
    monkeypatch.setenv("RAILWAY_PROJECT_ID", "p1")
    monkeypatch.setenv("RAILWAY_ENVIRONMENT_ID", "e1")
    with serve_railway(app) as url:
        monkeypatch.setenv("RAILWAY_API_URL", f"{url}graphql/v2")
        yield app


def measure(app: RailwayApp, window: Window, **cpu: float) -> None:
    """Thirty samples a service, percent of one vCPU."""
    start = int(window.start.timestamp())
    for service, percent in cpu.items():
        for name, value in (("CPU_USAGE", percent / 100), ("CPU_LIMIT", 1.0)):
            points = [{"ts": start + 60 * i, "value": value} for i in range(30)]
            app.metrics.append(
                {"measurement": name, "tags": {"serviceId": service}, "values": points}
            )


def check(tmp_path: Path, *options: str) -> tuple[int, dict[str, Any]]:
    out = tmp_path / "out.json"
    status = run(["check", "--now", AT, "--json", str(out), *options])
    return status, json.loads(out.read_text()) if out.exists() else {}


def test_check_writes_services_and_findings(
    railway: RailwayApp, window: Window, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Findings do not change the exit status; the file holds what was seen."""
    measure(railway, window, api=95, web=20, docs=20)
    railway.broken = {"docs"}
    railway.services.append(
        instance(
            "naps", activeDeployments=[], latestDeployment=deployment("naps", status="SLEEPING")
        )
    )
    status, result = check(tmp_path)
    assert status == 0
    assert (result["now"], result["window_seconds"]) == (AT, 1800)
    states = {s["service"]: (s["state"], s["reason"]) for s in result["services"]}
    assert states["api"][0] == "affected"
    assert states["web"] == ("healthy", "within its thresholds")
    assert states["naps"] == ("healthy", "sleeping")
    assert states["docs"][0] == "unknown"
    assert "Problem processing request" in states["docs"][1]
    (finding,) = result["findings"]
    assert set(finding) == {"ts", "service", "signal", "severity", "onset", "reason"}
    assert (finding["service"], finding["signal"], finding["ts"]) == ("api", "cpu", AT)
    assert finding["onset"] == "2026-03-02T14:00:00Z"
    shown = capsys.readouterr().out
    assert "CPU 95.0 % of its limit over 30 min" in shown
    assert "secret-railway-token" not in shown + json.dumps(result)


def test_check_writes_a_large_environment_whole(
    railway: RailwayApp, window: Window, tmp_path: Path
) -> None:
    """The cap on lines is one on texts: it does not cut the file, however many services there are."""
    names = [f"service-{i}" for i in range(120)]
    railway.services = [instance(name) for name in names]
    measure(railway, window, **dict.fromkeys(names, 20))
    status, result = check(tmp_path)
    assert status == 0
    assert {s["service"] for s in result["services"]} == set(names)


def test_fewer_than_half_read_is_status_one_and_still_written(
    railway: RailwayApp, window: Window, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file says which services are unknown."""
    measure(railway, window, api=95, web=20, docs=20)
    railway.broken = {"web", "docs"}
    status, result = check(tmp_path)
    assert status == 1
    assert [s["state"] for s in result["services"]] == ["affected", "unknown", "unknown"]
    assert "only 1 of 3 services could be read" in capsys.readouterr().err


def test_a_dead_token_is_status_one_in_one_line(
    railway: RailwayApp, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing could be read: the file is there, empty, and stderr says why."""
    railway.faults = [errors("Not Authorized")]
    status, result = check(tmp_path)
    assert (status, result["services"], result["findings"]) == (1, [], [])
    error = capsys.readouterr().err
    assert "the token is dead or has no access" in error
    assert error.count("\n") == 1


def test_service_and_window_narrow_the_look(
    railway: RailwayApp, window: Window, tmp_path: Path
) -> None:
    """Only the named services, and only the last minutes."""
    measure(railway, window, api=95, web=95, docs=20)
    status, result = check(tmp_path, "--service", "api", "--service", "docs", "--window", "10m")
    assert status == 0
    assert [s["service"] for s in result["services"]] == ["api", "docs"]
    assert result["window_seconds"] == 600
    assert [f["onset"] for f in result["findings"]] == ["2026-03-02T14:20:00Z"]


PREFECT = """
deployments:
  - name: autofix
    entrypoint: flows/generate_fix.py:generate_fix
    parameters: {thresholds: {cpu_percent: {warning: 1, critical: 2}}}
  - name: autofix
    entrypoint: flows/monitor_project_health.py:monitor_project_health
    parameters:
      thresholds: {cpu_percent: {warning: 15, critical: 90}}
      services: {exclude: [docs]}
      autonomy: report
"""


def test_rules_come_from_the_monitor_deployment(
    railway: RailwayApp, window: Window, tmp_path: Path
) -> None:
    """prefect.yaml in the working folder is the one place; a file given by hand wins over it."""
    measure(railway, window, api=20, web=10, docs=20)
    assert check(tmp_path)[1]["findings"] == []
    Path("prefect.yaml").write_text(PREFECT)
    _, result = check(tmp_path)
    assert [s["service"] for s in result["services"]] == ["api", "web"]
    assert [(f["service"], f["severity"]) for f in result["findings"]] == [("api", "warning")]
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"thresholds": {"cpu_percent": {"warning": 5, "critical": 9}}}))
    _, result = check(tmp_path, "--parameters", str(given))
    assert [f["service"] for f in result["findings"]] == ["api", "docs", "web"]


def test_overrides_and_mutes_of_a_file_hold(
    railway: RailwayApp, window: Window, tmp_path: Path
) -> None:
    """The same parameters as the monitor's, by hand."""
    measure(railway, window, api=95, web=95, docs=20)
    given = tmp_path / "given.yaml"
    given.write_text(
        "overrides: [{service: docs, cpu_percent: {warning: 10, critical: 99}}]\n"
        "mutes: [{service: web, signal: cpu, until: 2026-03-03}]\n"
    )
    _, result = check(tmp_path, "--parameters", str(given))
    assert [f["service"] for f in result["findings"]] == ["api", "docs"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--window", "soon"], "--window 'soon': write a number"),
        (["--window", "10s"], "--window '10s'"),
        (["--now", "yesterday"], "--now 'yesterday'"),
        (["--now", "2026-03-02T14:30:00"], "has no offset"),
        (["--service", "nope"], "--service nope: no such service; there are api, docs, web"),
        (["--parameters", "absent.yaml"], "absent.yaml cannot be read"),
        (["--parameters", "typo.yaml"], "typo.yaml: thresholds.cpu"),
        (["--parameters", "list.yaml"], "expected names with values"),
        (["--parameters", "mute.yaml"], "mute.yaml: mutes.0.until"),
        (["--parameters", "twice.yaml"], "api stands there twice"),
        (["--json", "no/such/folder/out.json"], "cannot be written"),
        (["--unknown-option"], "--unknown-option"),
    ],
)
def test_bad_input_is_status_two_in_one_line(
    railway: RailwayApp,
    window: Window,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    """What is wrong is named; there is no traceback."""
    measure(railway, window, api=20, web=10, docs=20)
    Path("typo.yaml").write_text("thresholds: {cpu: {warning: 1, critical: 2}}")
    Path("list.yaml").write_text("- 1")
    Path("mute.yaml").write_text("mutes: [{service: api}]")
    Path("twice.yaml").write_text("overrides: [{service: api}, {service: api}]")
    assert run(["check", *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_missing_setting_is_status_two(capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, with what to do."""
    assert run(["check"]) == 2
    assert capsys.readouterr().err.startswith("autofix: RAILWAY_TOKEN is not set: create")


def test_baseline_judges_by_the_services_own_normal(
    railway: RailwayApp, window: Window, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was as slow all day is its nature; a leak of hours is seen; without it neither is."""
    start = int((window.end - timedelta(hours=24)).timestamp())
    times = [start + 300 * i for i in range(288)]
    for name, values in (
        ("MEMORY_USAGE_GB", [0.3 + 0.6 * max(0, i - 240) / 60 for i in range(288)]),
        ("MEMORY_LIMIT_GB", [1.0] * 288),
    ):
        points = [{"ts": ts, "value": value} for ts, value in zip(times, values, strict=True)]
        railway.metrics.append(
            {"measurement": name, "tags": {"serviceId": "api"}, "values": points}
        )
    measure(railway, window, api=20, web=10, docs=20)
    requests = [{"ts": ts, "value": 500} for ts in times]
    railway.statuses["web"] = [{"statusCode": 200, "samples": requests}]
    railway.durations["web"] = [
        {"ts": ts, "p50": 900, "p90": 1400, "p95": 1500, "p99": 2000} for ts in times
    ]

    def found(*options: str) -> list[tuple[str, str]]:
        status, result = check(tmp_path, *options)
        assert status == 0
        return [(f["service"], f["signal"]) for f in result["findings"]]

    assert found() == [("api", "memory"), ("web", "latency")]
    assert "nothing suffers from it" in capsys.readouterr().out
    assert found("--baseline") == [("api", "memory")]
    assert "full in about" in capsys.readouterr().out


def test_a_baseline_that_cannot_be_read_does_not_sink_the_look(
    railway: RailwayApp, window: Window, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said in one line, and levels decide."""
    measure(railway, window, api=95, web=10, docs=20)
    whole = railway.answer_Resources

    def refuse_a_day(variables: dict[str, Any]) -> httpx.Response:
        return errors("Problem processing request") if variables["errors"] else whole(variables)

    railway.answer_Resources = refuse_a_day  # type: ignore[method-assign]
    status, result = check(tmp_path, "--baseline")
    assert (status, [f["service"] for f in result["findings"]]) == (0, ["api"])
    error = capsys.readouterr().err
    assert "no baseline, judged by fixed levels alone" in error
    assert error.count("\n") == 1


def test_help_is_quick_and_loads_no_pandas() -> None:
    """Asking for help does not load what only a command needs."""
    code = (
        "import sys\nfrom autofix.cli import run\nstatus = run(['check', '--help'])\n"
        "sys.exit(status or ('pandas' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    for option in ("--window", "--service", "--now", "--baseline", "--json", "--parameters"):
        assert option in done.stdout


def test_a_window_is_its_length() -> None:
    """The unit is one letter."""
    from autofix.cli import parse_duration  # noqa: PLC0415

    lengths = {"90s": 90, "30m": 1800, "2h": 7200, "1d": 86400, "1.5m": 90}
    assert {t: parse_duration(t) for t in lengths} == {
        t: timedelta(seconds=s) for t, s in lengths.items()
    }
