"""What a run logs, and what its exceptions say, has passed the door."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from random import Random

import httpx
import pytest
from prefect import Task
from pydantic import BaseModel, ValidationError

import tasks
from autofix.errors import ConfigError, GithubError
from tasks.guard import guarded, is_guarded, redact_error
from tasks.options import REMOTE
from tests.support.redaction import made

TOKEN = made.TOKENS["github classic"](Random(3))
PASSWORD = made.draw(Random(4), made._ALNUM, 20)


def test_every_task_is_guarded() -> None:
    """One that is not could put a secret into a state's message."""
    found = [
        value
        for module in pkgutil.iter_modules(tasks.__path__)
        for value in vars(importlib.import_module(f"tasks.{module.name}")).values()
        if isinstance(value, Task)
    ]
    assert len(found) > 10
    assert [task.name for task in found if not is_guarded(task.fn)] == []


def test_an_exception_keeps_its_kind_and_what_hangs_on_it() -> None:
    """Retries go by the type and its attributes."""
    error = redact_error(GithubError(f"push with {TOKEN} was refused", retryable=True))
    assert isinstance(error, GithubError)
    assert error.retryable
    assert TOKEN not in str(error)
    assert "«github-token:" in str(error)


def test_causes_and_notes_are_redacted_too() -> None:
    """A traceback shows them."""
    cause = ValueError(f"password={PASSWORD}")
    cause.add_note(f"tried {TOKEN}")
    error = RuntimeError("no luck")
    error.__cause__ = cause
    redact_error(error)
    assert PASSWORD not in str(cause)
    assert TOKEN not in cause.__notes__[0]


def test_an_exception_whose_text_cannot_be_changed_is_replaced() -> None:
    """A validation error shows its input, which nobody can take out of it."""

    class Answer(BaseModel):
        size: int

    with pytest.raises(ValidationError) as caught:
        Answer.model_validate({"size": TOKEN})
    assert TOKEN in str(caught.value)
    error = redact_error(caught.value)
    assert TOKEN not in str(error)
    assert str(error).startswith("ValidationError: 1 validation error")


def test_a_guarded_function_raises_what_is_clean() -> None:
    """And returns what it returns."""

    @guarded
    def call(url: str) -> str:
        if "token" in url:
            request = httpx.Request("GET", url)
            raise httpx.ConnectError(f"cannot reach {url}", request=request)
        return url

    assert call("https://a.example.com/") == "https://a.example.com/"
    with pytest.raises(httpx.ConnectError) as caught:
        call(f"https://a.example.com/?token={TOKEN}")
    assert TOKEN not in str(caught.value)


def test_log_records_pass_the_door(caplog: pytest.LogCaptureFixture) -> None:
    """Message, arguments and traceback."""
    log = logging.getLogger("autofix.somewhere")
    with caplog.at_level(logging.INFO):
        log.info("connecting with %s", f"postgres://app:{PASSWORD}@db/main")
        try:
            int(f"bad credential {TOKEN}")
        except ValueError:
            log.exception("it failed")
    assert PASSWORD not in caplog.text
    assert TOKEN not in caplog.text
    assert "Traceback (most recent call last)" in caplog.text
    assert "ValueError: invalid literal for int() with base 10: 'bad credential «g" in caplog.text


@pytest.mark.parametrize("said", ["it failed: %r", "it failed"])
def test_an_error_that_says_what_to_do_is_one_line(
    caplog: pytest.LogCaptureFixture, said: str
) -> None:
    """A missing setting is a person's mistake, and no traceback tells more about it."""
    error = ConfigError(f"X is not set: put {TOKEN} into .env")
    arguments = [error] if "%" in said else []
    logging.getLogger("anything").error(said, *arguments, exc_info=error)
    assert "Traceback" not in caplog.text
    assert caplog.text.count("X is not set: put «github-token:") == 1
    assert caplog.text.rstrip().count("\n") == 0


def test_live_secrets_pass_no_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that nothing else would give away."""
    monkeypatch.setenv("OPENCODE_SERVER_PASSWORD", "correct horse battery")
    with caplog.at_level(logging.INFO):
        logging.getLogger("anything").warning("it is correct horse battery, I think")
    assert "correct horse" not in caplog.text


def test_a_malformed_setting_stops_no_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    """The patterns have to do then."""
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.INFO):
        logging.getLogger("anything").warning("with %s", TOKEN)
    assert "with «github-token:" in caplog.text


def test_remote_tasks_are_tried_again_by_their_own_rule() -> None:
    """A replaced exception is one that nobody foresaw."""
    condition = REMOTE["retry_condition_fn"]

    class State:
        def result(self) -> None:
            raise redact_error(ValueError("x"))

    assert condition(None, None, State()) is True
