from __future__ import annotations

import pytest

from flows.monitor_project_health import monitor_project_health

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "RAILWAY_TOKEN is not set"),
        ({"RAILWAY_TOKEN": "token-1"}, "RAILWAY_PROJECT_ID is not set"),
        (
            {"RAILWAY_TOKEN": "token-1", "RAILWAY_PROJECT_ID": "p"},
            "RAILWAY_ENVIRONMENT_ID is not set",
        ),
    ],
)
def test_a_missing_setting_fails_the_run_with_its_name(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], named: str
) -> None:
    """The first missing setting is in the run's message, with what to do; it is not tried again."""
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    state = monitor_project_health(return_state=True)
    assert state.is_failed()
    assert named in str(state.message)
    assert ".env" in str(state.message)
