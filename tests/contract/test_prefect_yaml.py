from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from autofix.parameters import Caps, Thresholds, WindowParameters
from flows.deploy import find_unknown_parameters, find_unwatched

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def deployments() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return found


def _write(folder: Path, deployments: list[dict[str, Any]]) -> Path:
    (folder / "flows").symlink_to(ROOT / "flows")
    file = folder / "prefect.yaml"
    file.write_text(yaml.safe_dump({"deployments": deployments}))
    return file


def test_every_deployment_loads_and_its_parameters_are_known() -> None:
    """The file as it is has nothing to complain about."""
    assert find_unknown_parameters(ROOT / "prefect.yaml") == []


def test_an_unknown_parameter_is_an_error_that_names_it(
    tmp_path: Path, deployments: list[dict[str, Any]]
) -> None:
    """Prefect would accept it and let the run crash."""
    deployments[0]["parameters"]["windw"] = {"minutes": 10}
    problems = find_unknown_parameters(_write(tmp_path, deployments))
    assert len(problems) == 1
    assert "has no parameter 'windw'" in problems[0]


def test_a_value_that_the_form_would_refuse_is_an_error(
    tmp_path: Path, deployments: list[dict[str, Any]]
) -> None:
    """A critical level below its warning level, and an unknown name inside a group."""
    deployments[0]["parameters"]["thresholds"]["cpu_percent"] = {"warning": 90, "critical": 70}
    deployments[0]["parameters"]["caps"]["pull_request_per_tick"] = 1
    problems = "\n".join(find_unknown_parameters(_write(tmp_path, deployments)))
    assert "swap them" in problems
    assert "pull_request_per_tick" in problems


def test_a_deployment_whose_dead_runs_nobody_would_find_is_an_error(
    tmp_path: Path, deployments: list[dict[str, Any]]
) -> None:
    """A copy for another environment that lost the tag, or the signs of life, on the way."""
    assert find_unwatched(ROOT / "prefect.yaml") == []
    del deployments[0]["tags"]
    deployments[1]["name"] = "staging"
    pool = deployments[1]["work_pool"]  # one for all of them, by an anchor
    deployments[1]["work_pool"] = pool | {"job_variables": {"env": {"AUTOFIX_PROFILE": "staging"}}}
    problems = find_unwatched(_write(tmp_path, deployments))
    assert len(problems) == 2
    assert "(autofix) needs the tag 'autofix'" in problems[0]
    assert '(staging) needs PREFECT_FLOWS_HEARTBEAT_FREQUENCY: "60"' in problems[1]


def test_runs_send_nothing_about_themselves(deployments: list[dict[str, Any]]) -> None:
    """Prefect's telemetry is off wherever a worker runs them."""
    variables = [deployment["work_pool"]["job_variables"]["env"] for deployment in deployments]
    assert [env.get("DO_NOT_TRACK") for env in variables] == ["1"] * 4


def test_the_file_states_the_defaults_that_the_code_has(deployments: list[dict[str, Any]]) -> None:
    """A person who reads the file sees what a run by hand does."""
    parameters = deployments[0]["parameters"]
    assert WindowParameters(**parameters["window"]) == WindowParameters()
    assert Thresholds(**parameters["thresholds"]) == Thresholds()
    assert Caps(**parameters["caps"]) == Caps()


def test_overrides_and_mutes_in_the_file_are_checked(
    tmp_path: Path, deployments: list[dict[str, Any]]
) -> None:
    """As a person writes them they pass; a signal that does not exist, or no end date, does not."""
    parameters = deployments[0]["parameters"]
    assert parameters["overrides"] == []
    assert parameters["mutes"] == []
    parameters["overrides"] = [
        {"service": "pdf-api", "latency_p95_ms": {"warning": 1, "critical": 2}}
    ]
    parameters["mutes"] = [{"service": "web", "signal": "http_4xx", "until": date(2026, 9, 1)}]
    file = _write(tmp_path, deployments)
    assert find_unknown_parameters(file) == []
    parameters["overrides"][0]["latency"] = 3
    parameters["mutes"] = [{"service": "web", "signal": "http"}]
    file.write_text(yaml.safe_dump({"deployments": deployments}))
    problems = "\n".join(find_unknown_parameters(file))
    for complaint in ("overrides.0.latency", "mutes.0.signal", "mutes.0.until"):
        assert complaint in problems


@pytest.mark.parametrize(
    ("address", "says"),
    [("", "PREFECT_API_URL is not set"), ("http://127.0.0.1:9/api", "no Prefect server answers")],
)
def test_deploying_without_a_server_is_one_line(address: str, says: str, tmp_path: Path) -> None:
    """Exit status 2 and what to do; no server is started behind a person's back."""
    environment = {"PATH": os.environ["PATH"], "PREFECT_HOME": str(tmp_path)}
    if address:
        environment |= {"PREFECT_API_URL": address, "PREFECT_CLIENT_MAX_RETRIES": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "flows.deploy"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
