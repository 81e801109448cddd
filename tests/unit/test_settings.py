from __future__ import annotations

from pathlib import Path

import pytest

from autofix.errors import ConfigError
from autofix.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_is_a_valid_file() -> None:
    """Copied as it is, nothing in it is refused: what is empty is not set."""
    Path(".env").write_text((ROOT / ".env.example").read_text(encoding="utf-8"), encoding="utf-8")
    settings = load_settings()
    assert settings.autofix_price_input is None
    assert settings.autofix_model == "openai:gpt-5"


@pytest.mark.parametrize("value", ["cheap", "-1"])
def test_a_price_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """One line with its name."""
    monkeypatch.setenv("AUTOFIX_PRICE_INPUT", value)
    with pytest.raises(ConfigError, match="AUTOFIX_PRICE_INPUT"):
        load_settings()


def test_a_profile_has_settings_of_its_own_before_the_common_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """NAME_RAILWAY_TOKEN counts before RAILWAY_TOKEN; what the profile does not name is shared."""
    monkeypatch.setenv("RAILWAY_ENVIRONMENT_ID", "env-live")
    monkeypatch.setenv("GITHUB_API_URL", "https://forge.test")
    monkeypatch.setenv("STAGING_RAILWAY_ENVIRONMENT_ID", "env-staging")
    assert load_settings().railway_environment_id == "env-live"
    monkeypatch.setenv("AUTOFIX_PROFILE", "staging")
    assert load_settings().railway_environment_id == "env-staging"
    assert load_settings().github_api_url == "https://forge.test"


def test_the_watched_project_may_be_another_than_the_one_it_runs_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Railway sets RAILWAY_PROJECT_ID to where the tool runs; AUTOFIX_PROJECT_ID counts before it."""
    monkeypatch.setenv("RAILWAY_PROJECT_ID", "own")
    assert load_settings().railway_project_id == "own"
    monkeypatch.setenv("AUTOFIX_PROJECT_ID", "watched")
    assert load_settings().railway_project_id == "watched"


def test_own_services_are_known_by_id_and_by_repository() -> None:
    """Railway names both; without them nothing is the tool's own."""
    settings = Settings(
        _env_file=None,
        railway_service_id="svc-1",
        railway_git_repo_owner="acme",
        railway_git_repo_name="railway-autofix",
    )
    assert settings.is_own("svc-1", None)
    assert settings.is_own("svc-2", "acme/railway-autofix")
    assert not settings.is_own("svc-2", "acme/shop")
    assert not Settings(_env_file=None).is_own("svc-2", None)
