from __future__ import annotations

from pathlib import Path

import pytest

from autofix.errors import ConfigError
from autofix.settings import load_settings

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
